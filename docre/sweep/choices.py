"""What one choice of a sweep file says, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from docre.chain.stages import check_options, option_text
from docre.configs import find_config
from docre.errors import DocreError
from docre.sweep.cells import Choice

CHOICE_KEYS = ("configs", "options")
RESERVED = ("config", "ckpt_path", "trainer.logger", "seed_everything")


def read_choice(content: Any, place: str) -> Choice:
    """Return what a label stands for: nothing, configurations, or those with options."""
    if not isinstance(content, dict):
        return Choice(read_configs(content, place))
    check_keys(content, CHOICE_KEYS, f"{place}.")
    configs = read_configs(content.get("configs"), f"{place}.configs")
    return Choice(configs, read_options(content, f"{place}."))


def read_configs(content: Any, place: str) -> tuple[str, ...]:
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


def read_options(content: Mapping[str, Any], before: str) -> dict[str, Any]:
    """Return the options of a mapping, of which each is one and can be written out."""
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


def expect_mapping(content: Any, place: str, what: str) -> dict[str, Any]:
    """Return what has to be a mapping that is not empty."""
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{place}: expected {what}, got {content!r}")
    return content


def check_keys(content: Iterable[str], known: tuple[str, ...], before: str) -> None:
    """Check that all keys are known ones."""
    for key in content:
        if key not in known:
            raise ValueError(
                f"{before}{key}: no such key{hint_at(key, known)}; known: {', '.join(known)}"
            )


def hint_at(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word that is close, if there is one."""
    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def some(names: Sequence[str]) -> str:
    """Return names for a message, the first few of many."""
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown
