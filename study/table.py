"""What a table of the results page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """One table of the page, made of the runs of one sweep.

    Args:
        sweep: Name of the sweep, a file of ``cli_configs/results``.
        labels: What each cell is called, in the order of the rows; ``SWEEP/CELL`` is one of
            another sweep.
        scores: The columns.
        against: The cell that each is compared with; the first where it says none.
        tested: The score that is compared; the first column if left out.
        small: The cells that ``make results-small`` trains.
        is_bare: Scores alone, for what stands in another table with its differences and costs.
    """

    sweep: str
    labels: Mapping[str, str] = field(repr=False)
    scores: tuple[str, ...] = ()
    against: Mapping[str, str] = field(default_factory=dict, repr=False)
    tested: str = ""
    small: tuple[str, ...] = ()
    is_bare: bool = False

    def base(self, cell: str) -> str:
        """Return the cell that another one is compared with."""
        return self.against.get(cell, next(iter(self.labels)))


@dataclass(frozen=True)
class Grid:
    """F1 over two numbers, made of the runs of one sweep.

    Args:
        sweep: Name of the sweep.
        cell: Name of a cell, from its two numbers.
        rows: The first number.
        columns: The second one.
        corner: What they are called.
    """

    sweep: str
    cell: str
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    corner: str

    @property
    def cells(self) -> dict[tuple[float, float], str]:
        """The cells by their numbers."""
        pairs = [(row, column) for row in self.rows for column in self.columns]
        return {pair: self.cell.format(*pair) for pair in pairs}
