"""A trained model with everything that predicting needs, wherever it was read from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from docre.data.features import FeatureSettings
from docre.data.relations import RelationSet
from docre.errors import DocreError
from docre.hub.building import Recipe, predicting_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from docre.base_model import DocumentModel
    from docre.calibration import Calibration


@dataclass(frozen=True, eq=False)
class ModelContents:
    """Everything that predicting needs.

    Args:
        model: With its weights, in evaluation mode, on the CPU, in float32.
        relations: Names in the order of the columns, with descriptions.
        types: Entity types in their order.
        tokenizer: What cuts words into pieces.
        tokenizer_name: What the run called it.
        features: How documents become tokens.
        settings: ``model_class`` and ``arguments``, plain values that the model was made of;
            ``encoder_config`` if it is not to be asked of the model.
        calibration: Makes probabilities of margins, if there is one.
        source: What it was read from, as given.
        facts: What a card says: ``run`` (as in ``run.json``) and ``scores`` by split; empty if
            nothing is known.
    """

    model: DocumentModel
    relations: RelationSet
    types: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase
    tokenizer_name: str
    features: FeatureSettings
    settings: Mapping[str, Any]
    calibration: Calibration | None = None
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def recipe(self) -> Recipe:
        """What the model is made of, as far as predicting needs it."""
        config = self.settings.get("encoder_config")
        if config is None:
            describe = getattr(self.model.encoder, "config_dict", None)
            config = None if describe is None else describe()
        settings = self.settings
        return predicting_recipe(
            str(settings["model_class"]), self.model.family, settings["arguments"], config
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that predictions depend on; equal for a run and its export."""
        hashed = hashlib.sha256()
        for name, value in sorted(weights_of(self.model).items()):
            hashed.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            hashed.update(value.reshape(-1).view(torch.uint8).numpy().data)
        calibration = None if self.calibration is None else self.calibration.to_dict()
        rest = {
            **self.recipe.to_dict(),
            "relations": list(self.relations),
            "types": list(self.types),
            "features": msgspec.to_builtins(self.features),
            "calibration": calibration,
        }
        hashed.update(json.dumps(rest, sort_keys=True, default=list).encode())
        return hashed.hexdigest()


def read_model(
    source: str | Path,
    *,
    revision: str | None = None,
    offline: bool = False,
    allow: Sequence[str] = (),
) -> ModelContents:
    """Read a model from wherever it is; no code of the source is run.

    Args:
        source: A run folder of ``docre fit``, a checkpoint in one, a folder of ``docre export``, or
            the name of one on the model hub, such as ``org/name``.
        revision: Branch, tag or commit on the hub; a name is asked for there if it is given, even
            where its first part is a folder of this machine.
        offline: Never use the network.
        allow: Packages beside docre that its classes may be from.

    Raises:
        DocreError: If it is none of these, damaged, of a newer version, or would import something
            that is not allowed.
    """
    from docre.hub.exported_folder import is_exported, read_exported
    from docre.hub.remote import download, is_hub_name, is_on_hub
    from docre.hub.runs import read_run

    path = Path(source)
    if is_exported(path):
        read = read_exported(path, allow=allow)
    elif path.exists():
        read = read_run(path, offline=offline, allow=allow)
    elif is_on_hub(source) or (revision is not None and is_hub_name(str(source))):
        read = read_exported(download(str(source), revision, offline), allow=allow)
    else:
        raise DocreError(
            f"no such model: {source}. Give a run folder of docre fit, a checkpoint in one, a "
            "folder of docre export, or a name on the model hub such as org/name"
        )
    return replace(read, source=str(source))


def weights_of(model: DocumentModel) -> dict[str, torch.Tensor]:
    """Return the weights that predicting needs: those that a later stage would begin from."""
    state = model.state_dict()
    return {
        name: value.detach().cpu()
        for name, value in state.items()
        if name.startswith(model.inherited)
    }
