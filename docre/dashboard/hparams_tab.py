"""The HPARAMS tab: one row a run, its settings under flat names and its scores."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import lightning
from lightning.pytorch.cli import SaveConfigCallback

from docre.callbacks.read_warmup import is_warming_up
from docre.dashboard.flat_names import Value, flat_names
from docre.dashboard.part import Board, DashboardPart

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter as EventWriter

# Beside the other events of the run: what lies in the folder of a session is taken for one of its
# scores, and the charts of a training are some forty.
FOLDER = "hparams"
Status = Literal["success", "failure"]


class HparamsTab(DashboardPart):
    """Writes the settings when training begins and its scores whenever there is a new best epoch.

    The scores are those of the epoch that is kept: the best one by what checkpoints are selected
    on, else the last. ``docre test`` adds its own, see :func:`add_test_scores`.
    """

    def __init__(self) -> None:
        self._writer: EventWriter | None = None
        self.best: float | None = None

    def begin(self, board: Board) -> None:
        """Write the settings."""
        from torch.utils.tensorboard import SummaryWriter as EventWriter

        self._writer = EventWriter(str(Path(board.writer.log_dir) / FOLDER))
        settings = flat_names(settings_of(board.trainer, board.model))
        self._write(session_start(settings))

    def show(self, board: Board) -> None:
        """Write the scores of an epoch that is the best so far."""
        assert self._writer is not None
        metrics = {name: float(value) for name, value in board.trainer.callback_metrics.items()}
        checkpoint = cast(Any, board.trainer).checkpoint_callback
        monitor = getattr(checkpoint, "monitor", None)
        if monitor is not None:
            value = metrics.get(monitor)
            sign = -1 if checkpoint.mode == "min" else 1
            if value is None or math.isnan(value) or is_warming_up(board.trainer):
                return
            if self.best is not None and sign * value <= sign * self.best:
                return
            self.best = value
        for name, value in final_scores(metrics, "val", "dev").items():
            self._writer.add_scalar(name, value, board.step)
        self._writer.flush()

    def end(self, board: Board) -> None:
        """Say that training came to its end."""
        self.close("success")

    def close(self, status: Status) -> None:
        """Say how training ended, if it ever began."""
        if self._writer is not None:
            self._write(session_end(status))
            self._writer.close()
            self._writer = None

    def _write(self, summary: Any) -> None:
        assert self._writer is not None
        self._writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
        self._writer.flush()


def add_test_scores(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Add the scores of ``docre test`` to the row of a run that has one.

    Args:
        folder: That of the run.
        metrics: What was logged.
    """
    from torch.utils.tensorboard import SummaryWriter as EventWriter

    if not (folder / FOLDER).is_dir():
        return
    with EventWriter(str(folder / FOLDER)) as writer:
        numbers = {name: float(value) for name, value in metrics.items()}
        for name, value in final_scores(numbers, "test", "test").items():
            writer.add_scalar(name, value, 0)


def final_scores(metrics: Mapping[str, float], stage: str, split: str) -> dict[str, float]:
    """Return the scores that a run is compared by, as ``hp/SPLIT_NAME``.

    Args:
        metrics: Everything that was logged.
        stage: What their names begin with there.
        split: What they are scores of.

    Example:
        >>> final_scores({"val/f1": 0.5, "val/ign_f1": 0.4, "val/loss": 3.0}, "val", "dev")
        {'hp/dev_f1': 0.5, 'hp/dev_ign_f1': 0.4}
    """
    chosen = {}
    for name, value in metrics.items():
        begin, _, score = name.partition("/")
        if begin == stage and (score.endswith("_f1") or score in ("f1", "precision", "recall")):
            chosen[f"hp/{split}_{score}"] = value
    return chosen


def settings_of(trainer: lightning.Trainer, model: Any) -> dict[str, Any]:
    """Return the settings of a run: those of the command line, else those of the model."""
    for callback in cast(Any, trainer).callbacks:
        if isinstance(callback, SaveConfigCallback):
            return dict(callback.config.as_dict())
    data = getattr(trainer, "datamodule", None)
    known: dict[str, Any] = {"model_class": type(model).__name__, "model": dict(model.hparams)}
    if data is not None:
        known["data"] = {"class_path": type(data).__name__}
    return known | {"trainer": {"max_epochs": trainer.max_epochs}}


def session_start(settings: Mapping[str, Value]) -> Any:
    """Return the event that a row begins with."""
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    started = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
    for name, value in settings.items():
        if isinstance(value, bool):
            started.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            started.hparams[name].number_value = value
        else:
            started.hparams[name].string_value = value
    content = plugin_data_pb2.HParamsPluginData(session_start_info=started)
    return _event(metadata.SESSION_START_INFO_TAG, content)


def session_end(status: Status) -> Any:
    """Return the event that says how training ended."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    code = api_pb2.Status.Value(f"STATUS_{status.upper()}")
    ended = plugin_data_pb2.SessionEndInfo(status=code, end_time_secs=time.time())
    content = plugin_data_pb2.HParamsPluginData(session_end_info=ended)
    return _event(metadata.SESSION_END_INFO_TAG, content)


def _event(tag: str, content: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    about = metadata.create_summary_metadata(content)
    value = Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])
