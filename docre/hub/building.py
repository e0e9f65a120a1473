"""A model from plain values, importing nothing that the reader did not allow.

A checkpoint or a folder says what its model is made of in plain values: a class path and arguments,
nested. Whoever reads one from elsewhere must not have it choose what is imported. So every class
has to be of docre or of a package that the caller names, and no text may be of another kind that
the parser of such values would import, read as a file or parse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.base_model import DocumentModel

# What only training needs, in the arguments of any model.
_TRAINING = ("rates", "optimizer", "schedule", "init_from", "extra_losses", "teacher")
# What it is of one family beside: a joint network has a column for what its loss learns.
_TRAINING_OF = {"DocREModel": ("loss",)}
# What an encoder was first loaded from: its architecture is known, and its weights are ours.
_FETCHED = ("name", "weights", "config", "pretrained", "offline")
# How it is trained, and what is faster on one machine.
_HABITS = ("freeze_layers", "gradient_checkpointing", "compile")
# What makes an architecture fetch code or other weights.
_REMOTE = ("auto_map", "quantization_config", "attn_implementation", "use_kernels")
# Neither dots nor slashes nor brackets: no import path, no file, nothing to parse.
_WORD = re.compile(r"[\w\- ]*", re.ASCII)
_CLASS = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model is made of, as plain values.

    Args:
        model_class: Import path of the model.
        arguments: Its arguments; classes are objects with ``class_path`` and ``init_args``.
        encoder_config: Architecture of the encoder; ``None`` if its arguments say all.
    """

    model_class: str
    arguments: Mapping[str, Any]
    encoder_config: Mapping[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {
            "model_class": self.model_class,
            "arguments": dict(self.arguments),
            "encoder_config": None if self.encoder_config is None else dict(self.encoder_config),
        }


def predicting_recipe(
    model_class: str,
    family: str,
    arguments: Mapping[str, Any],
    encoder_config: Mapping[str, Any] | None,
) -> Recipe:
    """Return what predicting needs of what a model was trained with.

    Args:
        model_class: Import path of the model.
        family: What its checkpoints are of.
        arguments: All its arguments, as a checkpoint has them.
        encoder_config: Architecture of its encoder.
    """
    dropped = _TRAINING + _TRAINING_OF.get(family, ())
    kept = {
        name: value
        for name, value in arguments.items()
        if name not in dropped and not name.startswith("_")
    }
    encoder = kept.get("encoder")
    if encoder_config is not None and isinstance(encoder, Mapping):
        inner = encoder.get("init_args") or {}
        inner = {name: value for name, value in inner.items() if name not in (*_FETCHED, *_HABITS)}
        kept["encoder"] = {**encoder, "init_args": inner}
    return Recipe(
        model_class, kept, None if encoder_config is None else _architecture(encoder_config)
    )


def build_model(
    recipe: Recipe,
    relations: Sequence[str],
    types: Sequence[str],
    tokenizer: str,
    allow: Sequence[str] = (),
) -> DocumentModel:
    """Make a model without weights; nothing is fetched, and nothing unknown imported.

    Args:
        recipe: What it is made of.
        relations: Names in the order of the columns.
        types: Entity types in their order.
        tokenizer: Name or folder of its tokenizer.
        allow: Packages beside docre that classes may be from.

    Raises:
        DocreError: If something else would be imported, or the values make no model.
    """
    from jsonargparse import ArgumentParser

    check_recipe(recipe, allow)
    model_class = _model_class(recipe.model_class, allow)
    parser = ArgumentParser(exit_on_error=False)
    # arguments without annotations may be there, as they may be in training
    parser.add_class_arguments(model_class, "model", fail_untyped=False)
    try:
        parsed = parser.parse_object({"model": dict(recipe.arguments)})
        model: DocumentModel = parser.instantiate(parsed).model
        model.build(relations, tokenizer, types=types, encoder_config=recipe.encoder_config)
    except Exception as error:  # whatever a constructor makes of values that do not fit
        reason = str(error) or type(error).__name__
        raise DocreError(f"arguments: they make no {recipe.model_class}: {reason}") from error
    return model.eval()


def check_recipe(recipe: Recipe, allow: Sequence[str] = ()) -> None:
    """Refuse what would import or fetch something; only classes that may be are imported here.

    Raises:
        DocreError: If there is such a value, with its place.
    """
    known = ("docre", *allow)
    found = [("model_class", recipe.model_class), *class_paths(recipe.arguments, "arguments")]
    check_class_paths(found, known)
    check_texts(recipe.arguments, "arguments")
    encoder = recipe.arguments.get("encoder")
    inner = encoder.get("init_args") if isinstance(encoder, Mapping) else None
    for name in _FETCHED:
        if isinstance(inner, Mapping) and name in inner and recipe.encoder_config is not None:
            raise DocreError(f"arguments.encoder.{name}: the architecture is in encoder_config")
    for place, value in _refused_config(recipe.encoder_config or {}, "encoder_config"):
        raise DocreError(f"{place}: {value!r} is refused: it would fetch code or other weights")
    for place, path in found:  # nothing was imported until all of them are known
        require_class(place, path, known)


def check_class_paths(found: Iterable[tuple[str, Any]], known: Sequence[str]) -> None:
    """Refuse what is no import path, or not one of a package that may be; nothing is imported.

    Args:
        found: Places with what stands there.
        known: Packages, or parts of them such as ``torch.optim``.

    Raises:
        DocreError: With the place.
    """
    for place, path in found:
        if not isinstance(path, str) or not _CLASS.fullmatch(path):
            raise DocreError(f"{place}: {path!r} is no import path of a class")
        if not _is_of(path, known):
            package = path.split(".")[0]
            raise DocreError(
                f"{place}: {path} is not of docre, and only what is named by allow is imported; if "
                f"you trust the package {package}: --allow {package}, in Python "
                f"allow=({package!r},)"
            )


def check_texts(value: Any, place: str) -> None:
    """Refuse texts that could be a file, code, or something that has to be parsed.

    Raises:
        DocreError: With the place.
    """
    for where, text in _texts(value, place):
        if not _WORD.fullmatch(text):
            raise DocreError(
                f"{where}: the text {text!r} is refused: a model that is read from a file has no "
                "files or code in its arguments"
            )


def _is_of(path: str, known: Sequence[str]) -> bool:
    return any(path.startswith(f"{name}.") for name in known)


def _architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a transformers configuration without what is of a task or of the machine."""
    names = ("id2label", "label2id")
    return {k: v for k, v in config.items() if k not in names and not k.startswith("_")}


def _model_class(path: str, allow: Sequence[str]) -> type[DocumentModel]:
    from docre.base_model import DocumentModel

    found = require_class("model_class", path, ("docre", *allow))
    if not issubclass(found, DocumentModel):
        raise DocreError(f"model_class: {path} is no model of documents")
    return found


def require_class(place: str, path: str, known: Sequence[str]) -> type:
    """Import a class, and see that it is of a package that may be: a module has others inside."""
    module, _, name = path.rpartition(".")
    package = path.partition(".")[0]
    try:
        found: Any = getattr(import_module(module), name)
    except Exception as error:  # whatever a module of others does when it is imported
        reason = str(error) or type(error).__name__
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            reason = f"install the package {package}, or put its folder on PYTHONPATH"
        raise DocreError(f"{place}: {path} cannot be imported: {reason}") from error
    if not isinstance(found, type) or not _is_of(f"{found.__module__}.", known):
        raise DocreError(f"{place}: {path} is no class of {' or '.join(known)}")
    return found


def class_paths(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield everything that would be imported: a class without arguments may be its path alone."""
    if isinstance(value, Mapping):
        if "class_path" in value:
            yield f"{place}.class_path", value["class_path"]
        for name, inner in value.items():
            if name != "class_path":
                yield from class_paths(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from class_paths(inner, f"{place}[{number}]")
    elif isinstance(value, str) and _CLASS.fullmatch(value):
        yield place, value


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield all texts that are no import path; keys too."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield place, str(name)
            if name != "class_path":
                yield from _texts(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{number}]")
    elif isinstance(value, str) and not _CLASS.fullmatch(value):
        yield place, value


def _refused_config(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if any(word in str(name) for word in _REMOTE) and inner not in (None, False):
                yield f"{place}.{name}", inner
            yield from _refused_config(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _refused_config(inner, f"{place}[{number}]")
    elif isinstance(value, str) and "/" in value:
        yield place, value
