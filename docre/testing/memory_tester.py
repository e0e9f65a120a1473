"""Checks of memories."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from docre.memory.base import MemoryReader
from docre.testing.module_tester import Inputs, ModuleTester
from docre.testing.saying import must, must_equal

_DOCUMENTS = (0, 0, 0, 0, 0, 2, 3, 3, 3)  # 1 has no pair
_MEANT = "A memory that is meant to do so says {} = True in its test"


class MemoryTester(ModuleTester):
    """All checks of a memory.

    Attributes:
        width: Of head and tail.
        sees_other_documents: A pair depends on those of other documents of its batch.
        sees_other_pairs: A pair depends on the others of its document.
        order_of_pairs_matters: A pair depends on the order in which they stand.

    Example:
        A test module of one's own::

            class TestMyMemory(MemoryTester):
                def make(self, width):
                    return MyMemory(width)
    """

    width: ClassVar[int] = 16
    sees_other_documents: ClassVar[bool] = False
    sees_other_pairs: ClassVar[bool] = False
    order_of_pairs_matters: ClassVar[bool] = False

    def make(self, width: int) -> MemoryReader:
        """Return a new memory; to be written by the author."""
        raise NotImplementedError("def make(self, width) returns a new memory")

    def build(self) -> nn.Module:
        """Return a new memory."""
        return self.make(self.width)

    def inputs(self) -> Inputs:
        """Return heads, tails and documents of some pairs."""
        draw = torch.Generator().manual_seed(3)
        size = (2, len(_DOCUMENTS), self.width)
        head, tail = torch.randn(size, generator=draw, dtype=torch.float64).tanh()
        return head, tail, torch.tensor(_DOCUMENTS)

    def empty_inputs(self) -> Inputs:
        """Return no pair."""
        return self._some([])

    def outputs(self, module: nn.Module, inputs: Inputs) -> tuple[Tensor, ...]:
        """Return the new heads and tails."""
        found = module(*inputs)
        must(
            isinstance(found, tuple) and len(found) == 2,
            f"{self.name(module)}.forward returns the two tensors (head, tail)",
        )
        return tuple(found)

    def sources(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return head and tail."""
        return {"head": inputs[0], "tail": inputs[1]}

    def test_is_a_memory(self) -> None:
        """A head knows its parts by their base classes."""
        made = self.build()
        name = self.name(made)
        must(isinstance(made, MemoryReader), f"{name} is a subclass of docre.memory.MemoryReader")
        known = getattr(made, "width", None) == self.width
        must(known, f"{name} hands its width on: super().__init__(width)")

    @pytest.mark.parametrize("count", [0, 1, 2, len(_DOCUMENTS)])
    def test_shapes_stay(self, count: int) -> None:
        """Heads and tails come back in the shape they had, however many there are."""
        module = self.ready()
        inputs = self._some(list(range(count)))
        for found in self.outputs(module, inputs):
            must(
                found.shape == (count, self.width) and bool(found.isfinite().all()),
                f"{self.name(module)} gives {tuple(found.shape)} for {count} pairs of width "
                f"{self.width}, or numbers that are not finite",
            )

    def test_other_documents_do_not_matter(self) -> None:
        """Pairs of a document alone come out as among others."""
        if self.sees_other_documents:
            pytest.skip("sees_other_documents: it is meant to")
        self._check(
            [6, 7, 8],
            "the pairs of a document come out differently beside those of others. Group by "
            "pair_doc; " + _MEANT.format("sees_other_documents"),
        )

    def test_other_pairs_do_not_matter(self) -> None:
        """A pair comes out the same, whichever others are there."""
        if self.sees_other_pairs or self.sees_other_documents:
            pytest.skip("sees_other_pairs: it is meant to")
        self._check(
            [1, 3, 8],
            "a pair comes out differently beside other pairs. Read for each row by itself; "
            + _MEANT.format("sees_other_pairs"),
        )

    def test_order_of_pairs_does_not_matter(self) -> None:
        """Pairs of a document in another order come out the same."""
        if self.order_of_pairs_matters:
            pytest.skip("order_of_pairs_matters: it is meant to")
        self._check(
            [4, 2, 0, 1, 3, 5, 7, 8, 6],
            "the order of pairs changes what comes out. Take sums, means and maxima over pairs; "
            + _MEANT.format("order_of_pairs_matters"),
        )

    def test_documents_are_only_told_apart(self) -> None:
        """Which numbers documents have in a batch is by chance."""
        module, (head, tail, document) = self.ready(), self.inputs()
        expected = self.outputs(module, (head, tail, document))
        for found, wanted in zip(
            self.outputs(module, (head, tail, 2 * document + 5)), expected, strict=True
        ):
            must_equal(
                found,
                wanted,
                self.tolerance,
                f"{self.name(module)}: the numbers in pair_doc change what comes out. They only "
                "say which pairs are of the same document",
            )

    def _some(self, pairs: list[int]) -> Inputs:
        chosen = torch.tensor(pairs, dtype=torch.long)
        head, tail, document = self.inputs()
        # pairs of a document stand together, whichever of them are there
        return head[chosen], tail[chosen], document[chosen]

    def _check(self, pairs: list[int], what: str) -> None:
        """Compare what becomes of some pairs with what becomes of them among all."""
        module = self.ready()
        every = self.outputs(module, self.inputs())
        some = self.outputs(module, self._some(pairs))
        for found, expected in zip(some, every, strict=True):
            must_equal(found, expected[pairs], self.tolerance, f"{self.name(module)}: {what}")
