"""What a product was made of, so that it is not taken for one of a later training."""

from __future__ import annotations

import hashlib
from pathlib import Path

from docre.data.writing import atomic_file
from docre.parent import best_checkpoint


def is_made(product: Path, run: Path) -> bool:
    """Say whether a product of a run is there, and of the run as it is.

    Raises:
        SystemExit: If it was made of another training.
    """
    if not product.exists():
        return False
    note = _note(product)
    known = note.read_text() if note.exists() else "nothing that is known"
    if (run / "checkpoints").is_dir() and known != _checksum(run):
        raise SystemExit(
            f"{product} was made of another training than {run} has now. Move it away, and with it "
            "all runs that began with it"
        )
    return True


def remember(product: Path, run: Path) -> None:
    """Note what a product was made of."""
    with atomic_file(_note(product)) as file:
        file.write(_checksum(run).encode())


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note(product: Path) -> Path:
    return product.with_name(f"{product.name}.origin")


def _checksum(run: Path) -> str:
    return sha256(best_checkpoint(run))
