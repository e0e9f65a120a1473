"""From choices to cells, and from cells and seeds to runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from docre.chain.commands import ChainStep, steps_of
from docre.chain.stages import Chain, FitStage


@dataclass(frozen=True)
class Choice:
    """What one label of an axis stands for.

    Args:
        configs: Configurations laid over the base.
        options: Options of ``docre fit``.
    """

    configs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepCell:
    """One combination.

    Args:
        name: Name of its folder and of its row.
        configs: Configurations, the last one counting most.
        options: Options of ``docre fit``, which count more than configurations.
        seeds: The seeds of the sweep that it is trained with; None for all.
    """

    name: str
    configs: tuple[str, ...]
    options: Mapping[str, Any]
    seeds: Sequence[int] | None = None


@dataclass(frozen=True)
class SweepRun:
    """One training of a sweep.

    Args:
        number: Its place among all runs, from one.
        cell: Name of its cell.
        seed: What its random numbers begin with.
        stage: The training, as a chain has it.
    """

    number: int
    cell: str
    seed: int
    stage: FitStage

    @property
    def version(self) -> str:
        """Return the name of its folder within that of the cell."""
        return f"seed_{self.seed}"

    @property
    def name(self) -> str:
        """Return what it is called."""
        return f"{self.cell}/{self.version}"

    def folder(self, root: Path) -> Path:
        """Return its run folder in that of the sweep."""
        return root / self.cell / self.version

    def steps(self, root: Path) -> list[ChainStep]:
        """Return its commands, for the folder of the sweep."""
        alone = Chain(root, {self.version: self.stage})
        return steps_of(alone, self.version, root / self.cell, {})


@dataclass(frozen=True)
class Sweep:
    """All that a sweep file says.

    Args:
        path: The file.
        cells: Combinations in their order.
        seeds: Each cell is trained with each of them, unless it has its own.
        test: Score the best epoch on the test split too.
        baseline: The cell that the others are compared with.
    """

    path: Path
    cells: Sequence[SweepCell]
    seeds: Sequence[int]
    test: bool
    baseline: str

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.path.stem

    def runs(self, extra: Mapping[str, Any]) -> list[SweepRun]:
        """Return all runs: every cell with the first seed, then with the second, and so on.

        A first comparison is there early, and a seed that is added changes no number.

        Args:
            extra: Options for all of them, which count most.
        """
        return [
            SweepRun(number, cell.name, seed, self._stage(cell, seed, extra))
            for number, (seed, cell) in enumerate(self._trainings(), start=1)
        ]

    def _trainings(self) -> Iterator[tuple[int, SweepCell]]:
        for seed, cell in product(self.seeds, self.cells):
            if cell.seeds is None or seed in cell.seeds:
                yield seed, cell

    def _stage(self, cell: SweepCell, seed: int, extra: Mapping[str, Any]) -> FitStage:
        options = {"seed_everything": seed, **cell.options, **extra}
        return FitStage(fit=list(cell.configs), options=options, test=self.test)


def grid(base: Choice, axes: Mapping[str, Mapping[str, Choice]]) -> Iterator[SweepCell]:
    """Yield a cell for each combination of labels, the last axis changing fastest.

    Args:
        base: What all cells begin with.
        axes: Choices by label, by axis. What stands later is laid over what stands earlier.
    """
    for labels in product(*axes.values()):
        chosen = dict(zip(axes, labels, strict=True))
        name = ",".join(f"{axis}={label}" for axis, label in chosen.items())
        yield combined(name, base, *(axes[axis][label] for axis, label in chosen.items()))


def combined(name: str, *choices: Choice) -> SweepCell:
    """Return the cell of some choices, the last one counting most."""
    options: dict[str, Any] = {}
    for choice in choices:
        options |= choice.options
    return SweepCell(name, tuple(c for choice in choices for c in choice.configs), options)
