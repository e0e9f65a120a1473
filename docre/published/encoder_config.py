"""The architecture of an encoder whose weights are published with a system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from docre.data.download import is_offline
from docre.errors import DocreError
from docre.pretrained import resolve_pretrained
from docre.published.sizes import rows


def encoder_config(
    name: str, weights: Mapping[str, Tensor], prefix: str, offline: bool = False
) -> dict[str, Any]:
    """Return the transformers configuration of an encoder, as plain values.

    Its table of positions is as long as that of the weights: joint systems lengthen it.

    Args:
        name: Hub name or folder, or the name of a package.
        weights: Published.
        prefix: What names of the encoder's weights begin with.
        offline: Never use the network.

    Raises:
        DocreError: If there is no such encoder.
    """
    from transformers import AutoConfig

    try:
        found = AutoConfig.from_pretrained(
            resolve_pretrained(name),
            local_files_only=offline or is_offline(),
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DocreError(f"--encoder {name}: its configuration cannot be had: {reason}") from error
    config: dict[str, Any] = found.to_dict()
    config.pop("_name_or_path", None)
    positions = f"{prefix}embeddings.position_embeddings.weight"
    if positions in weights:
        config["max_position_embeddings"] = rows(weights, positions)
    return config
