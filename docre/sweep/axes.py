"""The axes of a sweep file, checked."""

from __future__ import annotations

import re
from typing import Any

from docre.chain.stages import option_text
from docre.sweep.cells import Choice
from docre.sweep.choices import check_keys, expect_mapping, read_choice

VALUES_KEYS = ("option", "values")
_LABEL = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)


def read_axes(content: Any) -> dict[str, dict[str, Choice]]:
    """Return the choices of all axes by label, by axis."""
    axes: dict[str, dict[str, Choice]] = {}
    said: dict[str, str] = {}  # by which axis an option is said
    for name, labels in expect_mapping(content, "axes", "labels by axis").items():
        _check_label(name, "axes")
        axes[name], mine = {}, {}
        for label, choice in _labels(labels, f"axes.{name}").items():
            _check_label(label, f"axes.{name}")
            place = f"axes.{name}.{label}"
            axes[name][label] = read_choice(choice, place)
            for key in axes[name][label].options:
                if key in said:  # one would undo the other
                    raise ValueError(f"{place}.options.{key}: {said[key]} has it too")
                mine[key] = place
        said |= mine
    return axes


def _labels(content: Any, place: str) -> dict[str, Any]:
    """Return the labels of an axis; values of one option are labels with that option each."""
    what = "a choice by label, or option and values"
    labels = expect_mapping(content, place, what)
    if not any(key in labels for key in VALUES_KEYS):
        return labels
    check_keys(labels, VALUES_KEYS, f"{place}.")
    option, values = (labels.get(key) for key in VALUES_KEYS)
    if not isinstance(option, str):
        raise ValueError(f"{place}.option: expected the name of an option, got {option!r}")
    if not isinstance(values, list) or not values:
        raise ValueError(f"{place}.values: expected a list of values, got {values!r}")
    made: dict[str, Any] = {}
    for number, value in enumerate(values):
        if not isinstance(value, str | int | float | None):
            raise ValueError(f"{place}.values.{number}: {value!r} needs a label, to be called by")
        label = option_text(value)
        if label in made:
            raise ValueError(f"{place}.values.{number}: {label} stands there twice")
        made[label] = {"options": {option: value}}
    return made


def _check_label(word: str, place: str) -> None:
    """Check that a word can be part of the name of a folder."""
    if not _LABEL.fullmatch(word):
        raise ValueError(
            f"{place}.{word}: a name here has letters, digits, ., _, + and -, and begins with a "
            "letter or digit"
        )
