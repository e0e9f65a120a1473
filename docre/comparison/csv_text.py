"""A comparison as CSV, for other programs: a line for each row and score, nothing rounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from docre.comparison.comparison import Comparison, ComparisonTable
from docre.comparison.rows import ComparedRow
from docre.spreadsheet_text import as_cell

COLUMNS = (
    *("table", "split", "data", "row", "score", "runs", "mean", "sd", "values", "folders"),
    *("baseline", "difference", "low", "high", "p_value", "significant", "best"),
)


def csv_text(comparison: Comparison) -> str:
    """Return all numbers of a comparison, scores as fractions.

    ``values`` has the score of each run as ``SEED:SCORE``; time in seconds is the score
    ``training_seconds``. Empty is what is not known.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number, table in enumerate(comparison.tables, 1):
        for row in table.rows:
            for line in _lines(table, row):
                cells = {k: as_cell(v) if isinstance(v, str) else v for k, v in line.items()}
                writer.writerow({"table": number, **cells})
    return text.getvalue()


def _lines(table: ComparisonTable, row: ComparedRow) -> Iterator[dict[str, object]]:
    about = {
        "split": table.on.split,
        "data": table.on.checksum or "",
        "row": row.name,
        "runs": len(row.runs),
        "folders": " ".join(str(one.run.folder) for one in row.runs),
    }
    for score in table.scores:
        tested = table.tested(row.name, score)
        values = zip(row.seeds, row.values(score), strict=False)
        line: dict[str, object] = {
            "score": score,
            "mean": row.mean(score),
            "sd": row.sd(score),
            "values": " ".join(f"{'?' if seed is None else seed}:{v!r}" for seed, v in values),
            "best": int(table.is_best(row.name, score)),
        }
        difference = table.difference(row.name, score)
        if difference is not None:
            line |= {"baseline": table.baseline, "difference": difference}
        if tested is not None:
            line |= {"low": tested.low, "high": tested.high, "p_value": tested.p_value}
            line["significant"] = int(table.is_significant(row.name, score))
        yield about | line
    if row.seconds is not None:
        yield about | {"score": "training_seconds", "mean": row.seconds}
