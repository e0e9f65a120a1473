"""The search for rates: each system with those that all share and with twice those."""

from __future__ import annotations

import json
from pathlib import Path

from docre.markdown_text import table as markdown_table
from study.tables import DOUBLED, SYSTEMS

SEED = 66


def rates_table(kept: Path) -> str:
    """Return what each system came to on the 40 documents that select, at either rates."""
    rows = []
    for cell, label in SYSTEMS.items():
        found = dev_f1(kept, cell)
        if found:
            scores = (f"{100 * found[way]:.1f}" if way in found else "-" for way in ("", DOUBLED))
            rows.append([label, *scores, said(found)])
    titles = ["F1 of the best epoch", "1e-4, 5e-4", "2e-4, 1e-3", "taken"]
    written = markdown_table(titles, rows, numbers=True)
    command = "`make results TABLE=main` trains both candidates"
    return f"{written}\n\nSeed {SEED}, 40 documents; {command}.\n"


def dev_f1(kept: Path, cell: str) -> dict[str, float]:
    """Return F1 on the development documents by the ending of the cell that was run."""
    plain, found = cell.removesuffix(DOUBLED), {}
    for way in ("", DOUBLED):
        path = kept / "main" / f"{plain}{way}" / f"seed_{SEED}" / "scores" / "dev.json"
        if path.exists():
            found[way] = float(json.loads(path.read_text())["scores"]["f1"])
    return found


def said(found: dict[str, float]) -> str:
    """Return which of two candidates is taken, if both were tried."""
    if len(found) < 2:
        return "not searched"
    return "2e-4, 1e-3" if found[DOUBLED] > found[""] else "1e-4, 5e-4"
