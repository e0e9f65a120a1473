"""Predicting beside the encoder alone, memory over the number of documents, and a kill half-way.

    python benchmarks/predicting.py RUN unlabelled_999.json [--threads 2] [--timed 384]

Time: chunk by chunk the whole way of ``docre predict`` (reading the file, features, model,
decoding, writing) and nothing but the encoder's forward pass over the same batches, in turns, in
one process, over the first documents. Memory and the kill: real commands, each in a process of its
own, over 100 documents and over all. The exit status is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

import docre
from docre.batch import Batch
from docre.pipeline.extractor import Extractor
from docre.pipeline.inputs import Asked, read_stream, sources_of
from docre.pipeline.journal import Journal

RATIO_BAR, GROWTH_BAR = 1.5, 1.1
CHUNK = 128


class Recorder:
    """Keeps the batches that a model is given."""

    def __init__(self, extractor: Extractor) -> None:
        self.batches: list[Batch] = []
        encoder = extractor.contents.model.encoder
        encoder.register_forward_pre_hook(lambda _, given: self.batches.append(given[0]))


def timed(run: str, file: Path, folder: Path, count: int) -> tuple[float, float, int]:
    """Return seconds of the whole way and of the encoder alone, and the number of documents."""
    extractor = docre.load(run, device="cpu")
    recorder = Recorder(extractor)
    encoder = extractor.contents.model.encoder
    asked: Iterator[Asked] = islice(read_stream(sources_of([file]).files), count)
    extractor.read([*islice(read_stream(sources_of([file]).files), 4)])  # so that all is loaded
    whole = alone = 0.0
    with Journal(folder / "timed.jsonl", {}) as journal:
        while True:
            recorder.batches.clear()
            begin = time.perf_counter()
            some = [*islice(asked, CHUNK)]
            if not some:
                break
            journal.add(extractor.read(some))
            whole += time.perf_counter() - begin
            batches = [*recorder.batches]
            begin = time.perf_counter()
            with torch.inference_mode():
                for batch in batches:
                    encoder(batch)
            alone += time.perf_counter() - begin
        return whole, alone, journal.done


def command(run: str, files: list[Path], output: Path) -> list[str]:
    """Return the command that predicts files."""
    words = [sys.executable, "-m", "docre", "predict", run, *map(str, files)]
    return [*words, "--device", "cpu", "--output", str(output)]


def peak(words: list[str]) -> float:
    """Return the highest memory of a command in MB."""
    pid = os.spawnv(os.P_NOWAIT, words[0], words)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed")
    return used.ru_maxrss / 1024


def killed(run: str, file: Path, folder: Path, seconds: float) -> int:
    """Kill a command after some time, and return how many documents it had written down."""
    output = folder / "killed.jsonl"
    process = subprocess.Popen(command(run, [file], output))
    part = output.with_name(f"{output.name}.part")
    while process.poll() is None and not (part.exists() and part.stat().st_size > 1 << 17):
        time.sleep(0.05)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = part.read_bytes().count(b"\n") - 1
    subprocess.run(command(run, [file], output), check=True)
    return done


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("documents", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timed", type=int, default=384)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, alone, count = timed(chosen.run, chosen.documents, folder, chosen.timed)
        ratio = whole / alone
        print(f"documents                    {count:,}")
        print(f"whole way                    {count / whole:.1f} documents a second")
        print(f"encoder alone                {count / alone:.1f} documents a second")
        print(f"ratio                        {ratio:.2f} (bar {RATIO_BAR})")
        listed = json.loads(chosen.documents.read_bytes())
        (folder / "few.json").write_text(json.dumps(listed[:100]))
        sizes = {"100": folder / "few.json", f"{len(listed):,}": chosen.documents}
        peaks = {}
        for size, file in sizes.items():
            peaks[size] = peak(command(chosen.run, [file], folder / f"peak {size}.jsonl"))
            print(f"peak of {size:>6} documents     {peaks[size]:.0f} MB")
        growth = peaks[f"{len(listed):,}"] / peaks["100"]
        print(f"growth from 100              {growth:.3f} (bar {GROWTH_BAR})")
        done = killed(chosen.run, chosen.documents, folder, 1.0)
        same = (folder / "killed.jsonl").read_bytes() == (
            folder / f"peak {len(listed):,}.jsonl"
        ).read_bytes()
        print(f"killed behind document       {done:,}; the same output after going on: {same}")
    print(f"torch {torch.__version__}, {chosen.threads} threads")
    raise SystemExit(not (ratio <= RATIO_BAR and growth <= GROWTH_BAR and same))


if __name__ == "__main__":
    main()
