"""What converting has to know of a published system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import Tensor

from docre.data.features import FeatureSettings
from docre.errors import DocreError
from docre.published.origins import OriginOf

Dataset = Literal["docred", "cdr", "gda", "chemdisgene"]
PAIR_MODEL = "docre.model.DocREModel"
JOINT_MODEL = "docre.joint_model.JointModel"
# Tokens of a document that the readers of the pair systems keep.
PUBLISHED_TOKENS = 1024


def require_dataset(name: str) -> None:
    """Refuse a data set that no system has conventions for.

    Raises:
        DocreError: If it is none of those that are known.
    """
    if name not in get_args(Dataset):
        raise DocreError(f"dataset: {name!r} is none of {', '.join(get_args(Dataset))}")


@dataclass(frozen=True)
class Setting:
    """What weights do not say of themselves.

    Args:
        encoder: The transformers configuration of their encoder.
        relations: Number of relations their user names.
        dataset: What they were trained on, which has conventions of its own.
        exact: Compute as the released code does, its slips included.
        top_k: Most relations of a pair; the system's own number if left out.
        typed_markers: Whether the tokenizer knows ``[unused1]`` and so on.
    """

    encoder: Mapping[str, Any]
    relations: int
    dataset: Dataset = "docred"
    exact: bool = True
    top_k: int | None = None
    typed_markers: bool = True

    @property
    def is_bert(self) -> bool:
        """Whether the released code goes its BERT way, and not that of RoBERTa."""
        return self.encoder.get("model_type") == "bert"


@dataclass(frozen=True)
class Conversion:
    """How published weights become a model of ours.

    Args:
        arguments: Of the model: plain values, with ``class_path`` and ``init_args``.
        origin_of: Where its parameters are in the weights.
        relations: Number of relations that the weights score.
        features: How documents are read.
        types: Number of entity types that the weights know; ``None`` where they know none.
        notes: What is not as in the released code, for the user to read.
    """

    arguments: dict[str, Any]
    origin_of: OriginOf
    relations: int
    features: FeatureSettings
    types: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """A published system.

    Args:
        title: Name and publication.
        convert: Says how its weights become ours; raises :class:`~docre.errors.DocreError` where a
            parameter that tells a size is missing.
        dead: What names of parameters begin with that the released code has and never uses.
        encoder: What the names of its encoder begin with.
        model_class: The class it becomes.
        wrappers: What all names begin with if a trainer put it there.
        stand_ins: What names of classes begin with whose objects its checkpoints hold beside the
            weights; they are read as empty objects.
    """

    title: str
    convert: Callable[[Mapping[str, Tensor], Setting], Conversion]
    dead: tuple[str, ...] = ()
    encoder: str = "model."
    model_class: str = PAIR_MODEL
    wrappers: tuple[str, ...] = ("module.",)
    stand_ins: tuple[str, ...] = ()

    def is_dead(self, name: str) -> bool:
        """Whether the released code never uses a parameter.

        Poolers come with any encoder, and tables of positions 0, 1, 2, ... with older versions of
        transformers.
        """
        if name.startswith(self.encoder):
            within = name.removeprefix(self.encoder)
            known = ("embeddings.position_ids", "embeddings.token_type_ids")
            return within.startswith("pooler.") or within in known
        return name.startswith(self.dead)
