"""What a sweep file says, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from docre.chain.stages import check_options
from docre.configs import find_config
from docre.errors import DocreError
from docre.sweep.axes import read_axes
from docre.sweep.cells import Choice, Sweep, SweepCell, combined, grid
from docre.sweep.choices import (
    RESERVED,
    check_keys,
    expect_mapping,
    hint_at,
    read_choice,
    read_configs,
    read_options,
    some,
)
from docre.sweep.named_yaml import read_named

KEYS = ("base", "axes", "runs", "seeds", "options", "test", "baseline")
# a folder that is a value on a command line too, where null or 1 would be something else
_RUN_NAME = re.compile(r"(?!version_\d+$)[A-Za-z][\w.+-]*", re.ASCII)
_LARGEST_SEED = 2**32 - 1  # what numpy takes


def find_sweep(name: str) -> Path:
    """Return the file a name means: one that exists, or a packaged sweep.

    Raises:
        DocreError: If there is none.
    """
    given = Path(name)
    if given.is_file():
        return given
    return find_config(name, "sweeps")


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        DocreError: If it is no sweep; the message names file and key.
    """
    body = read_named(path)
    try:
        return _sweep(path, body)
    except (ValueError, DocreError) as error:
        raise DocreError(f"{path}: {error}") from error


def check_extra(extra: Iterable[str], sweep: Sweep) -> None:
    """Check options that are for all runs.

    Raises:
        ValueError: If one is no name, or one that the sweep gives itself.
    """
    check_options(extra, RESERVED, "sweep")
    for key in extra:
        values = [cell.options.get(key) for cell in sweep.cells]
        if any(value != values[0] for value in values):
            raise ValueError(f"options.{key}: it is one of the choices that the sweep compares")


def _sweep(path: Path, body: Mapping[str, Any]) -> Sweep:
    check_keys(body, KEYS, "")
    base = Choice(read_configs(body.get("base"), "base"), read_options(body, ""))
    seeds = _seeds(body.get("seeds"), "seeds")
    if ("axes" in body) == ("runs" in body):
        there = "both are" if "axes" in body else "neither is"
        raise ValueError(f"axes or runs: one of them says what is compared; {there} here")
    if "axes" in body:
        cells = list(grid(base, read_axes(body["axes"])))
    else:
        cells = list(_runs(base, body["runs"], seeds))
    for cell in cells:
        if not cell.configs:
            raise ValueError(f"base: {cell.name} has no configuration, neither here nor of its own")
    names = [cell.name for cell in cells]
    test = body.get("test", False)
    if not isinstance(test, bool):
        raise ValueError(f"test: expected true or false, got {test!r}")
    baseline = body.get("baseline", names[0])
    if baseline not in names:
        hint = hint_at(str(baseline), names)
        raise ValueError(f"baseline: {baseline} is no cell{hint}; there are {some(names)}")
    return Sweep(path, cells, seeds, test, baseline)


def _runs(base: Choice, content: Any, seeds: list[int]) -> Iterator[SweepCell]:
    runs = expect_mapping(content, "runs", "what to run by name")
    for name in runs:
        if not _RUN_NAME.fullmatch(name) or yaml.safe_load(name) != name:
            raise ValueError(
                f"runs.{name}: a run has a name of letters, digits, ., _, + and -, that begins "
                "with a letter and is neither a word YAML knows nor version_NUMBER"
            )
    for name, said in runs.items():
        where, own = f"runs.{name}", None
        if isinstance(said, dict) and "seeds" in said:
            own = _seeds(said["seeds"], f"{where}.seeds")
            if unknown := [seed for seed in own if seed not in seeds]:
                raise ValueError(f"{where}.seeds: {unknown[0]} is none of the sweep's seeds")
            said = {key: value for key, value in said.items() if key != "seeds"}
        yield replace(combined(name, base, read_choice(said, where)), seeds=own)


def _seeds(content: Any, where: str) -> list[int]:
    if not isinstance(content, list) or not content:
        raise ValueError(f"{where}: expected a list of whole numbers, got {content!r}")
    for place, seed in enumerate(content):
        at = f"{where}.{place}"
        if type(seed) is not int or not 0 <= seed <= _LARGEST_SEED:
            raise ValueError(f"{at}: expected a number from 0 to 2^32 - 1, got {seed!r}")
        if seed in content[:place]:
            raise ValueError(f"{at}: {seed} stands there twice")
    return content
