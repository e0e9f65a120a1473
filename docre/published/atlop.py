"""ATLOP: an encoder, two extractors and a grouped bilinear classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from docre.published.chassis import HEAD, decoder, encoder, features, most_relations, part
from docre.published.origins import by_prefix
from docre.published.sizes import block_size, rows
from docre.published.system import Conversion, Setting, System

# our prefix -> the published one
NAMES = {"encoder.model.": "model.", **HEAD}


def head(weights: Mapping[str, Tensor], learned_threshold: bool | None = None) -> dict[str, Any]:
    """Return the head of weights with ATLOP's names.

    Args:
        weights: Published.
        learned_threshold: Whether column 0 is the threshold; so if left out.
    """
    width = rows(weights, "head_extractor.weight")
    block = block_size(weights, "bilinear.weight", width)
    classifier = part(
        "heads.GroupedBilinear", block_size=block, learned_threshold=learned_threshold
    )
    return part("heads.PairHead", width=width, classifier=classifier)


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of ATLOP become a model of ours."""
    arguments = {
        "encoder": encoder(setting),
        "head": head(weights),
        "decoder": decoder(setting, most_relations(setting)),
    }
    relations = rows(weights, "bilinear.bias") - 1
    return Conversion(arguments, by_prefix(NAMES), relations, features(setting))


ATLOP = System("ATLOP (Zhou et al., 2021)", conversion)
