"""The ``docre`` command.

Commands are plain functions: their signature gives the options, their docstring the help. None of
them imports torch or Lightning before it has to, so that help comes at once.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from inspect import signature
from io import TextIOWrapper
from types import FrameType
from typing import NamedTuple, NoReturn, get_args, get_origin, get_type_hints

# Lightning still uses calls that jsonargparse has deprecated; users can do nothing about it.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

from jsonargparse import ArgumentParser

from docre import __version__
from docre.disk import refusal
from docre.errors import DataError, DocreError, describe


class Command(NamedTuple):
    """One command: where its function is, what it does in a line, and what the shell cannot set.

    ``more`` stands at the end of its help.
    """

    function: str
    summary: str
    hidden: tuple[str, ...] = ()
    more: str = ""


COMMANDS = {
    "baseline": Command(
        "docre.baseline_command:baseline", "predict from entity types alone, to compare with"
    ),
    "calibrate": Command(
        "docre.calibration.command:calibrate",
        "fit probabilities to the scores of a trained model on its development documents",
    ),
    "chain": Command("docre.chain.command:chain", "train in stages, and go on where it stopped"),
    "compare": Command(
        "docre.comparison.command:compare",
        "compare runs: mean and deviation over seeds, differences with their significance",
        ("console",),
    ),
    "configs": Command("docre.configs_command:configs", "list the packaged configurations"),
    "convert": Command(
        "docre.published.command:convert",
        "make a model folder of the weights of a published system",
        ("console",),
    ),
    "dictionary": Command(
        "docre.dictionary_command:dictionary",
        "find mentions and entities by known names alone, to compare with",
    ),
    "distil": Command(
        "docre.distillation.command:distil",
        "write the logits of a trained model for a student to learn from",
    ),
    "export": Command(
        "docre.hub.command:export",
        "write a trained model into a folder that can be shared",
    ),
    "fuse": Command(
        "docre.fusion.command:fuse_run",
        "predict with two readings of each document, whole and its evidence alone",
        ("console",),
    ),
    "predict": Command(
        "docre.pipeline.command:predict",
        "predict the triples of documents, or find entities and triples in texts",
        ("console",),
        "docre predict --run FOLDER (without a model and files) is a command of Lightning's as "
        "docre test is: it predicts the test split of the run, or --documents FILE, and takes all "
        "options of the trainer, several devices too. docre predict --run FOLDER --help has them.",
    ),
    "replay": Command(
        "docre.replay_command:replay_step",
        "run a step again whose loss was not finite, and say where that begins",
    ),
    "report": Command(
        "docre.report.command:report",
        "write an HTML page of predictions beside the gold",
        ("console",),
    ),
    "score": Command(
        "docre.score_command:score_files",
        "score predictions: F1, Ign F1, evidence, groups, confidence intervals",
        ("console",),
    ),
    "sweep": Command(
        "docre.sweep.command:sweep",
        "run an ablation: configurations x seeds, ending in their comparison",
        ("console",),
    ),
    "tune": Command(
        "docre.tune_command:tune_run",
        "tune the thresholds of a model on its development documents",
        ("console",),
    ),
}
TRAINING_COMMANDS = {
    "fit": "train a model",
    "validate": "score a trained model on the development split",
    "test": "score a trained model on the test split",
    "predict": "predict triples, or whole extractions, with a trained model",
}
DATA_COMMANDS = {
    "check": Command("docre.data.check_command:check", "check a file and say what is in it"),
    "convert": Command("docre.data.convert_command:convert", "rewrite a file in another format"),
    "download": Command("docre.data.download_command:download", "fetch the official files"),
    "synth": Command("docre.data.synthetic.command:synth", "make the synthetic corpus"),
}


def build_parser() -> ArgumentParser:
    """Return the parser of all commands."""
    parser = ArgumentParser(
        prog="docre",
        description="Document-level relation extraction with pluggable parts.",
        version=__version__,
    )
    commands = parser.add_subcommands(metavar="COMMAND", title="commands")
    for name, summary in TRAINING_COMMANDS.items():
        if name not in COMMANDS:
            # listed here, parsed by LightningCLI: importing that takes seconds
            commands.add_subcommand(name, ArgumentParser(), help=summary)
    for name, command in COMMANDS.items():
        commands.add_subcommand(name, _parser_of(command), help=command.summary)
    # jsonargparse wants a parser to be in its place before it gets commands of its own
    data = ArgumentParser(description="Look at, convert, fetch or make documents.")
    commands.add_subcommand("data", data, help="check, convert, download or make data")
    data_commands = data.add_subcommands(metavar="COMMAND", title="commands")
    for name, command in DATA_COMMANDS.items():
        data_commands.add_subcommand(name, _parser_of(command), help=command.summary)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; errors of ours are one message and exit code 1."""
    # a terminal that cannot show a character gets its number, not an exception
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in ([], ["data"]):  # whoever names no command wants to know which there are
        given.append("--help")
    if is_lightnings(given):
        with reported({}):
            from docre.training import run

            try:
                run(given)
            except SystemExit as ended:
                # Lightning leaves what SIGTERM cut short with the status of success
                sys.exit(143 if ended.code is None else ended.code)
        return
    chosen = build_parser().parse_args(list(_with_values(given)))
    name, options = chosen.subcommand, chosen[chosen.subcommand]
    command = COMMANDS.get(name)
    if command is None:
        command = DATA_COMMANDS[options.subcommand]
        options = options[options.subcommand]
    options = {key: value for key, value in options.as_dict().items() if key != "config"}
    # a chain hands the signal on to its commands
    with reported(options), nullcontext() if name == "chain" else _ends_on_termination():
        result = _function_of(command)(**options)
        sys.stdout.flush()
    sys.exit(result if isinstance(result, int) else 0)


