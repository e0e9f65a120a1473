"""All scores of one set of predictions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docre.documents import Document
from docre.scoring.conventions import OFFICIAL, Convention
from docre.scoring.counts import COLUMNS, Counts, Mask, count, match
from docre.scoring.facts import FactLabel
from docre.scoring.gold import Gold
from docre.scoring.groups import by_distance, by_relation, by_relation_set, macro_f1
from docre.scoring.predictions import Prediction, PredictionRows
from docre.scoring.rates import Rates, harmonic, ignoring
from docre.scoring.relation_groups import RelationGroup

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class IgnRates:
    """Ign F1 for one set of training facts.

    Correct predictions that are known from training are taken out of the precision; the recall
    stays what it is. Hence Ign F1 is never above F1.

    Args:
        facts: Which facts.
        rates: The scores of all predictions.
        seen_correct: Correct predictions that are such facts.
        epsilon: Added to the denominator of the precision, as in the official scorer.
    """

    facts: FactLabel
    rates: Rates
    seen_correct: int
    epsilon: float

    @property
    def precision(self) -> float:
        """Precision without the seen predictions."""
        predicted, correct = self.rates.predicted, self.rates.correct
        return float(ignoring(predicted, correct, self.seen_correct, self.epsilon))

    @property
    def f1(self) -> float:
        """Harmonic mean of that precision and the ordinary recall."""
        return float(harmonic(self.precision, self.rates.recall))


@dataclass(frozen=True)
class Scores:
    """Every score of one set of predictions; fractions in [0, 1].

    Args:
        overall: Counts and rates of all triples.
        ign: Ign F1 by name of the fact set; empty without facts.
        evidence: Rates of the evidence sentences of correct triples; ``None`` if no label has any.
        groups: Rates by sentence distance and by set of relations.
        relations: Rates of each relation of the gold.
        documents: Documents scored.
        unlabelled_documents: Documents left out because they have no labels.
        unjudged_predictions: Predictions for those, left out too.
        unknown_titles: Predictions for documents that the gold does not have; they count as wrong.
        unknown_relations: Predictions of relations that the gold does not have, likewise.
        duplicates: Repeated predictions that were dropped; the first one counts.
        counts: The counts by document, for :func:`docre.scoring.bootstrap`.
    """

    overall: Rates
    ign: Mapping[str, IgnRates]
    evidence: Rates | None
    groups: Mapping[str, Rates]
    relations: Mapping[str, Rates]
    documents: int
    unlabelled_documents: int
    unjudged_predictions: int
    unknown_titles: int
    unknown_relations: int
    duplicates: int
    counts: Counts = field(repr=False)

    @property
    def f1(self) -> float:
        """Micro F1."""
        return self.overall.f1

    @property
    def precision(self) -> float:
        """Micro precision."""
        return self.overall.precision

    @property
    def recall(self) -> float:
        """Micro recall."""
        return self.overall.recall

    @property
    def ign_f1(self) -> Mapping[str, float]:
        """Ign F1 by name of the fact set."""
        return {name: rates.f1 for name, rates in self.ign.items()}

    @property
    def ign_precision(self) -> Mapping[str, float]:
        """Precision of Ign F1 by name of the fact set."""
        return {name: rates.precision for name, rates in self.ign.items()}

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the relations that have at least one gold label."""
        return macro_f1(self.relations)

    def to_dict(self, relations: bool = False) -> dict[str, float]:
        """Return all numbers under flat names, as a logger takes them.

        ``ign_f1`` is that of the first fact set; with several, each also has ``ign_f1/NAME``.

        Args:
            relations: Also give the scores of each relation.
        """
        flat: dict[str, float] = {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "macro_f1": self.macro_f1,
            "gold": self.overall.gold,
            "predicted": self.overall.predicted,
            "correct": self.overall.correct,
            "documents": self.documents,
            "unlabelled_documents": self.unlabelled_documents,
            "unjudged_predictions": self.unjudged_predictions,
            "unknown_titles": self.unknown_titles,
            "unknown_relations": self.unknown_relations,
            "duplicates": self.duplicates,
        }
        for number, (name, ign) in enumerate(self.ign.items()):
            endings = ["", f"/{name}"] if len(self.ign) > 1 else [""]
            for ending in endings[number > 0 :]:
                flat[f"ign_f1{ending}"] = ign.f1
                flat[f"ign_precision{ending}"] = ign.precision
                flat[f"seen_correct{ending}"] = ign.seen_correct
        if self.evidence is not None:
            flat |= {f"evidence_{key}": value for key, value in self.evidence.to_dict().items()}
        for name, rates in self.groups.items():
            flat |= {f"{name}/{key}": value for key, value in rates.to_dict().items()}
        for name, rates in self.relations.items() if relations else ():
            flat |= {f"relation/{name}/{key}": value for key, value in rates.to_dict().items()}
        return flat

    def to_record(self) -> dict[str, Any]:
        """Return what a score file says of them, with the facts that Ign F1 leaves out."""
        facts = [ign.facts for ign in self.ign.values()]
        return {"scores": self.to_dict(relations=True), "facts": facts}

    def summary(self, title: str) -> RenderableType:
        """Return what a terminal shows after a run: one line."""
        from docre.scoring.tables import pair_line

        return pair_line(self, title)


