"""Cells and grids against slow loops."""

from __future__ import annotations

from dataclasses import fields
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.grids import Grids, grids_of, with_all_cells
from docre.heads import Classifier, PairHead
from docre.outputs import Encoded
from tests.batches import make_batch

SIZES = st.lists(st.integers(0, 5), min_size=1, max_size=5)
CPU = torch.device("cpu")


@st.composite
def batches(draw):
    """Batches with some of the pairs, in any order, of documents with some entities."""
    sizes = draw(SIZES)
    pairs = []
    for size in sizes:
        all_pairs = [(h, t) for h in range(size) for t in range(size)]
        chosen = st.lists(st.sampled_from(all_pairs), unique=True) if all_pairs else st.just([])
        pairs.append(draw(chosen))
    entities = [[[1] for _ in range(size)] for size in sizes]
    labels = [[(*pair, 0) for pair in of[:1]] for of in pairs]
    return make_batch([[5] * 3] * len(sizes), entities, pairs, labels)


def all_cells(sizes):
    return [
        (d, row, column) for d, n in enumerate(sizes) for row in range(n) for column in range(n)
    ]


@given(SIZES)
def test_coordinates_are_those_of_a_loop(sizes):
    grids = Grids(sizes)
    document, row, column, side = grids.coordinates(CPU)
    found = list(zip(document.tolist(), row.tolist(), column.tolist(), strict=True))
    assert found == all_cells(sizes)
    assert side.tolist() == [sizes[d] for d, _, _ in found]
    assert grids.cells == len(found)
    offsets = grids.offsets(CPU).tolist()
    assert offsets == [sum(n * n for n in sizes[:d]) for d in range(len(sizes) + 1)]


@given(SIZES)
def test_stacks_hold_every_document_once(sizes):
    grids = Grids(sizes)
    cells = torch.tensor(all_cells(sizes)).reshape(-1, 3)
    stacks = grids.split(cells)
    assert (
        [stack.shape[1] for stack in stacks]
        == grids.sides
        == list(dict.fromkeys(filter(None, sizes)))
    )
    seen = []
    for stack in stacks:
        for grid in stack:
            document = int(grid[0, 0, 0])
            seen.append(document)
            for row, line in enumerate(grid.tolist()):
                for column, cell in enumerate(line):
                    assert cell == [document, row, column]
    assert sorted(seen) == [d for d, n in enumerate(sizes) if n]
    if stacks:
        assert torch.equal(grids.join(stacks), cells)
    assert torch.equal(grids.each(cells, torch.neg), -cells)


@given(SIZES)
def test_halves_are_stacked_as_the_whole(sizes):
    grids = Grids([4 * n + n % 3 for n in sizes])
    half = grids.halved()
    assert half.sizes == tuple(n // 2 for n in grids.sizes)
    assert half.sides == [n // 2 for n in grids.sides]
    cells = torch.tensor(all_cells(half.sizes)).reshape(-1, 3)
    stacks = half.split(cells)
    assert [len(stack) for stack in stacks] == [
        len(stack) for stack in grids.split(torch.zeros(grids.cells))
    ]
    if stacks:
        assert torch.equal(half.join(stacks), cells)


def test_nothing_to_join():
    with pytest.raises(ValueError, match="no grid"):
        Grids([0, 0]).join([])


@given(batches(), st.integers(0, 2))
def test_cells_of_pairs(batch, more):
    """The cell of a pair is where a loop finds it, in grids that may be larger."""
    grids = Grids([n + more if n else 0 for n in grids_of(batch).sizes])
    cells = all_cells(grids.sizes)
    found = [cells[cell] for cell in grids.cells_of(batch).tolist()]
    entity = batch.entity_offset[batch.pair_doc]
    columns = batch.pair_doc, batch.pair_head - entity, batch.pair_tail - entity
    assert found == list(zip(*(column.tolist() for column in columns), strict=True))


@given(batches())
def test_all_cells_in_place_of_the_pairs(batch):
    whole, cell, grids = with_all_cells(batch)
    entities = [
        n if pairs else 0 for n, pairs in zip(batch.sizes.entities, batch.sizes.pairs, strict=True)
    ]
    assert grids.sizes == tuple(entities)
    # the same batch, made of all pairs of the documents that have any
    expected = make_batch(
        batch.input_ids.tolist(),
        [[[1] for _ in range(n)] for n in batch.sizes.entities],
        [[(h, t) for h in range(n) for t in range(n)] for n in entities],
    )
    for field in fields(batch):
        if field.name != "labelled":
            found, wanted = getattr(whole, field.name), getattr(expected, field.name)
            same = torch.equal(found, wanted) if torch.is_tensor(found) else found == wanted
            assert same, field.name
    assert torch.equal(whole.pair_head[cell], batch.pair_head)
    assert torch.equal(whole.pair_tail[cell], batch.pair_tail)


class RowMean(Classifier):
    """Scores a pair by the mean over all pairs of the same head: it wants them all."""

    needs_grid = True

    def forward(self, head, tail, scene):
        grids = grids_of(scene.batch)
        assert len(head) == grids.cells == scene.batch.num_pairs
        mean = grids.join(
            [stack.mean(2, keepdim=True).expand_as(stack) for stack in grids.split(head * tail)]
        )
        return mean[:, : 1 + self.num_relations]


class Product(Classifier):
    """The same without the mean, and without the grid."""

    def forward(self, head, tail, scene):
        return (head * tail)[:, : 1 + self.num_relations]


TYPED = [[(1, 2), (0, 2)], [], [(1, 0)], [(2, 2)]]


@pytest.mark.parametrize("pairs", [None, TYPED])
def test_a_classifier_that_needs_the_grid_gets_it(pairs):
    entities = [[[1], [2], [3]], [[1]], [[1], [2]], [[1], [2, 3], [4]]]
    ids = [[5] * 6] * len(entities)
    batch = make_batch(ids, entities, pairs, [[(1, 2, 0)], [], [], []])
    make = torch.Generator().manual_seed(0)
    options = {"generator": make, "dtype": torch.float64}
    mentions = len(batch.mention_token)
    encoded = Encoded(torch.randn(4, 6, 5, **options), torch.rand(mentions, 2, 6, **options))

    def head_with(classifier):
        torch.manual_seed(1)
        return PairHead(5, 3, classifier=partial(classifier), width=8).double()

    output = head_with(RowMean)(encoded, batch)
    assert output.logits.shape == (batch.num_pairs, 4)

    # directly: every head against every tail of its document, one at a time
    plain = head_with(Product)
    every = [[(h, t) for h in range(len(of)) for t in range(len(of))] for of in entities]
    products = plain(encoded, make_batch(ids, entities, every)).logits
    where = {}
    for document, of in enumerate(every):
        for pair in of:
            where[document, *pair] = len(where)
    expected = []
    entity = batch.entity_offset[batch.pair_doc]
    for document, h in zip(
        batch.pair_doc.tolist(), (batch.pair_head - entity).tolist(), strict=True
    ):
        row = [where[document, h, t] for t in range(len(entities[document]))]
        expected.append(products[row].mean(0))
    torch.testing.assert_close(output.logits, torch.stack(expected))

    # contexts and their attention are those of the pairs of the batch
    alone = plain(encoded, batch).context
    torch.testing.assert_close(
        output.context.per_pair(output.context.states), alone.per_pair(alone.states)
    )
    torch.testing.assert_close(output.context.attention.per_pair(), alone.attention.per_pair())
