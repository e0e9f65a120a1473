"""YAML whose keys are names: as they are written, and none of them twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from docre.errors import DocreError
from docre.yaml_text import plain_yaml

_STRING = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


def read_named(path: Path) -> dict[str, Any]:
    """Read a mapping whose keys are strings, whatever YAML would make of them.

    ``on``, ``10`` and ``1e-5`` are good labels; YAML reads a truth value and a number.

    Raises:
        DocreError: If it is no YAML, or a key stands there twice, of which one would be lost.
    """
    try:
        loader = yaml.SafeLoader(plain_yaml(path))
        try:
            node = loader.get_single_node()
            _name_keys(node, "", set())
            body = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except ValueError as error:  # of ours, or of the encoding
        raise DocreError(f"{path}: {error}") from error
    except yaml.YAMLError as error:
        raise DocreError(f"{path}: this is no YAML: {error}") from error
    if not isinstance(body, dict):
        raise DocreError(f"{path}: expected keys with values, got {body!r}")
    return body


def _name_keys(node: Any, place: str, seen: set[int]) -> None:
    """Make strings of all keys of a tree, and of what says which name is meant."""
    if id(node) in seen:  # the same part under several anchors
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, part in enumerate(node.value):
            _name_keys(part, f"{place}{number}.", seen)
    if not isinstance(node, yaml.MappingNode):
        return
    names = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"{place}: a key is a word here, not a list or a mapping")
        if key.value in names:
            raise ValueError(f"{place}{key.value} stands there twice")
        names.add(key.value)
        if key.tag != _MERGE:
            key.tag = _STRING
        if f"{place}{key.value}" == "baseline" and isinstance(value, yaml.ScalarNode):
            value.tag = _STRING  # it names a key
        _name_keys(value, f"{place}{key.value}.", seen)
