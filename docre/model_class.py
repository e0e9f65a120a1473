"""Which model a configuration is about: the import path under its key ``model_class``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.base_model import DocumentModel

DEFAULT = "docre.model.DocREModel"
_OPTION = "--model_class"


def model_class_of(arguments: Sequence[str]) -> str:
    """Return the import path that configurations and options name; the last one counts.

    It has to be known before the options are: they are those of the model.

    Args:
        arguments: Of ``docre fit`` and its like, with configurations as files.
    """
    found = checkpoint = None
    for option, value in _options(arguments):
        if option in ("--config", "-c"):
            found = _in_config(Path(value)) or found
        elif option == _OPTION:
            found = value
        elif option == "--ckpt_path":
            checkpoint = value
    return found or _in_checkpoint(checkpoint) or DEFAULT


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


def _in_config(path: Path) -> str | None:
    try:
        config = msgspec.yaml.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None  # whoever reads it in earnest says what is wrong
    found = config.get("model_class") if isinstance(config, dict) else None
    return found if isinstance(found, str) else None


def _in_checkpoint(path: str | None) -> str | None:
    """Return the model of ours that a checkpoint names; a file does not choose what to import."""
    if path is None or not Path(path).is_file():
        return None
    from docre.parent import read_checkpoint

    try:
        found = read_checkpoint(path, mmap=True).get("docre", {}).get("model_class")
    except DocreError:
        return None  # whoever loads it says what is wrong
    return found if isinstance(found, str) and found.startswith("docre.") else None
