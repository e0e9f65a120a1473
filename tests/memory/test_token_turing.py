"""The reader against its definition: every slot scored for every pair, attention by torch."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from docre.memory import MemoryReader, TokenTuringReader
from docre.memory.token_turing import document_lengths

WIDTH, SLOTS = 16, 7
PAIR_DOC = torch.tensor([0] * 5 + [2] + [3] * 6)
GRID = [
    pytest.param(axis, positions, layers, average, id=f"{axis}-{positions}-{layers}-{average}")
    for axis in ("slots", "document", "chunks")
    for positions in (False, True)
    for layers in (0, 1, 2)
    for average in (False, True)
]


def build(slots=SLOTS, width=WIDTH, **options):
    """A reader of which every parameter matters, also those that start at zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = TokenTuringReader(width, slots=slots, attention_heads=4, **options).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in reader.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.add_(0.3 * noise)
    return reader


def pairs(count=12, width=WIDTH):
    generator = torch.Generator().manual_seed(2)
    head, tail = torch.randn(2, count, width, generator=generator, dtype=torch.float64)
    return head.requires_grad_(), tail.requires_grad_()


def naive(reader, head, tail, groups):
    """The definition. ``groups``: lists of pairs that attend to one another, or none."""
    weights = dict(reader.named_parameters())
    tokens = torch.stack((head, tail), 1)
    memory = weights["memory"].expand(len(head), -1, -1)
    every = torch.cat((memory, tokens), 1)
    if reader.positions is not None:
        every = every + weights["positions"]
    hidden = functional.layer_norm(
        every, every.shape[-1:], weights["summarizer.norm.weight"], weights["summarizer.norm.bias"]
    )
    for layer in ("hidden", "output"):
        name = f"summarizer.mlp.{layer}"
        hidden = functional.linear(hidden, weights[f"{name}.weight"], weights[f"{name}.bias"])
        hidden = functional.gelu(hidden) if layer == "hidden" else hidden
    read = hidden.softmax(1).transpose(1, 2) @ every
    for number, layer in enumerate(reader.processor.layers):
        ours = {
            name: weights[f"processor.layers.{number}.{name}"]
            for name, _ in layer.named_parameters()
        }
        torch_layer = nn.TransformerEncoderLayer(
            WIDTH, 4, WIDTH, dropout=0.0, batch_first=True, dtype=torch.float64
        )
        if groups is None:
            read = torch.func.functional_call(torch_layer, ours, (read,))
        else:
            pieces = [
                torch.func.functional_call(torch_layer, ours, (read[group].transpose(0, 1),))
                for group in groups
            ]
            read = torch.cat([piece.transpose(0, 1) for piece in pieces])
    if reader.residual_average:
        read = (read + tokens) / 2
    return read[:, 0], read[:, 1]


@pytest.mark.parametrize(("axis", "positions", "layers", "average"), GRID)
def test_closed_form_is_the_definition(axis, positions, layers, average):
    reader = build(axis=axis, chunk=5, positions=positions, layers=layers, residual_average=average)
    groups = {
        "slots": None,
        "document": [range(5), range(5, 6), range(6, 12)],
        "chunks": [range(5), range(5, 10), range(10, 12)],
    }[axis]
    inputs = [*pairs(), *reader.parameters()]
    generator = torch.Generator().manual_seed(3)
    cotangents = torch.randn(2, len(PAIR_DOC), WIDTH, generator=generator, dtype=torch.float64)
    found = reader(*inputs[:2], PAIR_DOC)
    expected = naive(reader, *inputs[:2], groups)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)
    gradients = torch.autograd.grad(found, inputs, cotangents.unbind())
    wanted = torch.autograd.grad(expected, inputs, cotangents.unbind())
    torch.testing.assert_close(gradients, wanted, atol=1e-10, rtol=1e-10)


def test_gradient_by_differences():
    reader = build(layers=1)
    assert torch.autograd.gradcheck(lambda *given: reader(*given, PAIR_DOC[:4]), pairs(4))


def test_each_pair_is_on_its_own_with_axis_slots():
    reader = build()
    head, tail = pairs()
    whole = torch.stack(reader(head, tail, PAIR_DOC))
    order = torch.tensor([3, 11, 0, 7])
    some = torch.stack(reader(head[order], tail[order], PAIR_DOC[order].sort().values))
    torch.testing.assert_close(some, whole[:, order], atol=1e-13, rtol=0)
    slopes = torch.autograd.grad(whole[:, 3].sum(), head)[0]
    assert slopes[3].abs().min() > 0
    assert not slopes[torch.arange(len(slopes)) != 3].any()


