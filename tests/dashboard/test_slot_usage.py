"""What memories say of their slots, against weights that are written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from docre.dashboard.memory_slots import slots_in_use
from docre.memory import (
    FlatInputs,
    InverseRead,
    NormalRead,
    PaddedInputs,
    SimilarityReader,
    TokenTuringReader,
    normal_weights,
    read_weights,
)

SIZES = (4, 1, 6)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("positions", [False, True])
def test_token_turing(positions):
    reader = TokenTuringReader(8, slots=5, positions=positions, init="normal", init_std=1).double()
    head, tail = randn(2, 6, 8)
    memory = reader.memory
    tokens = torch.stack((head, tail), 1)
    if positions:
        memory, tokens = memory + reader.positions[:-2], tokens + reader.positions[-2:]
    weights = read_weights(reader.summarizer(memory), reader.summarizer(tokens))
    usage = reader.slot_usage(head, tail)
    torch.testing.assert_close(usage, weights.mean(0)[:, :5].detach())
    assert torch.equal(reader.slot_vectors(), reader.memory)
    assert not usage.requires_grad


def test_similarity_reader():
    reader = SimilarityReader(8, slots=5, slot_features=3).double()
    reader.memory.data = randn(5, 3, seed=1)
    head, tail = randn(2, 6, 8)
    usage = reader.slot_usage(head, tail)
    for row, ends in zip(usage, (head, tail), strict=True):
        expected = sum(normal_weights(reader.similarity(end, reader.memory)) for end in ends) / 6
        torch.testing.assert_close(row, expected.detach())


@pytest.mark.parametrize("kind", [NormalRead, InverseRead])
def test_reads_of_documents(kind):
    read = kind(5, [5, 4]).double()
    for number, similarity in enumerate(read.similarities):
        similarity.weight.data = randn(*similarity.weight.shape, seed=number)
    matrices = [randn(3, 5, seed=7), randn(2, 4, seed=8)]
    flat = randn(sum(SIZES), 5)
    mask = torch.arange(max(SIZES)) < torch.tensor(SIZES).unsqueeze(1)
    padded = torch.zeros(*mask.shape, 5, dtype=torch.float64)
    padded[mask] = flat
    document = torch.arange(len(SIZES)).repeat_interleave(torch.tensor(SIZES))
    usages = [
        read.slot_usage(flat, matrices, FlatInputs(document, len(SIZES))),
        read.slot_usage(padded, matrices, PaddedInputs(mask)),
    ]
    for k, matrix in enumerate(matrices):
        of_documents = []
        for states in flat.split(SIZES):
            scores = (states @ read.similarities[k].weight.T @ matrix.T).detach()
            of_inputs = scores.softmax(1 if kind is NormalRead else 0)
            of_documents.append(
                of_inputs.mean(0) if kind is NormalRead else of_inputs.square().sum(0)
            )
        expected = torch.stack(of_documents).mean(0)
        for usage in usages:
            torch.testing.assert_close(usage[k], expected)


@pytest.mark.parametrize("slots", [1, 3, 200])
def test_slots_in_use(slots):
    assert slots_in_use(np.full(slots, 0.3)) == pytest.approx(slots)
    assert slots_in_use(np.eye(slots)[0]) == pytest.approx(1)
    assert slots_in_use(np.zeros(slots)) == 0
