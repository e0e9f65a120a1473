"""A model from the folder of its run, or from one of its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from docre.as_written import as_written
from docre.data.checksums import sha256_of
from docre.data.features import FeatureSettings
from docre.data.relations import RelationSet
from docre.errors import DocreError
from docre.hub.building import Recipe, build_model, predicting_recipe
from docre.hub.contents import ModelContents
from docre.hub.descriptions import described
from docre.parent import best_checkpoint, read_checkpoint
from docre.pretrained import load_tokenizer, resolve_pretrained

if TYPE_CHECKING:
    from torch import Tensor

    from docre.base_model import DocumentModel


def read_run(path: Path, *, offline: bool = False, allow: Sequence[str] = ()) -> ModelContents:
    """Read the best checkpoint of a run, else its last, or the one that is named.

    Tuned thresholds and a calibration are taken if they belong to it.

    Args:
        path: Folder of the run, or a checkpoint in its folder ``checkpoints``.
        offline: Never fetch a tokenizer.
        allow: Packages beside docre that classes may be from.

    Raises:
        DocreError: If there is no such run or it cannot be read.
    """
    from docre.calibration.file import read_calibration

    checkpoint = _checkpoint(path)
    run = checkpoint.parent.parent
    about = _json(run / "run.json")
    known = read_checkpoint(checkpoint)
    ours = known.get("docre")
    if not isinstance(ours, Mapping) or "state_dict" not in known:
        raise DocreError(f"{checkpoint} is not a checkpoint of docre")
    with as_written(run / "run.json"):
        features = msgspec.convert(about["features"], FeatureSettings)
    with as_written(checkpoint):
        training, recipe = _recipe(run, checkpoint, known)
        place = _tokenizer_place(ours["tokenizer"], run)
        try:
            model = build_model(recipe, ours["relations"], ours["types"], place, allow)
        except DocreError as error:
            raise DocreError(f"{checkpoint}: {error}") from error
        load_weights(model, known["state_dict"], str(checkpoint))
        made = {"epoch": int(known["epoch"]), "step": int(known["global_step"])}
        relations = _relations(run, ours["relations"])
    return ModelContents(
        model=model,
        relations=relations,
        types=tuple(ours["types"]),
        tokenizer=load_tokenizer(place, offline),
        tokenizer_name=ours["tokenizer"],
        features=features,
        settings=recipe.to_dict(),
        calibration=read_calibration(run, checkpoint, _thresholds(model)),
        source=str(path),
        facts={
            "run": about,
            "training": training,
            "checkpoint": made,
            "scores": _scores(run, checkpoint),
        },
    )


def _recipe(run: Path, checkpoint: Path, known: Mapping[str, Any]) -> tuple[dict[str, Any], Recipe]:
    """Return the arguments of a training, and what predicting needs of them."""
    ours = known["docre"]
    training = {k: v for k, v in known.get("hyper_parameters", {}).items() if k[:1] != "_"}
    recipe = predicting_recipe(
        ours.get("model_class", "docre.model.DocREModel"),
        ours.get("model", "DocREModel"),
        training | _tuned(run, checkpoint, training),
        ours["encoder_config"],
    )
    return training, recipe


def load_weights(model: DocumentModel, weights: Mapping[str, Tensor], source: str) -> None:
    """Give a model all weights that predicting needs.

    Args:
        model: Built, without weights.
        weights: By name; those that only training needs are left.
        source: Where they are from, for the message.

    Raises:
        DocreError: If one is missing, is not known, or has another shape.
    """
    wanted = {name: value for name, value in weights.items() if name.startswith(model.inherited)}
    ours = {n: v for n, v in model.state_dict().items() if n.startswith(model.inherited)}
    problems = [f"{name} is missing" for name in ours.keys() - wanted.keys()]
    problems += [f"{name} is not known" for name in wanted.keys() - ours.keys()]
    problems += [
        f"{name} is {tuple(wanted[name].shape)}, not {tuple(ours[name].shape)}"
        for name in ours.keys() & wanted.keys()
        if wanted[name].shape != ours[name].shape
    ]
    if problems:
        shown = "; ".join(sorted(problems)[:3])
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DocreError(f"the weights of {source} do not fit the model: {shown}{more}")
    model.load_state_dict(wanted, strict=False)


def _checkpoint(path: Path) -> Path:
    """Return the checkpoint that is meant; it needs its run beside it."""
    if path.is_dir() and not (path / "config.yaml").is_file():
        raise DocreError(
            f"{path} is no model: a run folder has config.yaml and checkpoints/, a folder of "
            "docre export has config.json with library_name docre"
        )
    checkpoint = best_checkpoint(path)
    if not (checkpoint.parent.parent / "run.json").is_file():
        raise DocreError(
            f"{checkpoint} lies in no run folder: ../run.json says how its documents were read "
            "(leave checkpoints where docre fit wrote them, or hand on what docre export makes)"
        )
    return checkpoint


def _tuned(run: Path, checkpoint: Path, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a training that tuned thresholds stand in for."""
    from docre.thresholds_file import read_thresholds

    found = read_thresholds(run, checkpoint)
    if found is None:
        return {}
    if "shift" not in found:
        return {"thresholds": found}
    decoder = training["decoder"]
    return {"decoder": {**decoder, "init_args": {**(decoder.get("init_args") or {}), **found}}}


def _thresholds(model: DocumentModel) -> dict[str, float] | None:
    """Return what margins are counted from, where it is not what a pair model learned."""
    found = getattr(model, "thresholds", None)
    return None if found is None else asdict(found)


def _tokenizer_place(name: str, run: Path) -> str:
    """Return where a tokenizer is: a relative folder is one of where the run was started."""
    if Path(resolve_pretrained(name)).exists() or Path(name).is_absolute():
        return name
    # runs/NAME/version_0 lies where the run was started, in most cases
    found = [above / name for above in run.resolve().parents if (above / name).is_dir()]
    return str(found[0]) if found else name


def _relations(run: Path, names: Sequence[str]) -> RelationSet:
    """Return the relations of a checkpoint, with the descriptions that its run or docre knows."""
    path = run / "relations.json"
    known = _json(path) if path.is_file() else {}
    described_there = {name: known[name] for name in names if known.get(name)}
    if not all(isinstance(meaning, str) for meaning in described_there.values()):
        raise DocreError(f"{path}: what a relation means is a text")
    return described(RelationSet(tuple(names), described_there))


def _scores(run: Path, checkpoint: Path) -> dict[str, Any]:
    """Return the scores of this checkpoint, by split."""
    files = sorted(path for path in (run / "scores").glob("*.json") if "." not in path.stem)
    found = {path.stem: _json(path) for path in files}
    if not found:
        return {}
    ours = sha256_of(checkpoint)
    with as_written(run / "scores"):
        return {
            split: body
            for split, body in found.items()
            if (body.get("checkpoint") or {}).get("sha256") == ours
        }


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DocreError(f"{path} cannot be read: {error}") from error
