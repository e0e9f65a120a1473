"""``docre data download``: all official files of a data set into one folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from docre.data.checksums import checksum
from docre.data.download import fetch
from docre.data.sources import DownloadName, files_of


def download(dataset: DownloadName, data_dir: Path) -> None:
    """Download the official files of a data set, or check those that are there.

    Args:
        dataset: Which one. CDR and GDA have to be got by hand: asking for one says how.
        data_dir: Folder for the files; made if it is missing.

    Raises:
        DownloadError: If a file cannot be had; those before it stay.
    """
    data_dir = Path(data_dir)
    table = Table("file", "bytes", "sha256", "checksum")
    table.columns[1].justify = "right"
    for remote in files_of(dataset):
        path = fetch(remote, data_dir)
        table.add_row(
            remote.name,
            f"{path.stat().st_size:,}",
            checksum(path)[:12],
            "verified" if remote.sha256 else "recorded",
        )
    console = Console()
    console.print(table)
    console.print(f"{dataset} is in {data_dir}", soft_wrap=True, highlight=False, markup=False)
