"""The configuration of a run as a flat table, without what cannot change its outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Value = str | int | float | bool | None
Pairs = Iterator[tuple[str, Value]]

# Where files are and how they are read: wherever they stand.
_PLACES = frozenset(
    {"data_dir", "cache_dir", "num_proc", "num_workers", "pin_memory", "offline", "verbose"}
)
# What is looked at, written or shown; with all that stands below it.
_SILENT = frozenset(
    {
        *("config", "ckpt_path", "weights_only", "predictions", "dashboard", "trainer.logger"),
        *("trainer.default_root_dir", "trainer.profiler", "trainer.accelerator"),
        *("trainer.enable_checkpointing", "trainer.enable_progress_bar", "trainer.model_registry"),
        *("trainer.enable_model_summary", "trainer.enable_autolog_hparams"),
        *("trainer.log_every_n_steps", "trainer.num_sanity_val_steps"),
        *("trainer.limit_test_batches", "trainer.limit_predict_batches"),
        *("checkpoint.dirpath", "checkpoint.filename", "checkpoint.keep_last"),
        *("checkpoint.save_last", "checkpoint.save_top_k", "checkpoint.save_on_exception"),
        *("checkpoint.save_weights_only", "checkpoint.auto_insert_metric_name"),
        *("checkpoint.enable_version_counter", "data.batches.eval_batch_size"),
    }
)


def changes_nothing(name: str) -> bool:
    """Tell options that cannot change how good a model becomes from the others.

    Args:
        name: The whole name of an option, or of a part of the configuration.

    Example:
        >>> changes_nothing("dashboard.hparams"), changes_nothing("trainer.max_epochs")
        (True, False)
    """
    parts = name.split(".")
    above = {".".join(parts[: size + 1]) for size in range(len(parts))}
    return parts[-1] in _PLACES or not _SILENT.isdisjoint(above)


def flat_options(
    config: Mapping[str, Any], class_name: Callable[[str], str] = lambda path: path
) -> dict[str, Value]:
    """Return the options of a run that can change its outcome, under flat names.

    A part that is given by its class has that class as its value, and its arguments behind a dot.
    A list has its classes and values as text, and the arguments of its parts below the short names
    of their classes; a part of a list without a class is numbered.

    Args:
        config: What ``config.yaml`` of a run says, as plain values.
        class_name: What a class is called, made from its path.

    Example:
        >>> part = {"class_path": "docre.callbacks.ReadWarmup", "init_args": {"proportion": 0.4}}
        >>> flat_options({"trainer": {"callbacks": [part], "max_epochs": 3}, "dashboard": None})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'trainer.callbacks': 'docre.callbacks.ReadWarmup',
         'trainer.callbacks.ReadWarmup.proportion': 0.4, 'trainer.max_epochs': 3}
    """
    return dict(_of_mapping(config, "", class_name))


def short_class(path: str) -> str:
    """Return the name of a class without where it is."""
    return path.rpartition(".")[2]


def _walk(value: Any, name: str, class_name: Callable[[str], str]) -> Pairs:
    if changes_nothing(name):
        return
    if isinstance(value, Mapping):
        yield from _of_mapping(value, name, class_name)
    elif isinstance(value, (list, tuple)):
        yield from _of_list(value, name, class_name)
    else:
        plain = value is None or isinstance(value, (bool, int, float, str))
        yield name, value if plain else str(value)


def _of_mapping(value: Mapping[str, Any], name: str, class_name: Callable[[str], str]) -> Pairs:
    if "class_path" in value:
        yield name, class_name(str(value["class_path"]))
    for key, below in _arguments(value).items():
        yield from _walk(below, f"{name}.{key}" if name else str(key), class_name)


def _of_list(value: Sequence[Any], name: str, class_name: Callable[[str], str]) -> Pairs:
    seen: Counter[str] = Counter()
    words: list[str] = []
    parts: list[tuple[str, Mapping[str, Any]]] = []
    for number, item in enumerate(value):
        if isinstance(item, Mapping) and "class_path" in item:
            path = str(item["class_path"])
            short = short_class(path)
            seen[short] += 1
            words.append(class_name(path))
            parts.append((short if seen[short] == 1 else f"{short}_{seen[short]}", item))
        elif isinstance(item, Mapping):
            parts.append((str(number), item))
        else:
            words.append(str(item))
    if words or not parts:
        yield name, ", ".join(words) or "empty"
    for short, item in parts:
        for key, below in _arguments(item).items():
            yield from _walk(below, f"{name}.{short}.{key}", class_name)


def _arguments(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a part is made with, whichever way its configuration says it."""
    if "class_path" not in value:
        return dict(value)
    inside = ("init_args", "dict_kwargs")
    beside = {k: v for k, v in value.items() if k not in ("class_path", *inside)}
    return {k: v for name in inside for k, v in (value.get(name) or {}).items()} | beside
