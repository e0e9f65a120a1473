"""Mend what can be mended in a document without guessing, and say what was done.

What contradicts itself is taken out: a mention outside the text, an entity left without mentions,
a relation to an entity that is not there. What remains keeps its meaning; indices are renumbered.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from docre.documents import Document, Entity, Relation, check, relation_problems, span_problem
from docre.errors import Problem


def repair(
    document: Document,
    relations: Collection[str] | None = None,
    types: Collection[str] | None = None,
) -> tuple[Document, list[Problem]]:
    """Return a valid document and the problems that were fixed on the way.

    Args:
        document: Any document with an id.
        relations: Known relation names; relations of other names are taken out.
        types: Known entity types; other types are emptied, which means unknown.
    """
    problems = [p.at(action="fixed") for p in check(document, relations, types)]
    if not problems:
        return document, []
    lengths = [len(words) for words in document.sentences]
    entities: list[Entity] = []
    renumber: dict[int, int] = {}
    for index, entity in enumerate(document.entities):
        mentions = tuple(
            m if types is None or m.type in types else replace(m, type="")
            for m in entity.mentions
            if not span_problem(m, lengths)
        )
        if mentions:
            renumber[index] = len(entities)
            known = types is None or entity.type in types
            entities.append(replace(entity, mentions=mentions, type=entity.type if known else ""))
    candidates = None
    if document.candidates is not None:
        pairs = ((renumber.get(h), renumber.get(t)) for h, t in document.candidates)
        candidates = tuple(
            sorted({(h, t) for h, t in pairs if h is not None and t is not None and h != t})
        )
    fixed = replace(
        document,
        entities=tuple(entities),
        relations=_relations(document, renumber, relations),
        candidates=candidates,
    )
    return fixed, problems


def _relations(
    document: Document, renumber: dict[int, int], known: Collection[str] | None
) -> tuple[Relation, ...] | None:
    if document.relations is None:
        return None
    allowed = frozenset(document.candidates or ())
    kept: dict[tuple[int, int, str], Relation] = {}
    for label in document.relations:
        codes = {code for code, _, _ in relation_problems(label, document, known)}
        if codes - {"evidence-out-of-range", "bad-score"}:
            continue
        if document.candidates is not None and (label.head, label.tail) not in allowed:
            continue
        head, tail = renumber.get(label.head), renumber.get(label.tail)
        if head is None or tail is None:
            continue
        evidence = label.evidence
        if evidence is not None:
            evidence = tuple(s for s in evidence if 0 <= s < len(document.sentences))
        score = None if "bad-score" in codes else label.score
        mended = replace(label, head=head, tail=tail, evidence=evidence, score=score)
        kept.setdefault((head, tail, label.relation), mended)
    return tuple(kept.values())
