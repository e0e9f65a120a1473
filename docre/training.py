"""``docre fit``, ``validate``, ``test`` and ``predict``: LightningCLI over our model and data."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import lightning
import msgspec
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException

# short class names in YAML and in --help are those of imported classes
import docre.context
import docre.data.modules
import docre.distillation.online_teacher
import docre.distillation.stored_scores
import docre.heads
import docre.joint
import docre.losses
import docre.memory
import docre.refinement  # noqa: F401
from docre.base_model import DocumentModel
from docre.callbacks import (
    EndAtOnce,
    ExactResume,
    FiniteLoss,
    LogAgain,
    PeakMemory,
    PredictionFile,
    RunCheckpoint,
    ScoreFiles,
    StopEarly,
    Throughput,
)
from docre.callbacks.checkpoint import WholeCheckpoints
from docre.callbacks.run_folder import log_folder
from docre.callbacks.run_lock import RunLock
from docre.callbacks.score_files import describe_run, write_json
from docre.dashboard import Dashboard
from docre.data.modules.base import DocREDataModule
from docre.data.writing import atomic_file
from docre.disk import refusals_said, threads_keep_quiet
from docre.ended_together import end_with_the_first
from docre.errors import DocreError
from docre.hub.trained_settings import check_trained_settings, packages_of
from docre.machine import require_machine
from docre.model_class import DEFAULT, load_model_class, model_class_of
from docre.named_makers import check_makers
from docre.parent import read_checkpoint
from docre.precision import with_own_half_weights
from docre.quiet import be_quiet
from docre.run_arguments import expand


class RunRecord(SaveConfigCallback):
    """Writes ``config.yaml``, ``run.json`` and ``relations.json`` into the run folder."""

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Write the configuration of a training that has a folder of its own."""
        if stage == "fit" and trainer.loggers:
            super().setup(trainer, pl_module, stage)

    def save_config(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Write the configuration, whole or not at all: a run that goes on has one to lose."""
        folder = log_folder(trainer)
        if folder is not None:
            text = self.parser.dump(self.config, skip_none=False)
            with atomic_file(folder / "config.yaml") as file:
                file.write(text.encode())

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write what the configuration does not say: versions, data, relations, parent."""
        folder = log_folder(trainer)
        if folder is None or not trainer.is_global_zero:
            return
        data = cast(DocREDataModule, cast(Any, trainer).datamodule)
        model = cast(DocumentModel, pl_module)
        body = describe_run(trainer, model) | {
            "tokenizer": data.tokenizer_name,
            "types": data.types,
            "features": msgspec.to_builtins(data.features),
            **model.describe(),
        }
        write_json(folder / "run.json", body)
        named = {name: data.relations.descriptions.get(name, "") for name in data.relations}
        write_json(folder / "relations.json", named)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Say how to go on with a training that was interrupted."""
        folder = log_folder(trainer)
        interrupted = isinstance(exception, KeyboardInterrupt | SIGTERMException)
        if interrupted and trainer.is_global_zero and trainer.state.fn == "fit" and folder:
            print(f"\nto go on     docre fit --resume {_short(folder)}")  # noqa: T201


class DocRECLI(LightningCLI):
    """The commands that need a model.

    Args:
        name: Folder under ``runs`` for the run.
        run: Earlier run that is tested or predicts.
        model_class: Import path of the model; its options are those under ``model``.
    """

    def __init__(self, name: str, run: Path | None, model_class: str = DEFAULT) -> None:
        self.run_folder, self._named = run, model_class
        logger = {
            "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
            "init_args": {"save_dir": "runs", "name": name, "default_hp_metric": False},
        }
        super().__init__(
            load_model_class(model_class),
            DocREDataModule,
            subclass_mode_data=True,
            save_config_callback=RunRecord,
            save_config_kwargs={"save_to_log_dir": False},
            seed_everything_default=66,
            auto_configure_optimizers=False,
            trainer_defaults={
                "logger": logger,
                "max_epochs": 30,
                "gradient_clip_val": 1.0,
                "log_every_n_steps": 10,
                "callbacks": [
                    RunLock(),
                    ScoreFiles(),
                    Throughput(),
                    PeakMemory(),
                    ExactResume(),
                    LogAgain(),
                    EndAtOnce(),
                ],
            },
            parser_kwargs={
                command: {
                    "description": text,
                    "prog": f"docre {command}",
                    "usage": f"docre {command} {USAGE[command]} [options]",
                }
                for command, text in SUMMARIES.items()
            },
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; where that fails, say whose options those of the model have to be."""
        try:
            super().parse_arguments(parser, args)
        except SystemExit as ended:
            if ended.code == 2:
                print(f"model_class is {self._named}", file=sys.stderr)  # noqa: T201
            raise
        check_makers(self.config[self.config.subcommand].as_dict())

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what a run always has: a checkpoint of the best epoch, early stopping."""
        parser.add_argument(
            "--model_class",
            type=str,
            default=DEFAULT,
            help="Import path of the model, whose options are those under --model: pairs of given "
            "entities (docre.model.DocREModel), joint extraction (docre.joint_model.JointModel), "
            "or one of your own.",
        )
        parser.add_argument(
            "--select_on",
            type=str | None,
            default="f1",
            help="Development score whose best epoch is kept: f1, ign_f1 or any other that is "
            "logged as val/...; null keeps the last epoch.",
        )
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "best",
                "checkpoint.mode": "max",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_lightning_class_args(StopEarly, "stop_early")
        parser.add_lightning_class_args(FiniteLoss, "finite_loss")
        parser.add_lightning_class_args(PredictionFile, "predictions")
        parser.add_lightning_class_args(Dashboard, "dashboard")
        parser.link_arguments("select_on", "checkpoint.monitor", compute_fn=monitor_of)
        parser.link_arguments("select_on", "stop_early.monitor", compute_fn=stop_monitor_of)
        parser.link_arguments("checkpoint.mode", "stop_early.mode")

    def instantiate_classes(self) -> None:
        """Make model, data and trainer; a value that none of them takes is one line."""
        require_machine(self.config[self.subcommand].trainer)
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise DocreError(str(_innermost(error))) from error
        strategy = self.trainer.strategy
        if type(strategy.checkpoint_io) is TorchCheckpointIO:  # nobody chose another
            strategy.checkpoint_io = WholeCheckpoints()
        with_own_half_weights(strategy)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run; what the disk refuses, whoever writes, is about the folder of the run."""
        folder = self.run_folder or log_folder(self.trainer)
        with threads_keep_quiet(), nullcontext() if folder is None else refusals_said(folder):
            super()._run_subcommand(subcommand)

    def before_fit(self) -> None:
        """Without a development split there is nothing to select on."""
        self.model.to_be_loaded = self.config_init.fit.ckpt_path
        data = cast(DocREDataModule, self.datamodule)
        if "dev" in data.files:
            return
        for callback in cast(Any, self.trainer).callbacks:
            if isinstance(callback, RunCheckpoint):
                callback.monitor = None
            if isinstance(callback, StopEarly) and callback.is_on:
                raise DocreError("stop_early.patience: the data have no dev file to judge by")

    def before_validate(self) -> None:
        """Score nothing but a trained model."""
        self._require_checkpoint()

    def before_test(self) -> None:
        """Score nothing but a trained model."""
        self._require_checkpoint()

    def before_predict(self) -> None:
        """Keep nothing in memory: predictions go to a file as they are made."""
        self._require_checkpoint()
        self.config_init.predict.return_predictions = False

    def _require_checkpoint(self) -> None:
        path = self.config_init[self.subcommand].ckpt_path
        if path is None:
            raise DocreError(
                f"docre {self.subcommand} needs a trained model: --run FOLDER, the folder that "
                "docre fit printed, or --ckpt_path FILE"
            )
        if not Path(path).is_file():
            raise DocreError(f"--ckpt_path: no such file: {path}")
        self.model.to_be_loaded = path

    def _parse_ckpt_path(self) -> None:
        # Lightning takes the model's options from the checkpoint, whatever is said on the command
        # line. The config of a run has them already, and there the command line counts.
        if self.run_folder is not None:
            return
        path = self.config[self.config.subcommand].get("ckpt_path")
        if path and Path(path).is_file():
            known = read_checkpoint(path, mmap=True)  # a damaged one is one line
            named = packages_of(self.config[self.config.subcommand].model.as_dict())
            try:
                check_trained_settings(known.get("hyper_parameters") or {}, named)
            except DocreError as error:
                raise DocreError(f"{path}: {error}") from error
        super()._parse_ckpt_path()

    def after_fit(self) -> None:
        """Say what came out and where it lies."""
        if self.trainer.is_global_zero:
            print_result(self.trainer)


# Options that docre.run_arguments writes out before LightningCLI sees them.
RUN_HELP = "--run FOLDER takes the configuration and the best checkpoint of a run of docre fit."
SUMMARIES = {
    "fit": "Train a model. --config NAME is a file or a packaged configuration (docre configs "
    "lists them); several are laid over one another, and each of their options can be given on the "
    "command line too. --resume FOLDER goes on with a run that was interrupted, in its own folder; "
    "on a processor, with the same devices, it ends as it would have without the interruption.",
    "validate": f"Score a trained model on the development split. {RUN_HELP}",
    "test": f"Score a trained model on the test split. {RUN_HELP}",
    "predict": f"Predict with a trained model. {RUN_HELP} --documents FILE predicts a file of "
    "one's own, in any format docre reads, in place of the test split. --output FILE is where "
    "predictions go, predictions.jsonl in the run folder if left out. Triples of given entities: "
    ".jsonl with names, scores and evidence, .json as the official result.json, .zip as a "
    "submission. Joint models: .jsonl with documents, .json as the published predictions.json.",
}
USAGE = {
    "fit": "--config NAME | --resume FOLDER",
    "validate": "--run FOLDER",
    "test": "--run FOLDER",
    "predict": "--run FOLDER [--documents FILE] [--output FILE]",
}


def _innermost(error: BaseException) -> BaseException:
    """Return the error that all others were raised from: they only say where in the config."""
    return error if error.__cause__ is None else _innermost(error.__cause__)


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
    folder = log_folder(trainer)
    if folder is not None:
        lines.append(f"run folder   {_short(folder)}")
        lines.append(f"TensorBoard  tensorboard --logdir {_short(folder)}")
        command = cast(DocumentModel, trainer.lightning_module).next_command
        lines.append(f"next         docre {command} --run {_short(folder)}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _short(path: str | Path) -> str:
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else str(path)


def run(arguments: Sequence[str], interface: type[DocRECLI] = DocRECLI) -> DocRECLI:
    """Run one of the commands.

    Args:
        arguments: Subcommand and options, as people type them.
        interface: What makes sense of them.

    Returns:
        The interface, with model, data and trainer.
    """
    be_quiet()
    end_with_the_first()
    expanded = expand(arguments)
    # LightningCLI reads sys.argv, and so do the processes it starts for more devices
    before = sys.argv
    sys.argv = [before[0], *expanded.arguments]
    try:
        return interface(expanded.name, expanded.run, model_class_of(expanded.arguments))
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
