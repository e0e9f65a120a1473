"""Figures that tests find and the suite prints at its end, from any number of test processes."""

import json
from pathlib import Path

ROWS = Path(__file__).resolve().parents[2] / "build" / "reliability" / "figures.jsonl"


class Figures:
    """Takes the figures of a test."""

    def add(self, row, number, of=None):
        """Add to a count; ``of`` is what it could have been at most."""
        self._write({"row": row, "how": "sum", "value": number, "of": of})

    def worst(self, row, value, unit=""):
        """Keep the largest of all values of a row."""
        self._write({"row": row, "how": "max", "value": value, "unit": unit})

    def note(self, row, text):
        """Say something in words or numbers of several kinds."""
        self._write({"row": row, "how": "note", "value": text})

    def _write(self, entry):
        ROWS.parent.mkdir(parents=True, exist_ok=True)
        with ROWS.open("a") as file:
            file.write(json.dumps(entry) + "\n")  # a line is one write: processes do not mix


def table():
    """Return the rows as (name, text), in the order they first came up."""
    entries = {}
    if ROWS.exists():
        for line in ROWS.read_text().splitlines():
            entry = json.loads(line)
            entries.setdefault(entry["row"], []).append(entry)
    return [(row, _text(found)) for row, found in entries.items()]


def _text(entries):
    kind = entries[0]["how"]
    values = [entry["value"] for entry in entries]
    if kind == "note":
        return "; ".join(dict.fromkeys(map(str, values)))
    if kind == "max":
        return f"{max(values):.3g} {entries[0]['unit']}".rstrip()
    of = sum(entry["of"] or 0 for entry in entries)
    return f"{sum(values):,} of {of:,}" if of else f"{sum(values):,}"
