"""Cut labelled documents into train, dev and test for joint extraction, the same way everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from docre.documents import Document
from docre.errors import DocreError

# How many documents the published split has to select on and to test on.
DEV_DOCUMENTS, TEST_DOCUMENTS = 300, 700


@dataclass(frozen=True, slots=True)
class JointSplit:
    """Documents by split, and the titles of those that are in none.

    Args:
        train: Documents to train on.
        dev: Documents to select on.
        test: Documents to test on.
        mixed: Titles of documents with an entity whose mentions have several types.
        repeated: Titles that an earlier document had already.
        unused: Titles of documents for which the sizes had no room.
    """

    train: list[Document]
    dev: list[Document]
    test: list[Document]
    mixed: list[str]
    repeated: list[str]
    unused: list[str]


def split_documents(
    documents: Iterable[Document], sizes: Sequence[int] | None, seed: int
) -> JointSplit:
    """Shuffle documents that are fit for joint extraction and cut them in three.

    The order is that of a hash of seed and title: it depends neither on the order of the documents
    nor on anybody's random numbers, and a document more or less does not move the others.

    Args:
        documents: Documents with their labels.
        sizes: Documents of train, dev and test; left out, dev and test are as large as those of
            the published split and all others are for training.
        seed: Another seed gives another split.

    Raises:
        DocreError: If there are too few documents.
    """
    listed = list(documents)
    seen: set[str] = set()
    fit: list[Document] = []
    mixed, repeated = [], []
    for document in listed:
        if document.id in seen:
            repeated.append(document.id)
        elif has_mixed_types(document):
            mixed.append(document.id)
        else:
            fit.append(document)
        seen.add(document.id)
    fit.sort(key=lambda document: hashlib.sha256(f"{seed} {document.id}".encode()).digest())
    rest = len(fit) - DEV_DOCUMENTS - TEST_DOCUMENTS
    train, dev, test = sizes or (max(rest, 1), DEV_DOCUMENTS, TEST_DOCUMENTS)
    borders = train, train + dev, train + dev + test
    if borders[-1] > len(fit):
        raise DocreError(
            f"{len(listed):,} documents, {len(fit):,} of them fit for joint extraction, are too "
            f"few for a split of {train:,}, {dev:,} and {test:,}; give other sizes"
        )
    return JointSplit(
        train=fit[: borders[0]],
        dev=fit[borders[0] : borders[1]],
        test=fit[borders[1] : borders[2]],
        mixed=mixed,
        repeated=repeated,
        unused=[document.id for document in fit[borders[2] :]],
    )


def has_mixed_types(document: Document) -> bool:
    """Say whether the mentions of an entity have several types, as only wrong entities have."""
    return any(len({mention.type for mention in e.mentions}) > 1 for e in document.entities)
