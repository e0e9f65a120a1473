"""U-Net, contexts, logits, predictions, loss and gradients as in the published code of DocuNet."""

from __future__ import annotations

import json
from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file

from docre.context import GridUNet, UNetContext
from docre.context.localized import localized_contexts
from docre.context.u_net import context_of_cells
from docre.decoding import ZeroDecoder
from docre.grids import Grids
from docre.heads import GroupedBilinear, PairHead
from docre.losses import BalancedSoftmaxLoss
from docre.outputs import Encoded, Targets
from docre.pooling import entity_attention, mention_states
from docre.published.docunet import NETWORK, UNET, laid_out, origin_of
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden.published_weights import load_published, names_in

TIGHT = {"atol": 1e-9, "rtol": 1e-9}
LOOSE = {"atol": 2e-5, "rtol": 1e-4}


@cache
def load(name):
    return load_file(golden(f"docunet/{name}.safetensors"))


@cache
def described():
    return json.loads(golden("docunet/docs.json").read_text())


def u_net(dtype=torch.float32):
    sizes = described()["unet"]
    made = GridUNet(sizes["input_channels"], sizes["down_channel"], sizes["class_number"])
    given = {UNET + name: value for name, value in load("unet_weights").items()}
    assert not load_published(made, NETWORK, origin_of, given)
    return made.to(dtype).eval()


def cells_of(pictures):
    """Cells and grids of pictures, [B, C, N, N]."""
    grids = Grids([pictures.shape[-1]] * len(pictures))
    return pictures.permute(0, 2, 3, 1).flatten(0, 2), grids


def run_u_net(made, picture, dtype=torch.float32):
    given = load("inputs")[f"unet.x{picture}"].to(dtype)
    cells, grids = cells_of(given)
    return made(cells, grids).view(len(given), *given.shape[2:], -1)


@pytest.mark.parametrize("picture", "ABCD")
def test_docunet_u_net(picture):
    torch.testing.assert_close(
        run_u_net(u_net(), picture).detach(), load("outputs")[f"unet.y{picture}"], **LOOSE
    )


@pytest.mark.parametrize("picture", "AB")
def test_docunet_u_net_exactly(picture):
    found = run_u_net(u_net(torch.float64), picture, torch.float64)
    torch.testing.assert_close(found.detach(), load("outputs")[f"unet.y{picture}_f64"], **TIGHT)


def test_docunet_pictures_of_all_sizes_at_once():
    dtype = torch.float64
    given = [load("inputs")[f"unet.x{picture}"].to(dtype) for picture in "ABCD"]
    one = [(cells, grids.sizes) for cells, grids in map(cells_of, given)]
    cells = torch.cat([cells for cells, _ in one])
    grids = Grids([size for _, sizes in one for size in sizes])
    found = u_net(dtype)(cells, grids).split([len(cells) for cells, _ in one])
    for picture, of_picture in zip("ABCD", found, strict=True):
        expected = load("outputs")[f"unet.y{picture}"].flatten(0, 2)
        torch.testing.assert_close(of_picture.detach().float(), expected, **LOOSE)


def test_docunet_intermediates():
    made = u_net()
    seen = {}
    for name in ("enter", "down1", "down2", "up1"):
        getattr(made, name).register_forward_hook(
            lambda _module, _given, result, name=name: seen.update({name: result})
        )
    run_u_net(made, "B")
    for name, theirs in {"enter": "inc", "down1": "down1", "down2": "down2", "up1": "up1"}.items():
        expected, _ = cells_of(load("outputs")[f"unet.mid_{theirs}"])
        torch.testing.assert_close(seen[name].detach(), expected, **LOOSE)


def test_docunet_u_net_in_training():
    made = u_net().train()
    found = run_u_net(made, "A")
    torch.testing.assert_close(found.detach(), load("outputs")["unet.train_mode_y"], **LOOSE)
    now, ours = made.state_dict(), names_in(made, NETWORK, origin_of)
    seen = 0
    for key, expected in load("outputs").items():
        name = key.removeprefix("unet.train_mode.")
        if name != key:
            torch.testing.assert_close(now[ours[UNET + name]], expected, **LOOSE)
            seen += 1
    assert seen == 4


