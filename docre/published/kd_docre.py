"""KD-DocRE: features of pairs, refined by axial attention."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from docre.published.chassis import EXTRACTORS, decoder, encoder, features, most_relations, part
from docre.published.origins import Origin, by_prefix
from docre.published.sizes import block_size, layers, rows
from docre.published.system import Conversion, Setting, System

NAMES = {
    "encoder.model.": "model.",
    **EXTRACTORS,
    "head.classifier.projection": "projection.weight",
    "head.classifier.output.": "classifier.",
}
AXIAL = "axial_transformer."
ATTENTION_HEADS = 8
EPS = 1e-10
_FIND = by_prefix(NAMES)
_LAYER = re.compile(r"head\.classifier\.refinements\.\d+\.layers\.(\d+)\.(.+)")


def origin_of(name: str) -> Origin:
    """Return where a parameter of ours is; those of axial attention are joined here."""
    found = _LAYER.fullmatch(name)
    return _FIND(name) if found is None else axial_origin(int(found.group(1)), found.group(2))


def axial_origin(layer: int, name: str) -> Origin:
    """Return what a parameter of a layer is made of: both attentions are one layer here.

    Attention within a row, which is the first one here, is the second one there.
    """
    axes = [f"{AXIAL}axial_attns.{layer}.axial_attentions.{axis}.fn." for axis in (1, 0)]
    if name == "project.weight":
        theirs = tuple(f"{axis}{what}.weight" for axis in axes for what in ("to_q", "to_kv"))
        return Origin(theirs, _stacked)
    if name == "merge.weight":
        return Origin(tuple(f"{axis}to_out.weight" for axis in axes), _side_by_side)
    if name == "merge.bias":
        return Origin(tuple(f"{axis}to_out.bias" for axis in axes), torch.add)
    part_name, _, kind = name.partition(".")
    theirs_of = {"linear": "ffns", "norm": "lns"}
    return Origin((f"{AXIAL}{theirs_of[part_name]}.{layer}.{kind}",))


def _stacked(*weights: Tensor) -> Tensor:
    return torch.cat(weights)


def _side_by_side(*weights: Tensor) -> Tensor:
    return torch.cat(weights, 1)


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of KD-DocRE become a model of ours, teachers and students alike."""
    width = rows(weights, "head_extractor.weight")
    axial = part(
        "refinement.AxialTransformer",
        layers=layers(weights, f"{AXIAL}lns."),
        attention_heads=ATTENTION_HEADS,
        padding="published" if setting.exact else "none",
    )
    classifier = part(
        "heads.RefinedClassifier",
        features=rows(weights, "projection.weight"),
        block_size=block_size(weights, "projection.weight", width),
        refinements=[axial],
    )
    # the code adds up the attention heads where we average them
    eps = EPS / int(setting.encoder["num_attention_heads"])
    head = part(
        "heads.PairHead",
        width=width,
        context=part("context.LocalizedContext", eps=eps),
        classifier=classifier,
    )
    arguments = {
        "encoder": encoder(setting),
        "head": head,
        "decoder": decoder(setting, most_relations(setting)),
    }
    relations = rows(weights, "classifier.bias") - 1
    return Conversion(arguments, origin_of, relations, features(setting))


KD_DOCRE = System("KD-DocRE (Tan et al., 2022)", conversion, dead=("bilinear.",))
