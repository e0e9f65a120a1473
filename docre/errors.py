"""What can be wrong with data, said so that a person finds the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "note"]
Action = Literal["", "fixed", "skipped"]

SHOWN_PROBLEMS = 20


class DocreError(Exception):
    """Base of every error that docre raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one place.

    Args:
        code: Short stable name of the kind of problem, such as ``span-out-of-range``.
        message: What is wrong, in a sentence without the place.
        document: Id of the document, or ``#7`` for the eighth one of a file if it has no id.
        field: Where in the document, such as ``entities[3].mentions[0].end``.
        source: File the document came from.
        severity: ``error``, or ``note`` for a known quirk of an official data set.
        action: What was done about it: nothing yet, ``fixed`` or ``skipped``.
    """

    code: str
    message: str
    document: str = ""
    field: str = ""
    source: str = ""
    severity: Severity = "error"
    action: Action = ""

    def __str__(self) -> str:
        place = [self.source] if self.source else []
        if self.document:
            place.append(f"document {_cut(self.document)!r}")
        if self.field:
            place.append(_cut(self.field))
        done = f" [{self.action}]" if self.action else ""
        message = _cut(self.message, 2000)
        return f"{', '.join(place)}: {message}{done}" if place else f"{message}{done}"

    def at(
        self,
        *,
        source: str | None = None,
        document: str | None = None,
        action: Action | None = None,
    ) -> Problem:
        """Return the same problem with a place or an action filled in."""
        return replace(
            self,
            source=self.source if source is None else source,
            document=self.document if document is None else document,
            action=self.action if action is None else action,
        )


def _cut(text: str, longest: int = 300) -> str:
    """Return a text that a person can read, whatever a file put there."""
    return text if len(text) <= longest else f"{text[:longest]}..."


class DataError(DocreError, ValueError):
    """Data that cannot be used as it is; ``problems`` has all of them, the text the first few."""

    def __init__(self, problems: Iterable[Problem], hint: str = "") -> None:
        self.problems = tuple(problems)
        self.hint = hint
        super().__init__(describe(self.problems, hint=hint))

    def __reduce__(self) -> tuple[type[DataError], tuple[tuple[Problem, ...], str]]:
        return type(self), (self.problems, self.hint)


def describe(problems: Iterable[Problem], limit: int = SHOWN_PROBLEMS, hint: str = "") -> str:
    """Write the first problems out, with their number and the count of each kind."""
    listed = list(problems)
    if len(listed) == 1:
        return f"{listed[0]}\n{hint}".rstrip()
    kinds = Counter(problem.code for problem in listed).most_common()
    lines = [f"{len(listed):,} problems ({', '.join(f'{code}: {n:,}' for code, n in kinds)})"]
    lines += [f"  {problem}" for problem in listed[:limit]]
    if len(listed) > limit:
        lines.append(f"  ... and {len(listed) - limit:,} more")
    return "\n".join([*lines, hint]).rstrip()
