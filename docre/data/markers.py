"""Markers that show the encoder where mentions are, and the published conventions for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

# entity:  one ``*`` where mentions begin and one where they end, however many share the border
#          (ATLOP and most after it)
# mention: one ``*`` for each distinct mention that begins or ends there (CDR and GDA)
# typed:   ``[unused1]`` and ``[unused51]`` and so on, by the mention's type (DocuNet)
# none:    no markers
MarkerStyle = Literal["entity", "mention", "typed", "none"]
MARKER = "*"
# The closing marker of a type lies this far behind its opening one.
_CLOSING = 50


class UnitSpan(NamedTuple):
    """A mention in units of the layout (words, or pieces of a whole text)."""

    start: int
    end: int
    type: str


class Marks(NamedTuple):
    """Marker tokens to put before and behind units."""

    before: dict[int, list[str]]
    behind: dict[int, list[str]]


def marks_of(mentions: Iterable[UnitSpan], style: MarkerStyle, types: Sequence[str] = ()) -> Marks:
    """Say which markers stand before and behind which units.

    Args:
        mentions: Mentions in document order.
        style: The convention.
        types: Entity types in their fixed order; ``typed`` markers are numbered by it.

    Example:
        >>> marks_of([UnitSpan(0, 2, "PER"), UnitSpan(0, 1, "PER")], "entity")
        Marks(before={0: ['*']}, behind={1: ['*'], 0: ['*']})
    """
    marks = Marks({}, {})
    if style == "mention":
        for mention in dict.fromkeys(mentions):
            marks.before.setdefault(mention.start, []).append(MARKER)
            marks.behind.setdefault(mention.end - 1, []).append(MARKER)
    elif style == "entity":
        for mention in mentions:
            marks.before[mention.start] = [MARKER]
            marks.behind[mention.end - 1] = [MARKER]
    elif style == "typed":
        for mention in mentions:  # where several share a border the first one decides
            number = typed_number(mention.type, types)
            marks.before.setdefault(mention.start, [f"[unused{number}]"])
            marks.behind.setdefault(mention.end - 1, [f"[unused{number + _CLOSING}]"])
    return marks


def typed_number(mention_type: str, types: Sequence[str]) -> int:
    """Return the number of the typed marker: 1, 3, 5, ... for the types in their order."""
    if mention_type not in types:
        known = ", ".join(types) or "none"
        raise ValueError(f"typed markers need a known type, not {mention_type!r}; known: {known}")
    return 2 * types.index(mention_type) + 1


def marker_tokens(style: MarkerStyle, types: Sequence[str] = ()) -> list[str]:
    """Return every marker token the style can put into a text.

    Raises:
        ValueError: If there are more types than markers that can be told apart.
    """
    if style == "none":
        return []
    if style != "typed":
        return [MARKER]
    if 2 * len(types) > _CLOSING:
        raise ValueError(f"typed markers can tell {_CLOSING // 2} types apart, not {len(types)}")
    numbers = [typed_number(kind, types) for kind in types]
    return [f"[unused{n + shift}]" for n in numbers for shift in (0, _CLOSING)]
