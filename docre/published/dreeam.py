"""DREEAM: ATLOP's names, with states and attention of three layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from docre.published.atlop import NAMES, head
from docre.published.chassis import decoder, encoder, features, most_relations, part
from docre.published.origins import by_prefix
from docre.published.sizes import rows
from docre.published.system import Conversion, Setting, System

LAYERS = 3
EPS = 1e-30
# Share of a pair's attention that makes a sentence evidence.
EVIDENCE_SHARE = 0.2


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of DREEAM become a model of ours, teachers and students alike."""
    made = head(weights)
    made["init_args"]["context"] = part("context.LocalizedContext", eps=EPS)
    arguments = {
        "encoder": encoder(setting, LAYERS),
        "head": made,
        "decoder": decoder(setting, most_relations(setting)),
        "evidence_share": EVIDENCE_SHARE,
    }
    relations = rows(weights, "bilinear.bias") - 1
    return Conversion(arguments, by_prefix(NAMES), relations, features(setting))


DREEAM = System("DREEAM (Ma et al., 2023)", conversion)
