"""States and attention averaged over three layers, in windows, as in the code of DREEAM."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.encoder import Encoder
from docre.published.atlop import NAMES
from docre.published.dreeam import DREEAM, LAYERS
from docre.published.origins import by_prefix
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden.published_weights import load_published

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}


@cache
def inputs():
    return json.loads(golden("dreeam/docs.json").read_text())


@cache
def outputs():
    return load_file(golden("dreeam/outputs.safetensors"))


@cache
def encoder(attention, layers=LAYERS):
    config = {"model_type": "bert", "pad_token_id": 0, **inputs()["encoder"]}
    made = Encoder(config=config, layers=layers, uncovered="published", attention=attention)
    weights = load_file(golden("dreeam/encoder_weights.safetensors"))
    weights = {f"model.{name}": value for name, value in weights.items()}
    left = load_published(made, "encoder.", by_prefix(NAMES), weights)
    assert all(DREEAM.is_dead(name) for name in left)
    return made.eval()


def run(name, attention, layers=LAYERS):
    """States, and attention of every listed token, in the order of the documents."""
    documents = inputs()["long_docs"][name]
    rows = outputs()[f"long.{name}.row_index"].tolist()
    batch = make_batch(documents, [[[token] for token in rows] for _ in documents])
    with torch.no_grad():
        encoded = encoder(attention, layers)(batch)
    return encoded.token_states, encoded.mention_attention.unflatten(0, (len(documents), -1))


@pytest.mark.parametrize("attention", ["auto", "eager"])
@pytest.mark.parametrize("name", ["short_batch", "long_batch"])
def test_dreeam_encoder(name, attention):
    states, rows = run(name, attention)
    expected = outputs()
    index = expected[f"long.{name}.index"]
    torch.testing.assert_close(states[:, index], expected[f"long.{name}.seq"], **TOLERANCE)
    expected_rows = expected[f"long.{name}.att_rows"].transpose(1, 2)
    torch.testing.assert_close(rows, expected_rows, **TOLERANCE)


def test_dreeam_encoder_needs_all_three_layers():
    expected = outputs()["long.short_batch.seq"]
    for layers in (1, 2, 4):
        states, _ = run("short_batch", "auto", layers)
        found = states[:, outputs()["long.short_batch.index"]]
        assert not torch.allclose(found, expected, **TOLERANCE)
