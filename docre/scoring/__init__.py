"""Scores of predicted triples: the benchmark's definitions on integer rows, without torch.

``Gold`` is compiled once, ``score`` turns predictions into ``Scores``. What each number means, and
where published scorers differ, is in ``docs/scoring.md``.
"""

from __future__ import annotations

from docre.scoring.bootstrap import Difference, bootstrap, paired_bootstrap
from docre.scoring.conventions import OFFICIAL, Convention
from docre.scoring.coreference import CoreferenceScores, score_coreference
from docre.scoring.counts import Counts
from docre.scoring.facts import Facts
from docre.scoring.gold import Gold, UnlabelledError
from docre.scoring.groups import RelationGroupRates
from docre.scoring.joint import JointScores, score_joint
from docre.scoring.pairs import epsilon_f1, pair_rates
from docre.scoring.predictions import Prediction, predictions_of
from docre.scoring.rates import Rates
from docre.scoring.relation_groups import DOCRED_FREQUENT, RelationGroup, most_frequent
from docre.scoring.scores import Scores, score

__all__ = [
    "DOCRED_FREQUENT",
    "OFFICIAL",
    "Convention",
    "CoreferenceScores",
    "Counts",
    "Difference",
    "Facts",
    "Gold",
    "JointScores",
    "Prediction",
    "Rates",
    "RelationGroup",
    "RelationGroupRates",
    "Scores",
    "UnlabelledError",
    "bootstrap",
    "epsilon_f1",
    "most_frequent",
    "pair_rates",
    "paired_bootstrap",
    "predictions_of",
    "score",
    "score_coreference",
    "score_joint",
]
