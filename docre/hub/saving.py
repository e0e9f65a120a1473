"""A folder that is the model, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from docre import __version__
from docre.errors import DocreError
from docre.hub.building import check_recipe
from docre.hub.card import model_card
from docre.hub.contents import ModelContents, read_model, weights_of
from docre.hub.exported_folder import (
    CALIBRATION,
    CARD,
    CONFIG,
    FACTS,
    LIBRARY,
    TOKENIZER,
    WEIGHTS,
    ExportedConfig,
    is_exported,
)
from docre.hub.manifest import FORMAT_VERSION, write_manifest
from docre.hub.whole_folder import clear_leftovers, whole_folder


def save_pretrained(
    model: ModelContents | str | Path, folder: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a folder that is the model: it can be loaded, handed on and pushed to a hub.

    Args:
        model: A model with what belongs to it, or whatever :func:`read_model` takes.
        folder: The folder to write; its parent is made.
        overwrite: Replace an older folder of the same kind. Nothing else is ever replaced.

    Returns:
        The folder.

    Raises:
        DocreError: If something else is there, or the model cannot be read.
    """
    target = Path(folder)
    require_place(target, overwrite)
    contents = model if isinstance(model, ModelContents) else read_model(model)
    # a class of one's own is written all the same; whoever reads it has to allow its package
    check_recipe(contents.recipe, _packages(contents.recipe.to_dict()))
    with whole_folder(target) as part:
        _write(part, contents)
    return target


def _write(folder: Path, contents: ModelContents) -> None:
    from safetensors.torch import save_file

    config = ExportedConfig(
        library_name=LIBRARY,
        format_version=FORMAT_VERSION,
        docre_version=__version__,
        relations=[(n, contents.relations.descriptions.get(n, "")) for n in contents.relations],
        types=list(contents.types),
        features=msgspec.to_builtins(contents.features),
        tokenizer_name=_without_place(contents.tokenizer_name),
        **contents.recipe.to_dict(),
    )
    _json(folder / CONFIG, config)
    save_file(_apart(weights_of(contents.model)), folder / WEIGHTS, {"format": "pt"})
    # safetensors keeps its file to its owner; a model is to be shared, like the files beside it
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)
    contents.tokenizer.save_pretrained(str(folder / TOKENIZER))
    _forget_place(folder / TOKENIZER / "tokenizer_config.json")
    if contents.calibration is not None:
        _json(folder / CALIBRATION, contents.calibration.to_dict())
    _json(folder / FACTS, _portable(contents.facts))
    card = model_card(replace(contents, facts=_portable(contents.facts)))
    (folder / CARD).write_text(card, encoding="utf-8")
    write_manifest(folder)


def _apart(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights of which none shares its memory with another: each is written for itself."""
    seen: set[int] = set()
    found = {}
    for name, value in weights.items():
        place = value.untyped_storage().data_ptr()
        value = value.contiguous()
        found[name] = value.clone() if place in seen else value
        seen.add(place)
    return found


def _packages(value: Any) -> list[str]:
    """Return the packages of all classes in a recipe."""
    if isinstance(value, dict):
        own = [value[key].split(".")[0] for key in ("class_path", "model_class") if key in value]
        return own + [name for inner in value.values() for name in _packages(inner)]
    if isinstance(value, list | tuple):
        return [name for inner in value for name in _packages(inner)]
    return []


def _without_place(name: str) -> str:
    """Return the last part of a folder; where it was is of no use to others."""
    return Path(name).name if Path(name).is_absolute() or Path(name).exists() else name


def _portable(value: Any) -> Any:
    """Return facts without folders of this machine: of a file its name says enough."""
    if isinstance(value, Mapping):
        return {str(key): _portable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(inner) for inner in value]
    if isinstance(value, str):
        option, equals, place = value.partition("=")
        if equals and Path(place).is_absolute():
            return f"{option}={Path(place).name}"
        return Path(value).name if Path(value).is_absolute() else value
    return value


def _forget_place(path: Path) -> None:
    config = msgspec.json.decode(path.read_bytes())
    kept = {k: v for k, v in config.items() if k not in ("name_or_path", "auto_map")}
    _json(path, kept)


def _json(path: Path, body: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1))


def require_place(target: Path, overwrite: bool) -> None:
    """Refuse to write over anything but an older folder that may be replaced.

    What killed exports left there is cleared before.

    Raises:
        DocreError: If something is there.
    """
    clear_leftovers(target)
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir() or not is_exported(target):
        raise DocreError(f"{target} is something else than a folder of docre export: it is kept")
    if not overwrite:
        raise DocreError(f"{target} is there already: choose another folder, or --overwrite")
