"""From what people type to what LightningCLI takes.

``--config NAME`` is looked up among the packaged configurations, ``--run FOLDER`` stands for the
configuration, best checkpoint and tuned thresholds of a run, ``--resume FOLDER`` for its
configuration, last checkpoint and place, ``--documents FILE`` for a data module over that file,
``--output FILE`` for where predictions go.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from docre.configs import find_config
from docre.errors import DocreError
from docre.yaml_text import plain_yaml

_KEPT_READING = ("num_proc", "cache_dir", "offline")


class RunArguments(NamedTuple):
    """Arguments for LightningCLI, and the name its run folder gets.

    Args:
        arguments: With everything short written out.
        name: That of the first configuration.
        run: Folder of an earlier run, if one was named.
    """

    arguments: list[str]
    name: str
    run: Path | None


def expand(arguments: Sequence[str]) -> RunArguments:
    """Write out what is short.

    Args:
        arguments: A subcommand and its options.

    Raises:
        DocreError: If a configuration or a run is not there.
    """
    command, given = arguments[0], list(arguments[1:])
    given, run = _take(given, "--run")
    given, resumed = _take(given, "--resume")
    given, documents = _take(given, "--documents")
    given, output = _take(given, "--output")
    for option, value in (("--documents", documents), ("--output", output)):
        if value is not None and command != "predict":
            raise DocreError(f"{option} belongs to docre predict, not to docre {command}")
    if resumed is not None and command != "fit":
        raise DocreError(f"--resume belongs to docre fit; docre {command} takes --run")
    given = [*_found(given)]
    name = next((Path(value).stem for value in _configs(given)), "run")
    if resumed is not None:
        place = _run_folder(resumed)
        given = [*_to_resume(place), *given]
        return RunArguments([command, *given], place.parent.name or name, None)
    folder = None if run is None else _run_folder(run)
    if folder is not None:
        if command == "fit":
            raise DocreError(
                "--run is for validate, test and predict; fit takes --config, or --resume to go on"
            )
        # options that are given come last, and count
        own = [] if documents is None else _own_documents(documents, folder)
        given = [*_of_run(folder, given), *own, *given]
        name = folder.parent.name or name
    elif documents is not None:
        raise DocreError("--documents needs --run, the run whose model is to predict them")
    if output is not None:
        given.append(f"--predictions.path={output}")
    return RunArguments([command, *given], name, folder)


def _take(given: list[str], option: str) -> tuple[list[str], str | None]:
    """Take an option with its value out of the arguments; the last one counts."""
    left: list[str] = []
    value = None
    words = iter(given)
    for word in words:
        if word == option:
            value = next(words, None)
            if value is None:
                raise DocreError(f"{option} needs a value")
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
        else:
            left.append(word)
    return left, value


def _found(given: list[str]) -> list[str]:
    """Replace the names of configurations by their files."""
    words: list[str] = []
    for word in given:
        if words and words[-1] in ("--config", "-c"):
            words.append(str(find_config(word)))
        elif word.startswith("--config="):
            words.append(f"--config={find_config(word.partition('=')[2])}")
        else:
            words.append(word)
    return words


def _configs(given: list[str]) -> list[str]:
    found = []
    for before, word in zip(["", *given], given, strict=False):
        if before in ("--config", "-c"):
            found.append(word)
        elif word.startswith("--config="):
            found.append(word.partition("=")[2])
    return found


def _run_folder(run: str) -> Path:
    folder = Path(run)
    if not folder.is_dir():
        raise DocreError(f"no such run folder: {run}")
    if not (folder / "config.yaml").exists():
        inner = [*folder.glob("*/config.yaml"), *folder.glob("*/*/config.yaml")]
        newest = max(inner, key=lambda path: path.stat().st_mtime_ns, default=None)
        hint = "" if newest is None else f"; it has runs inside, the last is {newest.parent}"
        raise DocreError(f"{run} is not a run folder, it has no config.yaml{hint}")
    plain_yaml(folder / "config.yaml")
    return folder


def _to_resume(folder: Path) -> list[str]:
    from docre.resumed_run import arguments_of

    return arguments_of(folder)


def _of_run(folder: Path, given: list[str]) -> list[str]:
    from docre.parent import best_checkpoint

    words = ["--config", str(folder / "config.yaml"), "--trainer.logger", "false"]
    _, named = _take(given, "--ckpt_path")
    checkpoint = best_checkpoint(folder) if named is None else Path(named)
    if named is None:
        words += ["--ckpt_path", str(checkpoint)]
    return words + _tuned(folder, checkpoint)


def _tuned(folder: Path, checkpoint: Path) -> list[str]:
    """Return the thresholds that docre tune found, as options."""
    if not (folder / "thresholds.json").is_file():
        return []
    from docre.thresholds_file import threshold_options

    return threshold_options(folder, checkpoint)


def _own_documents(path: str, run: Path) -> list[str]:
    """Return the arguments for a data module over one file, read as the run read its own."""
    if not Path(path).is_file():
        raise DocreError(f"no such file: {path}")
    if not (run / "run.json").is_file():
        raise DocreError(f"{run} has no run.json, which says how its documents were read")
    config: dict[str, Any] = msgspec.yaml.decode(plain_yaml(run / "config.yaml"))
    known = json.loads((run / "run.json").read_text(encoding="utf-8"))
    theirs = config["data"].get("init_args", {})
    # what is about this machine; how many documents, and what to do with bad ones, is not
    reading = {k: v for k, v in (theirs.get("reading") or {}).items() if k in _KEPT_READING}
    options = {
        "predict_file": path,
        "relations_file": str(run / "relations.json"),
        "types": known["types"],
        "tokenizer": known["tokenizer"],
        "features": known["features"],
        "batches": theirs.get("batches"),
        "reading": reading or None,
    }
    kept = {key: value for key, value in options.items() if value is not None}
    data = {"class_path": "docre.data.modules.DocREDFormat", "init_args": kept}
    return ["--data", json.dumps(data)]
