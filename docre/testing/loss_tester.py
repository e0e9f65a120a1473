"""Checks of losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from docre.losses.base import Loss, LossParts
from docre.testing.documents import CASES, EVERY_KIND, NUM_RELATIONS, ToyDocument
from docre.testing.module_tester import Inputs, ModuleTester
from docre.testing.saying import in_dtype, must, must_equal, with_tensors
from docre.testing.toy_batches import loss_inputs

_HALF = (torch.bfloat16, torch.float16)


class LossTester(ModuleTester):
    """All checks of a loss.

    It is given labels with evidence and what a teacher says, so losses of all kinds can be tried.

    Attributes:
        judges_labels: It wants labelled relations above the threshold and all others below; not so
            for losses of evidence, or of a teacher alone.

    Example:
        A test module of one's own::

            class TestMyLoss(LossTester):
                def make(self, priors):
                    return MyLoss(priors)
    """

    judges_labels: ClassVar[bool] = True

    def make(self, priors: Tensor) -> Loss:
        """Return a new loss; to be written by the author."""
        raise NotImplementedError("def make(self, priors) returns a new loss")

    def build(self) -> nn.Module:
        """Return a new loss, with one relation that is never labelled."""
        priors = torch.tensor([0.1, 0.02, 0.3, 0.0, 0.08], dtype=torch.float64)
        return self.make(priors)

    def inputs(self) -> Inputs:
        """Return scores of all kinds of documents, and what to compare them with."""
        return loss_inputs(EVERY_KIND)

    def empty_inputs(self) -> Inputs:
        """Return no pair."""
        return loss_inputs(CASES["documents without a pair"])

    def outputs(self, module: nn.Module, inputs: Inputs) -> tuple[Tensor, ...]:
        """Return the total and each part."""
        parts = self.parts(module, inputs)
        return (parts.total(),)

    def parts(self, module: nn.Module, inputs: Inputs) -> LossParts:
        """Return the parts of a loss."""
        made = module(*inputs)
        must(
            isinstance(made, LossParts),
            f"{self.name(module)}.forward returns LossParts({{name: LossPart(values)}}), not "
            f"{type(made).__name__}",
        )
        found: LossParts = made
        return found

    def sources(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return what of the inputs a model computes."""
        output = inputs[0]
        return {"output.logits": output.logits, "output.context": output.context.attention.maps}

    def must_reach(self, module: nn.Module, wanted: set[str], reached: set[str]) -> None:
        """A loss may be about logits or about attention."""
        must(
            bool(reached),
            f"{self.name(module)} hands no gradient on to logits or attention, so no model can "
            "learn from it. Look for detach(), argmax or comparisons",
        )

    # --- the contract -----------------------------------------------------------------------------

    def test_is_a_loss(self) -> None:
        """A model knows its parts by their base classes."""
        made = self.build()
        must(isinstance(made, Loss), f"{self.name(made)} is a subclass of docre.losses.Loss")
        known = isinstance(getattr(made, "across_ranks", None), bool)
        must(known, f"{self.name(made)} hands its priors on: super().__init__(priors)")

    def test_parts_have_names_and_graphs(self) -> None:
        """Parts add up to a scalar; what is only measured is detached."""
        module, inputs = self.ready(), self.inputs()
        self._leaves(inputs)
        parts = self.parts(module, inputs)
        name = self.name(module)
        must(parts.total().shape == (), f"{name}: the parts do not add up to one number")
        named = isinstance(parts.parts, Mapping) and all(isinstance(p, str) for p in parts.parts)
        must(named, f"{name}: parts are a mapping of names to LossPart")
        for measure, part in parts.measured.items():
            quiet = not part.values.requires_grad
            must(quiet, f"{name}: the values of the measure {measure!r} are detached")

    def test_nothing_to_do(self) -> None:
        """Without a pair a loss is 0, and has a graph."""
        super().test_nothing_to_do()
        module, inputs = self.ready(training=True), self.empty_inputs()
        self._leaves(inputs)
        total = self.parts(module, inputs).total()
        must(
            float(total.detach()) == 0 and total.requires_grad,
            f"{self.name(module)} is {float(total.detach()):g} without a pair: it has to be 0 and "
            "depend on the logits. LossPart takes the mean of nothing for 0; means of one's own "
            "divide by count.clamp(min=1)",
        )

    @pytest.mark.parametrize("dtype", [*_HALF, torch.float32, torch.float64], ids=str)
    def test_at_least_float32(self, dtype: torch.dtype) -> None:
        """Sums over thousands of pairs do not fit half precision."""
        module, inputs = self.ready(dtype=torch.float32), in_dtype(self.inputs(), dtype)
        expected = self.parts(self.ready(), in_dtype(inputs, torch.float64)).total()
        with torch.autocast("cpu", torch.bfloat16):
            parts = self.parts(module, inputs)
        exact = torch.promote_types(dtype, torch.float32)
        for name, value in parts.scalars().items():
            must(
                torch.promote_types(value.dtype, torch.float32) == value.dtype,
                f"{self.name(module)}: the part {name!r} is {value.dtype} for {dtype} logits",
            )
        must_equal(
            parts.total(),
            expected,
            1e-4,
            f"{self.name(module)} computes in less than {exact} where the logits are {dtype}: "
            "begin with logits, labels = logits_and_labels(output, targets)",
        )

    @pytest.mark.parametrize("dtype", [*_HALF, torch.float32], ids=str)
    def test_finite_for_large_logits(self, dtype: torch.dtype) -> None:
        """A loss and its gradient are numbers, however sure or wrong a model is."""
        module = self.ready(dtype=torch.float32)
        output, targets = in_dtype(self.inputs(), torch.float32)
        signs = torch.tensor([1.0, -1.0, -1.0, 1.0, 1.0, -1.0]).repeat(len(output.logits), 1)
        for sign, labels in (
            (signs, targets.labels),
            (-signs, targets.labels),
            (signs, torch.zeros_like(targets.labels)),
            (-signs.abs(), torch.ones_like(targets.labels)),
        ):
            logits = (1e4 * sign).to(dtype).requires_grad_()
            given = replace(output, logits=logits), replace(targets, labels=labels)
            leaves = self._leaves(given)
            total = self.parts(module, given).total()
            torch.autograd.backward(total)
            where = f"{self.name(module)} with {dtype} logits of 10,000 and -10,000"
            must(
                bool(total.isfinite()),
                f"{where} is {float(total.detach())}: use logsumexp, softplus and logsigmoid in "
                "place of exp and log, and mask with torch.where",
            )
            self._finite(module, leaves, where)

    def test_order_of_documents_does_not_matter(self) -> None:
        """The same documents in another order cost the same."""
        module = self.ready()
        must_equal(
            self._total(module, list(reversed(EVERY_KIND))),
            self._total(module, EVERY_KIND),
            self.tolerance,
            f"{self.name(module)}: the order of documents in a batch changes the loss",
        )

    def test_padding_does_not_matter(self) -> None:
        """Tokens that are not there cost nothing."""
        module = self.ready()
        must_equal(
            self._total(module, EVERY_KIND, padding=3),
            self._total(module, EVERY_KIND),
            self.tolerance,
            f"{self.name(module)}: padding changes the loss. Leave out tokens where "
            "batch.token_mask is false",
        )

    def test_learns_from_labels(self) -> None:
        """A step downhill brings labelled relations up, and the threshold where there is none.

        Column 0 of the logits is the threshold, that of the labels says that a pair has no
        relation.
        """
        if not self.judges_labels:
            pytest.skip("judges_labels is False: it is about something else")
        module = self.ready(training=True)
        output, targets = self.inputs()
        logits = torch.zeros_like(output.logits).requires_grad_()
        total = self.parts(module, (replace(output, logits=logits), targets)).total()
        torch.autograd.backward(total)
        must(logits.grad is not None, f"{self.name(module)} hands no gradient on to the logits")
        step = -logits.grad  # type: ignore[operator]
        margins, labelled = step[:, 1:] - step[:, :1], targets.labels[:, 1:] > 0
        # of the scores alone: the threshold is pulled up by all relations that do not hold
        up, others = step[:, 1:][labelled].mean(), step[:, 1:][~labelled].mean()
        must(
            bool(up > 0) and bool(up > others),
            f"{self.name(module)}: a step downhill takes labelled relations down, or the others "
            f"up as far ({float(up):.2g} and {float(others):.2g}). Relation r is column r + 1 of "
            "logits and of labels; column 0 is the threshold",
        )
        alone = targets.labels[:, 0] > 0
        must(
            bool(margins[alone].mean() < -1e-9),
            f"{self.name(module)}: where no relation holds, a step downhill does not bring the "
            "scores below the threshold. logits[:, 0] is the threshold, and labels[:, 0] is 1 "
            "where no relation holds: it is no relation",
        )

    def test_host_does_not_wait(self) -> None:
        """No number is asked of the device, which would stop training at each step."""
        module = self.ready(dtype=torch.float32, training=True)
        given = in_dtype(self.inputs(), torch.float32)
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            inputs: Any = with_tensors(given, mode.from_tensor)
            self._leaves(inputs)
            try:
                parts = self.parts(module, inputs)
                parts.scalars()
                torch.autograd.backward(parts.total())
            except (DataDependentOutputException, DynamicOutputShapeException) as error:
                raise AssertionError(
                    f"{self.name(module)} asks the device for numbers ({error}). Leave out "
                    ".item(), float(), if on tensors, nonzero and x[mask]; take torch.where, "
                    "clamp and sums of masks"
                ) from error

    def _total(
        self, module: nn.Module, documents: Sequence[ToyDocument], padding: int = 0
    ) -> Tensor:
        return self.parts(module, loss_inputs(documents, padding, NUM_RELATIONS)).total()
