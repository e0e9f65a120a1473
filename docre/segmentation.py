"""Sentences and words of raw text, by rule, with the character span of each.

The rules are those of plain English prose and of abstracts: a word is a run of letters and digits
or one other visible character; a sentence ends at ``.``, ``!`` or ``?`` (and a closing quote or
bracket) before a blank and something that can begin a sentence, and at a line break. They need no
model, are the same everywhere, and never cut a mention.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

Span = tuple[int, int]

_WORD = re.compile(r"\w+|[^\w\s]", re.UNICODE)
_BORDER = re.compile(r"""(?<=[.!?])["'”’)\]]*\s+(?=["'“‘(\[]?[A-Z0-9À-Þ])|[\n\r]\s*""")
# A full stop after one of these, or after a single capital, does not end a sentence.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|cf|al|etc|e\.g|i\.e|Fig|No|Inc|Ltd|Co)\.$"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Character spans of the words of a text, by sentence."""

    offsets: tuple[tuple[Span, ...], ...]
    _starts: tuple[int, ...]
    _first_word: tuple[int, ...]

    def words(self, text: str) -> tuple[tuple[str, ...], ...]:
        """Return the words themselves."""
        return tuple(tuple(text[a:b] for a, b in sentence) for sentence in self.offsets)

    def locate(self, start: int, end: int) -> tuple[int, int, int]:
        """Return sentence, first word and one past the last word of a character span.

        The span must be one of those the text was split with.
        """
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self.offsets_flat(first)[1] <= start:
            first += 1  # the span begins with blanks
        last = bisect_right(self._starts, end - 1) - 1
        sentence = bisect_right(self._first_word, first) - 1
        base = self._first_word[sentence]
        return sentence, first - base, last - base + 1

    def offsets_flat(self, word: int) -> Span:
        """Return the span of a word counted over the whole document."""
        sentence = bisect_right(self._first_word, word) - 1
        return self.offsets[sentence][word - self._first_word[sentence]]


def split_text(text: str, mentions: Iterable[Span] = ()) -> Layout:
    """Split a text into sentences and words that respect the given mention spans.

    Args:
        text: Raw text.
        mentions: Character spans; words are also split where one begins or ends, and no sentence
            border falls inside one.

    Example:
        >>> layout = split_text("He lives in New York. She is 7.")
        >>> [len(sentence) for sentence in layout.offsets]
        [6, 4]
    """
    protected = sorted(set(mentions))
    cuts = sorted({cut for span in protected for cut in span})
    words = [piece for match in _WORD.finditer(text) for piece in _cut(match.span(), cuts)]
    borders = [at for at in _sentence_borders(text) if not _inside(at, protected)]
    sentences: list[tuple[Span, ...]] = []
    position = 0
    for border in [*borders, len(text) + 1]:
        end = position
        while end < len(words) and words[end][0] < border:
            end += 1
        if end > position:
            sentences.append(tuple(words[position:end]))
        position = end
    first_word = tuple(accumulate((len(sentence) for sentence in sentences[:-1]), initial=0))
    return Layout(tuple(sentences), tuple(a for a, _ in words), first_word)


def _cut(word: Span, cuts: Sequence[int]) -> list[Span]:
    start, end = word
    low, high = bisect_right(cuts, start), bisect_right(cuts, end - 1)
    return list(pairwise([start, *cuts[low:high], end]))


def _sentence_borders(text: str) -> list[int]:
    """Return the character positions where a new sentence begins."""
    borders = []
    for match in _BORDER.finditer(text):
        newline = "\n" in match.group() or "\r" in match.group()
        if newline or not _ABBREVIATION.search(text, max(0, match.start() - 8), match.start()):
            borders.append(match.end())
    return borders


def _inside(position: int, spans: Sequence[Span]) -> bool:
    return any(start < position < end for start, end in spans)
