"""The attention of a pair as a heat map over the words of its document."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from docre.dashboard.attended_pair import AttendedPair, Floats
from docre.dashboard.drawing import BLUE, GREY, INK, PURPLE, new_figure
from docre.dashboard.word_places import Span
from docre.documents import Document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# line, column and number of a word
Place = tuple[int, int, int]
# Characters of a line and lines of a picture.
_COLUMNS, _LINES = 92, 26
# Orange, as red, green and blue.
_PAINT = (0.88, 0.51, 0.08)


def attention_figure(document: Document, pair: AttendedPair) -> Figure:
    """Return the text with the attention behind its words; mentions of head and tail are framed."""
    words = [word for sentence in document.sentences for word in sentence][: len(pair.weights)]
    places = list(_flow(words, _kept(document, pair.weights)))
    lines = 1 + max((line for line, _, _ in places), default=0)
    figure = new_figure(8.2, 0.7 + 0.22 * lines)
    axes = figure.add_subplot()
    axes.set_xlim(-1, _COLUMNS + 1)
    axes.set_ylim(lines - 0.3, -0.7)
    axes.axis("off")
    most = max(pair.weights.max(initial=0), 1e-12)
    shares = [float(pair.weights[word] / most) for _, _, word in places]
    _boxes(axes, words, places, [(*_PAINT, 0.85 * share) for share in shares])
    for entity, colour in ((pair.head, BLUE), (pair.tail, PURPLE)):
        named = set(_words_of(document, entity))
        _boxes(axes, words, [place for place in places if place[2] in named], edge=colour)
    for line, column, word in places:
        said = axes.text(column, line, words[word], family="monospace", fontsize=9.5, va="center")
        said.set_in_layout(False)  # finding room for each word takes longer than drawing it
    told = f"{document.name(pair.head)}  —  {pair.relation}  —  {document.name(pair.tail)}"
    axes.set_title(told, loc="left", fontsize=10, color=INK)
    axes.annotate(
        f"darkest {100 * most:.0f} %; {100 * pair.elsewhere:.0f} % on markers and special tokens",
        (1, 0),
        (0, -2),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return figure


def _boxes(
    axes: Axes,
    words: Sequence[str],
    places: Sequence[Place],
    fill: Sequence[Any] = (),
    edge: str = "none",
) -> None:
    """Put a box around each place, all of them filled or framed."""
    from matplotlib.collections import PolyCollection

    corners = []
    for line, column, word in places:
        left, right = column - 0.25, column + len(words[word]) + 0.25
        top, bottom = line - 0.42, line + 0.42
        corners.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    boxes = PolyCollection(corners, facecolors=fill or "none", edgecolors=edge, linewidths=1.4)
    boxes.set_in_layout(False)
    axes.add_collection(boxes)


def _words_of(document: Document, entity: int) -> Iterator[int]:
    bases = np.cumsum([0, *map(len, document.sentences)])
    for mention in document.entities[entity].mentions:
        base = int(bases[mention.sentence])
        yield from range(base + mention.start, base + mention.end)


def _kept(document: Document, weights: Floats) -> Collection[int]:
    """Return the words of a text that is short enough: sentences with the most attention first."""
    bounds = np.cumsum([0, *map(len, document.sentences)]).tolist()
    spans: list[Span] = [(start, min(end, len(weights))) for start, end in pairwise(bounds)]
    order = sorted(spans, key=lambda span: -weights[span[0] : span[1]].sum())
    kept: set[int] = set()
    words = [word for sentence in document.sentences for word in sentence]
    room = _COLUMNS * (_LINES - 3)
    for start, end in order:
        room -= sum(len(word) + 1 for word in words[start:end])
        if room < 0 and kept:
            break
        kept.update(range(start, end))
    return kept


def _flow(words: Sequence[str], kept: Collection[int]) -> Iterator[Place]:
    """Yield line, column and number of each kept word; what is left out between leaves a line."""
    line = column = 0
    last = -1
    for number, word in enumerate(words):
        if number not in kept:
            continue
        skipped = last >= 0 and number > last + 1
        if column and (skipped or column + len(word) > _COLUMNS):
            line, column = line + 1, 0
        yield line, column, number
        column += len(word) + 1
        last = number
