"""Checks of heads, classifiers and refinements: of everything that ends in logits."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from docre.batch import Batch
from docre.heads.base import Head
from docre.heads.classifier import Classifier
from docre.heads.pair_head import PairHead
from docre.heads.refined_classifier import RefinedClassifier
from docre.outputs import Encoded, HeadOutput
from docre.refinement.base import Refinement
from docre.testing.documents import CASES, NUM_RELATIONS
from docre.testing.pair_tester import PairTester
from docre.testing.saying import in_dtype, must


class LogitsTester(PairTester):
    """Checks of logits, whichever part of a head a test is about.

    Attributes:
        num_relations: Relations it is tried with.
    """

    num_relations: ClassVar[int] = NUM_RELATIONS

    def rows(self, module: nn.Module, encoded: Encoded, batch: Batch) -> Tensor:
        """Return the logits."""
        output = module(encoded, batch)
        must(
            isinstance(output, HeadOutput),
            f"{self.name(module)}.forward returns HeadOutput(logits), not {type(output).__name__}",
        )
        logits: Tensor = output.logits
        return logits

    def columns(self, module: nn.Module) -> int:
        """Return one more than there are relations: column 0 is the threshold."""
        return 1 + self.num_relations

    def test_contexts_are_those_of_the_pairs(self) -> None:
        """What a head says of its contexts, losses and evidence read by pair."""
        module = self.ready()
        for case, documents in CASES.items():
            encoded, batch = self._given(documents)
            context = module(encoded, batch).context
            if context is None:
                return
            states = context.per_pair(context.states)
            maps = None if context.attention is None else context.attention.per_pair()
            wanted = (batch.num_pairs, batch.num_tokens)
            must(
                len(states) == batch.num_pairs and (maps is None or maps.shape == wanted),
                f"{self.name(module)}: for {case}, HeadOutput.context is not one context and one "
                "attention map over the tokens for each pair, in the order of the pairs",
            )


class HeadTester(LogitsTester):
    """All checks of a head.

    Example:
        A test module of one's own::

            class TestMyHead(HeadTester):
                def make(self, in_features, num_relations):
                    return MyHead(in_features, num_relations)
    """

    def make(self, in_features: int, num_relations: int) -> Head:
        """Return a new head; to be written by the author."""
        raise NotImplementedError("def make(self, in_features, num_relations) returns a new head")

    def build(self) -> nn.Module:
        """Return a new head."""
        return self.make(self.in_features, self.num_relations)

    def test_is_a_head(self) -> None:
        """A model knows its parts by their base classes."""
        made = self.build()
        must(isinstance(made, Head), f"{self.name(made)} is a subclass of docre.heads.Head")
        known = (getattr(made, "in_features", None), getattr(made, "num_relations", None))
        must(
            known == (self.in_features, self.num_relations),
            f"{self.name(made)} hands both sizes on: super().__init__(in_features, num_relations)",
        )


class ClassifierTester(LogitsTester):
    """All checks of a classifier, in a pair head.

    Attributes:
        width: Of head and tail.
    """

    width: ClassVar[int] = 16

    def make(self, width: int, num_relations: int, in_features: int) -> Classifier:
        """Return a new classifier; to be written by the author."""
        raise NotImplementedError(
            "def make(self, width, num_relations, in_features) returns a new classifier"
        )

    def build(self) -> nn.Module:
        """Return a pair head with a new classifier."""
        return PairHead(
            self.in_features, self.num_relations, classifier=self.make, width=self.width
        )

    def name(self, module: nn.Module) -> str:
        """Return the classifier's name."""
        return type(_within(module).classifier).__name__

    def test_logits_are_at_least_float32(self) -> None:
        """Losses and thresholds compare logits closely, so autocast must not round them."""
        module = self.ready(dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            found = self.rows(module, *in_dtype(self.inputs(), torch.float32))
        must(
            found.dtype == torch.float32,
            f"{self.name(module)} gives {found.dtype} logits under autocast: end in logits.float()",
        )

    def test_is_a_classifier(self) -> None:
        """A head asks it whether it needs a grid."""
        made = self.make(self.width, self.num_relations, self.in_features)
        name = type(made).__name__
        must(isinstance(made, Classifier), f"{name} is a subclass of docre.heads.Classifier")
        must(
            getattr(made, "width", None) == self.width,
            f"{name} hands its sizes on: super().__init__(width, num_relations, in_features)",
        )


class RefinementTester(LogitsTester):
    """All checks of a refinement, in a refined classifier of a pair head.

    Attributes:
        width: Of a pair's features.
    """

    width: ClassVar[int] = 16

    def make(self, width: int, in_features: int) -> Refinement:
        """Return a new refinement; to be written by the author."""
        raise NotImplementedError("def make(self, width, in_features) returns a new refinement")

    def build(self) -> nn.Module:
        """Return a pair head whose classifier has a new refinement."""
        classifier: Any = partial(
            RefinedClassifier,
            features=self.width,
            block_size=self.width // 4,
            refinements=[self.make],
        )
        return PairHead(
            self.in_features, self.num_relations, classifier=classifier, width=self.width
        )

    def name(self, module: nn.Module) -> str:
        """Return the refinement's name."""
        classifier: Any = _within(module).classifier
        return type(classifier.refinements[0]).__name__

    def test_is_a_refinement(self) -> None:
        """A classifier asks it what it needs."""
        made = self.make(self.width, self.in_features)
        name = type(made).__name__
        must(isinstance(made, Refinement), f"{name} is a subclass of docre.refinement.Refinement")
        must(
            getattr(made, "width", None) == self.width,
            f"{name} hands its sizes on: super().__init__(width, in_features)",
        )


def _within(module: nn.Module) -> Any:
    """Return the module itself of one that may be compiled."""
    return getattr(module, "_orig_mod", module)
