"""The files of a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from docre.errors import DocreError
from docre.yaml_text import plain_yaml


def read_json(path: Path) -> dict[str, Any]:
    """Return what is in a JSON file of a run; nothing if it is not there.

    Raises:
        DocreError: If it is damaged.
    """
    if not path.exists():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DocreError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DocreError(f"{path} cannot be read: it holds no object")
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the configuration of a run.

    Raises:
        DocreError: If it is damaged.
    """
    try:
        found = yaml.safe_load(plain_yaml(path))
    except (yaml.YAMLError, ValueError) as error:
        raise DocreError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DocreError(f"{path} is no configuration of a run")
    return found
