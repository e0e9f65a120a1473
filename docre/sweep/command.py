"""``docre sweep``: train every cell of a sweep with every seed, and compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.sweep.cells import Sweep
    from docre.sweep.understood import UnderstoodCell
    from docre.sweep.work import RunWork

Say = Callable[[str], None]


def sweep(
    file: str,
    jobs: int = 1,
    only: int | None = None,
    cells: Sequence[str] | None = None,
    dry_run: bool = False,
    slurm: str | None = None,
    runs: str = "runs",
    set: Sequence[str] | None = None,
) -> int:
    """Run what of a sweep has not finished yet, and compare what has.

    Args:
        file: A sweep: a YAML file, or the name of a packaged one (docre configs lists them).
        jobs: Runs at a time, each with a share of the cores and a GPU of its own where there are
            any; 0 runs nothing and compares what is there.
        only: Run this one alone, by its number, and compare nothing.
        cells: Run only these cells, by their names, each with all seeds, and compare nothing.
        dry_run: Print the commands that would run, or the script with --slurm, and do nothing.
        slurm: Write a script for SLURM to this file, one task a run, and do nothing else; with
            --jobs no more than that many tasks at a time.
        runs: Folder of all runs; that of the sweep is made in it.
        set: Options for each training of the sweep, as trainer.max_epochs=2.

    Raises:
        DocreError: If the sweep or what is there does not allow it.
    """
    from rich.console import Console

    from docre.sweep.ending import compare_finished
    from docre.sweep.running import run_all
    from docre.sweep.slurm import slurm_script
    from docre.sweep.sweep_file import find_sweep, read_sweep
    from docre.sweep.table import terminal_table
    from docre.sweep.understood import understand
    from docre.sweep.work import INTERRUPTED, RunWork

    known = read_sweep(find_sweep(file))
    root = Path(runs) / known.name
    console = Console()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.file.flush()  # before what a command itself prints

    def understood() -> dict[str, UnderstoodCell]:
        # not among what is printed to be used: a script, commands
        told = Console(stderr=True)
        return understand(known, root, extra, told.print, keep=not dry_run)

    extra = _extra(set or (), known)
    every = known.runs(extra)
    if jobs < 0:
        raise DocreError(f"--jobs {jobs}: expected a number of runs at a time, or 0")
    if only is not None and slurm is not None:
        raise DocreError("--slurm writes a script for all runs, --only takes one of them")
    if cells and slurm is not None:
        raise DocreError("--slurm writes a script for all runs, --cells takes some of them")
    if only is not None and not 1 <= only <= len(every):
        raise DocreError(f"--only {only}: {known.path} has runs 1 to {len(every)}")
    works = [RunWork(run, root) for run in every]
    if only is not None and cells:
        raise DocreError("give either --only, for one run, or --cells")
    named = _named_cells(cells or (), known)
    chosen = [
        work
        for number, work in enumerate(works, 1)
        if only in (None, number) and work.run.cell in named
    ]
    _check(chosen)
    if slurm is not None:
        text = slurm_script(
            file=Path(slurm),
            folder=root,
            runs=every,
            command=_command(file, runs, set or ()),
            at_once=jobs,
            on_gpus=any(cell.accelerator != "cpu" for cell in understood().values()),
        )
        if dry_run:
            say(text.rstrip())
            return 0
        _write_script(Path(slurm), text, root)
        say(f"{slurm}: {len(every)} tasks; submit it with sbatch, from this folder")
        return 0
    if (jobs or dry_run) and not all(work.is_finished for work in chosen):
        understood()
    if dry_run:
        _say_commands(chosen, say)
        return 0
    status = run_all(chosen, len(every), jobs, say) if jobs else 0
    if only is not None:
        return status
    if cells:
        for work in chosen:
            work.reload()
        console.print(terminal_table(known.name, chosen))
        return status
    for work in works:  # others may have been at work too
        work.reload()
    console.print(terminal_table(known.name, works))
    missing = "interrupted" if status == INTERRUPTED else compare_finished(known, root, works)
    if missing:
        say(f"{missing}; the same command goes on: what has finished is skipped")
    return status or int(bool(missing))


def _extra(given: Sequence[str], known: Sweep) -> dict[str, str]:
    """Return options for all trainings, by name."""
    from docre.chain.stages import set_options
    from docre.sweep.sweep_file import check_extra

    extra = set_options(given)
    try:
        check_extra(extra, known)
    except ValueError as error:
        raise DocreError(f"--set: {error}") from error
    return extra


def _named_cells(names: Sequence[str], known: Sweep) -> set[str]:
    """Return the cells that are meant: those that are named, or all."""
    from docre.sweep.choices import hint_at, some

    there = [cell.name for cell in known.cells]
    for name in names:
        if name not in there:
            hint = hint_at(name, there)
            raise DocreError(
                f"--cells: {known.path} has no cell {name}{hint}; it has {some(there)}"
            )
    return set(names or there)


def _check(works: Sequence[RunWork]) -> None:
    """Check all runs before any is begun."""
    wrong = []
    for work in works:
        try:
            work.check()
        except DocreError as error:
            wrong.append(str(error))
    if wrong:
        raise DocreError("\n".join(wrong))


def _say_commands(works: Sequence[RunWork], say: Say) -> None:
    for work in works:
        steps = work.todo()
        say(f"# {work.run.number} {work.run.name}" + ("" if steps else ": finished"))
        for step in steps:
            say(step.text)


def _command(file: str, runs: str, given: Sequence[str]) -> list[str]:
    """Return the command of this sweep without what is about this call."""
    import sys

    words = [sys.executable, "-m", "docre", "sweep", file, "--runs", runs]
    return [*words, *(f"--set={word}" for word in given)]


def _write_script(file: Path, text: str, folder: Path) -> None:
    from docre.data.writing import atomic_file

    folder.mkdir(parents=True, exist_ok=True)  # SLURM does not make it for what tasks print
    with atomic_file(file) as script:
        script.write(text.encode())
