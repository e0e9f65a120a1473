"""Pooling spans by a table of maxima, beside a mask over all tokens.

    python benchmarks/span_pooling.py

One document of 250 words in ten sentences: all its candidates for mentions, and what lies between
the mentions of all pairs of its entities. The mask is applied to some hundred spans at a time, so
that it is not slowed down by the memory it would take at once. Both are timed in turn in one
process, so only the ratios mean something. One thread, for on a busy machine several wait for each
other after every short operation, and the table has many of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from docre.joint import all_mention_pairs, candidate_spans, span_max

Span = tuple[Tensor, Tensor, Tensor]


def masked_max(states: Tensor, spans: Span, chunk: int) -> Tensor:
    """Return the maximum of each span under a mask over all tokens of its document."""
    position = torch.arange(states.shape[1])
    found = []
    for document, start, end in zip(*(part.split(chunk) for part in spans), strict=True):
        inside = (position >= start[:, None]) & (position < end[:, None])  # [n, T]
        masked = states[document].masked_fill(~inside[..., None], -torch.inf)  # [n, T, D]
        found.append(masked.max(1).values.masked_fill((end <= start)[:, None], 0))
    return torch.cat(found)  # [N, D]


def document(words: int, sentences: int, mentions: int, width: int) -> tuple[Tensor, Span, Span]:
    """Return token states, candidates, and what lies between mentions."""
    lengths = torch.full((sentences,), words // sentences)
    candidates = candidate_spans(lengths, torch.arange(int(lengths.sum()) + 1), 10)
    some = candidates.of(torch.randperm(len(candidates))[:mentions])
    entities = torch.arange(mentions + 1)
    head, tail = torch.cartesian_prod(entities[:-1], entities[:-1]).unbind(1)
    other = head != tail
    gaps = all_mention_pairs(head[other], tail[other], entities[:-1], entities, some).gaps
    states = torch.randn(1, int(lengths.sum()), width)
    return (
        states,
        (candidates.document, candidates.start, candidates.end),
        (gaps.document, gaps.start, gaps.end),
    )


def step(pool: Callable[[Tensor, Span], Tensor], states: Tensor, spans: Span, seed: Tensor) -> None:
    """Run forward and backward."""
    inputs = states.detach().requires_grad_()
    pool(inputs, spans).backward(seed)


def timed(rows: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each row in ms; each round runs all of them once."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds + 1):
        for name, work in rows.items():
            start = time.perf_counter()
            work()
            if number:  # the first round warms up
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(measured) for name, measured in times.items()}


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--words", type=int, default=250)
    parser.add_argument("--sentences", type=int, default=10)
    parser.add_argument("--mentions", type=int, default=26)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--chunk", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    states, *both = document(given.words, given.sentences, given.mentions, given.width)

    def by_mask(inputs: Tensor, spans: Span) -> Tensor:
        return masked_max(inputs, spans, given.chunk)

    def by_table(inputs: Tensor, spans: Span) -> Tensor:
        return span_max(inputs, *spans)

    print(f"width {given.width}, {given.threads} threads, torch {torch.__version__}")
    for what, spans in zip(("candidates", "gaps between mentions"), both, strict=True):
        seed = torch.randn(len(spans[0]), given.width)
        assert torch.equal(by_mask(states, spans), by_table(states, spans))
        mask, table, mask_step, table_step = timed(
            {
                "mask, forward": lambda s=spans: by_mask(states, s),
                "table, forward": lambda s=spans: by_table(states, s),
                "mask, both": lambda s=spans, g=seed: step(by_mask, states, s, g),
                "table, both": lambda s=spans, g=seed: step(by_table, states, s, g),
            },
            given.rounds,
        ).values()
        print(f"{len(spans[0]):,} {what}")
        print(f"  forward              {mask:8.1f} / {table:6.1f} ms = {mask / table:6.1f}")
        ratio = mask_step / table_step
        print(f"  forward and backward {mask_step:8.1f} / {table_step:6.1f} ms = {ratio:6.1f}")


if __name__ == "__main__":
    main()
