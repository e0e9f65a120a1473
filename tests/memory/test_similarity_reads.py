"""Reads against loops over inputs and slots, and what their formulas imply."""

from __future__ import annotations

import math

import pytest
import torch

from docre.memory import (
    CosineSimilarity,
    FlatInputs,
    InverseRead,
    NormalRead,
    PaddedInputs,
    ReadingLevel,
    inverse_gate,
    read_warmup_steps,
    switch_reads,
)

WIDTH, WIDTHS, SLOTS = 5, (4, 6), (3, 2)
SIZES = (4, 1, 0, 6)  # inputs of each document
NORMS = ("published", "count")


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def build(kind, widths=WIDTHS, **options):
    made = kind(WIDTH, widths, **options).double()
    for number, parameter in enumerate(made.parameters()):
        parameter.data = 0.7 * randn(*parameter.shape, seed=10 + number)
    return made


def memories():
    shapes = zip(SLOTS, WIDTHS, strict=True)
    return [randn(*shape, seed=30 + k).requires_grad_() for k, shape in enumerate(shapes)]


def documents(filling=9.0):
    """The same documents padded and flat."""
    flat = randn(sum(SIZES), WIDTH)
    mask = torch.arange(max(SIZES)) < torch.tensor(SIZES).unsqueeze(1)
    padded = torch.full((*mask.shape, WIDTH), filling, dtype=torch.float64)
    padded[mask] = flat
    document = torch.arange(len(SIZES)).repeat_interleave(torch.tensor(SIZES))
    return flat, FlatInputs(document, len(SIZES)), padded, PaddedInputs(mask)


def score(read, k, x, slot):
    weight = read.similarities[k].weight
    return float((x @ weight.T @ slot).detach())


def naive_gates(read, states, matrices):
    """Gates of the inputs of one document, slot by slot."""
    gates = []
    for k, matrix in enumerate(matrices):
        gate = [0.0] * len(states)
        for slot in matrix:
            exps = [math.exp(score(read, k, x, slot)) for x in states]
            for t, value in enumerate(exps):
                gate[t] += value / sum(exps)
        if read.gate_norm == "count":
            gate = [value * len(states) / len(matrix) for value in gate]
        gates.append(gate)
    return gates


@pytest.mark.parametrize("gate_norm", NORMS)
def test_inverse_read_is_its_formula(gate_norm):
    read, matrices = build(InverseRead, gate_norm=gate_norm), memories()
    flat, flat_inputs, padded, padded_inputs = documents()
    found = read(flat, matrices, flat_inputs)
    again = read(padded, matrices, padded_inputs)
    torch.testing.assert_close(again[padded_inputs.mask], found)
    for number in range(len(SIZES)):
        own = flat_inputs.document == number
        gates = naive_gates(read, flat[own], matrices)
        for t, x in enumerate(flat[own]):
            wanted = (x + gates[0][t] * x + gates[1][t] * x) / 3
            torch.testing.assert_close(found[own][t], wanted)


def test_normal_read_is_its_formula():
    read, matrices = build(NormalRead), memories()
    flat, flat_inputs, padded, padded_inputs = documents()
    found = read(flat, matrices, flat_inputs)
    again = read(padded, matrices, padded_inputs)
    torch.testing.assert_close(again[padded_inputs.mask], found)
    for t, x in enumerate(flat):
        joined = [x]
        for k, matrix in enumerate(matrices):
            exps = [math.exp(score(read, k, x, slot)) for slot in matrix]
            weighed = zip(exps, matrix, strict=True)
            joined.append(sum(value / sum(exps) * slot for value, slot in weighed))
        wanted = read.merge.weight @ torch.cat(joined) + read.merge.bias
        torch.testing.assert_close(found[t], wanted)


