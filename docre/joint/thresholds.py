"""How sure a joint model has to be."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class JointThresholds:
    """The least probability of what is kept; one that is just reached counts.

    Entity types need none: an entity has the most probable one.

    Args:
        mention: Of a span being a mention.
        coreference: Of two mentions being one entity, for all pairs in a cluster.
        relation: Of a relation holding.

    Raises:
        ValueError: If one is not between 0 and 1.
    """

    mention: float = 0.85
    coreference: float = 0.85
    relation: float = 0.6

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"thresholds.{name} is a probability, not {value}")
