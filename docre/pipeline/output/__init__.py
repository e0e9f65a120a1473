"""Files of what was found: one form a module, chosen by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from docre.errors import DocreError
from docre.pipeline.extraction import Extraction
from docre.pipeline.output.graph import to_networkx, write_graph
from docre.pipeline.output.lines import write_lines
from docre.pipeline.output.official import write_official
from docre.pipeline.output.page import write_page
from docre.pipeline.output.table import write_table

__all__ = ["FORMS", "form_of", "to_networkx", "write_extractions"]

# Called with the file, what was found, and whether entities were found too.
Write = Callable[[Path, Iterable[Extraction], bool], None]
FORMS: dict[str, Write] = {
    ".jsonl": write_lines,
    ".json": write_official,
    ".zip": write_official,
    ".csv": write_table,
    ".graphml": write_graph,
    ".html": write_page,
}
"""What writes a file, by the ending of its name."""


def form_of(path: Path, found_entities: bool = False) -> Write:
    """Return what writes a file of that name.

    Args:
        path: Ends in one of the forms, and perhaps in ``.gz``.
        found_entities: Whether entities are found too.

    Raises:
        DocreError: If there is no such form.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix
    packed = path.suffix == ".gz"
    if suffix not in FORMS or (packed and suffix in (".zip", ".html")):
        raise DocreError(
            f"output: {path.name} ends in none of {', '.join(FORMS)} (and .gz behind those of text)"
        )
    if suffix == ".zip" and found_entities:
        raise DocreError("output: a .zip is a submission about given entities; here they are found")
    return FORMS[suffix]


def write_extractions(
    path: str | Path, extractions: Iterable[Extraction], found_entities: bool = False
) -> None:
    """Write what was found, whole or not at all.

    Args:
        path: ``.jsonl``, ``.json``, ``.zip``, ``.csv``, ``.graphml`` or ``.html``.
        extractions: Taken one after another.
        found_entities: Whether entities were found too; lines are whole documents then.

    Raises:
        DocreError: If there is no such form.
    """
    target = Path(path)
    form_of(target, found_entities)(target, extractions, found_entities)