def test_gates_of_a_document_add_up_to_the_slots():
    """So the average factor falls with the number of inputs, whatever was learned."""
    flat, inputs, *_ = documents()
    read, even = (build(InverseRead, gate_norm=norm).requires_grad_(False) for norm in NORMS)
    matrices = [matrix.detach() for matrix in memories()]
    for published, count, slots in zip(
        read.gates(flat, matrices, inputs), even.gates(flat, matrices, inputs), SLOTS, strict=True
    ):
        for number, size in enumerate(SIZES):
            own = inputs.document == number
            assert float(published[own].sum()) == pytest.approx(slots if size else 0)
            assert float(count[own].sum()) == pytest.approx(size)
    factor = (read(flat, matrices, inputs) / flat)[inputs.document == 3]
    assert float(factor.mean()) == pytest.approx((1 + 3 / 6 + 2 / 6) / 3)
    factor = (even(flat, matrices, inputs) / flat)[inputs.document == 3]
    assert float(factor.mean()) == pytest.approx(1)


def test_an_inverse_read_only_scales():
    """Nothing of a slot comes into an input but one number."""
    flat, inputs, *_ = documents()
    factor = build(InverseRead)(flat, memories(), inputs) / flat
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    assert factor[:, 0].std() > 0.01


def test_a_read_from_one_slot_is_the_slot():
    read, slot = build(NormalRead, widths=(4,)), randn(1, 4, seed=5)
    flat, inputs, *_ = documents()
    wanted = read.merge(torch.cat((flat, slot.expand(len(flat), -1)), 1))
    torch.testing.assert_close(read(flat, [slot], inputs), wanted)


def test_nothing_but_padding_is_weighed_evenly():
    inputs = PaddedInputs(torch.tensor([[False] * 5, [True] * 3 + [False] * 2]))
    weights = inputs.softmax(randn(2, 5, 3))
    torch.testing.assert_close(weights[0], torch.full((5, 3), 0.2, dtype=torch.float64))
    assert not weights[1, 3:].any()
    assert float(inverse_gate(randn(2, 5, 3), inputs)[0].sum()) == pytest.approx(3)
    assert not inputs.clean(randn(2, 5, 3))[~inputs.mask].any()


@pytest.mark.parametrize("filling", [1e30, -1e30, float("-inf"), float("nan")])
@pytest.mark.parametrize("gate_norm", NORMS)
def test_padding_may_hold_anything(filling, gate_norm):
    reads = [build(InverseRead, gate_norm=gate_norm), build(NormalRead)]
    level, matrices = ReadingLevel(reads), memories()
    flat, flat_inputs, padded, padded_inputs = documents(filling)
    padded.requires_grad_()
    found = level(padded, matrices, padded_inputs)
    torch.testing.assert_close(found[padded_inputs.mask], level(flat, matrices, flat_inputs))
    found[padded_inputs.mask].square().sum().backward()
    for values in (padded, *matrices, *level.parameters()):
        assert torch.isfinite(values.grad).all()
    assert not padded.grad[~padded_inputs.mask].any()


@pytest.mark.parametrize("kind", [InverseRead, NormalRead])
def test_documents_are_on_their_own(kind):
    read, matrices = build(kind), memories()
    flat, inputs, *_ = documents()
    whole = read(flat, matrices, inputs)
    own = inputs.document == 3
    alone = read(flat[own], matrices, FlatInputs(torch.zeros(6, dtype=torch.long), 1))
    torch.testing.assert_close(alone, whole[own])
    assert read(flat[:0], matrices, FlatInputs(inputs.document[:0], 2)).shape == (0, WIDTH)


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("gate_norm", NORMS)
def test_gradient_by_differences(gate_norm, flat):
    level = ReadingLevel([build(InverseRead, gate_norm=gate_norm), build(NormalRead)])
    names = [name for name, _ in level.named_parameters()]
    states, inputs = documents()[:2] if flat else documents()[2:]

    def read(states, first, second, *weights):
        named = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(level, named, (states, [first, second], inputs))

    weights = [value.detach().requires_grad_() for value in level.parameters()]
    assert torch.autograd.gradcheck(read, (states.requires_grad_(), *memories(), *weights))


def test_reads_come_one_after_another():
    first, second, matrices = build(InverseRead), build(NormalRead), memories()
    flat, inputs, *_ = documents()
    found = ReadingLevel([first, second])(flat, matrices, inputs)
    wanted = second(first(flat, matrices, inputs), matrices, inputs)
    assert torch.equal(found, wanted)
    other = ReadingLevel([second, first])(flat, matrices, inputs)
    assert not torch.allclose(found, other)
    assert torch.equal(ReadingLevel([])(flat, matrices, inputs), flat)


