"""Attention with dropout on a CPU, against the formula with the same weights dropped."""

import pytest
import torch

import docre.dropout_attention as module
from docre.dropout_attention import draw_kept, dropout_attention, dropped_share

N, H, L, D = 2, 3, 5, 4


def inputs():
    make = torch.Generator().manual_seed(0)
    return [
        torch.randn(N, H, L, D, dtype=torch.float64, generator=make).requires_grad_()
        for _ in range(3)
    ]


def masks():
    length = torch.tensor([5, 3])
    allowed = (torch.arange(L) < length[:, None])[:, None, None].expand(N, 1, L, L)
    added = torch.zeros(N, 1, L, L, dtype=torch.float64).masked_fill(~allowed, -1e9)
    return {"none": None, "bool": allowed, "one": allowed[1:], "added": added}


def slowly(query, key, value, mask, kept, dropout):
    scores = query @ key.mT * 0.3
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, -1e9)
    elif mask is not None:
        scores = scores + mask
    return (scores.softmax(-1) * kept / (1 - dropout)) @ value


@pytest.mark.parametrize("name", ["none", "bool", "one", "added"])
@pytest.mark.parametrize("budget", [1, L * L * 2, 1 << 21])
def test_output_and_gradients(monkeypatch, name, budget):
    monkeypatch.setattr(module, "_WEIGHTS", budget)
    given, mask = inputs(), masks()[name]
    drawn = []
    monkeypatch.setattr(
        module, "draw_kept", lambda *how: drawn.append(draw_kept(*how)) or drawn[-1]
    )
    found = dropout_attention(*given, mask, 0.4, 0.3)
    kept = torch.cat(drawn).view(N, H, L, L)
    assert 0 < int(kept.sum()) < kept.numel()
    expected = slowly(*given, mask, kept, dropped_share(0.4))
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(N, H, L, D, dtype=torch.float64)
    ours = torch.autograd.grad(found, given, upstream)
    theirs = torch.autograd.grad(expected, given, upstream)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_a_share_of_the_weights_is_dropped():
    torch.manual_seed(0)
    value = torch.eye(200).expand(1, 1, 200, 200)  # the output is the map itself
    flat = torch.zeros(1, 1, 200, 200)
    weights = dropout_attention(flat, flat, value, None, 0.25, 1.0)
    assert abs(float((weights == 0).float().mean()) - 0.25) < 0.02
    assert abs(float(weights.sum(-1).mean()) - 1) < 0.02


@pytest.mark.parametrize("dropout", [0.0, 1e-4, 0.1, 0.5, 0.9])
def test_every_weight_is_dropped_alike_and_on_its_own(dropout):
    torch.manual_seed(0)
    kept = draw_kept((4, 250_001), dropout).float()
    assert abs(dropped_share(dropout) - dropout) < 1e-5
    spread = (dropout * (1 - dropout) / kept.numel()) ** 0.5
    assert abs(float(1 - kept.mean()) - dropout) <= 5 * spread + 1e-5
    # four numbers come out of one word: each lane has its share, and knows nothing of the others
    lanes = kept.flatten()[:1_000_000].view(-1, 4)
    assert float((1 - lanes.mean(0) - dropout).abs().max()) <= 10 * spread + 1e-5
    if dropout > 0.01:
        assert float((torch.corrcoef(lanes.T) - torch.eye(4)).abs().max()) < 0.01


def test_half_precision():
    given = [value.detach().bfloat16().requires_grad_() for value in inputs()]
    found = dropout_attention(*given, None, 0.1, 0.5)
    assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert all(value.grad.isfinite().all() for value in given)
