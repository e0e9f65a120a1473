"""Windows against a slow loop over tokens."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.errors import DocreError
from docre.windows import WindowScheme, merge_rows, merge_states, place_mentions, read_windows

LENGTHS = [1, 2, 9, 10, 11, 17, 18, 19, 20, 21, 25, 33, 50, 97]


@st.composite
def schemes(draw):
    size = draw(st.integers(2, 40))
    start = draw(st.integers(0, min(2, size - 1)))
    end = draw(st.integers(0, min(2, size - 1 - start)))
    overlap = draw(st.integers(0, size - 1 - start - end))
    uncovered = draw(st.sampled_from(["cover", "published"]))
    return WindowScheme(size, overlap, start, end, uncovered)


def oracle_pieces(length, scheme):
    """What each window reads as (position, counts) pairs, from the published description."""
    size, start, end = scheme.size, scheme.start_tokens, scheme.end_tokens
    starts, ends = [(0, False)] * start, [(length - 1, False)] * end
    return [
        [(i, True) for i in range(size - end)] + ends,
        starts + [(i, True) for i in range(length - size + start, length)],
    ]


def own_pieces(length, scheme, padded):
    return [
        [(0, False)] * w.lead
        + [(i, True) for i in range(w.start, w.end)]
        + [(length - 1, False)] * w.tail
        for w in scheme.plan([length], padded)
    ]


@given(schemes(), st.integers(1, 300))
def test_every_token_is_covered(scheme, length):
    padded = length + 3
    windows = scheme.plan([length], padded)
    covered = np.zeros(padded)
    for window in windows:
        covered[window.start : window.end] += 1
    if length <= scheme.size:
        assert [(w.start, w.end) for w in windows] == [(0, min(padded, scheme.size))]
        return
    assert covered[length:].sum() == 0
    # two windows reach it, or it is for the published systems to leave some out
    if scheme.uncovered == "cover" or length > 2 * scheme.size:
        assert covered[:length].min() >= 1
    assert windows[0].start == 0
    assert windows[-1].end == length
    for window in windows:
        assert window.lead + window.end - window.start + window.tail == scheme.size
        assert window.lead == (scheme.start_tokens if window.start else 0)
        assert window.tail == (scheme.end_tokens if window.end < length else 0)
    if len(windows) > 2:
        shared = [a.end - b.start for a, b in pairwise(windows)]
        assert min(shared) >= scheme.overlap
        assert max(shared) - min(shared) <= 1
        # one window less would not do
        around = scheme.start_tokens + scheme.end_tokens
        fewer = len(windows) - 1
        room = fewer * scheme.size - (fewer - 1) * around - (fewer - 1) * scheme.overlap
        assert room < length or (fewer == 2 and 2 * scheme.size - around < length)


@given(schemes(), st.integers(1, 300))
def test_two_windows_are_the_published_ones(scheme, length):
    size = scheme.size
    around = scheme.start_tokens + scheme.end_tokens
    limit = 2 * size if scheme.uncovered == "published" else 2 * size - around
    if size < length <= limit:
        assert own_pieces(length, scheme, length) == oracle_pieces(length, scheme)
    elif length > size:
        assert len(own_pieces(length, scheme, length)) >= 3


def slow_merge(batch, scheme, states_of, rows_of, mentions):
    """Merge windows token by token."""
    padded = max(map(len, batch))
    width, heads = 3, 2
    all_states = np.zeros((len(batch), padded, width))
    all_rows = []
    number = 0
    for d, ids in enumerate(batch):
        pieces = own_pieces(len(ids), scheme, padded)
        sums = np.zeros((padded, width))
        count = np.zeros(padded)
        attention = np.zeros((len(mentions[d]), heads, padded))
        for piece in pieces:
            for local, (position, counts) in enumerate(piece):
                if not counts:
                    continue
                sums[position] += states_of[number][local]
                count[position] += 1
                for m, token in enumerate(mentions[d]):
                    if token == position:
                        for column, (other, column_counts) in enumerate(piece):
                            if column_counts:
                                attention[m, :, other] += rows_of[number][:, local, column]
            number += 1
        all_states[d] = sums / (count + 1e-10)[:, None]
        if len(pieces) > 1:
            attention = attention / (attention.sum(-1, keepdims=True) + 1e-10)
        all_rows.append(attention)
    return all_states, np.concatenate(all_rows)


@pytest.mark.parametrize("uncovered", ["cover", "published"])
@pytest.mark.parametrize("around", [(1, 1), (1, 2), (0, 1)])
@pytest.mark.parametrize("lengths", [LENGTHS[:3], LENGTHS[2:8], LENGTHS, [50, 3, 20], [97]])
def test_merging_is_what_a_loop_over_tokens_gives(lengths, around, uncovered):
    scheme = WindowScheme(10, 3, *around, uncovered)
    random = np.random.default_rng(len(lengths))
    padded = max(lengths)
    batch = [list(random.integers(5, 99, length)) for length in lengths]
    mentions = [list(random.integers(0, n, random.integers(0, 5))) for n in lengths]
    mentions[0] = [0]
    windows = scheme.plan(lengths, padded)
    size = min(padded, scheme.size)
    states = torch.from_numpy(random.normal(size=(len(windows), size, 3)))
    maps = torch.from_numpy(random.random((len(windows), 2, size, size)))

    flat = torch.tensor([token for of in mentions for token in of])
    counts = [len(of) for of in mentions]
    index, inside = place_mentions(flat, counts, windows)
    assert index.max() < size
    where = index[:, None, :, None].expand(-1, 2, -1, size)
    rows = maps.gather(2, where) * inside[:, None, :, None]
    ours = merge_states(states, windows, len(batch), padded)
    our_rows = merge_rows(rows, windows, counts, padded)
    expected, expected_rows = slow_merge(batch, scheme, states.numpy(), maps.numpy(), mentions)
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    np.testing.assert_allclose(our_rows, expected_rows, atol=1e-9)


def test_windows_read_copies_of_the_first_and_last_token():
    scheme = WindowScheme(8, 2, start_tokens=1, end_tokens=2)
    lengths = [14, 5, 10]
    ids = torch.arange(3 * 14).reshape(3, 14) + 100
    mask = torch.arange(14) < torch.tensor(lengths)[:, None]
    windows = scheme.plan(lengths, 14)
    read, seen = read_windows(ids, mask, lengths, windows)
    a, c = ids[0].tolist(), ids[2].tolist()
    assert read.tolist() == [
        [*a[:6], a[13], a[13]],
        [a[0], *a[4:9], a[13], a[13]],
        [a[0], *a[7:14]],
        ids[1, :8].tolist(),
        [*c[:6], c[9], c[9]],
        [c[0], *c[3:10]],
    ]
    assert seen.sum(1).tolist() == [8, 8, 8, 5, 8, 8]


def test_half_precision_rows_without_attention_are_zero():
    windows = WindowScheme(8, 2).plan([14], 14)
    rows = torch.zeros(2, 1, 1, 8, dtype=torch.float16)
    assert merge_rows(rows, windows, [1], 14).tolist() == [[[0.0] * 14]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((8, 6), "a window of 8 tokens is too small for 2 start and end tokens"),
        ((8, -1), "overlap must not be negative"),
        ((8, 1, -1), "start_tokens must not be negative"),
        ((8, 1, 1, -2), "end_tokens must not be negative"),
    ],
)
def test_impossible_windows(arguments, said):
    with pytest.raises(DocreError, match=said):
        WindowScheme(*arguments)


@pytest.mark.parametrize("windows", [8, 64])
def test_memory_grows_with_the_document_alone(windows):
    """A whole row for each window would be memory that grows with the square of the length."""
    scheme = WindowScheme(40, 10, 1, 1, "cover")
    length = windows * 28
    plan = scheme.plan([length], length)
    rows = torch.rand(len(plan), 2, 6, 40)
    states = torch.rand(len(plan), 40, 8)
    for merge, wide in (
        (lambda: merge_rows(rows, plan, [6], length), 6 * 2),
        (lambda: merge_states(states, plan, 1, length), 8),
    ):
        with torch.profiler.profile(profile_memory=True) as profile:
            merge()
        taken = sum(max(0, event.self_cpu_memory_usage) for event in profile.events())
        assert wide * length * 4 <= taken <= 5 * wide * length * 4
