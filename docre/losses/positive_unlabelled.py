"""Positive-unlabelled risks: pairs without a label are not taken for certain negatives.

Reference: Wang et al. 2022 (SSR-PU), section 3; Gao et al. 2024 (TTM-RE), section 3.3. Where the
papers and their code differ, and what to set for which, is in :class:`PositiveUnlabelledLoss`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from docre.losses.base import Loss, LossPart, LossParts, at_least_float32, logits_and_labels
from docre.losses.class_risks import (
    ClassWeight,
    Correction,
    Risk,
    class_risks,
    class_sums,
    corrected,
)
from docre.losses.ranks import sum_over_ranks
from docre.outputs import HeadOutput, Targets


class PositiveUnlabelledLoss(Loss):
    """Sum over relations of PN, PU or S-PU risks; its two parts are ``positive``, ``negative``.

    The defaults are those of SSR-PU's code on fully labelled data: squared surrogate with the
    factor 0.25 and the margin 0.25. To have

    * SSR-PU on incomplete labels: ``prior_multiple`` 3 (DocRED, ChemDisGene) or 12 (the 19 %
      subset). With 1, S-PU *is* PN, whatever it is called.
    * TTM-RE: ``scale`` 1, ``prior_floor`` 1e-9, and for its best result ``margin`` 1 with
      ``prior_multiple`` 1, that is PN. Its paper calls the class weight unnecessary and removed;
      its code has it (``class_weight: sqrt``).
    * what the papers write instead of their code: ``correction: clamp``.
    * the form without ranking, ``f = l_r``: no setting here, but a head whose column 0 is the
      constant 0.

    Means are over the pairs of a batch, of all ranks with ``across_ranks``; a relation without a
    labelled pair in the batch has the positive risk 0. A relation with the prior 0 keeps its
    negative risk, and its positive risk weighs 0. PN needs no correction and gets none.

    Args:
        priors: ``pi_l``, counted from the training data.  # [R]
        given_priors: ``pi_l`` given by hand, one number per relation, in place of the counted.
        prior_multiple: ``e``, with ``pi_o = e pi_l`` (``pi_o``: share of truly positive pairs).
        true_priors: ``pi_o`` given or estimated (``docre.losses.estimate_true_priors``), one number
            per relation, in place of ``prior_multiple``.
        prior_floor: Added to every ``pi_l`` before all else.
        risk: ``pn``, ``pu`` or ``s-pu``.
        margin: ``m`` of the surrogate.
        scale: Factor of the surrogate: 0.25 in SSR-PU's code, 1 in TTM-RE's.
        class_weight: ``sqrt`` for ``sqrt((1 - pi_o) / pi_o)``, ``none``, or a number between 0 and
            1 for another power than a half: less weight, more precision and less recall.
        correction: What happens where a negative risk is estimated below 0, see :func:`corrected`.
        beta: Bound of ``flip``.
        gamma: Strength of ``flip``.
        across_ranks: Class means over the pairs of all ranks.

    Raises:
        ValueError: Without priors, or with one that is none, such as ``e pi_l`` of 1 or more.
    """

    priors: Tensor
    true_priors: Tensor | None

    def __init__(
        self,
        priors: Tensor | None = None,
        *,
        given_priors: list[float] | None = None,
        prior_multiple: float = 1.0,
        true_priors: list[float] | None = None,
        prior_floor: float = 0.0,
        risk: Risk = "s-pu",
        margin: float = 0.25,
        scale: float = 0.25,
        class_weight: ClassWeight = "sqrt",
        correction: Correction = "flip",
        beta: float = 0.0,
        gamma: float = 1.0,
        across_ranks: bool = True,
    ) -> None:
        super().__init__(priors, across_ranks=across_ranks)
        _one_of("risk", risk, "pn", "pu", "s-pu")
        if isinstance(class_weight, str):
            _one_of("class_weight", class_weight, "sqrt", "none")
        elif not 0 <= class_weight <= 1:
            raise ValueError(f"class_weight: {class_weight} is not within 0 and 1")
        _one_of("correction", correction, "flip", "clamp", "none")
        if true_priors is not None and prior_multiple != 1:
            raise ValueError("true_priors stands in place of prior_multiple: give one of them")
        chosen = _chosen(priors, given_priors)
        given_true = None if true_priors is None else torch.tensor(true_priors).to(chosen)
        self.register_buffer("priors", chosen)
        self.register_buffer("true_priors", given_true)
        self.prior_multiple = prior_multiple
        self.prior_floor = prior_floor
        self.risk: Risk = risk
        self.margin = margin
        self.scale = scale
        self.class_weight: ClassWeight = class_weight
        self.correction: Correction = correction
        self.beta = beta
        self.gamma = gamma
        labelled, true = self.both_priors()
        _check("given_priors" if given_priors is not None else "priors", labelled, len(labelled))
        source = "prior_multiple" if given_true is None else "true_priors"
        _check(source, true, len(labelled))

    def both_priors(self) -> tuple[Tensor, Tensor]:
        """Return ``pi_l`` and ``pi_o`` as the risks take them, [R] each."""
        labelled = self.priors + self.prior_floor
        true = self.true_priors
        return labelled, self.prior_multiple * labelled if true is None else true

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the parts, with one element per relation."""
        logits, labels = logits_and_labels(output, targets)
        if logits.shape[1] != 1 + len(self.priors):
            scored = f"the head scores {logits.shape[1]} columns"
            raise ValueError(f"{len(self.priors)} priors, but {scored}: one per relation, and one")
        sums = class_sums(logits, labels, self.margin, self.scale)
        if self.across_ranks:
            sums = sum_over_ranks(sums)
        labelled, true = (prior.to(sums.dtype) for prior in self.both_priors())
        negative, positive = class_risks(sums, labelled, true, self.risk, self.class_weight)
        if self.risk != "pn":
            negative, positive = corrected(
                negative, positive, self.correction, self.beta, self.gamma
            )
        # the classes are the same on every rank by now
        return LossParts(
            {
                "positive": LossPart(positive, "sum", across_ranks=False),
                "negative": LossPart(negative, "sum", across_ranks=False),
            }
        )

    def extra_repr(self) -> str:
        """Show the settings that tell the variants apart."""
        return (
            f"risk={self.risk}, margin={self.margin}, scale={self.scale}, "
            f"prior_multiple={self.prior_multiple}, correction={self.correction}"
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # A model cast to half precision moves the priors but does not round them.
        kept = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, buffer in kept.items():
            moved = getattr(self, name)
            if moved.dtype != at_least_float32(moved).dtype:
                setattr(self, name, buffer.to(moved.device))
        return self


def _one_of(name: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}")


def _chosen(counted: Tensor | None, given: list[float] | None) -> Tensor:
    if given is None and counted is None:
        raise ValueError(
            "positive-unlabelled risks need the share of pairs labelled with each relation: train "
            "on data it can be counted from (priors), or write given_priors"
        )
    if given is None:
        assert counted is not None
        return at_least_float32(counted.detach().clone())
    if counted is not None and len(counted) != len(given):
        raise ValueError(f"given_priors has {len(given)} numbers for {len(counted)} relations")
    return torch.tensor(given, dtype=torch.get_default_dtype())


def _check(name: str, priors: Tensor, size: int) -> None:
    if len(priors) != size:
        raise ValueError(f"{name} has {len(priors)} numbers for {size} relations")
    for relation, prior in enumerate(priors.tolist()):
        if not 0 <= prior < 1:
            product = ", the multiple of its labelled prior" if name == "prior_multiple" else ""
            raise ValueError(
                f"{name}: relation {relation} would have the prior {prior:g}{product}; "
                "a prior is at least 0 and below 1"
            )
