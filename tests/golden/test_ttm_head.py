"""The whole head of TTM-RE: extractor, reader, classifier, loss and gradients."""

from __future__ import annotations

import json
import warnings
from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file

from docre.decoding import ThresholdDecoder
from docre.heads import GroupedBilinear, PairHead
from docre.heads.pair_head import extract
from docre.losses import AdaptiveThresholdLoss, PositiveUnlabelledLoss
from docre.memory import TokenTuringReader
from docre.outputs import HeadOutput, PairContext, Targets
from docre.published.origins import by_prefix
from docre.published.ttm_re import NAMES, TTM_RE
from tests.corpora import golden
from tests.golden.published_weights import load_published, names_in

AXES = {"paper": "slots", "released": "chunks"}
FIND = by_prefix(NAMES)
TIGHT = {"atol": 1e-9, "rtol": 1e-9}
LOOSE = {"atol": 2e-5, "rtol": 1e-4}


@cache
def load(name):
    return load_file(golden(f"ttm/{name}.safetensors"))


@cache
def head(variant, dtype):
    sizes = json.loads(golden("ttm/meta.json").read_text())["head"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # chunks are not for real use
        made = PairHead(
            sizes["emb_size"],
            load("head_weights")["bilinear.bias"].shape[0] - 1,
            width=sizes["emb_size"],
            shared_extractor=True,
            classifier=partial(GroupedBilinear, block_size=sizes["block_size"]),
            memory=partial(
                TokenTuringReader,
                slots=sizes["memory_size"],
                layers=sizes["num_layers"],
                axis=AXES[variant],
                chunk=sizes["chunk"],
            ),
        )
    left = load_published(made, "head.", FIND, load("head_weights"))
    assert left
    assert all(TTM_RE.is_dead(name) for name in left)
    return made.to(dtype)


def run(variant, dtype=torch.float32, pairs=None):
    made = head(variant, dtype)
    given = {key: load("inputs")[f"head.{key}"][:pairs].to(dtype) for key in ("hs", "ts", "rs")}
    every = torch.arange(len(given["hs"]))
    context = PairContext(given["rs"])
    h = extract(made.head_extractor, given["hs"], every, context)
    t = extract(made.head_extractor, given["ts"], every, context)
    h2, t2 = made.memory(h, t, torch.zeros_like(every))
    return h, t, h2, t2, made.classifier(h2, t2)


@pytest.mark.parametrize("variant", AXES)
def test_scores(variant):
    expected = load("outputs")
    logits = run(variant)[4]
    torch.testing.assert_close(logits, expected[f"head.{variant}.logits"], **LOOSE)
    exact = run(variant, torch.float64)[4]
    torch.testing.assert_close(exact, expected[f"head.{variant}.logits_f64"], **TIGHT)
    predicted = ThresholdDecoder().mask(logits)
    wanted = expected[f"head.{variant}.pred"][:, 1:].bool()
    assert torch.equal(predicted, wanted)


@pytest.mark.parametrize("variant", AXES)
def test_memory_augmented_ends(variant):
    expected = load("outputs")
    rows = expected["head.row_index"]
    h, t, h2, t2, _ = run(variant)
    for plain, read, name in ((h, h2, "hs2"), (t, t2, "ts2")):
        # ours gives out the average already
        found = 2 * read[rows] - plain[rows]
        torch.testing.assert_close(found, expected[f"head.{variant}.{name}"], **LOOSE)


@pytest.mark.parametrize("variant", AXES)
@pytest.mark.parametrize("pairs", [7, 256, 257])
def test_scores_of_the_first_pairs(variant, pairs):
    expected = load("outputs")[f"head.{variant}.logits_first{pairs}"]
    found = run(variant, pairs=pairs)[4][-len(expected) :]
    torch.testing.assert_close(found, expected, **LOOSE)
    whole = load("outputs")[f"head.{variant}.logits"][:pairs][-len(expected) :]
    if variant == "paper":
        torch.testing.assert_close(found, whole, **LOOSE)
    elif pairs == 7:
        assert not torch.allclose(found, whole, **LOOSE)


@pytest.mark.parametrize("variant", AXES)
@pytest.mark.parametrize("case", ["S-PU_m1.0_e1.0", "S-PU_m0.25_e3.0", "ATLoss_m1.0_e1.0"])
def test_loss_and_gradients(variant, case):
    kind, margin, multiple = case.split("_")
    if kind == "ATLoss":
        loss = AdaptiveThresholdLoss()
    else:
        loss = PositiveUnlabelledLoss(
            load("inputs")["head.priors"],
            prior_floor=1e-9,
            margin=float(margin[1:]),
            prior_multiple=float(multiple[1:]),
            scale=1.0,
        )
    made = head(variant, torch.float64)
    labels = load("inputs")["head.labels"]
    logits = run(variant, torch.float64)[4]
    total = loss(HeadOutput(logits), Targets(labels)).total()
    prefix = f"head.{variant}.{case}."
    expected = load("outputs")
    torch.testing.assert_close(
        total.detach().reshape(1), expected[f"{prefix}loss"].double(), **LOOSE
    )
    named = dict(made.named_parameters())
    grads = dict(zip(named, torch.autograd.grad(total, list(named.values())), strict=True))
    ours = names_in(made, "head.", FIND)
    for key, value in expected.items():
        if not key.startswith(f"{prefix}grad"):
            continue
        measure, _, name = key.removeprefix(prefix).partition(".")
        if TTM_RE.is_dead(name):
            assert float(value) == -1  # and not there in ours
            continue
        found = grads[ours[name.removesuffix(".first10")]]
        found = found.norm().reshape(1) if measure == "gradnorm" else found
        found = found[:10] if name.endswith(".first10") else found
        torch.testing.assert_close(found, value.double(), **LOOSE)
