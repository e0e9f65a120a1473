"""Development scores over the training as bands over seeds, for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from docre.comparison.columns import drawn
from docre.comparison.comparison import Comparison
from docre.comparison.row_names import distinct
from docre.comparison.run_folders import is_run
from docre.errors import DocreError

Curve = Mapping[int, float]


def band(curves: Sequence[Curve]) -> dict[int, tuple[float, float, float]]:
    """Return mean, mean - sd and mean + sd over the curves of several seeds.

    Where all curves have the same steps, these stay; else the scores are counted, from one. The
    band ends with the shortest curve: beyond it the mean would be of other seeds.
    """
    same = len({tuple(curve) for curve in curves}) == 1
    columns = list(zip(*(curve.values() for curve in curves), strict=False))
    steps = list(curves[0]) if same else range(1, len(columns) + 1)
    made = {}
    for step, values in zip(steps, columns, strict=True):
        mean, sd = fmean(values), stdev(values) if len(values) > 1 else 0.0
        made[step] = (mean, mean - sd, mean + sd)
    return made


def write_bands(comparison: Comparison, folder: Path) -> list[Path]:
    """Write a TensorBoard run for each row of several seeds, with the charts that show its bands.

    Returns:
        The folders that were written; earlier bands in them are replaced.

    Raises:
        DocreError: If one of them is a run.
    """
    rows = {row.name: row for table in comparison.tables for row in table.rows}
    written = []
    for name, row in zip(distinct([_safe(name) for name in rows]), rows.values(), strict=True):
        bands = {
            score: band([one.run.log.curves[score] for one in row.runs])
            for score in drawn(comparison.chosen)
            if len(row.runs) > 1 and all(score in one.run.log.curves for one in row.runs)
        }
        if bands:
            if is_run(folder / name):  # its log would be lost
                raise DocreError(f"--tensorboard {folder}: {folder / name} is a run")
            written.append(_write(folder / name, bands))
    return written


def _write(folder: Path, bands: Mapping[str, Mapping[int, tuple[float, float, float]]]) -> Path:
    from torch.utils.tensorboard import SummaryWriter

    from docre.dashboard.scalar_layout import band_layout

    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        writer.add_custom_scalars(band_layout(bands))
        for score, points in bands.items():
            for step, (mean, low, high) in points.items():
                writer.add_scalar(f"band/{score}/mean", mean, step)
                writer.add_scalar(f"band/{score}/low", low, step)
                writer.add_scalar(f"band/{score}/high", high, step)
    return folder


def _safe(name: str) -> str:
    """Return a name for a folder, one level deep."""
    return "".join(c if c.isalnum() or c in "=.,+- ()_" else "_" for c in name).strip(". ") or "row"
