"""What a chain file says, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import yaml  # type: ignore[import-untyped]

from docre.configs import find_config
from docre.errors import DocreError
from docre.yaml_text import plain_yaml

_STAGE_NAME = re.compile(r"(?!version_\d+$)[A-Za-z][A-Za-z0-9_-]*")
_OPTION = re.compile(r"[A-Za-z_][\w-]*(\.[\w+-]+)*")


class FitStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training, with its scores.

    Args:
        fit: Configurations, laid over one another.
        init_from: Stage whose encoder and head it begins from.
        teacher: Stage it learns from: a training, or the scores that one left.
        options: Options of ``docre fit``.
        validate: Score the best epoch on the development split, if the data have one.
        test: Score the best epoch on the test split.
    """

    kind: ClassVar[str] = "fit"
    takes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "init_from": ("fit",),
        "teacher": ("fit", "distil"),
    }

    fit: str | list[str]
    init_from: str | None = None
    teacher: str | None = None
    options: dict[str, Any] = {}
    validate: bool = True
    test: bool = False

    @property
    def configs(self) -> list[str]:
        """Return the configurations, the last one counting most."""
        return [self.fit] if isinstance(self.fit, str) else self.fit

    @property
    def reserved(self) -> tuple[str, ...]:
        """Return the options that the chain gives itself."""
        keys = ["config", "ckpt_path", "trainer.logger"]
        keys += ["model.init_from"] if self.init_from is not None else []
        keys += ["model.teacher.init_args"] if self.teacher is not None else []
        return tuple(keys)


class DistilStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The scores of a trained stage for other documents, kept for a student.

    Args:
        distil: The stage that is asked.
        documents: File of documents.
        options: Options of ``docre distil``.
    """

    kind: ClassVar[str] = "distil"
    takes: ClassVar[Mapping[str, tuple[str, ...]]] = {"distil": ("fit",)}
    reserved: ClassVar[tuple[str, ...]] = ("run", "documents", "output")

    distil: str
    documents: str
    options: dict[str, Any] = {}


class FuseStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The predictions of a trained stage, joined with those on its evidence.

    Args:
        fuse: The stage that predicts.
        options: Options of ``docre fuse``.
    """

    kind: ClassVar[str] = "fuse"
    takes: ClassVar[Mapping[str, tuple[str, ...]]] = {"fuse": ("fit",)}
    reserved: ClassVar[tuple[str, ...]] = ("run",)

    fuse: str
    options: dict[str, Any] = {}


AnyStage = FitStage | DistilStage | FuseStage
_KINDS: dict[str, type[AnyStage]] = {"fit": FitStage, "distil": DistilStage, "fuse": FuseStage}


@dataclass(frozen=True)
class Chain:
    """Stages in the order they run in.

    Args:
        path: The file.
        stages: Stages by name; each refers to earlier ones only.
    """

    path: Path
    stages: Mapping[str, AnyStage]

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.path.stem


def references(stage: AnyStage) -> dict[str, str]:
    """Return the earlier stages a stage builds on, by the key that names them."""
    named = {key: getattr(stage, key) for key in stage.takes}
    return {key: name for key, name in named.items() if name is not None}


def find_chain(name: str) -> Path:
    """Return the file a name means: one that exists, or a packaged chain.

    Raises:
        DocreError: If there is none.
    """
    given = Path(name)
    if given.is_file():
        return given
    return find_config(name if name.startswith("chains/") else f"chains/{name}")


def read_chain(path: Path) -> Chain:
    """Read a chain file.

    Raises:
        DocreError: If it is no chain; the message names file and key.
    """
    try:
        text = plain_yaml(path)
        twice = list(_repeated(yaml.compose(text, Loader=yaml.SafeLoader)))
        body = msgspec.yaml.decode(plain_yaml(path))
    except (yaml.YAMLError, msgspec.DecodeError) as error:
        raise DocreError(f"{path}: this is no YAML: {error}") from error
    if twice:
        raise DocreError(f"{path}: {twice[0]} stands there twice")
    if not isinstance(body, dict) or not isinstance(body.get("stages"), dict):
        raise DocreError(f"{path}: stages: a chain has its stages there, by name")
    if extra := [key for key in body if key != "stages"]:
        raise DocreError(f"{path}: {extra[0]}: no such key, a chain has stages only")
    if not body["stages"]:
        raise DocreError(f"{path}: stages: there is none")
    stages: dict[str, AnyStage] = {}
    for name, content in body["stages"].items():
        try:
            stages[name] = _stage(name, content, stages, body["stages"])
        except ValueError as error:
            raise DocreError(f"{path}: stages.{name}{error}") from error
    return Chain(path, stages)


