"""From annotated abstracts, however they are spelled, to documents.

PubTator and ChemDisGene say the same in two spellings; :mod:`docre.data.formats.abstract_rows` has
what they share and the way back. What is passed over here (relations of unknown entities and the
like) travels in ``Document.extra[rules.key]``, so that a file that was read is written as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from docre.data.formats.abstract_rows import (
    UNLINKED,
    Abstract,
    Row,
    Rules,
    mention_rows,
    written_ids,
)
from docre.documents import Document, Entity, Extra, Mention, Relation, check_char_spans
from docre.errors import DataError, Problem
from docre.segmentation import split_text

_Key = tuple[str, int]


def assemble(abstract: Abstract, rules: Rules) -> tuple[Document, list[Problem]]:
    """Make a document and say in notes what was passed over.

    Raises:
        DataError: If a character span cannot be that of a mention.
    """
    groups: dict[_Key, list[Row]] = defaultdict(list)
    for number, row in enumerate(abstract.rows):
        for key in _concepts(row.id, number) if rules.concepts else ((row.id, -1),):
            groups[key].append(row)
    spans = [[(row.start, row.end) for row in rows] for rows in groups.values()]
    problems = check_char_spans(abstract.id, abstract.text, spans)
    if problems:
        raise DataError(problems)
    text, title = abstract.text, abstract.title
    # The title is a sentence whatever it ends with, and a line break is always a border.
    bordered = text if title is None else f"{title}\n{text[len(title) + 1 :]}"
    layout = split_text(bordered, [span for mentions in spans for span in mentions])
    entities = tuple(
        Entity(
            mentions=tuple(
                Mention(
                    *layout.locate(row.start, row.end),
                    type=row.type,
                    surface=row.surface,
                    extra=_mention_extra(row, id, text, rules),
                )
                for row in rows
            ),
            type=rows[-1 if rules.last_type else 0].type,
            id=id,
        )
        for (id, _), rows in groups.items()
    )
    candidates = _typed_pairs(entities, rules.pair_types)
    relations, passed_over, notes = _labels(abstract, entities, candidates, rules)
    document = Document(
        id=abstract.id,
        sentences=layout.words(text),
        entities=entities,
        relations=relations,
        text=text,
        offsets=layout.offsets,
        candidates=candidates,
    )
    kept: dict[str, Any] = {}
    if abstract.more:
        kept["keys"] = abstract.more
    if passed_over:
        kept |= {"labels": len(relations or ()), "passed_over": passed_over}
    order = _order(document, abstract.rows, rules)
    if order:
        kept["order"] = order
    extra = ({} if title is None else {"title": title}) | ({rules.key: kept} if kept else {})
    return replace(document, extra=extra), _surface_notes(abstract) + notes


def _concepts(id: str, number: int) -> list[_Key]:
    """Return the keys of the entities a mention belongs to; unlinked ones are kept apart."""
    parts = [part for part in dict.fromkeys(id.split("|")) if part not in UNLINKED]
    return [(part, -1) for part in parts] or [("", number)]


def _mention_extra(row: Row, id: str, text: str, rules: Rules) -> Extra | None:
    extra = dict(row.extra or {})
    if row.id != (id or rules.unlinked):
        extra["ids"] = row.id
    if not row.surface:
        extra["surface"] = ""  # a mention without surface is otherwise written with its text
    if text[row.start].isspace() or text[row.end - 1].isspace():
        extra["span"] = [row.start, row.end]  # words know nothing of blanks beside them
    return extra or None


def _typed_pairs(
    entities: Sequence[Entity], pair_types: Sequence[tuple[str, str]]
) -> tuple[tuple[int, int], ...] | None:
    if not pair_types:
        return None
    linked = [(index, e.type) for index, e in enumerate(entities) if e.id not in UNLINKED]
    allowed = frozenset(pair_types)
    return tuple((h, t) for h, a in linked for t, b in linked if h != t and (a, b) in allowed)


def _labels(
    abstract: Abstract,
    entities: Sequence[Entity],
    candidates: Sequence[tuple[int, int]] | None,
    rules: Rules,
) -> tuple[tuple[Relation, ...] | None, list[list[Any]], list[Problem]]:
    """Return the relations, those passed over with their place in the file, and notes on them."""
    if abstract.triples is None:
        return None, [], []
    numbers = {e.id: index for index, e in enumerate(entities) if e.id not in UNLINKED}
    allowed = None if candidates is None else frozenset(candidates)
    relations: dict[tuple[int, int, str], Relation] = {}
    passed_over: list[list[Any]] = []
    notes = []
    for index, triple in enumerate(abstract.triples):
        head, tail = numbers.get(triple.subj, -1), numbers.get(triple.obj, -1)
        code = ""
        if rules.relations is not None and triple.type not in rules.relations:
            code, message = "unmapped-relation", f"{triple.type} is none of the relations in use"
        elif head < 0 or tail < 0:
            missing = triple.subj if head < 0 else triple.obj
            code, message = "missing-entity", f"no mention has the id {missing}"
        elif allowed is not None and (head, tail) not in allowed:
            kinds = f"{entities[head].type} and {entities[tail].type}"
            code, message = "untyped-pair", f"{triple.type} between {kinds}"
        elif (head, tail, triple.type) in relations:
            message = f"{triple.type} from {triple.subj} to {triple.obj} is listed twice"
            code = "duplicate-relation"
        if code:
            place = f"relations[{index}]"
            notes.append(Problem(code, message, abstract.id, place, severity="note"))
            raw = {"type": triple.type, "subj": triple.subj, "obj": triple.obj}
            passed_over.append([index, raw | ({"extra": triple.extra} if triple.extra else {})])
        else:
            label = Relation(head, tail, triple.type, extra=triple.extra)
            relations[head, tail, triple.type] = label
    return tuple(relations.values()), passed_over, notes


def _surface_notes(abstract: Abstract) -> list[Problem]:
    notes = []
    for number, row in enumerate(abstract.rows):
        found = abstract.text[row.start : row.end]
        if found != row.surface:
            message = f"the text has {found[:60]!r} where the mention says {row.surface[:60]!r}"
            place = f"mentions[{number}]"
            notes.append(Problem("surface-mismatch", message, abstract.id, place, severity="note"))
    return notes


def _order(document: Document, rows: Sequence[Row], rules: Rules) -> list[int]:
    """Return how to put the mentions back into the order of the file; empty if by place."""
    places = [(row.start, row.end) for row in rows]
    if all(a < b for a, b in pairwise(places)):
        return []
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(mention_rows(document, written_ids(document, rules))):
        numbers[repr(row)].append(number)
    order = [numbers[repr(row)].pop(0) for row in rows if numbers[repr(row)]]
    return order if order != sorted(order) else []
