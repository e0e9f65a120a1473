"""Scores of joint extraction: mentions, entities and relations are all predicted from the text.

An item is right only as a whole: an entity with all its mentions and no other, a relation with
both its entities. ``docs/scoring.md`` has the definitions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from docre.documents import Document
from docre.errors import DataError, Problem
from docre.scoring.coreference import CoreferenceScores, score_coreference
from docre.scoring.extraction import Extraction, extractions
from docre.scoring.rates import Rates

# label and what is labelled; the label of mentions and of sets of mentions is empty
Item = tuple[str, Hashable]

ENTITY_LEVELS = ("mention", "coreference", "entity")
RELATION_LEVELS = ("relation_relaxed", "relation_strict")
LABELLED_LEVELS = ("entity", *RELATION_LEVELS)

_NOTHING = Extraction(frozenset())


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
        relation_relaxed: Head set, tail set and relation; ``None`` if no document has labels.
        relation_strict: The same with both types, the number papers give first.
        partial_coreference: MUC, B3 and CEAF-e, which give credit for sets that are partly right.
        documents: Documents scored.
        missing_documents: Those for which there is no prediction at all; they count as empty.
        unknown_documents: Predicted ones that the gold does not have; all in them is wrong.
        unlabelled_documents: Those without labels; their relations are not judged.
        unjudged_relations: Relations predicted there.
        duplicates: Predicted entities and relations that repeat another one; they count once.
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

    def to_dict(self, labels: bool = False) -> dict[str, float]:
        """Return all numbers under flat names, as a logger takes them.

        Args:
            labels: Also give the scores of each entity type and relation.
        """
        flat: dict[str, float] = {}
        levels = {name: getattr(self, name) for name in (*ENTITY_LEVELS, *RELATION_LEVELS)}
        judged = {name: rates for name, rates in levels.items() if rates is not None}
        for name, rates in judged.items():
            flat |= {f"{name}_{key}": value for key, value in rates.to_dict().items()}
        flat |= self.partial_coreference.to_dict()
        flat |= {
            "documents": self.documents,
            "missing_documents": len(self.missing_documents),
            "unknown_documents": len(self.unknown_documents),
            "unlabelled_documents": self.unlabelled_documents,
            "unjudged_relations": self.unjudged_relations,
            "duplicates": self.duplicates,
        }
        for name, rates in judged.items() if labels else ():
            for label, part in rates.labels.items():
                flat |= {f"{name}/{label}/{key}": value for key, value in part.to_dict().items()}
        return flat


def items(extraction: Extraction) -> dict[str, frozenset[Item]]:
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

    Documents are matched by id and read by their spans, so both need the same sentences and words.

    Args:
        gold: Documents with their entities; those without labels are judged up to the entities.
        predicted: Documents with predicted entities and relations, in any order.

    Raises:
        DataError: If an id comes twice, the words of a document are cut otherwise than in the gold,
            an entity has no mention, or a relation names an entity that is not there.

    Example:
        >>> names = {"ada": [(0, 3)], "london": [(16, 22)]}
        >>> document = Document.from_text("demo", "Ada was born in London.", names)
        >>> scores = score_joint([document], [document])
        >>> scores.entity.overall.f1, scores.relation_strict
        (1.0, None)
    """
    return score_extractions(extractions(gold), extractions(predicted))


def score_extractions(
    gold: Mapping[str, Extraction], predicted: Mapping[str, Extraction]
) -> JointScores:
    """Score extractions by document id, see :func:`score_joint`."""
    _require_same_words(gold, predicted)
    # a fixed order, so that sums of fractions are the same to the last bit
    unknown = tuple(sorted(predicted.keys() - gold.keys()))
    pairs = [(gold[name], predicted.get(name, _NOTHING)) for name in gold]
    unlabelled = [made for true, made in pairs if true.relations is None]
    pairs += [(_NOTHING, predicted[name]) for name in unknown]
    counters = {name: _Counter() for name in (*ENTITY_LEVELS, *RELATION_LEVELS)}
    duplicates = 0
    for true, made in pairs:
        there, found = items(true), items(made)
        judged = ENTITY_LEVELS if true.relations is None else tuple(counters)
        for name in judged:
            counters[name].add(there[name], found[name])
        duplicates += len(made.entities) - len(found["entity"])
        duplicates += len(made.relations or ()) - len(found["relation_strict"])
    rates = {name: counter.rates(name in LABELLED_LEVELS) for name, counter in counters.items()}
    unjudged = bool(unlabelled) and len(unlabelled) == len(gold)
    return JointScores(
        mention=rates["mention"],
        coreference=rates["coreference"],
        entity=rates["entity"],
        relation_relaxed=None if unjudged else rates["relation_relaxed"],
        relation_strict=None if unjudged else rates["relation_strict"],
        partial_coreference=score_coreference(
            ([spans for spans, _ in true.entities], [spans for spans, _ in made.entities])
            for true, made in pairs
        ),
        documents=len(gold),
        missing_documents=tuple(name for name in gold if name not in predicted),
        unknown_documents=unknown,
        unlabelled_documents=len(unlabelled),
        unjudged_relations=sum(len(made.relations or ()) for made in unlabelled),
        duplicates=duplicates,
    )


class _Counter:
    """Counts of one level by label."""

    def __init__(self) -> None:
        self.gold, self.predicted, self.correct = Counter[str](), Counter[str](), Counter[str]()

    def add(self, gold: frozenset[Item], predicted: frozenset[Item]) -> None:
        self.gold.update(_labels(gold))
        self.predicted.update(_labels(predicted))
        self.correct.update(_labels(gold & predicted))

    def rates(self, labelled: bool) -> LevelRates:
        parts = (self.gold, self.predicted, self.correct)
        names = sorted(self.gold.keys() | self.predicted.keys()) if labelled else ()
        return LevelRates(
            overall=Rates(*(counter.total() for counter in parts)),
            labels={name: Rates(*(counter[name] for counter in parts)) for name in names},
        )


def _labels(items: Iterable[Item]) -> Iterator[str]:
    return (label for label, _ in items)


def _require_same_words(
    gold: Mapping[str, Extraction], predicted: Mapping[str, Extraction]
) -> None:
    """Refuse spans that count other words than those of the gold."""
    both = [(name, gold[name].lengths, predicted[name].lengths) for name in gold.keys() & predicted]
    message = "the prediction has other sentences or words than the gold, so spans do not compare"
    problems = [
        Problem("other-words", message, name, "sentences")
        for name, true, made in sorted(both)
        if true and made and true != made
    ]
    if problems:
        raise DataError(problems)