def test_documents_are_on_their_own_with_axis_document():
    reader = build(axis="document", positions=True)
    head, tail = pairs()
    whole = torch.stack(reader(head, tail, PAIR_DOC))
    last = PAIR_DOC == 3
    alone = torch.stack(reader(head[last], tail[last], PAIR_DOC[last]))
    torch.testing.assert_close(alone, whole[:, last], atol=1e-13, rtol=0)
    slopes = torch.autograd.grad(whole[0, 7].sum(), head)[0]
    assert (slopes.abs().sum(1) > 0).tolist() == last.tolist()


def test_order_within_a_document_does_not_matter():
    reader = build(axis="document")
    head, tail = pairs()
    order = torch.tensor([4, 2, 0, 1, 3, 5, 11, 6, 10, 7, 9, 8])
    whole = torch.stack(reader(head, tail, PAIR_DOC))
    shuffled = torch.stack(reader(head[order], tail[order], PAIR_DOC))
    torch.testing.assert_close(shuffled, whole[:, order], atol=1e-13, rtol=0)


def test_chunks_warn_and_depend_on_the_batch():
    with pytest.warns(UserWarning, match="axis: with 'chunks'.*order of pairs"):
        TokenTuringReader(WIDTH, axis="chunks")
    reader = build(axis="chunks")
    head, tail = pairs()
    whole = reader(head, tail, PAIR_DOC)[0]
    assert not torch.allclose(reader(head[:3], tail[:3], PAIR_DOC[:3])[0], whole[:3])


@pytest.mark.parametrize("axis", ["slots", "document", "chunks"])
@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("count", [0, len(PAIR_DOC)])
def test_every_parameter_gets_a_gradient(axis, layers, count):
    reader = build(axis=axis, layers=layers, positions=True, residual_average=False)
    head, tail = reader(*pairs(count), PAIR_DOC[:count])
    assert head.shape == tail.shape == (count, WIDTH)
    (head.square().sum() + tail.sum()).backward()
    for name, parameter in reader.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_parts_can_be_frozen_by_name():
    reader = build()
    assert {name.split(".")[0] for name, _ in reader.named_parameters()} == {
        "memory",
        "summarizer",
        "processor",
    }
    reader.memory.requires_grad_(False)
    reader.summarizer.requires_grad_(False)
    sum(part.sum() for part in reader(*pairs(), PAIR_DOC)).backward()
    assert reader.memory.grad is None
    assert reader.processor.layers[0].linear1.weight.grad is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("axis", ["slots", "document"])
def test_half_precision(dtype, axis):
    torch.manual_seed(0)
    reader = TokenTuringReader(32, slots=5000, axis=axis)
    head, tail = torch.randn(2, 12, 32).tanh().unbind()
    exact = torch.stack(reader(head, tail, PAIR_DOC))
    with torch.autocast("cpu", dtype):
        half = torch.stack(reader(head, tail, PAIR_DOC))
        from_half = torch.stack(reader(head.to(dtype), tail.to(dtype), PAIR_DOC))
    torch.testing.assert_close(half, exact, atol=0.05, rtol=0.05, check_dtype=False)
    torch.testing.assert_close(from_half, exact, atol=0.05, rtol=0.05, check_dtype=False)
    half.float().square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in reader.parameters())
    pure = reader.to(dtype)(head.to(dtype), tail.to(dtype), PAIR_DOC)[0]
    assert pure.dtype == dtype
    torch.testing.assert_close(pure.float(), exact[0], atol=0.05, rtol=0.05)


