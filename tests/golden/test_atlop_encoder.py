"""Windows, hidden states and attention rows as in the published code of ATLOP."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.encoder import Encoder
from docre.published.atlop import NAMES
from docre.published.origins import by_prefix
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden.published_weights import load_published

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}
STRIDE = {"A": 5, "B": 5, "C": 8}


@cache
def inputs():
    return json.loads(golden("atlop/batches.json").read_text())


@cache
def outputs():
    return load_file(golden("atlop/outputs.safetensors"))


@cache
def encoder(**options):
    names = (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "max_position_embeddings", "pad_token_id",
    )  # fmt: skip
    config = {name: inputs()["config"][name] for name in names}
    made = Encoder(config={"model_type": "bert", **config}, uncovered="published", **options)
    weights = load_file(golden("atlop/weights.safetensors"))
    load_published(made, "encoder.", by_prefix(NAMES), weights)
    return made.eval()


def positions(document, width):
    """Where the mentions of each entity are read."""
    return [
        [start + 1 for start, _ in entity if start + 1 < width] for entity in document["entity_pos"]
    ]


@cache
def encoded(name, attention):
    documents = inputs()["batches"][name]
    width = max(document["length"] for document in documents)
    batch = make_batch(
        [document["input_ids"] for document in documents],
        [positions(document, width) for document in documents],
    )
    with torch.no_grad():
        return batch, encoder(attention=attention)(batch)


def at(batch, encoded, places):
    """States and attention rows at some (document, token)."""
    document = batch.entity_doc[batch.mention_entity]
    where = {
        place: number
        for number, place in enumerate(
            zip(document.tolist(), batch.mention_token.tolist(), strict=True)
        )
    }
    rows = torch.tensor([where[tuple(place)] for place in places.tolist()])
    return encoded.token_states[places[:, 0], places[:, 1]], encoded.mention_attention[rows]


@pytest.mark.parametrize("attention", ["auto", "eager"])
@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_atlop_states(name, attention):
    batch, ours = encoded(name, attention)
    theirs = outputs()
    assert ours.token_states.shape[1] == batch.num_tokens
    stride = ours.token_states[:, :: STRIDE[name]]
    read = batch.token_mask[:, :: STRIDE[name]]  # padding has states that nobody looks at
    torch.testing.assert_close(stride[read], theirs[f"{name}.seq_stride"][read], **TOLERANCE)
    places = theirs[f"{name}.mention_tokens"]
    states, _ = at(batch, ours, places)
    read = batch.token_mask[places[:, 0], places[:, 1]]
    assert read.sum() >= len(places) / 2
    torch.testing.assert_close(states[read], theirs[f"{name}.seq_at_mentions"][read], **TOLERANCE)
    if f"{name}.boundary_index" in theirs:
        index = theirs[f"{name}.boundary_index"]
        read = batch.token_mask[:, index]
        border = ours.token_states[:, index][read]
        torch.testing.assert_close(border, theirs[f"{name}.seq_at_boundary"][read], **TOLERANCE)


@pytest.mark.parametrize("attention", ["auto", "eager"])
@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_atlop_attention(name, attention):
    batch, ours = encoded(name, attention)
    _, rows = at(batch, ours, outputs()[f"{name}.mention_tokens_att"])
    torch.testing.assert_close(rows, outputs()[f"{name}.att_at_mentions"], **TOLERANCE)


def test_atlop_uncovered_tokens():
    """The tokens that no window covers have no state and no attention."""
    batch, ours = encoded("C", "auto")
    uncovered = range(511, batch.num_tokens - 511)
    assert len(uncovered) == 2
    empty = (ours.token_states[0] == 0).all(-1)
    assert empty.nonzero().flatten().tolist() == list(uncovered)
    hidden = torch.tensor([token in uncovered for token in batch.mention_token.tolist()])
    assert hidden.any()
    assert not ours.mention_attention[hidden].any()
    assert ours.mention_attention[~hidden].any(-1).all()


def test_atlop_two_end_tokens():
    documents = inputs()["batches"]["B"][-2:]
    batch = make_batch([d["input_ids"] for d in documents], [[[511], [300]], [[511], [300]]])
    with torch.no_grad():
        ours = encoder(end_tokens=2)(batch)
    theirs = outputs()
    states = ours.token_states[:, theirs["two_end_tokens.index"]]
    torch.testing.assert_close(states, theirs["two_end_tokens.seq"], **TOLERANCE)
    rows = ours.mention_attention.unflatten(0, (2, 2))
    for number, token in enumerate((511, 300)):
        expected = theirs[f"two_end_tokens.att_row_{token}"]
        torch.testing.assert_close(rows[:, number], expected, **TOLERANCE)
