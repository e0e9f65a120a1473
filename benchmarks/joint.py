"""Joint extraction beyond the encoder, beside masks over all tokens and loops over all pairs.

    python benchmarks/joint.py [--documents dev_revised.json]

A document of 250 words in ten sentences, random token states of width 768, weights that find in it
26 mentions and 20 entities, the multi-instance relation head. First both systems have to find the
same, and to learn the same from one sample; only then are they measured. Each has a process of its
own, and they take turns; the figures are medians. Memory is the peak above what a process had
before, each in a fresh process (Linux only). One thread, for on a busy machine several wait for
each other after every short operation. The exit status is 1 if a bar is missed.

With ``--documents``, also how many documents are read in a second, from their words.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from joint_case import check, make_case

SYSTEMS = ("naive", "ours")
ROWS = {
    "pooling": ("maxima of all candidates, forward and backward", 20.0),
    "step": ("training step: sample, heads, loss, backward", 5.0),
    "inference": ("inference: candidates to relations", 5.0),
}
MEMORY_BAR = 4.0


def take_turns(name: str, file: Path, threads: int, pipe: Connection) -> None:
    """Do what is asked for, and say how long it took, in ms."""
    torch.set_num_threads(threads)
    _, case = torch.load(file, weights_only=False)
    work = case.work(name)
    while (task := pipe.recv()) is not None:
        start = time.perf_counter()
        work[task]()
        pipe.send(1000 * (time.perf_counter() - start))


def hold_memory(name: str, task: str, file: Path, threads: int, pipe: Connection) -> None:
    """Do something twice, and say how much memory that took, in MB."""
    torch.set_num_threads(threads)
    small, case = torch.load(file, weights_only=False)
    small.work(name)[task]()  # so that libraries have loaded what they load
    work = case.work(name)[task]
    before = megabytes("VmRSS")
    for _ in range(2):
        work()
    pipe.send(megabytes("VmHWM") - before)


def megabytes(field: str) -> float:
    """Return what this process holds (VmRSS) or has held at most (VmHWM)."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def timed(file: Path, rounds: int, threads: int) -> dict[str, tuple[float, float]]:
    """Return the median times of both systems, in ms."""
    pipes = [started(take_turns, name, file, threads) for name in SYSTEMS]
    found = {}
    for task in ROWS:
        times = []
        for _ in range(rounds + 1):
            times.append([])
            for pipe in pipes:
                pipe.send(task)
                times[-1].append(pipe.recv())
        # the first round warms up
        found[task] = tuple(map(statistics.median, zip(*times[1:], strict=True)))
    for pipe in pipes:
        pipe.send(None)
    return found


def peaks(task: str, file: Path, threads: int) -> list[float]:
    """Return the memory that a task takes in both systems, in MB."""
    pipes = [started(hold_memory, name, task, file, threads) for name in SYSTEMS]
    return [pipe.recv() for pipe in pipes]


def started(target: Callable[..., None], *arguments: object) -> Connection:
    """Start a process, and return a pipe to it."""
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe()
    context.Process(target=target, args=(*arguments, theirs)).start()
    theirs.close()  # so that nobody waits for one that has failed
    return mine


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small document, without bars")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--chunk", type=int, default=200, help="masks that the naive version applies at a time"
    )
    parser.add_argument("--documents", type=Path, help="documents in DocRED's JSON")
    parser.add_argument("--count", type=int, default=100, help="how many of them are read")
    options = parser.parse_args()
    threads, rounds = options.threads, 1 if options.quick else options.rounds
    torch.set_num_threads(threads)
    small = make_case(True, options.chunk)
    case = small if options.quick else make_case(False, options.chunk)
    print(check(case))
    missed = []

    def row(what: str, unit: str, naive: float, ours: float, bar: float) -> None:
        ratio = naive / ours
        print(f"{what:<56} {naive:8.1f} / {ours:6.1f} {unit} = {ratio:6.1f}  (at least {bar:g})")
        if ratio < bar:
            missed.append(what)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.pt"
        torch.save((small, case), file)
        for task, both in timed(file, rounds, threads).items():
            what, bar = ROWS[task]
            row(what, "ms", *both, bar)
        for task in ("step", "inference"):
            what = f"peak memory of {ROWS[task][0].split(':')[0]}"
            row(what, "MB", *peaks(task, file, threads), MEMORY_BAR)
    if options.documents is not None:
        from joint_corpus import measure

        measure(options.documents, options.count, 4, rounds)
    if missed and not options.quick:
        raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
