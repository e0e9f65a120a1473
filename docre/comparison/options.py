"""The options of a run that can make a difference, under short flat names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from docre.comparison.run_folders import is_run
from docre.errors import DocreError

Value = str | int | float | bool | None
Options = Mapping[str, Value]

# What makes no difference, or one that seeds are allowed to have.
_SEEDS = {"seed", "seed_everything"}
_PLACES = {"data_dir", "cache_dir", "num_proc", "num_workers", "pin_memory", "offline"}
_SILENT = {
    *("ckpt_path", "weights_only", "trainer.default_root_dir", "trainer.accelerator"),
    *("trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.profiler"),
    *("trainer.log_every_n_steps", "trainer.enable_autolog_hparams", "trainer.model_registry"),
    *(
        "trainer.limit_test_batches",
        "trainer.limit_predict_batches",
        "data.batches.eval_batch_size",
    ),
    *("checkpoint.dirpath", "checkpoint.filename", "checkpoint.verbose", "checkpoint.keep_last"),
}
_SILENT_PARTS = ("trainer.logger", "predictions")
# Files of data are known by their checksums in run.json.
_FILES = re.compile(r"data\.(train|dev|test|facts|(train|dev|test|predict|relations)_file)")
_NUMBERED = re.compile(r"(seed|version)_\d+")
_SEED_FOLDER = re.compile(r"seed_\d+")


def read_options(folder: Path) -> dict[str, Value]:
    """Return what a run was trained with, without seeds and places.

    Classes stand under the name of the option they are chosen for, their arguments below it. Data
    stand for their content, and the runs that it builds on for their own options.

    Raises:
        DocreError: If a file of the run is damaged.
    """
    options = {
        key: _stable(value) if isinstance(value, str) else value
        for key, value in _flat(read_yaml(folder / "config.yaml"))
        if not _is_silent(key)
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


def read_json(path: Path) -> dict[str, Any]:
    """Return what is in a JSON file of a run; nothing if it is not there.

    Raises:
        DocreError: If it is damaged.
    """
    if not path.exists():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DocreError(f"{path} cannot be read: {error}") from error
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the configuration of a run.

    Raises:
        DocreError: If it is damaged.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise DocreError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DocreError(f"{path} is no configuration of a run")
    return found


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        inner = {name: part for name, part in value.items() if name != "class_path"}
        if "class_path" in value:
            yield key, value["class_path"]
            inner = {**(inner.pop("init_args", None) or {}), **inner}
        for name, part in inner.items():
            yield from _flat(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        for number, part in enumerate(value):
            yield from _flat(part, f"{key}.{number}")
    else:
        plain = value is None or isinstance(value, (str, int, float, bool))
        yield key, value if plain else json.dumps(value, sort_keys=True, default=str)


def _is_silent(key: str) -> bool:
    last = key.rpartition(".")[2]
    inside = any(key == part or key.startswith(f"{part}.") for part in _SILENT_PARTS)
    return key in _SILENT or last in _SEEDS | _PLACES or inside or bool(_FILES.fullmatch(key))


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


def differing(each: Sequence[Options]) -> list[str]:
    """Return the options in which runs differ, those of a class before its arguments.

    Arguments that only one of two classes has are not listed: their class is. Of settings that only
    some have, each is listed.
    """
    keys = dict.fromkeys(key for options in each for key in options)
    groups = {parent for key in keys for parent in _parents(key)}
    differ = [
        key
        for key in keys
        if len({_known(options, key) for options in each}) > 1
        and not (key in groups and all(options.get(key) is None for options in each))
    ]
    return [
        key
        for key in differ
        if not any(parent in differ for parent in _parents(key)) or _is_argument(each, key)
    ]


def _is_argument(each: Sequence[Options], key: str) -> bool:
    """Say whether an option differs also where the classes above it are the same."""
    seen: dict[tuple[object, ...], object] = {}
    for options in each:
        above = tuple(_known(options, parent) for parent in _parents(key))
        if seen.setdefault(above, _known(options, key)) != _known(options, key):
            return True
    return False


def _known(options: Options, key: str) -> tuple[str, Value] | None:
    # 1, 1.0 and True are three values here; one that is not there is another one than null
    return (type(options[key]).__name__, options[key]) if key in options else None


def _parents(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:size]) for size in range(1, len(parts))]
