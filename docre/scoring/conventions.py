"""The few places where copies of the official scorer differ from each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convention:
    """How a scorer counts; the default is the benchmark's own way.

    Other settings exist to reproduce published numbers. Where a published scorer raises (no
    prediction at all, an unknown title) or takes a single prediction for none, no setting repeats
    that: the defined value is given.

    Args:
        dummy_evidence: Take ``{1}`` for the evidence of every label, so that evidence scores mean
            nothing.
        evidence_offset: Start of the count of gold evidence; one published copy starts at 1.
        precision_over_all: When only some relations are scored, still divide by the number of all
            predictions, as published top-k tables do; their precision is too low.
        ign_epsilon: Added to the denominator of the precision of Ign F1.
    """

    dummy_evidence: bool = False
    evidence_offset: int = 0
    precision_over_all: bool = False
    ign_epsilon: float = 1e-5


OFFICIAL = Convention()
"""That of the official scorer: the default everywhere."""
