"""What became of a document that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from docre.errors import Problem
from docre.pipeline.extraction import Extraction


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document.

    Args:
        name: Its id, or its place in its file.
        extraction: What was found; ``None`` if nothing could be done with the document.
        problems: What was wrong with it; notes if it was read all the same.
    """

    name: str
    extraction: Extraction | None
    problems: tuple[Problem, ...] = ()
