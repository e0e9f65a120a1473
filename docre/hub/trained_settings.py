"""What a checkpoint says its model was trained with, looked at before a parser gets it.

LightningCLI and ``load_from_checkpoint`` make classes of these values again. A checkpoint is data,
and may be of somebody else: it must not choose what is imported, called or read as a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from docre.errors import DocreError
from docre.hub.building import check_class_paths, check_texts, class_paths, require_class

# Beside docre: what every training names.
_KNOWN = ("docre", "torch.optim", "torch.nn")
# Arguments that name models and files: a plain text to these classes, however free it is.
_FREE = {
    "docre.encoder.Encoder": ("name", "weights"),
    "docre.distillation.OnlineTeacher": ("run",),
    "docre.distillation.online_teacher.OnlineTeacher": ("run",),
    "docre.distillation.StoredScores": ("path",),
    "docre.distillation.stored_scores.StoredScores": ("path",),
}
_PLACE = "hyper_parameters"


def check_trained_settings(settings: Any, allow: Sequence[str] = ()) -> None:
    """Refuse what would import, call or read something; only classes that may be are imported.

    Args:
        settings: ``hyper_parameters`` of a checkpoint.
        allow: Packages beside docre that classes may be from.

    Raises:
        DocreError: If there is such a value, with its place.
    """
    if not isinstance(settings, Mapping):
        raise DocreError(f"{_PLACE}: expected arguments by name")
    # what Lightning adds, and a file that is plain text to every model
    dropped = ("_instantiator", "init_from")
    ours = _without_free({k: v for k, v in settings.items() if k not in dropped})
    found = list(class_paths(ours, _PLACE))
    if "_class_path" in ours:
        found.append((f"{_PLACE}._class_path", ours["_class_path"]))
    known = (*_KNOWN, *allow)
    check_class_paths(found, known)
    check_texts(ours, _PLACE)
    for place, path in found:  # nothing was imported until all of them are known
        require_class(place, path, known)


def check_loaded(
    checkpoint: Mapping[str, Any], allow: Sequence[str] = (), given: Collection[str] = ()
) -> None:
    """Refuse a checkpoint of which ``load_from_checkpoint`` would make something else.

    Args:
        checkpoint: As it was read.
        allow: Packages beside docre that classes may be from.
        given: Names of arguments that count more than those in the checkpoint.

    Raises:
        DocreError: If it has such settings, or some in places of an older Lightning.
    """
    older = [name for name in ("hparams", "module_arguments") if name in checkpoint]
    if older:
        raise DocreError(f"{older[0]}: this is not a checkpoint of docre")
    settings = checkpoint.get("hyper_parameters") or {}
    if "_instantiator" in settings:  # others are taken as the plain values that they are
        check_trained_settings({k: v for k, v in settings.items() if k not in given}, allow)


def packages_of(settings: Any) -> list[str]:
    """Return the packages of all classes that some settings name, each once."""
    paths = (path for _, path in class_paths(settings, "") if isinstance(path, str))
    return sorted({path.partition(".")[0] for path in paths})


def _without_free(value: Any) -> Any:
    """Return settings without the texts that are plain to whom they are given."""
    if isinstance(value, Mapping):
        path, inner = value.get("class_path"), value.get("init_args")
        free = _FREE.get(path, ()) if isinstance(path, str) else ()
        if free and isinstance(inner, Mapping):
            kept = {k: v for k, v in inner.items() if k not in free or not isinstance(v, str)}
            value = {**value, "init_args": kept}
        return {name: _without_free(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_free(inner) for inner in value]
    return value