def check_options(options: Iterable[str], reserved: Iterable[str], by: str = "chain") -> None:
    """Check the names of options.

    Args:
        options: The names.
        reserved: Options that are given already, each with all below it.
        by: What gives them.

    Raises:
        ValueError: If one is no name, or one that is given already.
    """
    for key in options:
        if not isinstance(key, str) or not _OPTION.fullmatch(key):
            raise ValueError(
                f"options: {key!r} is no option; they are written without dashes, as "
                "trainer.max_epochs"
            )
        for taken in reserved:
            if f"{key}.".startswith(f"{taken}."):
                raise ValueError(f"options.{key}: the {by} itself says what {taken} is")


def set_options(words: Iterable[str]) -> dict[str, str]:
    """Return the options that a command line gives behind ``--set``, by name.

    Raises:
        DocreError: If a word is none.
    """
    options = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            raise DocreError(f"--set {word}: expected NAME=VALUE, as trainer.max_epochs=2")
        options[key] = value
    return options


def option_text(value: Any) -> str:
    """Return how a value is written on a command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _stage(
    name: Any, content: Any, earlier: Mapping[str, AnyStage], every: Mapping[str, Any]
) -> AnyStage:
    # a name is a folder and a value on a command line, where null or 1 would be something else
    if (
        not isinstance(name, str)
        or not _STAGE_NAME.fullmatch(name)
        or msgspec.yaml.decode(name) != name
    ):
        raise ValueError(
            ": a stage has a name of letters, digits, _ and -, that begins with a letter and is "
            "neither a word YAML knows nor version_NUMBER"
        )
    if not isinstance(content, dict):
        raise ValueError(f": expected the keys of a stage, got {content!r}")
    kinds = [kind for kind in _KINDS if kind in content]
    if len(kinds) != 1:
        found = " and ".join(kinds) if kinds else "none of them"
        raise ValueError(f": one of {', '.join(_KINDS)} says what it does; here is {found}")
    kind = _KINDS[kinds[0]]
    known = kind.__struct_fields__
    for key in content:
        if key not in known:
            raise ValueError(f".{key}: no such key{_close(str(key), known)}; known: "
                             f"{', '.join(known)}")  # fmt: skip
    try:
        stage = msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        raise ValueError(f"{place.rpartition('$')[2].rstrip('`')}: {message}") from error
    if isinstance(stage, FitStage) and not all(stage.configs or [""]):
        raise ValueError(".fit: names no configuration")
    for key, other in references(stage).items():
        _check_reference(key, other, stage.takes[key], earlier, every)
    try:
        check_options(stage.options, stage.reserved)
    except ValueError as error:
        raise ValueError(f".{error}") from error
    return stage


def _check_reference(
    key: str,
    other: str,
    kinds: tuple[str, ...],
    earlier: Mapping[str, AnyStage],
    every: Mapping[str, Any],
) -> None:
    if other in every and other not in earlier:
        raise ValueError(f".{key}: {other} is not an earlier stage")
    if other not in earlier:
        run = "; a run outside of the chain goes into options: {model.init_from: FOLDER}"
        hint = _close(other, earlier) or (run if key == "init_from" else "")
        raise ValueError(f".{key}: there is no stage {other}{hint}")
    if earlier[other].kind not in kinds:
        found, wanted = earlier[other].kind, " or ".join(kinds)
        raise ValueError(f".{key}: {other} is a {found} stage, expected one that has {wanted}")


def _close(word: str, known: Iterable[str]) -> str:
    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _repeated(node: Any) -> Iterator[str]:
    """Yield the keys that stand twice in a mapping, of which all but the last would be lost."""
    parts = getattr(node, "value", ())
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in parts]
        yield from (str(key) for number, key in enumerate(keys) if key in keys[:number])
        parts = [value for _, value in parts]
    if not isinstance(parts, str):
        for part in parts:
            yield from _repeated(part)
