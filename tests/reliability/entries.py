"""The ways into docre, and what each has to say of a bad file."""

from __future__ import annotations

import io
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from docre.cli import main
from tests.reliability.catalogue import Bad


class Place(NamedTuple):
    """A folder with a trained run and good files."""

    folder: Path
    run: Path
    good: Path
    result: Path

    def config(self) -> Path:
        return self.folder / "tiny.yaml"


class Said(NamedTuple):
    """What a command came to; the status is a text where an exception got out."""

    status: int | str
    text: str


def command(*words: object) -> Said:
    """Run a command as the shell does; nothing but its exit gets out."""
    heard = io.StringIO()
    with redirect_stdout(heard), redirect_stderr(heard), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            main([str(word) for word in words])
            status: int | str = 0
        except SystemExit as ended:
            status = ended.code or 0
        except Exception as error:  # the very thing that must not happen
            status = type(error).__name__
            traceback.print_exc(limit=-3)
    return Said(status, heard.getvalue())


Entry = Callable[[Place, Path, Path], list[object]]
# ways to hand over a file of documents: those of a training take a second, the others do not
TRAINING: dict[str, Entry] = {
    "fit, to train on": lambda p, file, out: [
        *("fit", "--config", p.config(), "--data.init_args.train_file", file),
        *("--trainer.logger.init_args.save_dir", out),
    ],
    "fit, to select on": lambda p, file, out: [
        *("fit", "--config", p.config(), "--data.init_args.dev_file", file),
        *("--trainer.logger.init_args.save_dir", out),
    ],
    "validate": lambda p, file, out: [
        "validate",
        "--run",
        p.run,
        "--data.init_args.dev_file",
        file,
    ],
    "test": lambda p, file, out: ["test", "--run", p.run, "--data.init_args.test_file", file],
    "predict --run": lambda p, file, out: [
        *("predict", "--run", p.run, "--documents", file, "--output", out / "p.jsonl")
    ],
}
STRICT: dict[str, Entry] = {
    "score, gold": lambda p, file, out: ["score", p.result, file],
    "score, predictions": lambda p, file, out: ["score", file, p.good],
    "score, facts": lambda p, file, out: ["score", p.result, p.good, "--facts", file],
    "report, gold": lambda p, file, out: [
        *("report", p.result, "--gold", file, "--output", out / "r.html")
    ],
    "report, predictions": lambda p, file, out: [
        *("report", file, "--gold", p.good, "--output", out / "r.html")
    ],
    "check": lambda p, file, out: ["data", "check", file],
    "convert": lambda p, file, out: ["data", "convert", file, out / "c.jsonl"],
}
PREDICTIONS = {name: way for name, way in STRICT.items() if name.endswith("predictions")}
# ways that go on without the bad document and say so
LENIENT: dict[str, Entry] = {
    "predict": lambda p, file, out: ["predict", p.run, file, "--output", out / "p.jsonl"],
    "predict, fix": lambda p, file, out: [
        *("predict", p.run, file, "--output", out / "p.jsonl", "--on_error", "fix")
    ],
    "check, fix": lambda p, file, out: [
        *("data", "check", file, "--on_error", "fix", "--report", out / "c.json")
    ],
    "convert, skip": lambda p, file, out: [
        *("data", "convert", file, out / "c.jsonl", "--on_error", "skip")
    ],
    "convert, fix": lambda p, file, out: [
        *("data", "convert", file, out / "c.jsonl", "--on_error", "fix")
    ],
}


def tried(
    figures, place: Place, folder: Path, bads: Iterable[Bad], entries: dict[str, Entry], judge
) -> None:
    """Hand every file over in every way; fail with all that went wrong."""
    wrong: list[str] = []
    for number, bad in enumerate(bads):
        inner = folder / str(number)
        inner.mkdir()
        file = inner / f"bad{bad.ending}"
        bad.make(file)
        for name, entry in entries.items():
            out = inner / "out"
            out.mkdir()
            said = command(*entry(place, file, out))
            fault = judge(bad, file, said) or _left_behind(out)
            figures.add("inputs tried", 1)
            figures.add("wrong exceptions", 1 if fault else 0)
            if fault:
                wrong.append(f"{bad.name} | {name}: {fault}: {said.status} {said.text[-500:]}")
            shutil.rmtree(out)
    assert not wrong, f"{len(wrong)} wrong\n" + "\n\n".join(wrong)


def _left_behind(out: Path) -> str:
    """Return what is half of a file."""
    halves = [path.name for path in out.rglob("*") if path.name.endswith((".tmp", ".part"))]
    return f"left behind: {halves}" if halves else ""


def no_crash(bad: Bad, file: Path, said: Said) -> str:
    """Return what is wrong about whatever a command came to."""
    if said.status not in (0, 1):
        return "another status than 0 and 1"
    if "Traceback" in said.text:
        return "a traceback"
    if said.status == 1 and not said.text.strip():
        return "nothing was said"
    return ""


def refused(bad: Bad, file: Path, said: Said) -> str:
    """Return what is wrong about a refusal that has to name everything."""
    if bad.lenient:  # nobody says which relations and types there are
        return no_crash(bad, file, said)
    # a file of facts is another form, of which other things are said
    wanted = [file.name, *(() if "of [head name" in said.text else bad.said)]
    unsaid = [words for words in wanted if words not in said.text]
    if said.status == 0:
        return "it was taken"
    return no_crash(bad, file, said) or (f"not said: {unsaid}" if unsaid else "")


def mentioned(bad: Bad, file: Path, said: Said) -> str:
    """Return what is wrong about going on: what is bad has to be told all the same."""
    wanted = [] if bad.lenient else [file.name]
    reports = [path.read_text() for path in (file.parent / "out").glob("*.report.json")]
    text = "".join([said.text, *reports])
    unsaid = [words for words in wanted if words not in text]
    return no_crash(bad, file, said) or (f"not said: {unsaid}" if unsaid else "")
