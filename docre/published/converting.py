"""Published weights become a model of ours, and nothing of them is lost without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from docre.data.checksums import sha256_of
from docre.errors import DocreError
from docre.hub.building import Recipe, build_model
from docre.hub.contents import ModelContents
from docre.pretrained import load_tokenizer
from docre.published.encoder_config import encoder_config
from docre.published.label_names import LabelNames
from docre.published.origins import Collected, collect
from docre.published.reading import read_weights, without_wrapper
from docre.published.system import Conversion, Dataset, Setting, System, require_dataset

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from docre.base_model import DocumentModel


@dataclass(frozen=True, eq=False)
class Converted:
    """A converted model.

    Args:
        contents: Everything that predicting needs.
        dead: Published parameters that were left out, as the released code never uses them.
        notes: What is not as in the released code.
    """

    contents: ModelContents
    dead: tuple[str, ...]
    notes: tuple[str, ...]


def convert_weights(
    system: System,
    weights: str | Path,
    encoder: str,
    names: LabelNames,
    dataset: Dataset = "docred",
    exact: bool = True,
    top_k: int | None = None,
    offline: bool = False,
) -> Converted:
    """Make a model of published weights.

    Args:
        system: Whose weights they are.
        weights: Their file.
        encoder: Hub name or folder of the encoder that the system was trained from: its
            configuration and its tokenizer are taken, and no weights.
        names: Relations and entity types in the order of the columns.
        dataset: Data set they were trained on.
        exact: Compute as the released code does, its slips included.
        top_k: Most relations of a pair; those of the system if left out, 0 for no cap.
        offline: Never use the network.

    Raises:
        DocreError: If the weights are not of that system, that encoder or those relations, or an
            option has no such value.
    """
    require_dataset(dataset)
    if top_k is not None and top_k < 0:
        raise DocreError(f"top_k: at least 1, or 0 for no cap, not {top_k}")
    path = Path(weights)
    given = without_wrapper(read_weights(path, system.stand_ins), system.wrappers)
    tokenizer = load_tokenizer(encoder, offline)
    setting = Setting(
        encoder_config(encoder, given, system.encoder, offline),
        len(names.relations),
        dataset,
        exact,
        top_k,
        "[unused1]" in tokenizer.get_vocab(),
    )
    with _said_of(path, system):
        made = system.convert(given, setting)
        _require_names(made, names)
        recipe = Recipe(system.model_class, made.arguments, setting.encoder)
        model = build_model(recipe, names.relations.names, names.types, encoder)
        found = fill(model, made, given)
        dead = _require_known(found, system)
        _require_vocabulary(model, tokenizer)
    contents = ModelContents(
        model=model,
        relations=names.relations,
        types=names.types,
        tokenizer=tokenizer,
        tokenizer_name=encoder,
        features=made.features,
        settings={"model_class": system.model_class, "arguments": made.arguments},
        source=str(path),
        facts=_facts(system, path, encoder, dataset, exact, dead),
    )
    return Converted(contents, dead, made.notes)


def fill(model: DocumentModel, made: Conversion, weights: Mapping[str, Tensor]) -> Collected:
    """Give a model its published weights.

    Args:
        model: Built.
        made: Where its parameters are.
        weights: Published.

    Returns:
        What was found.

    Raises:
        DocreError: If one is missing or has another shape.
    """
    ours = {n: v for n, v in model.state_dict().items() if n.startswith(model.inherited)}
    found = collect(ours, made.origin_of, weights)
    if found.missing:
        raise DocreError(f"missing in the file: {_some(found.missing)}")
    differing = [
        f"{' and '.join(made.origin_of(name).names)}, of shape {list(value.shape)} and not "
        f"{list(ours[name].shape)}"
        for name, value in found.weights.items()
        if value.shape != ours[name].shape
    ]
    if differing:
        raise DocreError(f"another encoder or other settings: {_some(differing)}")
    model.load_state_dict(found.weights, strict=False)
    return found


def _facts(
    system: System, path: Path, encoder: str, dataset: Dataset, exact: bool, dead: Sequence[str]
) -> dict[str, Any]:
    """Return where a model is from: a paragraph for its card, and the same in plain values."""
    name = Path(encoder).name if Path(encoder).exists() else encoder  # not where a folder lay
    form = "as the released code computes" if exact else "in the form docre trains"
    return {
        "about": f"Converted by `docre convert` from published weights of {system.title}: "
        f"`{path.name}`, on the encoder `{name}`, {form}.",
        "converted": {
            "system": system.title,
            "weights": path.name,
            "sha256": sha256_of(path),
            "encoder": name,
            "dataset": dataset,
            "exact": exact,
            "left_out": list(dead),
        },
    }


def _require_names(made: Conversion, names: LabelNames) -> None:
    if made.relations != len(names.relations):
        raise DocreError(
            f"they score {made.relations} relations, and {len(names.relations)} are named: give "
            "--relations, the file of names and numbers that they were trained with"
        )
    if made.types is not None and made.types != len(names.types):
        raise DocreError(
            f"they know {made.types} entity types, and {len(names.types)} are named "
            f"({', '.join(names.types)}): give --types in the order of training, or the system's "
            "types.json as --relations"
        )


def _require_known(found: Collected, system: System) -> tuple[str, ...]:
    """Return what is never used; refuse what is not known."""
    unknown = [name for name in found.left if not system.is_dead(name)]
    if unknown:
        raise DocreError(f"in the file, but no part of the system: {_some(unknown)}")
    return found.left


def _require_vocabulary(model: DocumentModel, tokenizer: PreTrainedTokenizerBase) -> None:
    known = int(model.encoder.vocab_size)  # type: ignore[arg-type]
    if len(tokenizer) > known:
        raise DocreError(
            f"the tokenizer has {len(tokenizer)} tokens, and their encoder knows {known}: give the "
            "--encoder that they were trained from"
        )


@contextmanager
def _said_of(path: Path, system: System) -> Iterator[None]:
    try:
        yield
    except DocreError as error:
        raise DocreError(f"{path} as weights of {system.title}: {error}") from error


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
