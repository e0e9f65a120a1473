"""From what a joint model finds to documents, as scores and writers take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from docre.checking import require_valid
from docre.documents import Document, Entity, Mention, Relation
from docre.joint.extracted import Extracted


def to_document(
    source: Document, found: Extracted, entity_types: Sequence[str], relations: Sequence[str]
) -> Document:
    """Return a document with what was found in its text, in place of what it had.

    Probabilities of relations become their scores; a document has no place for the others.

    Args:
        source: The document that was read; its text is kept, its own entities, relations and
            candidate pairs are not.
        found: What was found there.
        entity_types: Names, in the order of the entity head. An entity whose type is not known
            gets none; an annotated one keeps its own.
        relations: Names, in the order of the relation head. Where there is no such head the
            document was not judged, and has no labels.

    Raises:
        DataError: If a mention is not in the sentences of this document.
    """
    first_word = [0, *accumulate(map(len, source.sentences))]
    own = [entity.type for entity in source.entities]
    if "mention" in found.tasks or "coreference" in found.tasks:
        own = [""] * len(found.entity_type)  # these entities are others
    kinds = [
        entity_types[index] if index >= 0 else kind
        for index, kind in zip(found.entity_type.tolist(), own, strict=True)
    ]
    mentions: list[list[Mention]] = [[] for _ in kinds]
    spans = found.mentions
    columns = (spans.sentence, spans.word_start, spans.word_end, found.mention_entity)
    for sentence, start, end, entity in zip(*(c.tolist() for c in columns), strict=True):
        # beyond the last sentence any border will do: the check says what is wrong
        border = first_word[min(sentence, len(first_word) - 1)]
        mentions[entity].append(Mention(sentence, start - border, end - border, kinds[entity]))
    labels: tuple[Relation, ...] | None = None
    if "relation" in found.tasks:
        columns = (found.head, found.tail, found.relation, found.relation_probability)
        labels = tuple(
            Relation(head, tail, relations[relation], score=score)
            for head, tail, relation, score in zip(*(c.tolist() for c in columns), strict=True)
        )
    return require_valid(
        replace(
            source,
            entities=tuple(
                Entity(tuple(of), kind) for of, kind in zip(mentions, kinds, strict=True)
            ),
            relations=labels,
            candidates=None,
        )
    )
