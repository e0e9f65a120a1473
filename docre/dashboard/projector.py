"""The Projector tab: vectors with names, as files in the log folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from docre.data.writing import atomic_file

_FOLDER = "projector"


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Vectors and what each of them is.

    Args:
        name: What the tab calls them.
        vectors: # [N, D]
        columns: What is said of each.
        rows: That, one row a vector.
    """

    name: str
    vectors: Tensor
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_projector(log_folder: str | Path, clouds: Sequence[PointCloud]) -> None:
    """Write what the tab shows of a run, in place of what it showed before.

    TensorBoard's own writer adds to its list each time, so that a run that goes on would show the
    same memory many times over.

    Args:
        log_folder: Where the events of the run lie.
        clouds: Everything that is to be seen.
    """
    folder = Path(log_folder)
    entries = []
    for cloud in clouds:
        vectors, names = (f"{_FOLDER}/{cloud.name}.{kind}.tsv" for kind in ("vectors", "names"))
        numbers = ("\t".join(f"{value:.6g}" for value in row) for row in cloud.vectors.tolist())
        _write(folder / vectors, numbers)
        cells = ("\t".join(map(_cell, row)) for row in (cloud.columns, *cloud.rows))
        _write(folder / names, cells)
        entries += [
            "embeddings {",
            f'  tensor_name: "{cloud.name}"',
            f'  tensor_path: "{vectors}"',
            f'  metadata_path: "{names}"',
            "}",
        ]
    _write(folder / "projector_config.pbtxt", entries)


def _write(path: Path, lines: Iterable[str]) -> None:
    with atomic_file(path) as file:
        for line in lines:
            file.write(f"{line}\n".encode())


def _cell(text: str) -> str:
    return " ".join(text.split()) or "-"