def is_lightnings(given: Sequence[str]) -> bool:
    """Tell whether LightningCLI parses a command line.

    ``docre predict MODEL FILES`` is ours; with a run or a configuration it is a command of
    Lightning's like ``docre test``, on as many devices as that.
    """
    if given[0] != "predict":
        return given[0] in TRAINING_COMMANDS
    theirs = ("--run", "--config", "-c", "--ckpt_path", "--model.", "--data", "--trainer")
    return any(word.startswith(theirs) for word in given[1:])


@contextmanager
def reported(options: Mapping[str, object]) -> Iterator[None]:
    """Turn errors of ours into one message and exit code 1."""
    try:
        yield
    except DocreError as error:
        print(f"docre: error: {_message(error, options)}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a folder that cannot be written to, a full disk
        print(f"docre: error: {refusal(error)}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def _ends_on_termination() -> Iterator[None]:
    """Let SIGTERM leave as an error does, so that no unfinished file stays behind."""
    mine = os.getpid()

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() != mine:  # a process that was forked here: the files are not its own
            os._exit(128 + number)
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser_of(command: Command) -> ArgumentParser:
    function = _function_of(command)
    description = (function.__doc__ or command.summary).strip().split("\n")[0]
    parser = ArgumentParser(description=description, epilog=command.more or None)
    # jsonargparse wants a list in JSON; a shell has words
    lists = set(_list_options(function)) - set(command.hidden)
    several = dict(_list_arguments(function))
    # a name that Python keeps for itself ends in _ there
    kept = {name for name in signature(function).parameters if name.endswith("_")}
    skip: set[str | int] = {*lists, *several, *kept, *command.hidden}
    parser.add_function_arguments(function, as_positional=True, skip=skip)
    if lists or several or kept:
        from docstring_parser import parse

        for described in parse(function.__doc__ or "").params:
            name = described.arg_name
            if name in kept:
                shown = name[:-1]
                parser.add_argument(
                    f"--{shown}", dest=name, metavar=shown.upper(), help=described.description
                )
            if name in several:
                help_text = f"{described.description} At least one."
                parser.add_argument(name, nargs="+", type=several[name], help=help_text)
            if name in lists:
                # argparse takes every word up to the next option
                help_text = f"{described.description} Several words; to be given after the files."
                parser.add_argument(f"--{name}", nargs="+", action="extend", help=help_text)
    return parser


def _with_values(given: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command line, with what ``--overwrite`` alone means written out."""
    flags = {
        f"--{name}"
        for command in (*COMMANDS.values(), *DATA_COMMANDS.values())
        for name, parameter in signature(_function_of(command)).parameters.items()
        if parameter.annotation in (bool, "bool")
    }
    for word, following in zip(given, [*given[1:], ""], strict=True):
        yield word
        if word in flags and following.lower() not in ("true", "false", "yes", "no"):
            yield "true"


def _list_options(function: Callable[..., object]) -> Iterator[str]:
    """Yield the optional parameters that take several strings."""
    hints = get_type_hints(function)
    for name, parameter in signature(function).parameters.items():
        if parameter.default is None and any(
            get_origin(kind) in (list, Sequence) and get_args(kind) == (str,)
            for kind in get_args(hints[name])
        ):
            yield name


def _list_arguments(function: Callable[..., object]) -> Iterator[tuple[str, type]]:
    """Yield the required parameters that take several values, and what each value is."""
    hints = get_type_hints(function)
    for name, parameter in signature(function).parameters.items():
        if parameter.default is parameter.empty and get_origin(hints[name]) is list:
            yield name, get_args(hints[name])[0]


def _message(error: DocreError, options: Mapping[str, object]) -> str:
    """Return what to print, without advice on an option that the command does not have."""
    from docre.data.reading import HINT

    if isinstance(error, DataError) and error.hint == HINT and "on_error" not in options:
        return describe(error.problems)
    return str(error)


def _function_of(command: Command) -> Callable[..., object]:
    module, _, name = command.function.partition(":")
    function: Callable[..., object] = getattr(import_module(module), name)
    return function
