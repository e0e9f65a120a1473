"""What holds for every piece that makes one row a pair out of encoded documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from docre.batch import Batch
from docre.outputs import Encoded
from docre.testing.documents import CASES, EVERY_KIND, SEVERAL, ToyDocument
from docre.testing.module_tester import Inputs, ModuleTester
from docre.testing.saying import must, must_equal
from docre.testing.toy_batches import batch_of, encoded_of

_SAY_SO = "A piece that is meant to do so says {} = True in its test"


class PairTester(ModuleTester):
    """Checks of rows, one a pair: whose document, which pairs and what padding they depend on.

    Attributes:
        in_features: Width of the token states it is tried with.
        attention_heads: Heads of the attention it is tried with.
        sees_other_documents: A pair depends on which other documents are in its batch.
        sees_other_pairs: A pair depends on which other pairs of its document are asked for.
        order_of_entities_matters: A pair depends on the order in which entities are listed.
    """

    in_features: ClassVar[int] = 16
    attention_heads: ClassVar[int] = 4
    sees_other_documents: ClassVar[bool] = False
    sees_other_pairs: ClassVar[bool] = False
    order_of_entities_matters: ClassVar[bool] = False

    def rows(self, module: nn.Module, encoded: Encoded, batch: Batch) -> Tensor:
        """Return what the piece makes of each pair."""
        raise NotImplementedError

    def columns(self, module: nn.Module) -> int:
        """Return how many numbers a row has."""
        raise NotImplementedError

    def inputs(self) -> Inputs:
        """Return three documents that differ in length and entities."""
        return self._given(SEVERAL)

    def empty_inputs(self) -> Inputs:
        """Return documents without a pair."""
        return self._given(CASES["documents without a pair"])

    def outputs(self, module: nn.Module, inputs: Inputs) -> tuple[Tensor, ...]:
        """Return the rows."""
        return (self.rows(module, *inputs),)

    def sources(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return the token states."""
        return {"encoded.token_states": inputs[0].token_states}

    @pytest.mark.parametrize("case", CASES)
    def test_a_row_for_each_pair(self, case: str) -> None:
        """Whatever the documents are, each pair has its row."""
        module = self.ready()
        encoded, batch = self._given(CASES[case])
        found = self.rows(module, encoded, batch)
        wanted = (batch.num_pairs, self.columns(module))
        must(
            found.shape == wanted and bool(found.isfinite().all()),
            f"{self.name(module)} gives {tuple(found.shape)} for {case}, or numbers that are not "
            f"finite; {wanted} is one row for each of {wanted[0]} pairs",
        )

    def test_other_documents_do_not_matter(self) -> None:
        """A document alone has the rows it has among others."""
        if self.sees_other_documents:
            pytest.skip("sees_other_documents: it is meant to")
        module = self.ready()
        together = self._rows(module, EVERY_KIND)
        where = 0
        for document in EVERY_KIND:
            here = together[where : where + len(document.pairs)]
            where += len(document.pairs)
            must_equal(
                self._rows(module, [document]),
                here,
                self.tolerance,
                f"{self.name(module)}: a document has other scores alone than beside others. "
                "Average and normalise within a document only (batch.pair_doc, batch.entity_doc, "
                f"batch.token_mask). {_SAY_SO.format('sees_other_documents')}",
            )

    def test_padding_does_not_matter(self) -> None:
        """Nothing looks at tokens that are not there."""
        module = self.ready()
        must_equal(
            self._rows(module, SEVERAL, padding=3),
            self._rows(module, SEVERAL),
            self.tolerance,
            f"{self.name(module)}: padding changes the scores. Leave out tokens where "
            "batch.token_mask is false; their states are anything",
        )

    def test_other_pairs_do_not_matter(self) -> None:
        """A pair has the same row, whichever other pairs are asked for."""
        if self.sees_other_pairs or self.sees_other_documents:
            pytest.skip("sees_other_pairs: it is meant to")
        module = self.ready()
        thinned = [document.thinned() for document in SEVERAL]
        unlabelled = [document.unlabelled() for document in SEVERAL]
        every = torch.split(self._rows(module, unlabelled), [len(d.pairs) for d in SEVERAL])
        must_equal(
            self._rows(module, thinned),
            torch.cat([rows[::2] for rows in every]),
            self.tolerance,
            f"{self.name(module)}: a pair has other scores if fewer pairs are asked for, as on "
            "data sets that list candidates. Look at entities in place of pairs, or ask for all "
            f"of them (needs_grid). {_SAY_SO.format('sees_other_pairs')}",
        )

    def test_labels_are_not_seen(self) -> None:
        """Documents without labels have the same rows."""
        module = self.ready()
        must_equal(
            self._rows(module, [document.unlabelled() for document in SEVERAL]),
            self._rows(module, SEVERAL),
            self.tolerance,
            f"{self.name(module)} looks at the labels, which are not there when it predicts: "
            "leave batch.label_pair, batch.label_relation and evidence to the loss",
        )

    def test_order_of_entities_does_not_matter(self) -> None:
        """Entities listed in another order have the same rows."""
        if self.order_of_entities_matters:
            pytest.skip("order_of_entities_matters: it is meant to")
        module = self.ready()
        for document in SEVERAL:
            changed, places = document.reordered()
            must_equal(
                self._rows(module, [changed])[places],
                self._rows(module, [document.unlabelled()]),
                self.tolerance,
                f"{self.name(module)}: the order in which entities are listed changes the scores. "
                "Nobody knows it when texts are new: index by entity, take sums, means and maxima. "
                f"{_SAY_SO.format('order_of_entities_matters')}",
            )

    def _given(self, documents: Sequence[ToyDocument], padding: int = 0) -> Inputs:
        encoded = encoded_of(documents, self.in_features, self.attention_heads, padding)
        return encoded, batch_of(documents, padding)

    def _rows(
        self, module: nn.Module, documents: Sequence[ToyDocument], padding: int = 0
    ) -> Tensor:
        return self.rows(module, *self._given(documents, padding))
