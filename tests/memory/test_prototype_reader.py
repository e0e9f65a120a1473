"""Two free vectors in place of a memory."""

import pytest
import torch

from docre.memory import PrototypeReader, TokenTuringReader


def readers(slots=7):
    """A memory, and free vectors that are what a pair sees of it; everything else is shared."""
    torch.manual_seed(0)
    memory = TokenTuringReader(16, slots=slots, layers=2, attention_heads=4)
    free = PrototypeReader(16, layers=2, attention_heads=4)
    free.summarizer, free.processor = memory.summarizer, memory.processor
    seen = memory.prototypes()
    with torch.no_grad():
        free.memory.copy_(seen.vectors)
        free.masses.copy_(seen.masses)
    return memory, free


def pairs(count=9):
    head, tail = torch.randn(2, count, 16, generator=torch.Generator().manual_seed(1))
    return head, tail, torch.zeros(count, dtype=torch.long)


@pytest.mark.parametrize("slots", [1, 7, 300])
def test_a_memory_is_two_vectors_to_a_pair(slots):
    memory, free = readers(slots)
    for ours, theirs in zip(free(*pairs()), memory(*pairs()), strict=True):
        torch.testing.assert_close(ours, theirs)
    used, expected = free.slot_usage(*pairs()[:2]), memory.slot_usage(*pairs()[:2])
    torch.testing.assert_close(used.sum(1), expected.sum(1))
    assert used.shape == (2, 2)
    assert used[0, 1] == used[1, 0] == 0


def test_it_learns_and_is_seen_at_once():
    _, free = readers()
    loss = sum(vector.square().sum() for vector in free(*pairs()))
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in (free.memory, free.masses))
    free.eval()
    with torch.no_grad():
        before = free(*pairs())[0]
        free.masses.add_(3.0)
        assert not torch.allclose(before, free(*pairs())[0])


def test_it_begins_with_the_mass_of_slots():
    torch.testing.assert_close(PrototypeReader(8, worth=50).masses.exp(), torch.full((2,), 50.0))


def test_no_mass_is_refused():
    with pytest.raises(ValueError, match=r"^worth: 0"):
        PrototypeReader(16, worth=0)
