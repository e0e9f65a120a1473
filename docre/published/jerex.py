"""JEREX: joint extraction, with relations from entities or from all pairs of their mentions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from docre.data.features import FeatureSettings
from docre.published.chassis import part
from docre.published.origins import by_prefix
from docre.published.sizes import columns, rows
from docre.published.system import JOINT_MODEL, Conversion, Setting, System

# our prefix -> the published one
SHARED = {
    "encoder.model.": "bert.",
    "network.mention.size_embedding.": "mention_localization.size_embeddings.",
    "network.mention.hidden.": "mention_localization.linear.",
    "network.mention.output.": "mention_localization.mention_classifier.",
    "network.coreference.edit_embedding.": "coreference_resolution.coref_ed_embeddings.",
    "network.coreference.hidden.": "coreference_resolution.coref_linear.",
    "network.coreference.output.": "coreference_resolution.coref_classifier.",
    "network.entity.hidden.": "entity_classification.linear.",
    "network.entity.output.": "entity_classification.entity_classifier.",
    "network.relation.output.": "relation_classification.rel_classifier.",
}
GLOBAL = {
    "network.relation.type_embedding.": "entity_pair_representation.entity_embeddings.",
    "network.relation.hidden.": "entity_pair_representation.entity_pair_linear.",
}
_MULTI = "relation_classification."
MULTI_INSTANCE = {
    "network.relation.type_embedding.": f"{_MULTI}entity_type_embeddings.",
    "network.relation.token_distance.": f"{_MULTI}token_distance_embeddings.",
    "network.relation.sentence_distance.": f"{_MULTI}sentence_distance_embeddings.",
    "network.relation.instance.": f"{_MULTI}pair_linear.",
    "network.relation.hidden.": f"{_MULTI}rel_linear.",
}
NAMES = {"grc": {**SHARED, **GLOBAL}, "mrc": {**SHARED, **MULTI_INSTANCE}}


def kind_of(weights: Mapping[str, Tensor]) -> str:
    """Return which of its two relation heads weights have: ``grc`` or ``mrc``."""
    return "mrc" if f"{_MULTI}pair_linear.weight" in weights else "grc"


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of JEREX become a model of ours, with the thresholds it is tested with."""
    sizes = "mention_localization.size_embeddings.weight"
    edits = "coreference_resolution.coref_ed_embeddings.weight"
    kind = kind_of(weights)
    arguments: dict[str, Any] = {
        # no special tokens are put around a document, so windows have none to repeat
        "encoder": part("encoder.Encoder", start_tokens=0, end_tokens=0),
        "examples": part("joint_data.JointExamples", special_tokens=False),
        "mention": part(
            "joint.MentionHead",
            size_rows=rows(weights, sizes),
            size_features=columns(weights, sizes),
        ),
        "coreference": part(
            "joint.CoreferenceHead",
            edit_rows=rows(weights, edits),
            edit_features=columns(weights, edits),
        ),
        "entity": part("joint.EntityTypeHead"),
        "relation": _multi_instance(weights) if kind == "mrc" else _global(weights),
        "thresholds": {"mention": 0.85, "coreference": 0.85, "relation": 0.6},
        "phrases": "tokens" if setting.exact else "words",
    }
    return Conversion(
        arguments,
        by_prefix(NAMES[kind]),
        rows(weights, "relation_classification.rel_classifier.weight"),
        FeatureSettings(),
        types=rows(weights, "entity_classification.entity_classifier.weight"),
    )


def _global(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    types = "entity_pair_representation.entity_embeddings.weight"
    return part("joint.GlobalRelationHead", type_features=columns(weights, types))


def _multi_instance(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    tokens = f"{_MULTI}token_distance_embeddings.weight"
    return part(
        "joint.MultiInstanceRelationHead",
        type_features=columns(weights, f"{_MULTI}entity_type_embeddings.weight"),
        distance_features=columns(weights, tokens),
        token_rows=rows(weights, tokens),
        sentence_rows=rows(weights, f"{_MULTI}sentence_distance_embeddings.weight"),
    )


JEREX = System(
    "JEREX (Eberts and Ulges, 2021)",
    conversion,
    encoder="bert.",
    model_class=JOINT_MODEL,
    wrappers=("module.", "model."),
    # its checkpoints are Lightning's and hold the types and relations as objects
    stand_ins=("jerex.", "pytorch_lightning."),
)
