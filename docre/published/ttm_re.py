"""TTM-RE: one extractor for both ends of a pair, and a memory that re-reads them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from docre.published.chassis import decoder, encoder, features, part
from docre.published.origins import by_prefix
from docre.published.sizes import block_size, layers, rows
from docre.published.system import Conversion, Setting, System

UNIT = "mu_encoder.token_turing_machine_unit."
# our prefix -> the published one, within the unit
SCORER = {
    "norm.": "token_learner_model.layernorm.",
    "mlp.hidden.": "token_learner_model.mlp1.linear_1.",
    "mlp.output.": "token_learner_model.mlp1.linear_2.",
}
MEMORY = "head.memory."
NAMES = {
    "encoder.model.": "model.",
    "head.head_extractor.": "head_extractor.",
    "head.classifier.": "bilinear.",
    f"{MEMORY}memory": "mu_encoder.memory_tokens",
    f"{MEMORY}processor.": f"{UNIT}vit_encoder.",
    **{f"{MEMORY}summarizer.{ours}": f"{UNIT}{theirs}" for ours, theirs in SCORER.items()},
}
ATTENTION_HEADS = 8
CHUNK = 256


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of TTM-RE become a model of ours."""
    width = rows(weights, "head_extractor.weight")
    memory = part(
        "memory.TokenTuringReader",
        slots=rows(weights, "mu_encoder.memory_tokens"),
        layers=layers(weights, f"{UNIT}vit_encoder.layers."),
        attention_heads=ATTENTION_HEADS,
        feed_forward=rows(weights, f"{UNIT}vit_encoder.layers.0.linear1.weight"),
        scorer_features=rows(weights, f"{UNIT}token_learner_model.mlp1.linear_1.weight"),
        **({"axis": "chunks", "chunk": CHUNK} if setting.exact else {"axis": "slots"}),
    )
    block = block_size(weights, "bilinear.weight", width)
    head = part(
        "heads.PairHead",
        width=width,
        shared_extractor=True,
        memory=memory,
        classifier=part("heads.GroupedBilinear", block_size=block),
    )
    notes = (
        "released TTM-RE lets the pairs of a batch attend to one another, gold pairs first; here "
        "pairs come in the order of their rows, so scores are not those of its paper",
    )
    return Conversion(
        {"encoder": encoder(setting), "head": head, "decoder": decoder(setting, 0)},
        by_prefix(NAMES),
        rows(weights, "bilinear.bias") - 1,
        features(setting),
        notes=notes,
    )


TTM_RE = System(
    "TTM-RE (Gao et al., 2024)",
    conversion,
    dead=("tail_extractor.", f"{UNIT}token_add_erase_write."),
)
