"""Scores of joint extraction: mentions, entities and relations are all predicted from the text.

An item is right only as a whole: an entity with all its mentions and no other, a relation with
both its entities. ``docs/scoring.md`` has the definitions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from docre.documents import Document
from docre.scoring.bootstrap import bootstrap
from docre.scoring.coreference import CoreferenceScores, score_coreference
from docre.scoring.extraction import Annotation, comparable, extractions
from docre.scoring.level_counts import LevelCounts
from docre.scoring.rates import Rates

if TYPE_CHECKING:
    from rich.console import RenderableType

# label and what is labelled; the label of mentions and of sets of mentions is empty
Item = tuple[str, Hashable]

ENTITY_LEVELS = ("mention", "coreference", "entity")
RELATION_LEVELS = ("relation_relaxed", "relation_strict")
LEVELS = (*ENTITY_LEVELS, *RELATION_LEVELS)
LABELLED_LEVELS = ("entity", *RELATION_LEVELS)

_NOTHING = Annotation(frozenset())


@dataclass(frozen=True, slots=True)
class LevelRates:
    """Scores of one level.

    Args:
        overall: All items together (micro).
        labels: Those of each entity type or relation in gold or prediction; empty where items have
            no label.
    """

    overall: Rates
    labels: Mapping[str, Rates]

    @property
    def macro_precision(self) -> float:
        """Mean precision of the labels, of those without a prediction 0."""
        return self._mean("precision")

    @property
    def macro_recall(self) -> float:
        """Mean recall of the labels, of those without gold 0."""
        return self._mean("recall")

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels."""
        return self._mean("f1")

    def _mean(self, name: str) -> float:
        values = [getattr(rates, name) for rates in self.labels.values() or (self.overall,)]
        return float(sum(values) / len(values))

    def to_dict(self) -> dict[str, float]:
        """Return micro and macro scores and the counts."""
        return {
            **self.overall.to_dict(),
            "macro_f1": self.macro_f1,
            "macro_precision": self.macro_precision,
            "macro_recall": self.macro_recall,
        }


