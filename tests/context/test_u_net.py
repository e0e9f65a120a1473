"""The U-Net context against a loop over cells, and what it owes to each document."""

import pytest
import torch

from docre.context import LocalizedContext, UNetContext
from docre.grids import Grids
from docre.outputs import Encoded
from tests.batches import make_batch
from tests.context.statistics import with_statistics

IDS = [[5] * 9, [5] * 6, [5] * 4, [5] * 7, [5] * 9, [5] * 8]
ENTITIES = [
    [[1, 4], [2], [3]],  # 3
    [[1], [2]],
    [[1]],  # no pairs
    [],
    [[1], [2], [3], [4], [5], [6], [7]],  # 7
    [[1], [2, 3], [4], [5], [6]],  # 5
]
ALL = range(len(IDS))
TYPED = [[(0, 2), (1, 2)], [(1, 0)], [(0, 0)], [], [(6, 1), (2, 2), (0, 5)], []]
WIDTH, HEADS = 6, 3


def made(height=None):
    torch.manual_seed(0)
    context = UNetContext(WIDTH, channels=2, down=8, out=5, height=height).double().eval()
    return with_statistics(context)


def scene(documents=ALL, pairs=None):
    """Encoded documents; each has the same numbers whichever documents are beside it."""
    ids, entities = [IDS[d] for d in documents], [ENTITIES[d] for d in documents]
    batch = make_batch(ids, entities, pairs and [pairs[d] for d in documents])
    tokens = torch.zeros(*batch.input_ids.shape, WIDTH, dtype=torch.float64)
    maps = torch.zeros(batch.num_entities, HEADS, batch.num_tokens, dtype=torch.float64)
    for row, d in enumerate(documents):
        make = torch.Generator().manual_seed(d)
        options = {"dtype": torch.float64, "generator": make}
        length = len(IDS[d])
        tokens[row, :length] = torch.randn(length, WIDTH, **options)
        first, last = batch.entity_offset[row], batch.entity_offset[row + 1]
        maps[first:last, :, :length] = torch.rand(len(ENTITIES[d]), HEADS, length, **options)
    return batch, Encoded(tokens, maps), maps


def per_pair(context, documents=ALL, pairs=None):
    batch, encoded, maps = scene(documents, pairs)
    output = context(encoded, None, maps, batch)
    values = output.per_pair(output.states)
    return list(values.split(list(batch.sizes.pairs)))


def drawn(context, batch, encoded, maps, side, beyond):
    """The picture of a document by a loop over its cells, [side * side, channels]."""
    n = len(maps)
    cells = []
    for row in range(side):
        for column in range(side):
            if beyond == "zero" and max(row, column) >= n:
                cells.append(torch.zeros(2, dtype=torch.float64))
                continue
            weights = (maps[min(row, n - 1)] * maps[min(column, n - 1)]).mean(0)
            weights = weights / (weights.sum() + 1e-5)
            cells.append(context.project(weights @ encoded.token_states[0]))
    return torch.stack(cells)


@pytest.mark.parametrize("pairs", [None, TYPED])
@pytest.mark.parametrize("height", [None, 7, 9])
def test_equal_to_a_loop_over_cells(height, pairs):
    context = made(height)
    together = per_pair(context, pairs=pairs)
    for document, found in enumerate(together):
        batch, encoded, maps = scene([document], pairs)
        if not batch.num_pairs:
            assert len(found) == 0
            continue
        side = height or max(4, len(maps))
        beyond = "zero" if height is None else "last"
        cells = drawn(context, batch, encoded, maps, side, beyond)
        read = context.network(cells, Grids([side])).view(side, side, -1)
        torch.testing.assert_close(found, read[batch.pair_head, batch.pair_tail])