def test_large_scores_stay_finite():
    reader = build()
    reader.summarizer.mlp.output.weight.data.mul_(1e4)
    sum(part.sum() for part in reader(*pairs(), PAIR_DOC)).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in reader.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": 0}, "slots: 0"),
        ({"layers": -1}, "layers: -1"),
        ({"attention_heads": 5}, "attention_heads: 5 does not divide width 16"),
        ({"axis": "pairs"}, "axis: 'pairs'"),
        ({"init": "zeros"}, "init: 'zeros'"),
        ({"chunk": 0}, "chunk: 0"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TokenTuringReader(WIDTH, **options)


def test_documents_out_of_order_are_refused():
    assert document_lengths(PAIR_DOC) == [5, 1, 6]
    assert document_lengths(PAIR_DOC[:0]) == []
    with pytest.raises(ValueError, match="pair_doc"):
        document_lengths(torch.tensor([0, 1, 0]))


def test_initialisation():
    torch.manual_seed(0)
    uniform = TokenTuringReader(64, slots=200).memory
    assert uniform.abs().max() <= (6 / 264) ** 0.5
    normal = TokenTuringReader(64, slots=200, init="normal", init_std=0.5).memory
    assert normal.std().item() == pytest.approx(0.5, rel=0.05)
    first, second = TokenTuringReader(16, layers=2).processor.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


def outputs(reader):
    with torch.no_grad():
        return torch.stack(reader(*pairs(), PAIR_DOC))


def test_prototypes_are_computed_once_in_evaluation():
    reader = build(positions=True).eval()
    calls = []
    reader.summarizer.register_forward_hook(lambda _m, given, _o: calls.append(given[0].shape))
    for _ in range(3):
        outputs(reader)
    assert calls.count((SLOTS, WIDTH)) == 1
    with torch.inference_mode():
        reader(*pairs(), PAIR_DOC)
    assert calls.count((SLOTS, WIDTH)) == 1
    reader(*pairs(), PAIR_DOC)  # gradients are wanted
    assert calls.count((SLOTS, WIDTH)) == 2
    outputs(reader)  # and with gradients there may have been a step
    assert calls.count((SLOTS, WIDTH)) == 3
    reader.train()
    outputs(reader)
    outputs(reader)
    assert calls.count((SLOTS, WIDTH)) == 5


def step_with(optimizer, **options):
    def change(reader):
        sum(part.square().sum() for part in reader(*pairs(), PAIR_DOC)).backward()
        optimizer(reader.parameters(), lr=0.1, **options).step()

    return change


def edit_memory(reader):
    with torch.no_grad():
        reader.memory[0].add_(1)


def edit_scores(reader):
    with torch.no_grad():
        reader.summarizer.mlp.hidden.bias.mul_(2).add_(1)


def edit_positions(reader):
    with torch.no_grad():
        reader.positions.add_(torch.arange(SLOTS + 2.0).unsqueeze(1))


def swap_memory(reader):
    reader.memory = nn.Parameter(reader.memory.detach() + 1)


def swap_data(reader):
    reader.memory.data = reader.memory.data + 1


def edit_data(reader):
    reader.memory.data.add_(1)  # past the version counter, so only the mode tells
    reader.train()
    reader.eval()


def load_weights(reader, assign=False):
    other = {name: value + 0.1 for name, value in reader.state_dict().items()}
    reader.load_state_dict(other, assign=assign)


CHANGES = {
    "sgd": step_with(torch.optim.SGD),
    "adamw": step_with(torch.optim.AdamW),
    "adamw_foreach": step_with(torch.optim.AdamW, foreach=True),
    "adamw_fused": step_with(torch.optim.AdamW, fused=True),
    "memory": edit_memory,
    "scores": edit_scores,
    "positions": edit_positions,
    "swapped": swap_memory,
    "swapped_data": swap_data,
    "data": edit_data,
    "loaded": load_weights,
    "assigned": lambda reader: load_weights(reader, assign=True),
    "single": lambda reader: reader.float().double(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change):
    reader = build(positions=True).eval()
    before = outputs(reader)
    CHANGES[change](reader)
    after = outputs(reader)
    assert not torch.equal(after, before)
    fresh = build(positions=True).eval()
    fresh.load_state_dict(reader.state_dict())
    assert torch.equal(after, outputs(fresh))


def test_cache_does_not_travel():
    reader = build().eval()
    before = outputs(reader)
    assert set(reader.state_dict()) == {name for name, _ in reader.named_parameters()}
    copies = [copy.deepcopy(reader), pickle.loads(pickle.dumps(reader))]
    file = io.BytesIO()
    torch.save(reader, file)
    file.seek(0)
    copies.append(torch.load(file, weights_only=False))
    for other in copies:
        assert torch.equal(outputs(other), before)
        edit_memory(other)
        assert not torch.equal(outputs(other), before)
    assert torch.equal(outputs(reader), before)


def test_cache_knows_about_autocast():
    reader = TokenTuringReader(WIDTH).eval()
    with torch.no_grad():
        exact = reader.prototypes().vectors
        with torch.autocast("cpu", torch.bfloat16):
            half = reader.prototypes().vectors
        assert not torch.equal(exact, half)
        assert torch.equal(reader.prototypes().vectors, exact)


def test_parameters_made_in_inference_mode():
    with torch.inference_mode():
        reader = TokenTuringReader(WIDTH).eval()
        head, tail = torch.randn(2, 3, WIDTH)
        assert reader(head, tail, PAIR_DOC[:3])[0].shape == (3, WIDTH)


def test_contract_of_a_reader():
    assert issubclass(TokenTuringReader, MemoryReader)
    reader = TokenTuringReader(WIDTH, slots=3)
    assert reader.width == WIDTH
    assert "slots=3" in repr(reader)
    with pytest.raises(TypeError, match="abstract"):
        MemoryReader(WIDTH)


def test_second_derivatives_are_refused():
    """Better than wrong ones."""
    head, tail = pairs()
    (slope,) = torch.autograd.grad(build()(head, tail, PAIR_DOC)[0].sum(), head, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
