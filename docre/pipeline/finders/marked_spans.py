"""How the spans that a finder marked in a text become the entities of a document."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from docre.documents import Document, Entity, Mention
from docre.errors import DataError, Problem
from docre.pipeline.finders.same_name import core_span, same_name
from docre.segmentation import Span

Offsets = tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class MarkedSpan:
    """A mention as a finder marked it.

    Args:
        start: First character in the readable text of the document.
        end: One past the last.
        type: Type of the entity.
        score: How sure the finder is; decides only between types of one span.
    """

    start: int
    end: int
    type: str
    score: float = 1.0


def with_entities(
    document: Document, marked: Iterable[MarkedSpan], clusters: Iterable[Iterable[Span]] = ()
) -> Document:
    """Return a document with entities made of the spans that a finder marked in its text.

    Of spans that overlap the longest is kept; of equally long ones that with the higher score,
    then the first. Mentions become entities by :func:`~docre.pipeline.finders.same_name`, those of
    an entity in the order of the text, entities in the order of their first mentions.

    Where the document has a raw text, a mention is exactly the marked characters without blanks
    around them: words are split where one begins or ends, and sentences joined where one crosses
    their border, as :meth:`~docre.documents.Document.from_text` does. Given words stay as they
    are: a mention becomes the words it touches, in the sentence it begins in.

    Args:
        document: Its own entities, labels and candidates are replaced.
        marked: Spans in the readable text.
        clusters: Spans that are one thing each, by a coreference system. Those of them that are
            also marked (articles and possessives aside) and of one type become one entity; others,
            such as pronouns, are not taken.

    Raises:
        DataError: If a marked span touches no word.
    """
    text, offsets = document.readable()
    given_words = document.text is None or document.offsets is None
    chosen = _longest(_on_words(document, marked, _Words.of(offsets), given_words))
    spans = [(one.start, one.end) for one in chosen]
    if not given_words:
        offsets = _fitted(offsets, spans)
        sentences = tuple(tuple(text[a:b] for a, b in sentence) for sentence in offsets)
        document = replace(document, sentences=sentences, offsets=offsets)
    words = _Words.of(offsets)
    names = [text[start:end] for start, end in spans]
    index = {_core(text, span): number for number, span in enumerate(spans)}
    known = (
        [index[core] for core in (_core(text, span) for span in cluster) if core in index]
        for cluster in clusters
    )
    numbers = same_name(names, [one.type for one in chosen], known)
    mentions: dict[int, list[Mention]] = {}
    for one, name, number in zip(chosen, names, numbers, strict=True):
        place = words.place(*words.touched(one.start, one.end))
        mentions.setdefault(number, []).append(Mention(*place, type=one.type, surface=name))
    entities = tuple(Entity(tuple(found), found[0].type) for found in mentions.values())
    return replace(document, entities=entities, relations=None, candidates=None)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of all sentences, counted from the first."""

    starts: list[int]
    ends: list[int]
    first_word: list[int]

    @classmethod
    def of(cls, offsets: Offsets) -> _Words:
        return cls(
            starts=[start for sentence in offsets for start, _ in sentence],
            ends=[end for sentence in offsets for _, end in sentence],
            first_word=[*accumulate((len(sentence) for sentence in offsets), initial=0)],
        )

    def touched(self, start: int, end: int) -> Span:
        """Return the words that a span touches, those of the sentence it begins in."""
        first = bisect_right(self.ends, start)
        while first < len(self.starts) and self.starts[first] == self.ends[first]:
            first += 1  # a word without letters begins no mention
        last = bisect_left(self.starts, end)
        border = bisect_right(self.first_word, first)
        return first, min([last, *self.first_word[border : border + 1]])

    def place(self, first: int, last: int) -> tuple[int, int, int]:
        """Return the sentence of words, and where in it they begin and end."""
        sentence = bisect_right(self.first_word, first) - 1
        base = self.first_word[sentence]
        return sentence, first - base, last - base


def _on_words(
    document: Document, marked: Iterable[MarkedSpan], words: _Words, whole: bool
) -> Iterator[MarkedSpan]:
    """Yield the spans without blanks around them, or, if asked to, made of whole words."""
    for one in marked:
        first, last = words.touched(one.start, one.end)
        if first >= last:
            message = f"the finder marked characters {one.start} to {one.end}, where no word is"
            raise DataError([Problem("empty-mention", message, document.id, "entities")])
        if not whole:
            last = bisect_left(words.starts, one.end)
        start, end = words.starts[first], words.ends[last - 1]
        if not whole:
            start, end = max(start, one.start), min(end, one.end)
        yield replace(one, start=start, end=end)


def _longest(marked: Iterable[MarkedSpan]) -> list[MarkedSpan]:
    """Return spans that do not overlap, in the order of the text."""
    chosen: list[MarkedSpan] = []
    for one in sorted(
        marked, key=lambda one: (one.start - one.end, -one.score, one.start, one.type)
    ):
        place = bisect_left(chosen, one.end, key=lambda other: other.start)
        if place == 0 or chosen[place - 1].end <= one.start:
            chosen.insert(place, one)
    return chosen


def _fitted(offsets: Offsets, spans: Sequence[Span]) -> Offsets:
    """Return words that begin and end where spans do, in sentences that hold whole spans.

    Args:
        offsets: Words by sentence.
        spans: Not overlapping, in order.
    """
    cuts = sorted({edge for span in spans for edge in span})
    starts = [start for start, _ in spans]
    fitted: list[list[Span]] = []
    for sentence in offsets:
        words: list[Span] = []
        for start, end in sentence:
            inner = cuts[bisect_right(cuts, start) : bisect_left(cuts, end)]
            words.extend(pairwise([start, *inner, end]))
        before = bisect_left(starts, words[0][0]) - 1 if words else -1
        if before >= 0 and spans[before][1] > words[0][0]:
            while not fitted[-1]:  # a span cannot hold an empty sentence
                fitted.pop()
            fitted[-1].extend(words)
        else:
            fitted.append(words)
    return tuple(map(tuple, fitted))


def _core(text: str, span: Span) -> Span:
    start, end = core_span(text[slice(*span)])
    return span[0] + start, span[0] + end
