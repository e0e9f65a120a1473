"""Kills commands at random moments, looks at what lies there, and gives the command again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import msgspec
import torch

from docre.cli import main
from docre.data.cache import file_hash
from docre.distillation.store import LogitFile

ROOT = Path(__file__).resolve().parents[2]
GROUP, ALONE, ASKED = "SIGKILL to all", "SIGKILL to the first process", "SIGTERM"
LIMIT = 300  # seconds, far beyond what anything here takes
UNFINISHED = ("*.part", "*.part-*", "*.part[0-9]*", "*.old")


@dataclass
class Deaths:
    """What was done to a command, so that a failure can be seen again.

    Attributes:
        kills: How, and how many seconds behind the first sign of work.
    """

    seed: int
    kills: list = field(default_factory=list)

    def __str__(self):
        killed = "; ".join(f"{how} at {when:.2f} s" for how, when in self.kills)
        return f"seed {self.seed}: {killed}"


def start(words, folder, **more):
    """Begin a command as the leader of a group of processes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = words if words[0] == sys.executable else [sys.executable, "-m", "docre", *words]
    output = (folder / "said.txt").open("ab")
    with output:
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **more,
        )


def here(words):
    """Run a command in this process and return the seconds it took; it must succeed."""
    began = time.monotonic()
    status = None
    try:
        main([str(word) for word in words])
    except SystemExit as ended:
        status = ended.code
    assert not status, words
    return time.monotonic() - began


def survive(words, folder, sign, seconds, seed, kills):
    """Give a command, kill it and give it again, until it has been killed so often and ends.

    Args:
        words: Returns what to give next: for a training that depends on what there is.
        folder: Where it runs.
        sign: Pattern of a file whose coming or change shows that the work has begun.
        seconds: How long the work takes.
        seed: Of the moments.
        kills: How they are to be, one after the other.
    """
    chosen, left, deaths = random.Random(seed), list(kills), Deaths(seed)
    try:
        while True:
            before = stamps(folder, sign)
            process = start(words(), folder)
            if not left:
                assert process.wait(LIMIT) == 0, said(folder)
                break
            # each of several has its share of what is left to do
            moment = chosen.uniform(0.02, 0.9) * seconds / len(left)
            if not works_for(process, moment, folder, sign, before):
                assert process.returncode == 0, said(folder)
                if deaths.kills:  # less was left to do than it takes as a whole
                    break
                raise TooLate(f"{deaths}: ended within {moment:.2f} s of {seconds:.2f}")
            how = left.pop(0)
            deaths.kills.append((how, moment))
            seconds -= moment
            if kill(process, how) == 0 and how == ASKED:
                break  # asked to end when there was nothing more to do
            whole(folder)
        whole(folder)
        assert not unfinished(folder)
    except TooLate:
        raise
    except BaseException:
        print(deaths, said(folder), sep="\n")  # shown with the failure
        raise
    return deaths


def works_for(process, seconds, folder, sign, before):
    """Let a command work for some time behind its first sign; say whether it still does then."""
    wait_for(lambda: process.poll() is not None or stamps(folder, sign) - before)
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    return process.poll() is None


class TooLate(Exception):
    """A command was faster than it was thought to be."""


def kill(process, how):
    """End a command, wait until nothing of its group is left, and return its status."""
    if how == GROUP:
        os.killpg(process.pid, signal.SIGKILL)
    elif how == ALONE:
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGTERM)
    status = process.wait(LIMIT)
    wait_for(lambda: not alive(process.pid), 60)
    return status


def alive(group):
    """Return the processes of a group that are more than a number to be read."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, its = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except (OSError, ValueError):
                continue
            if int(its) == group and state not in "ZX":
                found.append(int(entry.name))
    return found


def wait_for(condition, seconds=LIMIT):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def stamps(folder, sign):
    """Return the files of a pattern as they are now."""
    found = set()
    for path in folder.glob(sign):
        try:
            known = path.stat()
        except FileNotFoundError:
            continue
        found.add((path, known.st_mtime_ns, known.st_size))
    return found


def said(folder):
    """Return the end of what the commands have printed."""
    return (folder / "said.txt").read_text(errors="replace")[-4000:]


def unfinished(folder):
    """Return what was begun and not finished."""
    return {path for pattern in UNFINISHED for path in folder.rglob(pattern)}


def whole(folder):
    """Check that each file under its final name is all there."""
    begun = unfinished(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or begun & {path, *path.parents}:
            continue
        check = _CHECKS.get(path.suffix)
        if check is not None:
            check(path)


def _json(path):
    json.loads(path.read_bytes())


def _lines(path):
    data = path.read_bytes()
    assert data.endswith(b"\n") or not data, path
    for line in data.splitlines():
        json.loads(line)


def _yaml(path):
    msgspec.yaml.decode(path.read_bytes())


def _checkpoint(path):
    torch.load(path, weights_only=True, map_location="cpu")


def _arrow(path):
    if path.name == "rows.arrow":
        known = json.loads((path.parent / "manifest.json").read_bytes())
        assert (known["bytes"], known["hash"]) == (path.stat().st_size, file_hash(path)), path
    else:
        logits = LogitFile(path)
        for name in logits:
            logits.rows(name)


_CHECKS = {
    ".json": _json,
    ".jsonl": _lines,
    ".yaml": _yaml,
    ".ckpt": _checkpoint,
    ".arrow": _arrow,
}


def same_checkpoints(run, other, names=("last.ckpt", "best.ckpt")):
    """Check that the checkpoints of two runs are equal to the last bit."""
    for name in names:
        one, two = (
            torch.load(folder / "checkpoints" / name, weights_only=True) for folder in (run, other)
        )
        for key in ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers"):
            wrong = list(differing(one[key], two[key], f"{name}: {key}"))
            assert not wrong, wrong
    assert best_score(run) == best_score(other), (best_score(run), best_score(other))


def best_score(run):
    """Return the score that the best epoch was kept for."""
    known = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    (kept,) = (
        state["best_model_score"]
        for state in known["callbacks"].values()
        if "best_model_score" in state
    )
    return None if kept is None else float(kept)


def differing(one, two, place):
    """Yield the places in which two values are not the same."""
    if isinstance(one, torch.Tensor):
        if not torch.equal(one, two) or one.dtype != two.dtype:
            yield place
    elif isinstance(one, dict):
        if one.keys() != two.keys():
            yield f"{place}: {one.keys() ^ two.keys()}"
        for key in one.keys() & two.keys():
            yield from differing(one[key], two[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        if len(one) != len(two):
            yield f"{place}: {len(one)} {len(two)}"
        for number, (mine, theirs) in enumerate(zip(one, two, strict=False)):
            yield from differing(mine, theirs, f"{place}[{number}]")
    elif one != two:
        yield f"{place}: {one} {two}"


def newest(folder):
    """Return the run that was begun last."""
    return max((path for path in folder.iterdir() if path.is_dir()), key=_version, default=None)


def _version(path):
    return int(path.name.removeprefix("version_"))


def in_turn(number, first=0):
    """Return kinds of kills, alternating."""
    return list(islice(cycle((ASKED, GROUP, ALONE)), first, first + number))
