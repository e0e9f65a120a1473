"""Short names for the settings of a run, as the HPARAMS tab shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docre.flat_options import flat_options, short_class

Value = str | int | float | bool


def flat_names(config: Mapping[str, Any]) -> dict[str, Value]:
    """Return the settings of a run that can change its outcome, under short names.

    They are those of :func:`docre.flat_options.flat_options`, with two differences: what stands
    under ``model`` loses that word, and classes have their short names. An option of the model that
    is null is ``none``; others that are null are left out.

    Args:
        config: What ``config.yaml`` of a run says, as plain values.

    Example:
        >>> memory = {"class_path": "docre.memory.TokenTuringReader", "init_args": {"slots": 5}}
        >>> head = {"class_path": "docre.heads.PairHead", "init_args": {"memory": memory}}
        >>> for name, value in flat_names({"model": {"head": head}, "seed_everything": 7}).items():
        ...     print(f"{name}: {value}")
        head: PairHead
        head.memory: TokenTuringReader
        head.memory.slots: 5
        seed: 7
    """
    flat: dict[str, Value] = {}
    for name, value in flat_options(config, short_class).items():
        if name.startswith("model."):
            flat[name.removeprefix("model.")] = "none" if value is None else value
        elif name == "model_class":
            flat["model"] = short_class(str(value))
        elif value is not None:
            flat["seed" if name == "seed_everything" else name] = value
    return flat
