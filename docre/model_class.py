"""Which model a configuration is about: the import path under its key ``model_class``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from docre.errors import DocreError
from docre.yaml_text import plain_yaml

if TYPE_CHECKING:
    from docre.base_model import DocumentModel

DEFAULT = "docre.model.DocREModel"
_OPTION = "--model_class"


def model_class_of(arguments: Sequence[str]) -> str:
    """Return the import path that configurations and options name; the last one counts.

    It has to be known before the options are: they are those of the model.

    Args:
        arguments: Of ``docre fit`` and its like, with configurations as files.

    Raises:
        DocreError: If the checkpoint is none, or of another kind of model.
    """
    found = checkpoint = None
    has_options = False
    for option, value in _options(arguments):
        if option in ("--config", "-c"):
            config = _read_config(Path(value))
            found = _named(config) or found
            has_options = has_options or bool(config.get("model"))
        elif option == _OPTION:
            found = value
        elif option == "--ckpt_path":
            checkpoint = value
    if has_options and found is None:
        found = DEFAULT  # options of a model that is not named are those of the usual one
    if checkpoint is None or not Path(checkpoint).is_file():
        return found or DEFAULT  # whoever loads it says what is wrong
    facts = _facts(checkpoint)
    if found is None:
        return _ours(facts.get("model_class")) or DEFAULT
    if not _ours(found):
        return found  # one's own; what it is is seen when it is loaded
    theirs, family = facts.get("model", "DocREModel"), load_model_class(found).family
    if theirs != family:
        raise DocreError(
            f"--ckpt_path: {checkpoint} is a checkpoint of {theirs}, the configuration is of "
            f"{family}: give the configuration that it was trained with"
        )
    return found


def load_model_class(path: str) -> type[DocumentModel]:
    """Import the class.

    Raises:
        DocreError: If there is no such class, or it is no model of documents.
    """
    from docre.base_model import DocumentModel

    module, _, name = path.rpartition(".")
    try:
        found: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise DocreError(f"model_class: {path} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, DocumentModel)):
        raise DocreError(
            f"model_class: {path} is no class derived from docre.base_model.DocumentModel"
        )
    return found


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        yield option, value if equals else following


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = msgspec.yaml.decode(plain_yaml(path))
    except (DocreError, msgspec.MsgspecError):
        return {}  # whoever reads it in earnest says what is wrong
    return config if isinstance(config, dict) else {}


def _named(config: dict[str, Any]) -> str | None:
    found = config.get("model_class")
    return found if isinstance(found, str) else None


def _facts(checkpoint: str) -> Mapping[str, Any]:
    from docre.parent import facts_of, read_checkpoint

    facts = facts_of(read_checkpoint(checkpoint, mmap=True))
    if not facts:
        raise DocreError(f"--ckpt_path: {checkpoint} is not a checkpoint of docre")
    return facts


def _ours(path: Any) -> str | None:
    """Return the path of a model of ours; a file does not choose what to import."""
    return path if isinstance(path, str) and path.startswith("docre.") else None
