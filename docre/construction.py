"""What people hand to the constructors of a document, held against what is expected.

The constructors take what Python code has at hand, and a string where a list belongs would pass as
a list of letters; so every value is looked at before a document is made of it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsFloat

from docre.errors import DataError, Problem
from docre.segmentation import Span

_SHOWN = 40


class Arguments:
    """Turns arguments into plain values and keeps what is wrong with them.

    Where a value is wrong a harmless one is returned, so that all problems are found at once;
    :meth:`done` raises them.

    Args:
        document: The id given for the document.
    """

    def __init__(self, document: object) -> None:
        self.problems: list[Problem] = []
        self._document = document if isinstance(document, str) else ""
        self.text(document, "id")

    def add(self, expected: str, value: object, place: str) -> None:
        """Note that a value is not what is expected."""
        shown = repr(value)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}..."
        message = f"expected {expected}, found {shown}"
        self.problems.append(Problem("wrong-type", message, self._document, place))

    def done(self) -> None:
        """Raise a :class:`DataError` if anything was wrong."""
        if self.problems:
            raise DataError(self.problems)

    def items(self, value: Any, expected: str, place: str) -> tuple[Any, ...]:
        """Return a collection as a tuple; a string or a mapping is none."""
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
            return tuple(value)
        self.add(expected, value, place)
        return ()

    def text(self, value: Any, place: str) -> str:
        """Return a string."""
        if isinstance(value, str):
            if not value.isascii() and _has_surrogate(value):
                self.add("text that can be written as UTF-8", value, place)
            return value
        self.add("a string", value, place)
        return ""

    def whole(self, value: Any, place: str) -> int:
        """Return a whole number, NumPy's too."""
        try:
            # True is 1 to Python, but nobody means it
            if not isinstance(value, bool):
                return operator.index(value)
        except TypeError:
            pass
        self.add("a whole number", value, place)
        return 0

    def sentences(self, value: Any) -> tuple[tuple[str, ...], ...]:
        """Return words by sentence."""
        return tuple(
            tuple(
                self.text(word, f"sentences[{s}][{w}]")
                for w, word in enumerate(self.items(words, "a list of words", f"sentences[{s}]"))
            )
            for s, words in enumerate(self.items(value, "a list of sentences", "sentences"))
        )

    def parts(self, value: Any, names: Sequence[str], place: str) -> tuple[Any, ...] | None:
        """Return as many values as there are names, or ``None`` for anything else."""
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == len(names):
            return tuple(value)
        self.add(f"({', '.join(names)})", value, place)
        return None

    def numbers(self, value: Any, names: Sequence[str], place: str) -> tuple[int, ...]:
        """Return the whole numbers of a span."""
        parts = self.parts(value, names, place)
        if parts is None:
            return (0,) * len(names)
        return tuple(
            self.whole(part, f"{place}.{name}") for part, name in zip(parts, names, strict=True)
        )

    def entity(self, value: Any, keys: Sequence[str], place: str) -> int:
        """Return the index of an entity that is given by its index or, if it has one, its key."""
        if not keys or not isinstance(value, str):
            return self.whole(value, place)
        if value in keys:
            return keys.index(value)
        self.add(f"one of the entities {', '.join(map(repr, keys))}", value, place)
        return 0

    def evidence(self, value: Any, place: str) -> tuple[int, ...] | None:
        """Return sentences of evidence, or ``None`` where there is no annotation."""
        if value is None:
            return None
        listed = self.items(value, "a list of sentences", place)
        return tuple(self.whole(s, f"{place}[{number}]") for number, s in enumerate(listed))

    def score(self, value: Any, place: str) -> float | None:
        """Return a score, or ``None`` for a label."""
        if value is None or (isinstance(value, SupportsFloat) and not isinstance(value, bool)):
            return None if value is None else float(value)
        self.add("a number", value, place)
        return None

    def char_spans(self, value: Any) -> list[list[Span]]:
        """Return the character spans of mentions, by entity."""
        spans = []
        for e, mentions in enumerate(self.items(value, "a list of entities", "entities")):
            place = f"entities[{e}]"
            entity = []
            for m, span in enumerate(self.items(mentions, "a list of (start, end)", place)):
                start, end = self.numbers(span, ("start", "end"), f"{place}.mentions[{m}]")
                entity.append((start, end))
            spans.append(entity)
        return spans


def _has_surrogate(text: str) -> bool:
    """Tell whether there is half a character in a text, as broken decoding leaves it."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)
