"""A folder that is the model, read: nothing in it is run or unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from docre.calibration import Calibration, calibration_from_dict
from docre.data.features import FeatureSettings
from docre.data.relations import RelationSet
from docre.errors import DocreError
from docre.hub.building import Recipe, build_model
from docre.hub.contents import ModelContents
from docre.hub.manifest import check_manifest, check_version, read_json
from docre.hub.runs import load_weights
from docre.hub.safetensors_file import read_safetensors
from docre.pretrained import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer"
CALIBRATION, FACTS, CARD = "calibration.json", "facts.json", "README.md"
LIBRARY = "docre"


class ExportedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What ``config.json`` says.

    Args:
        library_name: ``docre``.
        format_version: Of the folder.
        docre_version: That wrote it.
        model_class: Import path of the model.
        arguments: What it is made of.
        encoder_config: Architecture of its encoder.
        relations: Names in the order of the columns, with what they mean.
        types: Entity types in their order.
        features: How documents become tokens.
        tokenizer_name: What the run called the tokenizer.
    """

    library_name: str
    format_version: int
    docre_version: str
    model_class: str
    arguments: dict[str, Any]
    encoder_config: dict[str, Any] | None
    relations: list[tuple[str, str]]
    types: list[str]
    features: dict[str, Any]
    tokenizer_name: str


def is_exported(path: Path) -> bool:
    """Say whether a folder is, or was meant to be, one of ``docre export``."""
    if not (path / CONFIG).is_file():
        return (path / "manifest.json").is_file()
    return read_json(path / CONFIG).get("library_name") == LIBRARY


def read_exported(folder: Path, *, allow: Sequence[str] = ()) -> ModelContents:
    """Read a folder of ``docre export``; the network is never used.

    Args:
        folder: The folder.
        allow: Packages beside docre that classes may be from.

    Raises:
        DocreError: If it is damaged, of a newer version, or would import what is not allowed; the
            message names the file.
    """
    check_manifest(folder)
    config = read_config(folder)
    recipe = Recipe(config.model_class, config.arguments, config.encoder_config)
    tokenizer = folder / TOKENIZER
    try:
        relations = RelationSet(
            tuple(name for name, _ in config.relations),
            {name: meaning for name, meaning in config.relations if meaning},
        )
        features = msgspec.convert(config.features, FeatureSettings)
        model = build_model(recipe, relations.names, config.types, str(tokenizer), allow)
    except (DocreError, msgspec.ValidationError) as error:
        raise DocreError(f"{folder / CONFIG}: {error}") from error
    load_weights(model, read_safetensors(folder / WEIGHTS), str(folder / WEIGHTS))
    return ModelContents(
        model=model,
        relations=relations,
        types=tuple(config.types),
        tokenizer=_tokenizer(tokenizer),
        tokenizer_name=config.tokenizer_name,
        features=features,
        settings=recipe.to_dict(),
        calibration=_calibration(folder / CALIBRATION),
        source=str(folder),
        facts=read_facts(folder),
    )


def read_config(folder: Path) -> ExportedConfig:
    """Return what ``config.json`` says.

    Raises:
        DocreError: If a key is missing or wrong, or a newer docre wrote it.
    """
    path = folder / CONFIG
    body = read_json(path)
    if body.get("library_name") != LIBRARY:
        raise DocreError(f"{path} is of another library: its library_name is not {LIBRARY}")
    check_version(body.get("format_version"), path)  # before keys that are not known yet
    try:
        return msgspec.convert(body, ExportedConfig)
    except msgspec.ValidationError as error:
        raise DocreError(f"{path}: {error}") from error


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what a folder says of how its model was made; empty if it says nothing."""
    path = folder / FACTS
    return read_json(path) if path.is_file() else {}


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    if "auto_map" in read_json(folder / "tokenizer_config.json"):
        raise DocreError(f"{folder} wants code of its own (auto_map), which is not run")
    try:
        return load_tokenizer(str(folder), offline=True)
    except Exception as error:  # whatever the tokenizers make of files that are none
        raise DocreError(f"the tokenizer {folder} cannot be read: {error}") from error


def _calibration(path: Path) -> Calibration | None:
    if not path.is_file():
        return None
    try:
        return calibration_from_dict(read_json(path))
    except DocreError as error:
        raise DocreError(f"{path}: {error}") from error
