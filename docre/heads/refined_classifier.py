"""Features of pairs in between: projected, refined, then classified."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from docre.heads.bilinear import grouped_bilinear
from docre.heads.classifier import Classifier
from docre.outputs import Scene
from docre.refinement.base import RefinementFactory


class RefinedClassifier(Classifier):
    """Projects head and tail to features of the pair, refines these, and classifies them.

    The projection is a grouped bilinear form without bias; in KD-DocRE's code it is a dense linear
    layer over 65,536 products of each of 42 x 42 cells.

    Args:
        width: ``D``, of head and tail.
        num_relations: ``R``.
        in_features: Width of the token states.
        features: ``F``, width of a pair's features; the width of head and tail if left out.
        block_size: Numbers of a group of the projection.
        refinements: What is done to the features, one after another: KD-DocRE has
            ``AxialTransformer``, COMM ``InstanceReasoning``. None, the default, is a classifier
            with a linear layer in between.
        pair_budget: Pairs whose products exist at a time, for the balance of memory and speed; left
            out, what suits the device.

    Reference: KD-DocRE (Tan et al., 2022).
    """

    def __init__(
        self,
        width: int,
        num_relations: int,
        in_features: int | None = None,
        *,
        features: int | None = None,
        block_size: int = 64,
        refinements: Sequence[RefinementFactory] = (),
        pair_budget: int | None = None,
    ) -> None:
        super().__init__(width, num_relations, in_features)
        if block_size < 1 or width % block_size:
            raise ValueError(f"block_size {block_size} does not divide the width {width}")
        self.features = width if features is None else features
        self.block_size, self.pair_budget = block_size, pair_budget
        self.projection = nn.Parameter(torch.empty(self.features, width * block_size))
        bound = 1 / math.sqrt(width * block_size)  # as a linear layer over the products begins
        nn.init.uniform_(self.projection, -bound, bound)
        self.refinements = nn.ModuleList(
            make(self.features, self.in_features) for make in refinements
        )
        self.needs_grid = any(bool(refine.needs_grid) for refine in self.refinements)
        self.needs_blank = any(bool(refine.needs_blank) for refine in self.refinements)
        self.output = nn.Linear(self.features, 1 + num_relations)

    def forward(self, head: Tensor, tail: Tensor, scene: Scene) -> Tensor:
        """Return logits; see the base class. Those of an entity with itself are zero."""
        features = self._project(head, tail)  # [P, F]
        blank = None
        if self.needs_blank:
            of_head, of_tail = scene.blank
            blank = self._project(of_head.unsqueeze(0), of_tail.unsqueeze(0)).squeeze(0)  # [F]
        for refine in self.refinements:
            features = refine(features, scene, blank)
        logits: Tensor = self.output(features)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # [P, 1 + R]
        return logits * (scene.batch.pair_head != scene.batch.pair_tail).unsqueeze(1)

    def _project(self, head: Tensor, tail: Tensor) -> Tensor:
        nothing = head.new_zeros(self.features)
        found = grouped_bilinear(
            head, tail, self.projection, nothing, self.block_size, self.pair_budget
        )
        return found.to(head.dtype)

    def extra_repr(self) -> str:
        """Return the settings, for printing."""
        return f"width={self.width}, features={self.features}, block_size={self.block_size}"
