"""Two documents of one raw text on the same words, however each of them cuts it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from operator import itemgetter

from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError, Problem
from docre.scoring.extraction import other_text
from docre.segmentation import Span

Offsets = tuple[tuple[Span, ...], ...]


def on_common_words(
    gold: Document, own: Document, predicted: Sequence[Relation]
) -> tuple[Document, Document, list[Relation]]:
    """Put two documents on words that end wherever one's do, in the sentences of the gold.

    So every mention of either is whole words. One that crosses a sentence border of the gold goes
    on as a mention in each of its sentences.

    Args:
        gold: A document.
        own: Another one of the same raw text.
        predicted: Relations whose evidence counts the sentences of the second.

    Returns:
        Both documents, and the relations with their evidence in sentences of the gold.

    Raises:
        DataError: If the two do not have the same raw text, or a mention of the prediction is where
            the gold has no words.
    """
    if gold.offsets is None or own.offsets is None or gold.text != own.text:
        place = "text" if gold.offsets is not None and own.offsets is not None else "sentences"
        raise DataError([other_text(own.id, place)])
    text = gold.text or ""
    cuts = sorted({cut for words in own.offsets for span in words for cut in span})
    offsets = tuple(
        tuple(piece for word in words for piece in _pieces(word, cuts, text))
        for words in gold.offsets
    )
    relations = [
        one
        if one.evidence is None
        else replace(one, evidence=_sentences(one.evidence, own.offsets, offsets))
        for one in predicted
    ]
    return _carried(gold, offsets), _carried(own, offsets), relations


def _pieces(word: Span, cuts: Sequence[int], text: str) -> Iterator[Span]:
    start, end = word
    inside = cuts[bisect_left(cuts, start + 1) : bisect_left(cuts, end)]
    for a, b in pairwise([start, *inside, end]):
        if text[a:b].strip():  # a word of the gold may have a blank in it
            yield a, b


def _carried(document: Document, offsets: Offsets) -> Document:
    """Return a document on other words of its text, into which its mentions fit."""
    text = document.text or ""
    starts = [start for words in offsets for start, _ in words]
    places = [(s, w) for s, words in enumerate(offsets) for w in range(len(words))]

    def moved(entity: Entity, number: int) -> Entity:
        mentions: list[Mention] = []
        for index, mention in enumerate(entity.mentions):
            start, end = document.char_span(mention) or (0, 0)
            inside = places[bisect_left(starts, start) : bisect_left(starts, end)]
            if not inside:
                message = f"the gold has no words at characters {start}-{end}"
                where = f"entities[{number}].mentions[{index}]"
                raise DataError([Problem("other-words", message, document.id, where)])
            for sentence, group in groupby(inside, key=itemgetter(0)):
                words = [word for _, word in group]
                mentions.append(
                    replace(mention, sentence=sentence, start=words[0], end=words[-1] + 1)
                )
        return replace(entity, mentions=tuple(mentions))

    return replace(
        document,
        sentences=tuple(tuple(text[a:b] for a, b in words) for words in offsets),
        offsets=offsets,
        entities=tuple(moved(entity, number) for number, entity in enumerate(document.entities)),
    )


def _sentences(numbers: Sequence[int], own: Offsets, common: Offsets) -> tuple[int, ...]:
    """Return the sentences that have characters of some sentences of the other cut."""
    ranges = [(own[n][0][0], own[n][-1][1]) for n in numbers if own[n]]
    return tuple(
        sentence
        for sentence, words in enumerate(common)
        if words and any(words[0][0] < end and start < words[-1][1] for start, end in ranges)
    )
