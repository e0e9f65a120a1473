"""What the columns of published weights are called: relations and entity types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from docre.data.reading import read_bytes
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.errors import DocreError
from docre.hub.descriptions import described
from docre.published.system import Dataset, require_dataset


class LabelNames(NamedTuple):
    """Relations and entity types in their order."""

    relations: RelationSet
    types: tuple[str, ...]


def label_names(
    relations: Path | None, types: Sequence[str] | None, dataset: Dataset
) -> LabelNames:
    """Return the names that a user gave, and those of the data set where none were given.

    Args:
        relations: JSON such as DocRED's ``rel2id.json``, or JEREX's ``types.json``, which has the
            entity types too.
        types: Entity types.
        dataset: Data set that the weights were trained on.

    Raises:
        DocreError: If the file is neither, or there is no such data set.
    """
    known = _of_dataset(dataset)
    if relations is None:
        return LabelNames(known.relations, tuple(types or known.types))
    if not relations.is_file():
        raise DocreError(f"--relations: no such file: {relations}")
    both = _types_file(relations)
    if both is None:
        found = described(RelationSet.from_file(relations))
        return LabelNames(found, tuple(types or known.types))
    return LabelNames(described(both.relations), tuple(types or both.types))


def _of_dataset(dataset: Dataset) -> LabelNames:
    from docre.data.formats.chemdisgene import CHEMDISGENE_RELATIONS

    names = {
        "cdr": LabelNames(RelationSet(("CID",)), ("Chemical", "Disease")),
        "gda": LabelNames(RelationSet(("GDA",)), ("Gene", "Disease")),
        "chemdisgene": LabelNames(
            RelationSet(CHEMDISGENE_RELATIONS), ("Chemical", "Disease", "Gene")
        ),
    }
    require_dataset(dataset)
    return names.get(dataset, LabelNames(RelationSet.docred(), DOCRED_TYPES))


def _types_file(path: Path) -> LabelNames | None:
    """Return the names in a file of JEREX's form; ``None`` if it is of another."""
    try:
        found: Any = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        return None  # whoever reads it as relations says what is wrong
    if not isinstance(found, Mapping) or not {"relations", "entities"} <= set(found):
        return None
    relations, entities = found["relations"], found["entities"]
    if not isinstance(relations, Mapping) or not isinstance(entities, Mapping):
        raise DocreError(f"{path}: relations and entities are to be objects, name by name")
    described = {
        name: str(one["verbose"])
        for name, one in relations.items()
        if isinstance(one, Mapping) and one.get("verbose")
    }
    return LabelNames(RelationSet(tuple(relations), described), tuple(entities))
