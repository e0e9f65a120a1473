"""What reading a memory costs: ``python benchmarks/memory.py``.

The reader beside a plain two-layer transformer over the same pairs, and a memory of 20,000 slots
beside one of 200. All rows are timed in turn in one process, so only the ratios mean something.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from docre.memory import TokenTuringReader

FEW, MANY = 200, 20_000


def interleaved(rows: dict[str, Callable[[], object]], rounds: int) -> list[Tensor]:
    """Return median and fastest time of each row in ms; each round runs all of them once."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds + 2):
        for name, work in rows.items():
            start = time.perf_counter()
            work()
            if number >= 2:  # the first rounds warm up
                times[name].append(1000 * (time.perf_counter() - start))
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:<58} {median:9.1f} ms  (fastest {min(measured):.1f}, of {rounds})")
    return [torch.tensor([statistics.median(t), min(t)]) for t in times.values()]


def ratio(what: str, value: Tensor, bar: str) -> None:
    """Print a ratio beside what it should not exceed."""
    of_medians, of_fastest = value.tolist()
    print(f"{what:<58} {of_medians:9.3f}     (of fastest {of_fastest:.3f}; {bar})")


class Steps:
    """The work that is timed.

    Args:
        pairs: Number of pairs of a step.
        documents: Number of documents they come from.
        width: Width of head and tail.
    """

    def __init__(self, pairs: int, documents: int, width: int) -> None:
        self.head, self.tail = torch.randn(2, pairs, width).tanh().unbind()
        self.pair_doc = (torch.arange(pairs) * documents).div(pairs, rounding_mode="floor")
        self.seed = torch.randn(pairs, width)

    def inputs(self) -> tuple[Tensor, Tensor]:
        """Return head and tail with gradients of their own, as after an extractor."""
        return self.head.detach().requires_grad_(), self.tail.detach().requires_grad_()

    def train_reader(self, reader: TokenTuringReader) -> None:
        """Run forward and backward."""
        reader.zero_grad(set_to_none=True)
        head, tail = reader(*self.inputs(), self.pair_doc)
        torch.autograd.backward((head, tail), (self.seed, self.seed))

    def train_transformer(self, transformer: nn.Module) -> None:
        """Run forward and backward of the transformer alone."""
        transformer.zero_grad(set_to_none=True)
        tokens = torch.stack(self.inputs(), 1)
        output = transformer(tokens)
        output.backward(torch.stack((self.seed, self.seed), 1))

    def evaluate(self, reader: TokenTuringReader) -> None:
        """Run forward without gradients."""
        with torch.inference_mode():
            reader(self.head, self.tail, self.pair_doc)


def train_scoring(reader: TokenTuringReader, seed: Tensor) -> None:
    """Score the memory, forward and backward."""
    reader.zero_grad(set_to_none=True)
    reader.summarizer(reader.memory).backward(seed)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--documents", type=int, default=4)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    steps = Steps(given.pairs, given.documents, given.width)
    layer = nn.TransformerEncoderLayer(given.width, 8, given.width, dropout=0.0, batch_first=True)
    plain = nn.TransformerEncoder(layer, given.layers, enable_nested_tensor=False)

    def built(slots: int, axis: str = "slots") -> TokenTuringReader:
        return TokenTuringReader(given.width, slots=slots, layers=given.layers, axis=axis)

    few, many, by_document = built(FEW), built(MANY), built(FEW, "document")
    seed = torch.randn(MANY, 2)
    print(
        f"{given.pairs:,} pairs of {given.documents} documents, width {given.width}, "
        f"{given.layers} layers, {given.threads} threads, torch {torch.__version__}"
    )
    transformer, small, document, large, scoring = interleaved(
        {
            "train: plain transformer": lambda: steps.train_transformer(plain),
            f"train: reader, {FEW} slots": lambda: steps.train_reader(few),
            f"train: reader, {FEW} slots, axis document": lambda: steps.train_reader(by_document),
            f"train: reader, {MANY:,} slots": lambda: steps.train_reader(many),
            f"train: scoring {MANY:,} slots alone": lambda: train_scoring(many, seed),
        },
        given.rounds,
    )
    few.eval(), many.eval()
    small_seen, large_seen = interleaved(
        {
            f"evaluate: reader, {FEW} slots": lambda: steps.evaluate(few),
            f"evaluate: reader, {MANY:,} slots": lambda: steps.evaluate(many),
        },
        3 * given.rounds,
    )
    ratio("reader / plain transformer", small / transformer, "bar 1.2")
    ratio("reader over documents / plain transformer", document / transformer, "no bar")
    ratio(f"{MANY:,} slots / ({FEW} slots + scoring)", large / (small + scoring), "bar 1.1")
    ratio(
        "what more slots add / scoring them", (large - small) / scoring, "bar 1.1, if taken alone"
    )
    ratio(f"evaluation, {MANY:,} slots / {FEW} slots", large_seen / small_seen, "bar 1.03")


if __name__ == "__main__":
    main()
