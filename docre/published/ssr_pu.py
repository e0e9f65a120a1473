"""SSR-PU: ATLOP's network, learned from positive and unlabelled pairs."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from docre.published.atlop import NAMES, head
from docre.published.chassis import decoder, encoder, features
from docre.published.origins import by_prefix
from docre.published.sizes import rows
from docre.published.system import Conversion, Setting, System


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of SSR-PU become a model of ours.

    Its rank form has a column for the threshold and the other form has none. Names and shapes do
    not tell them apart, but the number of relations does.
    """
    columns = rows(weights, "bilinear.bias")
    ranked = columns != setting.relations
    arguments = {
        "encoder": encoder(setting),
        "head": head(weights, None if ranked else False),
        "decoder": decoder(setting, 0),
    }
    return Conversion(arguments, by_prefix(NAMES), columns - ranked, features(setting))


SSR_PU = System("SSR-PU (Wang et al., 2022)", conversion)
