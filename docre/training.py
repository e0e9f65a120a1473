"""``docre fit``, ``validate``, ``test`` and ``predict``: LightningCLI over our model and data."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import msgspec
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

# short class names in YAML and in --help are those of imported classes
import docre.context
import docre.data.modules
import docre.heads
import docre.losses
import docre.memory  # noqa: F401
from docre.callbacks import PredictionFile, ScoreFiles, StopEarly, Throughput
from docre.callbacks.score_files import describe_run, write_json
from docre.data.modules.base import DocREDataModule
from docre.errors import DocreError
from docre.model import DocREModel
from docre.quiet import be_quiet
from docre.run_arguments import expand


class RunRecord(SaveConfigCallback):
    """Writes ``config.yaml``, ``run.json`` and ``relations.json`` into the run folder."""

    def save_config(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Write what the configuration does not say: versions, data, relations."""
        folder = trainer.log_dir
        if folder is None:
            return
        data = cast(DocREDataModule, cast(Any, trainer).datamodule)
        model = cast(DocREModel, pl_module)
        body = describe_run(trainer, model) | {
            "seed": self.config.get("seed_everything"),
            "tokenizer": data.tokenizer_name,
            "types": data.types,
            "features": msgspec.to_builtins(data.features),
        }
        write_json(Path(folder) / "run.json", body)
        named = {name: data.relations.descriptions.get(name, "") for name in data.relations}
        write_json(Path(folder) / "relations.json", named)


class DocRECLI(LightningCLI):
    """The commands that need a model.

    Args:
        name: Folder under ``runs`` for the run.
        run: Earlier run that is tested or predicts.
    """

    def __init__(self, name: str, run: Path | None) -> None:
        self.run_folder = run
        logger = {
            "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
            "init_args": {"save_dir": "runs", "name": name, "default_hp_metric": False},
        }
        super().__init__(
            DocREModel,
            DocREDataModule,
            subclass_mode_data=True,
            save_config_callback=RunRecord,
            save_config_kwargs={"overwrite": True, "save_to_log_dir": True},
            seed_everything_default=66,
            auto_configure_optimizers=False,
            trainer_defaults={
                "logger": logger,
                "max_epochs": 30,
                "gradient_clip_val": 1.0,
                "log_every_n_steps": 10,
                "callbacks": [ScoreFiles(), Throughput()],
            },
            parser_kwargs={
                command: {"description": text, "prog": f"docre {command}"}
                for command, text in SUMMARIES.items()
            },
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what a run always has: a checkpoint of the best epoch, early stopping."""
        parser.add_argument(
            "--select_on",
            type=str | None,
            default="f1",
            help="Development score whose best epoch is kept: f1, ign_f1 or any other that is "
            "logged as val/...; null keeps the last epoch.",
        )
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "best",
                "checkpoint.mode": "max",
                "checkpoint.save_last": True,
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_lightning_class_args(StopEarly, "stop_early")
        parser.add_lightning_class_args(PredictionFile, "predictions")
        parser.link_arguments("select_on", "checkpoint.monitor", compute_fn=monitor_of)
        parser.link_arguments("select_on", "stop_early.monitor", compute_fn=stop_monitor_of)

    def before_fit(self) -> None:
        """Without a development split there is nothing to select on."""
        data = cast(DocREDataModule, self.datamodule)
        if "dev" not in data.files:
            for callback in cast(Any, self.trainer).callbacks:
                if isinstance(callback, ModelCheckpoint):
                    callback.monitor = None

    def before_predict(self) -> None:
        """Keep nothing in memory: predictions go to a file as they are made."""
        self.config_init.predict.return_predictions = False

    def after_fit(self) -> None:
        """Say what came out and where it lies."""
        if self.trainer.is_global_zero:
            print_result(self.trainer)


SUMMARIES = {
    "fit": "Train a model. Options of a config can be given on the command line too.",
    "validate": "Score a trained model on the development split (--run FOLDER).",
    "test": "Score a trained model on the test split (--run FOLDER).",
    "predict": "Predict triples (--run FOLDER [--documents FILE] [--output FILE]).",
}


def monitor_of(select_on: str | None) -> str | None:
    """Return the logged name of the score that checkpoints are selected on."""
    return None if select_on is None else f"val/{select_on}"


def stop_monitor_of(select_on: str | None) -> str:
    """Return the logged name of the score that early stopping looks at."""
    return f"val/{select_on or 'f1'}"


def print_result(trainer: lightning.Trainer) -> None:
    """Print the best score and the places of checkpoint and log."""
    from rich.console import Console

    console = Console()
    checkpoint = cast(Any, trainer).checkpoint_callback
    lines = []
    if checkpoint is not None and checkpoint.best_model_path:
        score = checkpoint.best_model_score
        told = f"  ({checkpoint.monitor} {float(score):.4f})" if score is not None else ""
        lines.append(f"checkpoint   {_short(checkpoint.best_model_path)}{told}")
    if trainer.log_dir is not None and trainer.loggers and not cast(Any, trainer).fast_dev_run:
        lines.append(f"run folder   {_short(trainer.log_dir)}")
        lines.append(f"TensorBoard  tensorboard --logdir {_short(trainer.log_dir)}")
        lines.append(f"next         docre test --run {_short(trainer.log_dir)}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _short(path: str) -> str:
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else str(path)


def run(arguments: Sequence[str]) -> None:
    """Run one of the commands.

    Args:
        arguments: Subcommand and options, as people type them.
    """
    be_quiet()
    expanded = expand(arguments)
    # LightningCLI reads sys.argv, and so do the processes it starts for more devices
    before = sys.argv
    sys.argv = [before[0], *expanded.arguments]
    try:
        DocRECLI(expanded.name, expanded.run)
    except MisconfigurationException as error:
        raise DocreError(explain(str(error))) from error
    except ModuleNotFoundError as error:
        raise DocreError(f"the package {error.name} is not installed: {error}") from error
    finally:
        sys.argv = before
        logging.getLogger("docre").debug("arguments: %s", expanded.arguments)


def explain(message: str) -> str:
    """Add what to do to a message of Lightning's."""
    if "accelerator" in message.lower() or "gpu" in message.lower():
        return f"{message}\nOn a machine without a GPU: --trainer.accelerator cpu"
    return message
