"""Which logits are kept, and the order of pairs."""

import pytest
import torch

from docre.distillation.selection import places, row_major, strongest
from tests.batches import make_batch


def test_strongest():
    logits = torch.tensor([[5.0, 1.0, 3.0, 2.0], [-9.0, 0.0, -1.0, 4.0]])
    values, columns = strongest(logits, 3)
    assert values.tolist() == [[5, 3, 2], [-9, 4, 0]]
    assert columns.tolist() == [[0, 2, 3], [0, 3, 1]]
    values, columns = strongest(logits, 4)
    assert torch.equal(torch.zeros(2, 4).scatter(1, columns, values), logits)
    assert strongest(logits[:0], 2)[0].shape == (0, 2)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_impossible_counts(count):
    with pytest.raises(ValueError, match=f"2 to 4 logits of a pair can be kept, not {count}"):
        strongest(torch.zeros(2, 4), count)


def test_pairs_by_document_head_and_tail():
    pairs = [[(2, 0), (0, 1), (1, 0), (0, 2)], [], [(1, 0), (0, 1)]]
    entities = [[[0], [1], [2]], [], [[0], [1]]]
    batch = make_batch([[1, 2, 3], [4], [5, 6]], entities, pairs)
    order = row_major(batch)
    assert order.tolist() == [1, 3, 2, 0, 5, 4]
    assert order[places(order)].tolist() == list(range(6))
    assert places(order).tolist() == [3, 0, 2, 1, 5, 4]
    assert row_major(make_batch([[1, 2, 3]], [[[0], [1], [2]]])).tolist() == list(range(6))
