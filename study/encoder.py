"""The encoder that all pair systems of the page begin with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from study.places import DATA, RUNS

TRAINED = RUNS / "encoder" / "encoder" / "seed_66"
ENCODER = DATA / "encoder"


def keep_encoder(run: Path = TRAINED, target: Path = ENCODER) -> None:
    """Write the encoder of a run as a folder that transformers reads, and nothing of its head.

    Raises:
        SystemExit: If it has not been trained.
    """
    if (target / "model.safetensors").exists():
        return
    if not (run / "scores" / "test.json").exists():
        raise SystemExit(f"no encoder in {run}; train it first: make results TABLE=encoder")
    import docre

    contents = docre.load(run).contents
    contents.model.encoder.model.save_pretrained(target)
    contents.tokenizer.save_pretrained(target)
    weights = (target / "model.safetensors").read_bytes()
    print(f"{target}: SHA-256 of the weights {hashlib.sha256(weights).hexdigest()}")
