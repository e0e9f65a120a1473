"""What commands of ``docre fit`` come to, without running any of them.

``python -m docre.fit_check`` reads them as JSON, each a list of words, and writes for each one what
:func:`parsed` returns. Importing all that a training needs takes seconds, so it is one process for
many commands; like a training it finds the classes of the folder it is started in.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

import docre.cli  # noqa: F401 - before training, as the command does
from docre.errors import DocreError
from docre.training import DocRECLI, run


class FitParser(DocRECLI):
    """The options of ``docre fit``, parsed and nothing more."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return ``fit`` alone: the parsers of all commands take longer than parsing."""
        return {"fit": DocRECLI.subcommands()["fit"]}

    def _setup_parser_kwargs(
        self, parser_kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return super()._setup_parser_kwargs({"fit": parser_kwargs["fit"]})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and stop there."""
        super().parse_arguments(parser, args)
        raise _ParsedFit(self.config["fit"].as_dict())


class _ParsedFit(Exception):
    """Everything is parsed; the argument is what it came to."""


def parsed(arguments: Sequence[str]) -> dict[str, str]:
    """Return what a command comes to.

    Args:
        arguments: ``fit`` and its options.

    Returns:
        ``error``, which is what ``docre fit`` would say; or ``digest``, equal for what is the same
        training wherever it is logged, and ``accelerator``.
    """
    said = StringIO()
    try:
        with redirect_stderr(said):
            run(arguments, FitParser)
    except _ParsedFit as came_to:
        config = came_to.args[0]
        return {"digest": _digest(config), "accelerator": str(config["trainer"]["accelerator"])}
    except SystemExit:
        text = said.getvalue()
        return {"error": (text.partition("error: ")[2] or text).strip()}
    except DocreError as error:
        return {"error": str(error)}
    except Exception as error:  # of a class that somebody else has written
        return {"error": f"{type(error).__name__}: {error}"}
    raise AssertionError("it is parsed, or it is wrong")


def main() -> None:
    """Answer what is asked on the standard input."""
    with redirect_stdout(sys.stderr):  # whatever classes of others print
        made = [parsed(arguments) for arguments in json.load(sys.stdin)]
    json.dump(made, sys.stdout)


def _digest(config: dict[str, Any]) -> str:
    rest = {key: value for key, value in config.items() if key != "config"}
    rest["trainer"] = {k: v for k, v in config["trainer"].items() if k != "logger"}
    text = json.dumps(rest, sort_keys=True, default=_text)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: object) -> str:
    """Write out an object, without where it lies in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


if __name__ == "__main__":
    main()
