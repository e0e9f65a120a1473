"""Runs held against each other: rows of seeds, differences, and what cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from docre.comparison.columns import headings
from docre.comparison.rows import ComparedRow
from docre.comparison.scored_on import ScoredOn
from docre.comparison.significance import holm
from docre.scoring import Difference

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class ComparisonTable:
    """Rows that were scored on the same documents and labels.

    Those whose Ign F1 leaves out other facts than the rest have no Ign F1 here.

    Args:
        on: What they were scored on.
        rows: The rows, in the order of the runs.
        baseline: Name of the row that the others are compared with, if there is one.
        differences: By row, other row and score: score of the row minus score of the other one.
        notes: What is to be known to read the numbers, what weighs most first.
        remarks: What is to be known about the runs: which were left out, in what rows differ.
        chosen: Names of the scores to show; those that are usual for the task if empty.
        apart: Why the scores cannot be compared with those of the first table.
    """

    on: ScoredOn
    rows: tuple[ComparedRow, ...]
    baseline: str | None
    differences: Mapping[tuple[str, str], Mapping[str, Difference]] = field(repr=False)
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    @property
    def scores(self) -> dict[str, str]:
        """The scores that any row has, with their headings."""
        known = headings(self.on.task, self.chosen)
        return {
            name: heading
            for name, heading in known.items()
            if any(row.mean(name) is not None for row in self.rows)
        }

    def difference(self, row: str, score: str) -> float | None:
        """Return how much better a row is than the baseline."""
        means = {one.name: one.mean(score) for one in self.rows}
        mine = means.get(row)
        theirs = None if self.baseline is None else means.get(self.baseline)
        return None if mine is None or theirs is None or row == self.baseline else mine - theirs

    def tested(self, row: str, score: str) -> Difference | None:
        """Return the difference to the baseline with interval and p-value, if documents allow."""
        return self.differences.get((row, self.baseline or ""), {}).get(score)

    def better_seeds(self, row: str, score: str) -> tuple[int, int] | None:
        """Return in how many seeds a row beats the baseline, of those that both have.

        ``None`` unless both were trained with the same seeds.
        """
        each = {one.name: one for one in self.rows}
        if self.baseline is None or None in each[row].seeds:
            return None
        if each[row].seeds != each[self.baseline].seeds:
            return None
        pairs = zip(each[row].values(score), each[self.baseline].values(score), strict=False)
        better = [mine > theirs for mine, theirs in pairs]
        return (sum(better), len(better)) if better else None

    def is_significant(self, row: str, score: str) -> bool:
        """Say whether a row differs from the baseline, all rows of the table considered."""
        return row in self._significant.get(score, ())

    @cached_property
    def _significant(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for score in self.scores:
            tested = {row.name: self.tested(row.name, score) for row in self.rows}
            p_values = {name: one.p_value for name, one in tested.items() if one is not None}
            found[score] = {name for name, p in holm(p_values).items() if p < LEVEL}
        return found

    def is_best(self, row: str, score: str) -> bool:
        """Say whether a row is better than every other one, and no other is within chance."""
        others = [one.name for one in self.rows if one.name != row]
        each = [self.differences.get((row, other), {}).get(score) for other in others]
        tested = {
            other: one.p_value
            for other, one in zip(others, each, strict=True)
            if one is not None and one.difference > 0
        }
        if not others or len(tested) < len(others):
            return False
        return all(p < LEVEL for p in holm(tested).values())


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything that runs say about each other.

    Args:
        tables: Rows that can be compared stand in one table; the first has the most of them.
        notes: What is to be known about all of them, and which runs were left out.
        samples: Number of resamples behind intervals and p-values.
        factor: The only option in which rows differ, if it is a number, with its value by row.
        chosen: Names of the scores that were asked for.
    """

    tables: tuple[ComparisonTable, ...]
    notes: tuple[str, ...]
    samples: int
    factor: tuple[str, Mapping[str, float]] | None = None
    chosen: tuple[str, ...] = ()

    def row(self, name: str) -> ComparedRow:
        """Return a row by its name, from the first table that has it.

        Raises:
            KeyError: If there is none.
        """
        for table in self.tables:
            for row in table.rows:
                if row.name == name:
                    return row
        raise KeyError(name)
