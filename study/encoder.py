"""The encoders that pair systems of the page begin with."""

from __future__ import annotations

from pathlib import Path

from study.origin import is_made, remember, sha256
from study.places import ENCODERS, RUNS, WEIGHTS


def keep_encoder_of(cell: str) -> None:
    """Write the encoder of a cell of the encoder table, if it is not there yet."""
    keep_encoder(RUNS / "encoder" / cell / "seed_66", ENCODERS[cell])


def keep_encoder(run: Path, target: Path) -> None:
    """Write the encoder of a run as a folder that transformers reads, and nothing of its head.

    Raises:
        SystemExit: If it has not been trained.
    """
    weights = target / WEIGHTS
    if is_made(weights, run):
        return
    if not (run / "scores" / "test.json").exists():
        raise SystemExit(f"no encoder in {run}; train it first: make results TABLE=encoder")
    import docre

    contents = docre.load(run).contents
    contents.model.encoder.model.save_pretrained(target)
    contents.tokenizer.save_pretrained(target)
    remember(weights, run)
    print(f"{target}: SHA-256 of the weights {sha256(weights)}")
