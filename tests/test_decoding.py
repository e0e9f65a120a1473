import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.decoding import Decoder, ThresholdDecoder, ZeroDecoder, above_threshold, above_zero

NAN = float("nan")
RULES = {"threshold": above_threshold, "zero": above_zero}
DECODERS = {"threshold": ThresholdDecoder, "zero": ZeroDecoder}


def slow(rows, rule, top_k):
    """Which columns are predicted, written from the definition."""
    found = []
    for row in rows:
        threshold = row[0] if rule == "threshold" else 0.0
        ranked = sorted((value for value in row if not math.isnan(value)), reverse=True)
        last = ranked[top_k - 1] if 0 < top_k <= len(ranked) else -math.inf
        found.append([value > threshold and value >= last for value in row[1:]])
    return found


# few values, so that there are ties
VALUES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, NAN, math.inf, -math.inf])


@given(
    rows=st.integers(1, 6).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1)
    ),
    top_k=st.integers(-1, 7),
    rule=st.sampled_from(sorted(RULES)),
)
def test_equal_to_the_definition(rows, top_k, rule):
    logits = torch.tensor(rows, dtype=torch.float64)
    assert RULES[rule](logits, top_k).tolist() == slow(rows, rule, top_k)


def test_worked_example():
    logits = torch.tensor([[0.5, 1.0, -0.3, 2.0], [0.1, 0.2, 0.0, -1.0], [1.0, -0.5, 0.7, 0.2]])

    def relations(mask):
        return [[r + 1 for r, predicted in enumerate(row) if predicted] for row in mask.tolist()]

    assert relations(above_threshold(logits)) == [[1, 3], [1], []]
    assert relations(above_threshold(logits, 1)) == [[3], [1], []]
    assert relations(above_zero(logits, 3)) == [[1, 3], [1], [2, 3]]


def test_equal_to_the_threshold_is_not_above():
    assert not above_threshold(torch.tensor([[1.0, 1.0, 0.5]])).any()
    assert not above_zero(torch.tensor([[1.0, 0.0, -0.5]])).any()


@given(
    rows=st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1)
    ),
    top_k=st.integers(-1, 5),
    shift=st.sampled_from([-1.5, -0.5, 0.0, 0.5, 2.0]),
)
def test_a_shift_moves_the_threshold_and_nothing_else(rows, top_k, shift):
    """Column 0 takes its place among the largest where it is moved to."""
    logits = torch.tensor(rows, dtype=torch.float64)
    moved = logits.clone()
    moved[:, 0] += shift
    decoder = ThresholdDecoder(top_k, shift)
    assert decoder.mask(logits).tolist() == above_threshold(moved, top_k).tolist()
    torch.testing.assert_close(decoder.threshold(logits), moved[:, 0], equal_nan=True)
    zero = ZeroDecoder(0, shift)
    assert zero.mask(logits).tolist() == (logits[:, 1:] > shift).tolist()
    assert zero.threshold(logits).tolist() == [shift] * len(rows)
    for each in (decoder, zero):
        assert (each.decode(logits).margin > 0).all()


def test_column_0_competes():
    logits = torch.tensor([[3.0, 2.0, 1.0]])
    assert above_zero(logits, 1).tolist() == [[False, False]]
    assert above_zero(logits, 2).tolist() == [[True, False]]
    # a threshold above all others leaves nothing to cap, one below takes no place of theirs
    assert above_threshold(torch.tensor([[1.5, 2.0, 1.0]]), 2).tolist() == [[True, False]]


def test_ties_at_the_last_place_are_kept():
    logits = torch.tensor([[0.0, 2.0, 1.0, 1.0, 0.5]])
    assert above_threshold(logits, 2).tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("top_k", [0, 1, 3])
def test_not_a_number_is_never_predicted(top_k):
    logits = torch.tensor([[0.0, NAN, 1.0], [NAN, 5.0, 1.0], [0.0, NAN, NAN]])
    assert above_threshold(logits, top_k).tolist() == [[False, True], [False, False], [False] * 2]
    assert above_zero(logits[:1], top_k).tolist() == [[False, True]]


@pytest.mark.parametrize("decoder", [ThresholdDecoder(4), ZeroDecoder(4)])
@pytest.mark.parametrize("shape", [(0, 6), (3, 1), (0, 1)])
def test_nothing_to_predict(decoder, shape):
    logits = torch.zeros(shape)
    assert decoder.mask(logits).shape == (shape[0], shape[1] - 1)
    assert len(decoder.decode(logits)) == 0


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("top_k", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_triples(name, top_k, dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 8, generator=generator, dtype=torch.float64).to(dtype)
    before = logits.clone()
    decoder = DECODERS[name](top_k)
    decoded = decoder.decode(logits)
    mask = RULES[name](logits, top_k)
    assert torch.equal(decoder.mask(logits), mask)
    expected = [
        (p, r, float(logits[p, r + 1]), float(logits[p, 0]) if name == "threshold" else 0.0)
        for p in range(50)
        for r in range(7)
        if mask[p, r]
    ]
    assert len(decoded) == len(expected) > 0
    assert decoded.pair.tolist() == [p for p, *_ in expected]
    assert decoded.relation.tolist() == [r for _, r, *_ in expected]
    assert decoded.score.tolist() == [score for *_, score, _ in expected]
    margins = [score - threshold for *_, score, threshold in expected]
    assert decoded.margin.tolist() == pytest.approx(margins)
    assert (decoded.margin > 0).all()
    assert decoded.score.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(logits, before)


def test_a_decoder_of_ones_own():
    class Best(Decoder):
        def mask(self, logits):
            return logits[:, 1:] == logits[:, 1:].amax(1, keepdim=True)

        def threshold(self, logits):
            return logits[:, 0]

    decoded = Best().decode(torch.tensor([[0.0, -1.0, -2.0], [0.0, 1.0, 2.0]]))
    assert decoded.relation.tolist() == [0, 1]
    assert decoded.margin.tolist() == [-1.0, 2.0]
    with pytest.raises(TypeError, match="abstract"):
        Decoder()
    assert repr(ThresholdDecoder(4)) == "ThresholdDecoder(top_k=4)"
