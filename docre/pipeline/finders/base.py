"""What finds the entities of a text."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from docre.documents import Document
from docre.errors import DocreError


@runtime_checkable
class EntityFinder(Protocol):
    """Finds mentions in documents and says which of them are one entity.

    Any object with this method will do.
    """

    def find(self, documents: Sequence[Document]) -> list[Document]:
        """Return the same documents with the entities found in them, in the same order.

        Ids, texts and ``extra`` stay. Entities, labels and candidates that a document had are
        replaced: found entities are others. Every entity and every mention has a type.

        Raises:
            DataError: If a document cannot be read; it names that document, and none is returned.
        """
        ...


def optional_package(name: str) -> Any:
    """Import a package that docre does not require, and has an extra for.

    Raises:
        DocreError: If it is not installed; says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        message = f"finding entities with {name} needs that package: pip install 'docre[{name}]'"
        raise DocreError(message) from None
