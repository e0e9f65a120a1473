"""Pooling spans, beside a slice and a maximum for each."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.joint import span_max


def one_by_one(states, document, start, end):
    rows = [
        states[d, s:e].max(0).values if e > s else 0 * states[d, 0]
        for d, s, e in zip(document.tolist(), start.tolist(), end.tolist(), strict=True)
    ]
    return torch.stack(rows) if rows else states[0, :0]


def random_spans(count, documents, tokens):
    document = torch.randint(documents, (count,))
    start, end = torch.randint(tokens + 1, (2, count)).unbind()
    return document, start, end  # half of them are empty


def gradient_of(pool, states, spans, seed):
    inputs = states.detach().requires_grad_()
    output = pool(inputs, *spans)
    output.backward(seed)
    return output.detach(), inputs.grad


@given(st.integers(1, 3), st.integers(1, 40), st.integers(0, 30), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_maximum_and_gradient_are_those_of_each_span(documents, tokens, count, seed):
    torch.manual_seed(seed)
    states = torch.randn(documents, tokens, 5, dtype=torch.float64)
    spans = random_spans(count, documents, tokens)
    seeds = torch.randn(count, 5, dtype=torch.float64)
    found, gradient = gradient_of(span_max, states, spans, seeds)
    expected, wanted = gradient_of(one_by_one, states, spans, seeds)
    assert torch.equal(found, expected)
    torch.testing.assert_close(gradient, wanted)


@given(st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_first_of_equal_tokens_gets_the_gradient(tokens, seed):
    """Whole numbers add up without rounding, so the gradients are equal to the last bit."""
    torch.manual_seed(seed)
    states = torch.randint(-1, 2, (1, tokens, 4)).float()
    spans = random_spans(20, 1, tokens)
    seeds = torch.randint(-4, 5, (20, 4)).float()
    _, gradient = gradient_of(span_max, states, spans, seeds)
    wanted = torch.zeros_like(states)
    for row, (start, end) in enumerate(zip(spans[1].tolist(), spans[2].tolist(), strict=True)):
        for column in range(4):
            inside = states[0, start:end, column].tolist()
            if inside:
                wanted[0, start + inside.index(max(inside)), column] += seeds[row, column]
    assert torch.equal(gradient, wanted)


def test_gradient_is_that_of_the_function():
    states = torch.randn(2, 9, 3, dtype=torch.float64, requires_grad=True)
    spans = random_spans(12, 2, 9)
    assert torch.autograd.gradcheck(lambda x: span_max(x, *spans), states)


@pytest.mark.parametrize("longest", [None, 5, 6, 100])
def test_a_bound_on_the_length_changes_nothing(longest):
    states = torch.randn(2, 30, 4)
    document, start, _ = random_spans(50, 2, 20)
    end = start + torch.randint(6, (50,))
    found = span_max(states, document, start, end, longest)
    assert torch.equal(found, one_by_one(states, document, start, end))


def test_infinite_states_do_not_spoil_other_spans():
    states = torch.tensor([[[-torch.inf], [1.0], [torch.inf]]])
    found = span_max(
        states, torch.zeros(4).long(), torch.tensor([0, 0, 1, 2]), torch.tensor([1, 2, 3, 2])
    )
    assert found.flatten().tolist() == [-torch.inf, 1, torch.inf, 0]


def test_half_precision_is_bit_equal_and_sums_gradients_in_single():
    states = torch.randn(1, 20, 8).bfloat16()
    start = torch.zeros(600, dtype=torch.long)
    spans = start, start, start + 20
    found, gradient = gradient_of(span_max, states, spans, torch.ones(600, 8).bfloat16())
    assert torch.equal(found[0], states[0].max(0).values)
    assert gradient.dtype == torch.bfloat16
    # in bfloat16 itself, 256 + 1 is 256
    assert gradient[0].float().max(0).values.tolist() == [600.0] * 8


def test_nothing_to_pool():
    none = torch.zeros(0, dtype=torch.long)
    states = torch.randn(2, 7, 3, requires_grad=True)
    found = span_max(states, none, none, none)
    assert found.shape == (0, 3)
    found.sum().backward()
    assert torch.equal(states.grad, torch.zeros_like(states))
    zero = torch.zeros(1, dtype=torch.long)
    assert torch.equal(span_max(torch.zeros(1, 0, 3), zero, zero, zero), torch.zeros(1, 3))


@pytest.mark.parametrize(("document", "start", "end"), [(0, 3, 8), (0, -1, 2), (2, 0, 1)])
def test_spans_outside_their_row_are_refused(document, start, end):
    spans = (torch.tensor([0, number]) for number in (document, start, end))
    with pytest.raises(ValueError, match=rf"span 1, \[{start}, {end}\) of row {document}"):
        span_max(torch.randn(2, 7, 3), *spans)


def test_a_bound_that_is_too_small_is_refused():
    zero = torch.zeros(1, dtype=torch.long)
    with pytest.raises(ValueError, match="5 tokens, and longest is 4"):
        span_max(torch.randn(1, 7, 3), zero, zero, zero + 5, longest=4)


def test_what_is_kept_for_the_gradient_is_small():
    states = torch.randn(1, 100, 64, requires_grad=True)
    start = torch.arange(90)
    kept = []
    hooks = torch.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: kept.append(t) or t, lambda t: t):
        span_max(states, torch.zeros_like(start), start, start + 10)
    bits = [tensor for tensor in kept if tensor.dim() > 1]
    assert {tensor.dtype for tensor in bits} == {torch.bool}
    assert sum(tensor.numel() for tensor in bits) <= (90 + 3 * 100) * 64  # 10 tokens: 3 levels