def head(dtype):
    sizes = described()["config"]
    made = PairHead(
        sizes["hidden"],
        sizes["num_labels"] - 1,
        context=partial(
            UNetContext,
            channels=sizes["unet_in_dim"],
            down=sizes["down_dim"],
            out=sizes["unet_out_dim"],
            height=sizes["max_height"],
        ),
        classifier=partial(GroupedBilinear, block_size=sizes["block_size"]),
        width=sizes["emb_size"],
    )
    assert not load_published(made, "head.", origin_of, load("head_weights"))
    return made.to(dtype).eval()


@cache
def run(dtype=torch.float32):
    documents = described()["docs"]
    states = load("inputs")["head.sequence_output"].to(dtype)
    attention = load("inputs")["head.attention"].to(dtype)
    tokens = states.shape[1]
    batch = make_batch(
        [[1] * document["length"] for document in documents],
        [
            [[start + 1 for start, _ in entity if start + 1 < tokens] for entity in d["entity_pos"]]
            for d in documents
        ],
        [[tuple(pair) for pair in document["hts"]] for document in documents],
    )
    document = batch.entity_doc[batch.mention_entity]
    of_mentions = attention[document, :, batch.mention_token]
    encoded = Encoded(states, of_mentions)
    made = head(dtype)
    return batch, encoded, made, made(encoded, batch)


def test_docunet_contexts():
    batch, encoded, made, output = run()
    expected = load("outputs")
    pooled = made.pooling(
        mention_states(encoded.token_states, batch), batch.mention_entity, batch.num_entities
    )
    torch.testing.assert_close(pooled, expected["head.entity_emb"], **LOOSE)
    attention = entity_attention(encoded.mention_attention, batch)
    contexts = localized_contexts(encoded.token_states, attention, batch, every=True)
    pictures = made.context.pictures_of(batch)
    cells = contexts.states[context_of_cells(batch, pictures, repeat_last=True)]
    shape = expected["head.context_map"].shape
    torch.testing.assert_close(cells.view(shape), expected["head.context_map"], **LOOSE)
    drawn = made.context.project(cells)
    picture, _ = cells_of(expected["head.unet_input"])
    torch.testing.assert_close(drawn.detach(), picture, **LOOSE)
    found = output.context.states.detach().view(expected["head.unet_output"].shape)
    torch.testing.assert_close(found, expected["head.unet_output"], **LOOSE)
    found = output.context.per_pair(output.context.states).detach()
    torch.testing.assert_close(found, expected["head.h_t"], **LOOSE)


def test_docunet_logits():
    torch.testing.assert_close(run()[3].logits.detach(), load("outputs")["head.logits"], **LOOSE)
    exact = run(torch.float64)[3].logits.detach()
    torch.testing.assert_close(exact, load("outputs")["head.logits_f64"], **TIGHT)


@pytest.mark.parametrize(("top_k", "tensor"), [(3, "pred_top3"), (0, "pred_all")])
def test_docunet_predictions(top_k, tensor):
    assert described()["config"]["topk"] == 3
    found = ZeroDecoder(top_k).mask(run()[3].logits)
    found = torch.cat([~found.any(1, keepdim=True), found], 1)
    assert torch.equal(found, load("outputs")[f"head.{tensor}"].bool())


def test_docunet_loss_and_gradients():
    _, _, made, output = run(torch.float64)
    labels = torch.cat([torch.tensor(document["labels"]) for document in described()["docs"]])
    total = BalancedSoftmaxLoss()(output, Targets(labels)).total()
    expected = load("outputs")
    torch.testing.assert_close(total.detach().reshape(1).float(), expected["head.loss"], **LOOSE)
    named = dict(made.named_parameters())
    grads = torch.autograd.grad(total, list(named.values()), retain_graph=True)
    grads = dict(zip(named, grads, strict=True))
    ours = names_in(made, "head.", origin_of)
    seen = set()
    for key, value in expected.items():
        kind, _, name = key.removeprefix("head.").partition(".")
        if kind not in ("grad", "gradnorm"):
            continue
        found = grads[ours[name]]
        found = found.norm().reshape(1) if kind == "gradnorm" else found
        torch.testing.assert_close(
            found, laid_out(value.double()), **LOOSE, msg=lambda m, key=key: f"{key}: {m}"
        )
        seen.add(ours[name])
    assert seen == set(named)
