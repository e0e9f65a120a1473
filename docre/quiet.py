"""Silence what other packages say on every run and users can do nothing about."""

from __future__ import annotations

import logging
import warnings

# Beginnings of messages, each with the reason it says nothing to a user of ours.
_WARNINGS = (
    # Lightning on its own use of torch
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # our data modules collate in well under a millisecond a document
    r".*does not have many workers which may be a bottleneck",
    # small data sets are ours to log as they are
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    # a run of its own folder, or one that is begun again on purpose
    r"Checkpoint directory .* exists and is not empty",
    # a run that is only tested has no checkpoints of its own
    r"The dirpath has changed from",
    # a run that selected on nothing, and is only tested
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
    # data sets without a development split
    r"Total length of `.*` across ranks is zero",
    # our batches say themselves which documents they have
    r"Couldn't infer the batch indices fetched from your dataloader",
    # scores are gathered from all ranks before they are logged
    r"It is recommended to use `self\.log\('((val|test)/.*|f1)', \.\.\., sync_dist=True\)`",
    # the size of a model in half precision, in the table before training
    r"Precision .* is not supported by the model summary",
    # frozen layers are without dropout on purpose
    r"Found \d+ module\(s\) in eval mode at the start of training",
    # predictions go to a file
    r"predict returned None if it was on purpose",
)
# Advice and advertisements on every start.
_LOGGERS = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.fabric.utilities.seed",
    "lightning.fabric.utilities.distributed",
)


def be_quiet() -> None:
    """Install the filters; for the command line only, never on import."""
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_keep)


def _keep(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
