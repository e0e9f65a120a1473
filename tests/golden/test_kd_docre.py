"""Axial attention, features, logits, losses and gradients as in the published code of KD-DocRE."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file

from docre.context import LocalizedContext
from docre.decoding import ThresholdDecoder
from docre.heads import PairHead, RefinedClassifier
from docre.losses import AdaptiveFocalLoss
from docre.outputs import Encoded, Targets
from docre.published.kd_docre import AXIAL, EPS, KD_DOCRE, origin_of
from docre.refinement import AxialTransformer, Refinement
from docre.refinement.axial import AxialLayer
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden.published_weights import load_published, names_in

# where the layers of axial attention are in a whole model
LAYERS = "head.classifier.refinements.0.layers."


@cache
def about():
    return json.loads(golden("kd_docre/docs.json").read_text())


@cache
def outputs():
    return load_file(golden("kd_docre/outputs.safetensors"))


@cache
def inputs():
    return load_file(golden("kd_docre/inputs.safetensors"))


def weights_of(name, dtype):
    weights = load_file(golden(f"kd_docre/{name}_weights.safetensors"))
    return {key: value.to(dtype) for key, value in weights.items()}


class Oblong(NamedTuple):
    """Grids that are not square, as the golden ones of the attention alone are."""

    shapes: list[tuple[int, int]]


def close(found, name, exact=False):
    tolerance = {"atol": 1e-9, "rtol": 1e-9} if exact else {"atol": 2e-5, "rtol": 1e-4}
    torch.testing.assert_close(found.detach(), outputs()[name], **tolerance)


@pytest.mark.parametrize("exact", [False, True])
def test_kd_docre_axial_attention(exact):
    dtype = torch.float64 if exact else torch.float32
    weights = weights_of("axial", dtype)
    sizes = about()["axial"]
    layers = torch.nn.ModuleList(
        AxialLayer(sizes["dim"], sizes["heads"]) for _ in range(sizes["num_layers"])
    ).to(dtype)
    load_published(layers, LAYERS, origin_of, {f"{AXIAL}{n}": v for n, v in weights.items()})
    grid = inputs()["axial.x"].to(dtype)
    oblong = Oblong([tuple(grid.shape[1:3])] * len(grid))
    cells = grid.flatten(0, 2)
    for number, layer in enumerate(layers):
        cells = layer(cells, oblong)
        if number == 0 and not exact:
            close(cells.view_as(grid), "axial.after_first_layer")
    close(cells.view_as(grid), "axial.y_f64" if exact else "axial.y", exact)


class DropPairs(Refinement):
    """Takes the features of some pairs away, as a mask over the grid says."""

    def __init__(self, width, in_features, masks):
        super().__init__(width, in_features)
        self.masks = masks

    def forward(self, features, scene, blank=None):
        sizes = scene.batch.sizes.entities
        kept = [mask[:n, :n].flatten() for mask, n in zip(self.masks, sizes, strict=True)]
        return features * torch.cat(kept).to(features.dtype).unsqueeze(1)


def head_of(dtype=torch.float32, masks=None, padding="published"):
    config = about()["config"]
    weights = weights_of("head", dtype)
    axial = partial(
        AxialTransformer,
        layers=config["axial_layers"],
        attention_heads=config["axial_heads"],
        padding=padding,
    )
    refinements = [axial] if masks is None else [partial(DropPairs, masks=masks), axial]
    head = PairHead(
        config["hidden"],
        config["num_labels"] - 1,
        # the code adds up the attention heads where we average them
        context=partial(LocalizedContext, eps=EPS / config["heads"]),
        classifier=partial(
            RefinedClassifier,
            features=config["hidden"],
            block_size=config["block_size"],
            refinements=refinements,
        ),
        width=config["emb_size"],
    ).to(dtype)
    left = load_published(head, "head.", origin_of, weights)
    assert left
    assert all(KD_DOCRE.is_dead(name) for name in left)
    return head


@cache
def batch():
    """All entities against all, themselves included, as the golden rows are."""
    documents = about()["docs"]
    longest = max(document["length"] for document in documents)
    return make_batch(
        [[1] * document["length"] for document in documents],
        [
            [[s + 1 for s, _ in entity if s + 1 < longest] for entity in document["entity_pos"]]
            for document in documents
        ],
        [[tuple(pair) for pair in document["hts"]] for document in documents],
    )


def labels():
    return torch.cat([torch.tensor(document["labels"]) for document in about()["docs"]])


def encoded(dtype=torch.float32):
    made = batch()
    states = inputs()["head.sequence_output"].to(dtype)
    maps = inputs()["head.attention"].to(dtype)
    documents = made.entity_doc[made.mention_entity]
    return Encoded(states, maps[documents, :, made.mention_token])


def test_kd_docre_logits():
    output = head_of().eval()(encoded(), batch())
    close(output.logits, "head.logits")
    exact = head_of(torch.float64).eval()(encoded(torch.float64), batch())
    close(exact.logits, "head.logits_f64", exact=True)


@pytest.mark.parametrize("kind", ["none", "some"])
def test_kd_docre_logits_of_training(kind):
    """Empty cells are zero then, and pairs may be left out."""
    masks = inputs()[f"head.negative_mask_{kind}_dropped"]
    output = head_of(masks=masks).train()(encoded(), batch())
    close(output.logits, f"head.logits_mask_{kind}_dropped")


@pytest.mark.parametrize(("top_k", "tensor"), [(4, "pred_top4"), (0, "pred_all")])
def test_kd_docre_predictions(top_k, tensor):
    found = ThresholdDecoder(top_k).mask(head_of().eval()(encoded(), batch()).logits).float()
    nothing = (found.sum(1, keepdim=True) == 0).float()
    assert torch.equal(torch.cat([nothing, found], 1), outputs()[f"head.{tensor}"])


def test_kd_docre_loss_with_the_diagonal():
    loss = AdaptiveFocalLoss(gamma=1.0)
    for training, name in ((False, "eval_no_mask"), (True, "train_mask")):
        output = head_of(torch.float64).train(training)(encoded(torch.float64), batch())
        total = loss(output, Targets(labels())).total()
        expected = outputs()[f"head.loss.{name}"]
        torch.testing.assert_close(total.detach().reshape(1).float(), expected, rtol=1e-5, atol=0)


def test_kd_docre_gradients():
    head = head_of(torch.float64).train()
    output = head(encoded(torch.float64), batch())
    total = AdaptiveFocalLoss(gamma=1.0)(output, Targets(labels())).total()
    total = total + (output.logits - inputs()["head.teacher_logits"].double()).square().mean()
    expected = outputs()["head.loss.train_mask_kd"]
    torch.testing.assert_close(total.detach().reshape(1).float(), expected, rtol=1e-5, atol=0)
    total.backward()
    seen = 0
    grads = theirs({name: parameter.grad for name, parameter in head.named_parameters()})
    for key, value in outputs().items():
        kind, _, name = key.removeprefix("head.").partition(".")
        if kind not in ("grad", "gradnorm"):
            continue
        if float(value.flatten()[0]) == -1 and kind == "gradnorm":
            assert KD_DOCRE.is_dead(name)  # and not even present here
            continue
        found = grads[name] if kind == "grad" else grads[name].norm().reshape(1)
        torch.testing.assert_close(
            found, value.double(), atol=2e-5, rtol=1e-4, msg=lambda m, key=key: f"{key}: {m}"
        )
        seen += 1
    assert seen > 60


def theirs(grads):
    """Return gradients under the names of the published code: of each that alone makes one of ours,
    and of those that are joined in ours, taken apart.
    """
    width = about()["config"]["hidden"]
    found = {name: grads[ours] for name, ours in names_in(head_of(), "head.", origin_of).items()}
    ours, name = "classifier.refinements.0.layers", AXIAL.removesuffix(".")
    for layer in range(about()["config"]["axial_layers"]):
        pieces = grads[f"{ours}.{layer}.project.weight"].split([width, 2 * width] * 2)
        merged = grads[f"{ours}.{layer}.merge.weight"].split(width, 1)
        for place, axis in ((0, 1), (1, 0)):
            prefix = f"{name}.axial_attns.{layer}.axial_attentions.{axis}.fn"
            found[f"{prefix}.to_q.weight"] = pieces[2 * place]
            found[f"{prefix}.to_kv.weight"] = pieces[2 * place + 1]
            found[f"{prefix}.to_out.weight"] = merged[place]
            found[f"{prefix}.to_out.bias"] = grads[f"{ours}.{layer}.merge.bias"]
    return found


def test_kd_docre_without_padding_does_not_see_the_other_documents():
    """What the default gives is the published formula on a grid of just the document's size."""
    head = head_of(torch.float64, padding="none").eval()
    whole = head(encoded(torch.float64), batch()).logits
    wide = head_of(torch.float64).eval()(encoded(torch.float64), batch()).logits
    assert not torch.allclose(whole, wide, atol=1e-4)  # empty cells matter
    assert torch.equal(whole, head.train()(encoded(torch.float64), batch()).logits)
