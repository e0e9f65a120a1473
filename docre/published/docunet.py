"""DocuNet: a U-Net over the grid of pairs gives their context."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from docre.published.chassis import HEAD, decoder, encoder, features, most_relations, part
from docre.published.origins import Origin, by_prefix
from docre.published.sizes import block_size, rows
from docre.published.system import Conversion, Setting, System

NETWORK, UNET = "head.context.network.", "segmentation_net."
# our name -> the published one, within the network
_BLOCKS = {
    "enter.": "inc.conv.",
    "down1.": "down1.maxpool_conv.1.",
    "down2.": "down2.maxpool_conv.1.",
    "up1.": "up1.conv.",
    "up2.": "up2.conv.",
}
_LAYERS = {
    "conv1.linear.": "double_conv.0.",
    "norm1.": "double_conv.1.",
    "conv2.linear.": "double_conv.3.",
    "norm2.": "double_conv.4.",
}
NAMES = {
    "encoder.model.": "bert_model.",
    **HEAD,
    "head.context.project.": "liner.",
    f"{NETWORK}leave.": f"{UNET}outc.conv.",
    **{
        f"{NETWORK}{block}{layer}": f"{UNET}{_BLOCKS[block]}{_LAYERS[layer]}"
        for block in _BLOCKS
        for layer in _LAYERS
    },
}
# Rows of every picture there.
HEIGHT = {"docred": 42, "cdr": 35, "gda": 35}
_FIND = by_prefix(NAMES)


def laid_out(values: Tensor) -> Tensor:
    """Return a convolution's weight, [O, I, k, k], as that of a linear layer over k * k cells."""
    return values.permute(0, 2, 3, 1).flatten(1) if values.dim() == 4 else values


def origin_of(name: str) -> Origin:
    """Return where a parameter of ours is."""
    found = _FIND(name)
    return Origin(found.names, laid_out) if name.startswith(NETWORK) else found


def conversion(weights: Mapping[str, Tensor], setting: Setting) -> Conversion:
    """Return how weights of DocuNet become a model of ours."""
    width = rows(weights, "head_extractor.weight")
    block = block_size(weights, "bilinear.weight", width)
    context = part(
        "context.UNetContext",
        channels=rows(weights, "liner.weight"),
        down=rows(weights, f"{UNET}inc.conv.double_conv.0.weight"),
        out=rows(weights, f"{UNET}outc.conv.weight"),
        height=HEIGHT.get(setting.dataset) if setting.exact else None,
    )
    head = part(
        "heads.PairHead",
        width=width,
        context=context,
        classifier=part("heads.GroupedBilinear", block_size=block),
    )
    notes: tuple[str, ...] = ()
    if setting.dataset == "docred" and not setting.typed_markers:
        notes = (
            "released DocuNet puts [unused1] and the like around mentions, which this tokenizer "
            "does not have; * stands there instead, so scores are not those of its paper",
        )
    most = most_relations(setting, 3 if setting.is_bert else 4)
    return Conversion(
        {
            "encoder": encoder(setting),
            "head": head,
            "decoder": decoder(setting, most, "ZeroDecoder"),
        },
        origin_of,
        rows(weights, "bilinear.bias") - 1,
        features(setting, "typed" if setting.typed_markers else "entity"),
        notes=notes,
    )


DOCUNET = System("DocuNet (Zhang et al., 2021)", conversion, encoder="bert_model.")
