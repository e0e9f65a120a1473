"""The model of a checkpoint as it is trained, made without data and without running foreign code.

Like a model that is read to predict, with its losses: their priors are in the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from docre.base_model import DocumentModel
from docre.errors import DocreError
from docre.hub.building import Recipe, build_model, predicting_recipe
from docre.hub.trained_settings import packages_of
from docre.losses.base import Loss
from docre.losses.combined import CombinedLoss

_LOSSES = ("loss", "extra_losses")
# Lightning's note that arguments came from a configuration: they are plain values then.
_RECORDED = "_instantiator"


def is_recorded(settings: Mapping[str, Any]) -> bool:
    """Say whether a model can be made again of the settings that its checkpoint has."""
    return _RECORDED in settings


def training_recipe(known: Mapping[str, Any]) -> Recipe:
    """Return what the model of a checkpoint is made of, losses included.

    Raises:
        DocreError: If it was put together in Python, or is none of ours.
    """
    ours, settings = known.get("docre"), known.get("hyper_parameters", {})
    if not isinstance(ours, Mapping):
        raise DocreError("this is not a checkpoint of docre")
    if not is_recorded(settings):
        raise DocreError(
            "its model was put together in Python, so the checkpoint does not say how: "
            "docre.replay.replay(CHECKPOINT, model) takes one that is made in the same way"
        )
    return _recipe(
        ours.get("model_class", "docre.model.DocREModel"),
        ours.get("model", "DocREModel"),
        settings,
        ours.get("encoder_config"),
    )


def rebuild(known: Mapping[str, Any], allow: Sequence[str] = ()) -> DocumentModel:
    """Return the model of a checkpoint with its weights; no teacher is loaded.

    Args:
        known: What is in the checkpoint.
        allow: Packages beside docre that classes may be from.

    Raises:
        DocreError: If it cannot be made, or would import what is not allowed.
    """
    recipe, ours = training_recipe(known), known["docre"]
    model = build_model(recipe, ours["relations"], ours["types"], ours["tokenizer"], allow)
    load(model, known)
    return model


def load(model: DocumentModel, known: Mapping[str, Any]) -> None:
    """Give a model the weights of a checkpoint, and build it if it is not."""
    model.on_load_checkpoint(dict(known))
    model.load_state_dict(known["state_dict"])


def without_taught(model: DocumentModel) -> list[str]:
    """Take out the losses that need a teacher, and return their names."""
    loss = getattr(model, "loss", None)
    if not isinstance(loss, CombinedLoss):
        return []
    taught = [one for one in loss.losses if isinstance(one, Loss) and one.training_only]
    loss.losses = nn.ModuleList(one for one in loss.losses if one not in taught)
    return [type(one).__name__ for one in taught]


def foreign_packages(model_class: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the packages beside docre that a model's classes are from."""
    arguments = _recipe(model_class, "", settings, None).arguments
    found = packages_of({"class_path": model_class, "init_args": arguments})
    return [name for name in found if name != "docre"]


def _recipe(
    model_class: str,
    family: str,
    settings: Mapping[str, Any],
    encoder_config: Mapping[str, Any] | None,
) -> Recipe:
    made = predicting_recipe(model_class, family, settings, encoder_config)
    losses = {name: settings[name] for name in _LOSSES if settings.get(name) is not None}
    return replace(made, arguments={**made.arguments, **losses})
