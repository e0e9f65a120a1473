"""All thresholds of a joint model, tuned one after another as their heads feed one another."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from docre.joint.thresholds import JointThresholds
from docre.joint_tuning.dev_split import DevSplit
from docre.joint_tuning.levels import links
from docre.joint_tuning.steps import Steps, best_threshold
from docre.scoring.joint import JointScores, score_joint

# Nearly all of the millions of relations that a split could have are less probable.
LEAST_RELATION = 0.01


@dataclass(frozen=True, slots=True)
class Tuned:
    """Thresholds before and after, and what they score.

    Args:
        levels: The levels that the heads of the model are judged by; the last one is what counts.
        before: Thresholds so far.
        after: Tuned ones.
        before_scores: Of the development documents.
        after_scores: Of the same.
    """

    levels: tuple[str, ...]
    before: JointThresholds
    after: JointThresholds
    before_scores: JointScores
    after_scores: JointScores

    @property
    def is_better(self) -> bool:
        """Whether the last level is not worse: each threshold is the best for its own head only."""
        before, after = (each[self.levels[-1]] for each in (self.f1_before, self.f1_after))
        return after >= before

    @property
    def f1_before(self) -> dict[str, float]:
        """F1 of each level with the thresholds so far."""
        return self._f1(self.before_scores)

    @property
    def f1_after(self) -> dict[str, float]:
        """F1 of each level with the tuned ones."""
        return self._f1(self.after_scores)

    def to_dict(self) -> dict[str, Any]:
        """Return thresholds and scores as plain values."""
        return {
            **asdict(self.after),
            "before": asdict(self.before),
            "f1": self.f1_after,
            "f1_before": self.f1_before,
        }

    def _f1(self, scores: JointScores) -> dict[str, float]:
        return {level: getattr(scores, level).overall.f1 for level in self.levels}


def tune(dev: DevSplit) -> Tuned:
    """Find the thresholds with the best F1 of mentions, then of entities, then of strict relations.

    Each is exact for its own head behind the heads before it, that of relations from 1 % on; those
    of heads that the model does not have stay as they are.
    """
    model, documents = dev.model, list(dev.documents.values())
    network = model.network
    before = chosen = model.thresholds
    first = dev.ask(dev.found(before), *([dev.mentions] if network.mention is not None else []))
    scores = score_joint(documents, first[0])
    if network.mention is not None:
        mention = best_threshold(Steps.joined(first[1]), before.mention)
        chosen = replace(chosen, mention=mention)
    if network.coreference is not None:
        (steps,) = dev.ask(dev.coreference(chosen))
        coreference = best_threshold(Steps.joined(steps), before.coreference, links)
        chosen = replace(chosen, coreference=coreference)
    if network.relation is not None:
        least = min(LEAST_RELATION, before.relation)
        (steps,) = dev.ask(dev.relations(replace(chosen, relation=least)))
        relation = best_threshold(Steps.joined(steps), before.relation, least=least)
        chosen = replace(chosen, relation=relation)
    if chosen == before:
        return Tuned(model.levels, before, before, scores, scores)
    (found,) = dev.ask(dev.found(chosen))
    return Tuned(model.levels, before, chosen, scores, score_joint(documents, found))