def score(
    predictions: Iterable[Prediction],
    gold: Gold | Iterable[Document],
    relation_groups: Collection[RelationGroup] = (),
    convention: Convention = OFFICIAL,
) -> Scores:
    """Score predictions.

    Args:
        predictions: In any order. Of repeated ones the first counts; those for documents that the
            gold does not have count as wrong, as in the official scorer; those for documents
            without labels are left out and counted.
        gold: The compiled labels, or documents with labels (then there is no Ign F1).
        relation_groups: Groups of relations to score beside the others.
        convention: How to count; the default is the benchmark's own way.

    Raises:
        UnlabelledError: If no document has labels.

    Example:
        >>> document = Document.from_text(
        ...     "demo", "Ada was born in London.", {"ada": [(0, 3)], "london": [(16, 22)]},
        ...     relations=[(0, 1, "born in")],
        ... )
        >>> scores = score([Prediction("demo", 0, 1, "born in")], [document])
        >>> scores.f1, scores.groups["intra"].recall
        (1.0, 1.0)
    """
    compiled = gold if isinstance(gold, Gold) else Gold.compile(gold)
    compiled.require_labels()
    return score_rows(compiled.encode(predictions), compiled, relation_groups, convention)


def score_rows(
    rows: PredictionRows,
    gold: Gold,
    relation_groups: Collection[RelationGroup] = (),
    convention: Convention = OFFICIAL,
    documents: Mask | None = None,
) -> Scores:
    """Score encoded predictions, against all labelled documents or some, ``[D]``."""
    matches = match(rows, gold, convention, documents)
    counts = count(matches, gold, convention)
    totals = dict(zip(COLUMNS, counts.totals().tolist(), strict=False))
    overall = Rates(totals["gold"], totals["predicted"], totals["correct"])
    seen = counts.totals()[len(COLUMNS) :].tolist()
    evidence = Rates(totals["gold_evidence"], totals["predicted_evidence"], totals["evidence_hits"])
    return Scores(
        overall=overall,
        ign={
            label.name: IgnRates(label, overall, number, convention.ign_epsilon)
            for label, number in zip(gold.facts, seen, strict=True)
        },
        evidence=evidence if counts.has_evidence else None,
        groups={**by_distance(matches, gold), **by_relation_set(matches, gold, relation_groups)},
        relations=by_relation(matches, gold),
        documents=len(counts.documents),
        unlabelled_documents=len(gold.unlabelled),
        unjudged_predictions=matches.unjudged,
        unknown_titles=int((matches.document < 0).sum()),
        unknown_relations=int((matches.relation < 0).sum()),
        duplicates=matches.duplicates,
        counts=counts,
    )
