"""From the folder of a training that was interrupted to the arguments that go on with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from docre.errors import DocreError
from docre.yaml_text import plain_yaml

_log = logging.getLogger(__name__)
# Its files lie in save_dir/name/version, and it goes on with those that are there.
_LOGGER = "TensorBoardLogger"


def arguments_of(folder: Path) -> list[str]:
    """Return options of ``docre fit`` that go on with a run, in its own folder.

    Where nothing was saved yet the training begins again, in the same folder.

    Args:
        folder: The run folder, with the configuration that the training wrote there.

    Raises:
        DocreError: If it has another logger, which would not go on in that folder.
    """
    config = folder / "config.yaml"
    words = ["--config", str(config), f"--trainer.logger={json.dumps(_logger_of(config))}"]
    last = folder / "checkpoints" / "last.ckpt"
    if last.is_file():
        return [*words, f"--ckpt_path={last}"]
    _log.warning("%s: nothing was saved there yet, the training begins at its beginning", folder)
    return words


def _logger_of(config: Path) -> dict[str, Any]:
    """Return the logger of a run, writing where the run is."""
    try:
        known = msgspec.yaml.decode(plain_yaml(config))["trainer"]["logger"]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise DocreError(f"{config} is not the configuration of a run: {error}") from error
    listed = known if isinstance(known, list) else [known]
    if len(listed) == 1 and isinstance(listed[0], Mapping):
        kind = str(listed[0].get("class_path", ""))
        if kind.rpartition(".")[2] == _LOGGER:
            folder = config.parent.absolute()
            place = {
                "save_dir": str(folder.parent.parent),
                "name": folder.parent.name,
                "version": folder.name,
            }
            return {"class_path": kind, "init_args": {**listed[0].get("init_args", {}), **place}}
    raise DocreError(
        f"{config}: --resume needs the {_LOGGER} alone, whose folder is that of the run; with "
        f"other loggers give docre fit --config {config} --ckpt_path "
        f"{config.parent / 'checkpoints' / 'last.ckpt'}"
    )