@dataclass(frozen=True)
class JointScores:
    """Every score of a joint system; fractions in [0, 1].

    Args:
        mention: Spans.
        coreference: Whole sets of mentions.
        entity: Whole sets with their type.
        relation_relaxed: Head set, tail set and relation; ``None`` if no document has labels, or no
            prediction says anything of relations.
        relation_strict: The same with both types, the number papers give first.
        partial_coreference: MUC, B3 and CEAF-e, which give credit for sets that are partly right.
        documents: Documents scored.
        missing_documents: Those for which there is no prediction at all; they count as empty.
        unknown_documents: Predicted ones that the gold does not have; all in them is wrong.
        unlabelled_documents: Those without labels; their relations are not judged.
        unjudged_relations: Relations predicted there.
        duplicates: Predicted entities and relations that repeat another one; they count once.
        gold_duplicates: Those of the gold, such as mentions with several identifiers.
        counts: The counts of each level by document, for :func:`docre.scoring.bootstrap`.
        levels: Those that are reported; a model of fewer tasks has no business with the others.
    """

    mention: LevelRates
    coreference: LevelRates
    entity: LevelRates
    relation_relaxed: LevelRates | None
    relation_strict: LevelRates | None
    partial_coreference: CoreferenceScores
    documents: int
    missing_documents: tuple[str, ...]
    unknown_documents: tuple[str, ...]
    unlabelled_documents: int
    unjudged_relations: int
    duplicates: int
    gold_duplicates: int
    counts: Mapping[str, LevelCounts] = field(repr=False, compare=False)
    levels: tuple[str, ...] = LEVELS

    def reported(self) -> dict[str, LevelRates]:
        """Return the levels that are reported, without those that could not be judged."""
        rates = {name: getattr(self, name) for name in self.levels}
        return {name: level for name, level in rates.items() if level is not None}

    def intervals(self, samples: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Return a confidence interval over documents for the micro scores of each level."""
        return {
            f"{name}_{key}": ends
            for name in self.reported()
            for key, ends in bootstrap(self.counts[name], samples, seed).items()
        }

    def to_dict(self, labels: bool = False) -> dict[str, float]:
        """Return all numbers under flat names, as a logger takes them.

        Args:
            labels: Also give the scores of each entity type and relation.
        """
        flat: dict[str, float] = {}
        reported = self.reported()
        for name, rates in reported.items():
            flat |= {f"{name}_{key}": value for key, value in rates.to_dict().items()}
        if "coreference" in reported:
            flat |= self.partial_coreference.to_dict()
        flat |= {
            "documents": self.documents,
            "missing_documents": len(self.missing_documents),
            "unknown_documents": len(self.unknown_documents),
            "unlabelled_documents": self.unlabelled_documents,
            "unjudged_relations": self.unjudged_relations,
            "duplicates": self.duplicates,
            "gold_duplicates": self.gold_duplicates,
        }
        for name, rates in reported.items() if labels else ():
            for label, part in rates.labels.items():
                flat |= {f"{name}/{label}/{key}": value for key, value in part.to_dict().items()}
        return flat

    def to_record(self) -> dict[str, Any]:
        """Return what a score file says of them."""
        return {"scores": self.to_dict(labels=True)}

    def summary(self, title: str) -> RenderableType:
        """Return what a terminal shows after a run: a table."""
        from docre.scoring.tables import joint_table

        return joint_table(self, f"{title}: scores in percent")


def items(extraction: Annotation) -> dict[str, frozenset[Item]]:
    """Return the distinct items of one document on each level; none of relations if unlabelled."""
    entities, relations = extraction.entities, extraction.relations or ()
    spans = [mentions for mentions, _ in entities]
    return {
        "mention": frozenset(("", span) for span in extraction.mentions),
        "coreference": frozenset(("", mentions) for mentions in spans),
        "entity": frozenset((kind, mentions) for mentions, kind in entities),
        "relation_relaxed": frozenset((r, (spans[h], spans[t])) for h, t, r in relations),
        "relation_strict": frozenset((r, (entities[h], entities[t])) for h, t, r in relations),
    }


def score_joint(gold: Iterable[Document], predicted: Iterable[Document]) -> JointScores:
    """Score the documents that a joint system made against those with the labels.

    Documents are matched by id and read by their spans. With a raw text these count its characters,
    so its words may be cut in any way; without one both sides need the same sentences and words.

    Args:
        gold: Documents with their entities; those without labels are judged up to the entities.
        predicted: Documents with predicted entities and relations, in any order. If all of them
            have ``None`` for relations, relations are not judged; one among others has none.

    Raises:
        DataError: If an id comes twice, a document has another text than in the gold or, without a
            text, words that are cut otherwise, an entity has no mention, or a relation names an
            entity that is not there.

    Example:
        >>> names = {"ada": [(0, 3)], "london": [(16, 22)]}
        >>> document = Document.from_text("demo", "Ada was born in London.", names)
        >>> scores = score_joint([document], [document])
        >>> scores.entity.overall.f1, scores.relation_strict
        (1.0, None)
    """
    return score_extractions(extractions(gold), extractions(predicted))


def score_extractions(
    gold: Mapping[str, Annotation], predicted: Mapping[str, Annotation]
) -> JointScores:
    """Score extractions by document id, see :func:`score_joint`."""
    both = comparable(gold, predicted)
    # a fixed order, so that sums of fractions are the same to the last bit
    unknown = tuple(sorted(predicted.keys() - gold.keys()))
    pairs = {name: both.get(name, (true, _NOTHING)) for name, true in gold.items()}
    unlabelled = [made for true, made in pairs.values() if true.relations is None]
    pairs |= {name: (_NOTHING, predicted[name]) for name in unknown}
    counters = {name: _Counter() for name in LEVELS}
    duplicates = gold_duplicates = 0
    for name, (true, made) in pairs.items():
        there, found = items(true), items(made)
        judged = ENTITY_LEVELS if true.relations is None else LEVELS
        for level in judged:
            counters[level].add(name, there[level], found[level])
        duplicates += _repeated(made, found)
        gold_duplicates += _repeated(true, there)
    rates = {name: counter.rates(name in LABELLED_LEVELS) for name, counter in counters.items()}
    unjudged = _have_no_relations(gold) or _have_no_relations(predicted)
    return JointScores(
        mention=rates["mention"],
        coreference=rates["coreference"],
        entity=rates["entity"],
        relation_relaxed=None if unjudged else rates["relation_relaxed"],
        relation_strict=None if unjudged else rates["relation_strict"],
        partial_coreference=score_coreference(
            ([spans for spans, _ in true.entities], [spans for spans, _ in made.entities])
            for true, made in pairs.values()
        ),
        documents=len(gold),
        missing_documents=tuple(name for name in gold if name not in predicted),
        unknown_documents=unknown,
        unlabelled_documents=len(unlabelled),
        unjudged_relations=sum(len(made.relations or ()) for made in unlabelled),
        duplicates=duplicates,
        gold_duplicates=gold_duplicates,
        counts={name: counter.by_document(gold) for name, counter in counters.items()},
    )


def _have_no_relations(extractions: Mapping[str, Annotation]) -> bool:
    """Tell documents that say nothing of relations from documents that have none."""
    each = [one.relations for one in extractions.values()]
    return bool(each) and all(relations is None for relations in each)


def _repeated(extraction: Annotation, distinct: Mapping[str, frozenset[Item]]) -> int:
    listed = len(extraction.entities) + len(extraction.relations or ())
    return listed - len(distinct["entity"]) - len(distinct["relation_strict"])


class _Counter:
    """Counts of one level by label, and by document."""

    def __init__(self) -> None:
        self.gold, self.predicted, self.correct = Counter[str](), Counter[str](), Counter[str]()
        self.documents: dict[str, tuple[int, int, int]] = {}

    def add(self, document: str, gold: frozenset[Item], predicted: frozenset[Item]) -> None:
        correct = gold & predicted
        self.gold.update(_labels(gold))
        self.predicted.update(_labels(predicted))
        self.correct.update(_labels(correct))
        self.documents[document] = len(gold), len(predicted), len(correct)

    def rates(self, labelled: bool) -> LevelRates:
        parts = (self.gold, self.predicted, self.correct)
        names = sorted(self.gold.keys() | self.predicted.keys()) if labelled else ()
        return LevelRates(
            overall=Rates(*(counter.total() for counter in parts)),
            labels={name: Rates(*(counter[name] for counter in parts)) for name in names},
        )

    def by_document(self, gold: Container[str]) -> LevelCounts:
        known = [name for name in self.documents if name in gold]
        return LevelCounts(
            documents=tuple(known),
            table=np.array([self.documents[name] for name in known], np.int64).reshape(-1, 3),
            unknown=sum(row[1] for name, row in self.documents.items() if name not in gold),
        )


def _labels(items: Iterable[Item]) -> Iterator[str]:
    return (label for label, _ in items)