@pytest.mark.parametrize("pairs", [None, TYPED])
def test_a_document_is_on_its_own(pairs):
    context = made()
    together = per_pair(context, pairs=pairs)
    assert torch.cat(together).std(0).min() > 1e-3  # or nothing below could fail
    order = [4, 2, 0, 5, 3, 1]
    turned = per_pair(context, order, pairs)
    for place, document in enumerate(order):
        torch.testing.assert_close(turned[place], together[document])
        torch.testing.assert_close(per_pair(context, [document], pairs)[0], together[document])


def test_some_of_the_pairs_have_the_contexts_they_have_among_all():
    every = [[(h, t) for h in range(len(of)) for t in range(len(of))] for of in ENTITIES]
    full = per_pair(made(), pairs=every)
    for document, found in enumerate(per_pair(made(), pairs=TYPED)):
        where = [every[document].index(pair) for pair in TYPED[document]]
        torch.testing.assert_close(found, full[document][where])


def test_padding_to_the_number_of_entities_changes_nothing():
    largest = per_pair(made(), [4])[0]
    torch.testing.assert_close(per_pair(made(7), [4])[0], largest)
    assert not torch.allclose(per_pair(made(9), [4])[0], largest)


def test_head_and_tail_are_told_apart():
    found = per_pair(made(), [5])[0]
    batch = scene([5])[0]
    pairs = list(zip(batch.pair_head.tolist(), batch.pair_tail.tolist(), strict=True))
    assert not torch.allclose(found, found[[pairs.index((t, h)) for h, t in pairs]])


@pytest.mark.parametrize("pairs", [None, TYPED])
def test_attention_is_that_of_the_localized_context(pairs):
    batch, encoded, maps = scene(pairs=pairs)
    found = made()(encoded, None, maps, batch).attention
    expected = LocalizedContext(WIDTH)(encoded, None, maps, batch).attention
    torch.testing.assert_close(found.per_pair(), expected.per_pair())
    some = torch.arange(batch.num_pairs - 1, 0, -2)
    torch.testing.assert_close(found.of(some), expected.of(some))


@pytest.mark.parametrize("documents", [ALL, [2, 3], [1]])
def test_every_parameter_gets_a_gradient(documents):
    """Plain DDP stops where one gets none, even in a batch without pairs."""
    context = made().train()
    batch, encoded, maps = scene(documents)
    output = context(encoded, None, maps, batch)
    assert output.per_pair(output.states).shape == (batch.num_pairs, 5)
    output.per_pair(output.states).square().sum().backward()
    for name, parameter in context.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    if len(batch) == len(IDS):
        assert context.project.weight.grad.abs().sum() > 0


def test_gradcheck():
    context = made()
    batch, encoded, maps = scene([1])

    def contexts(tokens, maps):
        output = context(Encoded(tokens, maps), None, maps, batch)
        return output.per_pair(output.states)

    inputs = [value.clone().requires_grad_() for value in (encoded.token_states, maps)]
    assert torch.autograd.gradcheck(contexts, inputs)


def test_autocast():
    context = made().float()
    batch, encoded, maps = scene()
    given = Encoded(encoded.token_states.float(), maps.float())
    expected = context(given, None, maps.float(), batch).states
    with torch.autocast("cpu", torch.bfloat16):
        found = context(given, None, maps.float(), batch).states
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


def test_sixty_entities():
    context = made()
    batch = make_batch([[5] * 70], [[[1 + e] for e in range(60)]])
    make = torch.Generator().manual_seed(0)
    options = {"dtype": torch.float64, "generator": make}
    maps = torch.rand(60, HEADS, 70, **options)
    encoded = Encoded(torch.randn(1, 70, WIDTH, **options), maps)
    output = context(encoded, None, maps, batch)
    assert output.per_pair(output.states).shape == (60 * 59, 5)
    assert output.states.isfinite().all()


def test_more_entities_than_rows():
    batch, encoded, maps = scene()
    with pytest.raises(ValueError, match="'document 4' has 7 entities, more than the height 6"):
        made(6)(encoded, None, maps, batch)
    with pytest.raises(ValueError, match="height is 4 or more, not 3"):
        made(3)
