"""Tiny trainings with a dashboard."""

from __future__ import annotations

import warnings
from contextlib import chdir
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from docre.dashboard import Dashboard
from docre.training import DocRECLI, run
from tests.test_training import TINY

EVERYTHING = {"images": 0, "tensors": 0, "histograms": 0, "scalars": 0}


def interface(dashboard: Dashboard | None) -> type[DocRECLI]:
    """Return a command line whose runs have this dashboard and no other."""

    class WithDashboard(DocRECLI):
        def instantiate_trainer(self, **kwargs):
            trainer = super().instantiate_trainer(**kwargs)
            others = [c for c in trainer.callbacks if not isinstance(c, Dashboard)]
            trainer.callbacks = [*([] if dashboard is None else [dashboard]), *others]
            return trainer

    return WithDashboard


def work_in(folder: Path, config: str = TINY) -> Path:
    """Write a configuration into a folder."""
    (folder / "tiny.yaml").write_text(config)
    return folder


def fit(folder: Path, dashboard: Dashboard | None, name: str, *options: str) -> Path:
    """Train in a folder and return the run's own."""
    logger = f"--trainer.logger.init_args.name={name}"
    quiet = "--trainer.enable_progress_bar=false"
    with chdir(folder), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(["fit", "--config", "tiny.yaml", logger, quiet, *options], interface(dashboard))
    assert [str(warning.message) for warning in caught] == []
    return folder / "runs" / name / "version_0"


def events(folder: Path) -> EventAccumulator:
    """Read everything that was written for TensorBoard into a folder."""
    read = EventAccumulator(str(folder), size_guidance=EVERYTHING)
    read.Reload()
    return read
