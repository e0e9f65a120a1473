"""Words of raw text that say nothing about where its mentions are.

Words of annotated text are cut where a mention begins or ends, and no sentence ends inside one.
Who is to find mentions must not be told them in this way, so the text is cut again by rule alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace

from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError, Problem
from docre.segmentation import Layout, split_text


def neutral_document(document: Document) -> Document:
    """Return the document on sentences and words that do not depend on its mentions.

    One without a raw text is returned as it is: its words were given. A mention becomes the words
    it touches, those in the sentence it begins in; evidence becomes the sentences it touches.

    Raises:
        DataError: If a mention touches no word.
    """
    text = document.text
    if text is None or document.offsets is None:
        return document
    layout = _layout(text, document.extra.get("title"))
    problems: list[Problem] = []
    entities = []
    for number, entity in enumerate(document.entities):
        mentions = []
        for index, mention in enumerate(entity.mentions):
            moved = _moved(document, mention, layout)
            if moved is None:
                place = f"entities[{number}].mentions[{index}]"
                problems.append(
                    Problem("empty-mention", "the mention has no word", document.id, place)
                )
            else:
                mentions.append(moved)
        entities.append(replace(entity, mentions=tuple(mentions)))
    if problems:
        raise DataError(problems)
    relations = document.relations
    if relations is not None:
        relations = tuple(_with_evidence(document, label, layout) for label in relations)
    return replace(
        document,
        sentences=layout.words(text),
        entities=tuple(entities),
        relations=relations,
        offsets=layout.offsets,
    )


def unaligned_mentions(document: Document, neutral: Document) -> int:
    """Return how many mentions do not begin and end where the neutral words do.

    Args:
        document: A document.
        neutral: What :func:`neutral_document` makes of it.
    """
    return sum(
        document.char_span(one) != neutral.char_span(other)
        for one, other in zip(
            _mentions(document.entities), _mentions(neutral.entities), strict=True
        )
    )


def _mentions(entities: Iterable[Entity]) -> Iterable[Mention]:
    return (mention for entity in entities for mention in entity.mentions)


def _layout(text: str, title: object) -> Layout:
    """Cut a text; where it begins with a title, that is a sentence whatever it ends with."""
    if isinstance(title, str) and title and text.startswith(f"{title} "):
        text = f"{title}\n{text[len(title) + 1 :]}"
    return split_text(text)


def _moved(document: Document, mention: Mention, layout: Layout) -> Mention | None:
    span = document.char_span(mention)
    if span is None or not layout.offsets:
        return None
    sentence, start, end = layout.locate(*span)
    end = min(end, len(layout.offsets[sentence]))
    return replace(mention, sentence=sentence, start=start, end=end) if start < end else None


def _with_evidence(document: Document, label: Relation, layout: Layout) -> Relation:
    """Return a label whose evidence counts the sentences of the layout."""
    if not label.evidence or document.offsets is None:
        return label
    begins = [words[0][0] for words in layout.offsets]
    found: set[int] = set()
    for words in (document.offsets[number] for number in label.evidence):
        if words:
            first, last = (bisect_right(begins, at) - 1 for at in (words[0][0], words[-1][0]))
            found.update(range(max(first, 0), last + 1))
    return replace(label, evidence=tuple(sorted(found)))
