"""What a run was trained with, in a form that says whether two runs are seeds of one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from docre.comparison.run_files import read_json, read_yaml
from docre.comparison.run_folders import is_run
from docre.flat_options import Value, flat_options

_SEEDS = {"seed", "seed_everything"}
# Files of data are known by their checksums in run.json.
_FILES = re.compile(r"data\.(train|dev|test|facts|(train|dev|test|predict|relations)_file)")
_NUMBERED = re.compile(r"(seed|version)_\d+")
_SEED_FOLDER = re.compile(r"seed_\d+")


def read_options(folder: Path) -> dict[str, Value]:
    """Return what a run was trained with: all that can change its outcome, without its seeds.

    Data stand for their content, and the runs that it builds on for their own options.

    Raises:
        DocreError: If a file of the run is damaged.
    """
    options = {
        key: ", ".join(map(_stable, value.split(", "))) if isinstance(value, str) else value
        for key, value in flat_options(read_yaml(folder / "config.yaml")).items()
        if key.rpartition(".")[2] not in _SEEDS and not _FILES.fullmatch(key)
    }
    data = read_json(folder / "run.json").get("data", {})
    for split in ("train", "dev"):
        if isinstance(data.get(split), dict):
            name = Path(data[split]["file"]).name
            options[f"data.{split}"] = f"{name} #{data[split].get('xxh3_128', '')[:8]}"
    relations = read_json(folder / "relations.json")
    if relations:
        options["data.relations"] = f"{len(relations)} #{_digest(list(relations))}"
    return options


def _stable(value: str) -> str:
    """Return the same for the run of each seed that another one builds on."""
    if "/" not in value:
        return value
    path = Path(value)
    for folder in (path, *path.parents[:2]):
        if is_run(folder):
            parts = ["*" if _NUMBERED.fullmatch(part) else part for part in folder.parts]
            return f"{Path(*parts)} #{_digest(sorted(read_options(folder).items()))}"
    return "/".join("*" if _SEED_FOLDER.fullmatch(part) else part for part in value.split("/"))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:6]
