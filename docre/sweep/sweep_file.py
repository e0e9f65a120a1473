"""What a sweep file says, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from docre.chain.stages import check_options, option_text
from docre.configs import find_config
from docre.errors import DocreError
from docre.sweep.cells import Choice, Sweep, combined, grid
from docre.sweep.named_yaml import read_named

KEYS = ("base", "axes", "runs", "seeds", "options", "test", "baseline")
CHOICE_KEYS = ("configs", "options")
RESERVED = ("config", "ckpt_path", "trainer.logger", "seed_everything")
_LABEL = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
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
    return find_config(name if name.startswith("sweeps/") else f"sweeps/{name}")


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
    _known_keys(body, KEYS, "")
    base = Choice(_configs(body.get("base"), "base"), _options(body, ""))
    if ("axes" in body) == ("runs" in body):
        there = "both are" if "axes" in body else "neither is"
        raise ValueError(f"axes or runs: one of them says what is compared; {there} here")
    if "axes" in body:
        cells = list(grid(base, _axes(body["axes"])))
    else:
        cells = [combined(name, base, choice) for name, choice in _runs(body["runs"]).items()]
    for cell in cells:
        if not cell.configs:
            raise ValueError(f"base: {cell.name} has no configuration, neither here nor of its own")
    names = [cell.name for cell in cells]
    test = body.get("test", False)
    if not isinstance(test, bool):
        raise ValueError(f"test: expected true or false, got {test!r}")
    baseline = body.get("baseline", names[0])
    if baseline not in names:
        hint = _close(str(baseline), names)
        raise ValueError(f"baseline: {baseline} is no cell{hint}; there are {_some(names)}")
    return Sweep(path, cells, _seeds(body.get("seeds")), test, baseline)


def _axes(content: Any) -> dict[str, dict[str, Choice]]:
    axes: dict[str, dict[str, Choice]] = {}
    said: dict[str, str] = {}  # by which axis an option is said
    for name, labels in _mapping(content, "axes", "labels by axis").items():
        _check_label(name, "axes")
        axes[name], mine = {}, {}
        for label, choice in _mapping(labels, f"axes.{name}", "a choice by label").items():
            _check_label(label, f"axes.{name}")
            place = f"axes.{name}.{label}"
            axes[name][label] = _choice(choice, place)
            for key in axes[name][label].options:
                if key in said:  # one would undo the other
                    raise ValueError(f"{place}.options.{key}: {said[key]} has it too")
                mine[key] = place
        said |= mine
    return axes


def _runs(content: Any) -> dict[str, Choice]:
    runs = _mapping(content, "runs", "what to run by name")
    for name in runs:
        if not _RUN_NAME.fullmatch(name) or yaml.safe_load(name) != name:
            raise ValueError(
                f"runs.{name}: a run has a name of letters, digits, ., _, + and -, that begins "
                "with a letter and is neither a word YAML knows nor version_NUMBER"
            )
    return {name: _choice(choice, f"runs.{name}") for name, choice in runs.items()}


def _choice(content: Any, place: str) -> Choice:
    """Return what a label stands for: nothing, configurations, or those with options."""
    if not isinstance(content, dict):
        return Choice(_configs(content, place))
    _known_keys(content, CHOICE_KEYS, f"{place}.")
    configs = _configs(content.get("configs"), f"{place}.configs")
    return Choice(configs, _options(content, f"{place}."))


def _configs(content: Any, place: str) -> tuple[str, ...]:
    """Return configurations that are all there; none where nothing stands."""
    names = [content] if isinstance(content, str) else [] if content is None else content
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise ValueError(f"{place}: expected a configuration or a list of them, got {content!r}")
    for name in names:
        try:
            find_config(name)
        except DocreError as error:
            raise ValueError(f"{place}: {error}") from error
    return tuple(names)


def _options(content: Mapping[str, Any], before: str) -> dict[str, Any]:
    options = content.get("options")
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise ValueError(f"{before}options: expected values by name, got {options!r}")
    try:
        check_options(options, RESERVED, "sweep")
    except ValueError as error:
        raise ValueError(f"{before}{error}") from error
    for key, value in options.items():
        try:
            option_text(value)
        except (TypeError, ValueError) as error:  # a date; a list that is in itself
            raise ValueError(f"{before}options.{key}: no value of an option: {error}") from error
    return options


def _seeds(content: Any) -> list[int]:
    if not isinstance(content, list) or not content:
        raise ValueError(f"seeds: expected a list of whole numbers, got {content!r}")
    for place, seed in enumerate(content):
        if type(seed) is not int or not 0 <= seed <= _LARGEST_SEED:
            raise ValueError(f"seeds.{place}: expected a number from 0 to 2^32 - 1, got {seed!r}")
        if seed in content[:place]:
            raise ValueError(f"seeds.{place}: {seed} stands there twice")
    return content


def _mapping(content: Any, place: str, what: str) -> dict[str, Any]:
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{place}: expected {what}, got {content!r}")
    return content


def _check_label(word: str, place: str) -> None:
    """Check that a word can be part of the name of a folder."""
    if not _LABEL.fullmatch(word):
        raise ValueError(
            f"{place}.{word}: a name here has letters, digits, ., _, + and -, and begins with a "
            "letter or digit"
        )


def _known_keys(content: Iterable[str], known: tuple[str, ...], before: str) -> None:
    for key in content:
        if key not in known:
            raise ValueError(
                f"{before}{key}: no such key{_close(key, known)}; known: {', '.join(known)}"
            )


def _close(word: str, known: Iterable[str]) -> str:
    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown
