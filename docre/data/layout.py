"""Where words, mentions and sentences of a document come to lie among the encoder's tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from docre.data.markers import MarkerStyle, UnitSpan, marks_of
from docre.data.pieces import TextPieces
from docre.documents import Document

Span = tuple[int, int]


class Units(NamedTuple):
    """A document cut into units that markers can stand between.

    Args:
        ids: Token ids of each unit; a unit may have none.
        mentions: Spans of units, by entity.
        sentences: Spans of units.
    """

    ids: Sequence[Sequence[int]]
    mentions: list[list[UnitSpan]]
    sentences: list[Span]


class TokenLayout(NamedTuple):
    """Tokens of one document without special tokens, and positions among them.

    Args:
        ids: Token ids, markers included.
        mentions: By entity, for each mention the token it is read at and one past its last token.
        sentences: First token and one past the last token of each sentence.
    """

    ids: list[int]
    mentions: list[list[Span]]
    sentences: list[Span]


def word_units(document: Document, pieces: Mapping[str, list[int]]) -> Units:
    """Take words as units: each is cut by itself, as the published systems do."""
    base = [0, *accumulate(map(len, document.sentences))]
    return Units(
        ids=[pieces[word] for sentence in document.sentences for word in sentence],
        mentions=[
            [
                UnitSpan(base[m.sentence] + m.start, base[m.sentence] + m.end, m.type)
                for m in entity.mentions
            ]
            for entity in document.entities
        ],
        sentences=list(pairwise(base)),
    )


def piece_units(document: Document, offsets: Sequence[Sequence[Span]], pieces: TextPieces) -> Units:
    """Take the pieces of the whole text as units.

    A piece that reaches over the border of a mention counts to the mention.

    Args:
        document: The document.
        offsets: Characters of every word, by sentence.
        pieces: Pieces of the text.
    """
    ids: list[list[int]] = [[number] for number in pieces.ids]
    begins, ends = [a for a, _ in pieces.offsets], [b for _, b in pieces.offsets]
    if not ids:  # a text without pieces is one empty unit, so that markers have a place
        ids, begins, ends = [[]], [0], [1]
    count = len(begins)

    def unit_at(character: int) -> int:
        return bisect_right(ends, character)

    def mention(sentence: int, start: int, end: int, kind: str) -> UnitSpan:
        words = offsets[sentence]
        first = min(unit_at(words[start][0]), max(count - 1, 0))
        behind = bisect_left(begins, words[end - 1][1])
        return UnitSpan(first, max(behind, first + 1), kind)

    borders = [unit_at(words[0][0]) if words else -1 for words in offsets]
    following = count
    for s in range(len(borders) - 1, -1, -1):  # an empty sentence lies where the next one begins
        borders[s] = following = following if borders[s] < 0 else borders[s]
    return Units(
        ids=ids,
        mentions=[
            [mention(m.sentence, m.start, m.end, m.type) for m in entity.mentions]
            for entity in document.entities
        ],
        sentences=list(zip(borders, [*borders[1:], count], strict=True)),
    )


def lay_out(
    units: Units, style: MarkerStyle, marker_ids: Mapping[str, int], types: Sequence[str] = ()
) -> TokenLayout:
    """Write units and markers one after another and say where everything lies.

    A mention is read at its opening marker, or at its first piece where there are no markers; it
    ends behind its closing marker.

    Args:
        units: The units.
        style: Marker convention.
        marker_ids: Ids of the marker tokens.
        types: Entity types in their fixed order.
    """
    marks = marks_of((m for entity in units.mentions for m in entity), style, types)
    before = {at: [marker_ids[mark] for mark in names] for at, names in marks.before.items()}
    behind = {at: [marker_ids[mark] for mark in names] for at, names in marks.behind.items()}
    tokens: list[int] = []
    position = []  # of every unit, its opening markers included, and of the end
    for index, ids in enumerate(units.ids):
        position.append(len(tokens))
        if index in before:
            tokens += before[index]
        tokens += ids
        if index in behind:
            tokens += behind[index]
    position.append(len(tokens))
    # a unit without pieces or markers at the very end has no token of its own: take the last one
    last = max(len(tokens) - 1, 0)
    return TokenLayout(
        ids=tokens,
        mentions=[
            [(min(position[m.start], last), position[m.end]) for m in entity]
            for entity in units.mentions
        ],
        sentences=[(position[start], position[end]) for start, end in units.sentences],
    )
