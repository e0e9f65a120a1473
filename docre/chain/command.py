"""``docre chain``: train in stages, and go on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.chain.runner import ChainRun
    from docre.chain.stages import Chain


def chain(
    file: str,
    only: str | None = None,
    from_: str | None = None,
    dry_run: bool = False,
    runs: str = "runs",
    set: Sequence[str] | None = None,
) -> int:
    """Run the stages of a chain that have not finished yet.

    Args:
        file: A chain: a YAML file, or the name of a packaged one (docre configs lists them).
        only: Run this stage alone.
        from_: Begin this stage and all behind it again; what they have is put aside.
        dry_run: Print the commands that would run, and do nothing.
        runs: Folder of all runs; that of the chain is made in it.
        set: Options for each training of the chain, as trainer.max_epochs=2.

    Raises:
        DocreError: If the chain or its state does not allow it.
    """
    from rich.console import Console

    from docre.chain.process import execute
    from docre.chain.runner import ChainRun
    from docre.chain.stages import find_chain, read_chain
    from docre.chain.state import locked, own_inputs

    known = read_chain(find_chain(file))
    extra = _extra(set or (), known)
    names = _chosen(known, only, from_)
    folder = Path(runs) / known.name
    console = Console()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.file.flush()  # before what the command itself prints

    for name in names:  # a misspelt configuration is said before days of training, not after
        own_inputs(known.stages[name], extra)
    if dry_run:
        _say_commands(ChainRun(known, folder, lambda _: 0, say, extra), names, from_)
        return 0
    with locked(folder) as lock:
        made = ChainRun(known, folder, lambda words: execute(words, lock), say, extra)
        made.check_documents(names, again=from_ is not None)
        with _table_behind(made, console.print):
            if from_ is not None:
                made.forget(names)
            status = made.run(names)
    if made.advice:
        say(made.advice)
    return status


def _extra(given: Sequence[str], known: Chain) -> dict[str, str]:
    """Return options for all trainings, by name."""
    from docre.chain.stages import FitStage, check_options, set_options

    extra = set_options(given)
    for stage in known.stages.values():
        if isinstance(stage, FitStage):
            try:
                check_options(extra, stage.reserved)
            except ValueError as error:
                raise DocreError(f"--set: {error}") from error
    return extra


def _chosen(known: Chain, only: str | None, from_: str | None) -> list[str]:
    """Return the stages that are to be run."""
    names = list(known.stages)
    for option, name in (("--only", only), ("--from", from_)):
        if name is not None and name not in names:
            raise DocreError(f"{option} {name}: {known.path} has {', '.join(names)}")
    if only is not None:
        if from_ not in (None, only):
            raise DocreError(f"--only {only} and --from {from_} name two stages")
        return [only]
    return names if from_ is None else names[names.index(from_) :]


def _say_commands(made: ChainRun, names: Sequence[str], from_: str | None) -> None:
    from docre.chain.commands import steps_of

    for name in names:
        again = from_ is not None
        steps = steps_of(made.chain, name, made.folder, made.extra) if again else made.todo(name)
        made.say(f"# {name}" if steps else f"# {name}: finished")
        for step in steps:
            made.say(step.text)


@contextmanager
def _table_behind(made: ChainRun, show: Callable[..., Any]) -> Iterator[None]:
    """Show and write the table of all stages, whatever happened."""
    from docre.chain.table import rows_of, terminal_table, write_table

    try:
        yield
    finally:
        rows = rows_of(made.chain, made.state)
        write_table(made.folder, made.chain, rows)
        show(terminal_table(made.chain, rows))