def test_any_number_of_memories():
    flat, inputs, *_ = documents()
    assert torch.equal(InverseRead(WIDTH, [])(flat, [], inputs), flat)
    one = build(InverseRead, widths=WIDTHS[:1])
    gate = one.gates(flat, memories()[:1], inputs)[0]
    wanted = flat * (1 + gate.unsqueeze(1)) / 2
    torch.testing.assert_close(one(flat, memories()[:1], inputs), wanted)
    for kind in (InverseRead, NormalRead):
        with pytest.raises(ValueError, match="zip"):
            build(kind)(flat, memories()[:1], inputs)


@pytest.mark.parametrize("on", [True, False])
def test_memories_learn_from_reads_or_not(on):
    level, matrices = ReadingLevel([build(InverseRead), build(NormalRead)], on), memories()
    flat, inputs, *_ = documents()
    level(flat, matrices, inputs).square().sum().backward()
    assert all((matrix.grad is not None) == on for matrix in matrices)
    assert all(parameter.grad.abs().sum() > 0 for parameter in level.parameters())


def test_nothing_is_read_before_the_warmup_ends():
    model = torch.nn.ModuleDict(
        {"tokens": ReadingLevel([build(InverseRead)]), "other": torch.nn.Linear(1, 1)}
    )
    level, matrices = model["tokens"], memories()
    flat, inputs, *_ = documents()
    read = level(flat, matrices, inputs)
    switch_reads(model, False)
    assert not level.reading
    states = flat.clone().requires_grad_()
    found = level(states, matrices, inputs)
    assert torch.equal(found, flat)  # and not a third of it
    found.sum().backward()
    torch.testing.assert_close(states.grad, torch.ones_like(flat))
    for parameter in level.parameters():  # what data-parallel training needs
        assert parameter.grad is not None
        assert not parameter.grad.any()
    switch_reads(model, True)
    assert torch.equal(level(flat, matrices, inputs), read)
    assert not ReadingLevel([build(InverseRead)]).state_dict().keys() & {"reading"}


def test_a_share_or_a_number_of_updates():
    assert read_warmup_steps(0.4, 30080) == 12032
    assert read_warmup_steps(0.0, 50) == 0
    assert read_warmup_steps(1.0, 50) == 50
    assert read_warmup_steps(1, 50) == 1
    for wrong in (-0.1, 1.5, -1):
        with pytest.raises(ValueError, match=f"proportion: {wrong}"):
            read_warmup_steps(wrong, 50)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="gate_norm: 'none'"):
        InverseRead(WIDTH, [3], gate_norm="none")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_half_precision(dtype, size):
    torch.manual_seed(0)
    level = ReadingLevel([InverseRead(32, [32, 16], gate_norm="count"), NormalRead(32, [32, 16])])
    matrices = [torch.randn(count, width) * 0.3 for count, width in ((6, 32), (96, 16))]
    matrices = [matrix.requires_grad_() for matrix in matrices]
    states = (torch.rand(3, 20, 32) - 0.5) * size
    inputs = PaddedInputs(torch.arange(20) < torch.tensor([[20], [7], [0]]))
    exact = level(states, matrices, inputs)
    with torch.autocast("cpu", dtype):
        half = level(states.to(dtype), matrices, inputs)
    assert half.dtype == dtype
    assert torch.isfinite(half).all()
    if size == 1:
        torch.testing.assert_close(half.float(), exact, atol=0.05, rtol=0.05)
    half.float().mean().backward()
    for values in (*matrices, *level.parameters()):
        assert torch.isfinite(values.grad).all()
    small = [matrix.detach().to(dtype) for matrix in matrices]
    pure = level.to(dtype)(states.to(dtype), small, inputs)
    assert pure.dtype == dtype
    assert torch.isfinite(pure).all()


def test_reads_compare_as_they_are_told():
    read = InverseRead(WIDTH, [WIDTH], similarity=CosineSimilarity)
    assert not list(read.parameters())
    flat, inputs, *_ = documents()
    scaled = read.gates(1e3 * flat, [randn(2, WIDTH, seed=4)], inputs)
    torch.testing.assert_close(scaled, read.gates(flat, [randn(2, WIDTH, seed=4)], inputs))
