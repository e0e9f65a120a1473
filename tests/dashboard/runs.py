"""Tiny trainings with a dashboard."""

from __future__ import annotations

import warnings
from contextlib import chdir
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from docre.dashboard import Dashboard, DashboardPart
from docre.dashboard.hparams_tab import FOLDER
from docre.training import DocRECLI, run
from tests.test_training import TINY

SHORT = ("--trainer.max_epochs=2",)
EVERYTHING = {"images": 0, "tensors": 0, "histograms": 0, "scalars": 0}


class Longest(DashboardPart):
    """Logs the length of the longest document of a validation."""

    def forget(self):
        self.longest = 0

    def see(self, board, batch, output):
        self.longest = max(self.longest, *batch.sizes.tokens)

    def show(self, board):
        board.writer.add_scalar("val/longest", self.longest, board.step)


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


def fit(
    folder: Path,
    dashboard: Dashboard | None,
    name: str,
    *options: str,
    kind: type[DocRECLI] | None = None,
) -> Path:
    """Train in a folder and return the run's own."""
    logger = f"--trainer.logger.init_args.name={name}"
    quiet = "--trainer.enable_progress_bar=false"
    with chdir(folder), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(["fit", "--config", "tiny.yaml", logger, quiet, *options], kind or interface(dashboard))
    assert [str(warning.message) for warning in caught] == []
    return folder / "runs" / name / "version_0"


def events(folder: Path) -> EventAccumulator:
    """Read everything that was written for TensorBoard into a folder."""
    read = EventAccumulator(str(folder), size_guidance=EVERYTHING)
    read.Reload()
    return read


def started(folder: Path):
    """Return the settings of a run, as the HPARAMS tab shows them."""
    return metadata.parse_session_start_info_plugin_data(
        _content(folder, metadata.SESSION_START_INFO_TAG)
    ).hparams


def ended(folder: Path):
    """Return what the HPARAMS tab says of the end of a run."""
    return metadata.parse_session_end_info_plugin_data(
        _content(folder, metadata.SESSION_END_INFO_TAG)
    )


def _content(folder: Path, tag: str) -> bytes:
    return events(folder / FOLDER).summary_metadata[tag].plugin_data.content
