"""What ``docre fuse`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from docre.data.cache import file_hash
from docre.provenance import provenance
from docre.scoring import Facts, Gold, Scores, score

if TYPE_CHECKING:
    from docre.fusion.two_readings import TwoReadings
    from docre.opened_run import OpenedRun
    from docre.triples import PredictedTriple


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(escape(line), highlight=False, soft_wrap=True)


def scores_of(
    readings: TwoReadings, kept: Sequence[PredictedTriple], facts: Facts | None
) -> tuple[Scores, Scores]:
    """Return the scores of one reading, and of both.

    Args:
        readings: What was read, and the labels.
        kept: What fusion keeps.
        facts: For Ign F1; ``None`` for none.
    """
    gold = Gold.compile(readings.documents, () if facts is None else facts)
    before = score([one.prediction for one in readings.predicted], gold)
    return before, score([one.prediction for one in kept], gold)


def score_table(before: Scores, after: Scores) -> Table:
    """Return the scores without and with fusion, as people read them."""
    table = Table(title="Scores in percent", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for name in ("F1", "Ign F1", "P", "R", "evidence F1"):
        table.add_column(name, justify="right", no_wrap=True)
    for title, scores in (("one reading", before), ("fused", after)):
        table.add_row(title, *_cells(scores))
    return table


def score_record(
    opened: OpenedRun, scores: tuple[Scores, Scores], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a score file says: the fused scores, those before, and where they come from.

    Args:
        opened: The run.
        scores: Of one reading, and of both.
        about: Split, threshold and what else decides the numbers.
    """
    before, after = scores
    data = opened.data
    return {
        **provenance(),
        "data": {"module": type(data).__name__, **data.provenance()},
        "checkpoint": {"file": str(opened.checkpoint), "xxh3_128": file_hash(opened.checkpoint)},
        **about,
        "scores": after.to_dict(relations=True),
        "one_reading": before.to_dict(),
        "facts": [ign.facts for ign in after.ign.values()],
    }


def _cells(scores: Scores) -> list[str]:
    ign = next(iter(scores.ign.values()), None)
    values = (
        scores.f1,
        None if ign is None else ign.f1,
        scores.precision,
        scores.recall,
        None if scores.evidence is None else scores.evidence.f1,
    )
    return ["-" if value is None else f"{100 * value:.2f}" for value in values]
