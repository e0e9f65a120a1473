"""Predictions held against the gold, and counted by document."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docre.scoring.conventions import Convention
from docre.scoring.gold import Gold
from docre.scoring.predictions import Ints, PredictionRows
from docre.scoring.rates import Floats, harmonic, ignoring, ratio
from docre.scoring.relation_groups import RelationGroup

Mask = NDArray[np.bool_]

COLUMNS = ("gold", "predicted", "correct", "gold_evidence", "predicted_evidence", "evidence_hits")


@dataclass(frozen=True, eq=False)
class Matches:
    """The predictions that count, ``[N]``, and the gold they are judged against.

    Args:
        document: Number of the document; negative for one that the gold does not have.
        head: Head entity.
        tail: Tail entity.
        relation: Number of the relation; negative for one that the gold does not have.
        triple: Index of the gold triple, -1 for a wrong prediction.
        evidence_size: Distinct predicted evidence sentences.
        evidence_hits: Those of them that are gold evidence.
        documents: Which labelled documents are scored, ``[D]``.
        duplicates: Repeated predictions that were dropped.
        unjudged: Predictions for unlabelled documents, dropped as well.
    """

    document: Ints
    head: Ints
    tail: Ints
    relation: Ints
    triple: Ints
    evidence_size: Ints
    evidence_hits: Ints
    documents: Mask
    duplicates: int
    unjudged: int


def match(
    rows: PredictionRows, gold: Gold, convention: Convention, documents: Mask | None = None
) -> Matches:
    """Hold predictions against the gold.

    Of predictions with equal document, head, tail and relation the first counts, with its evidence.

    Args:
        rows: The predictions.
        gold: The labels.
        convention: How evidence is counted.
        documents: Which labelled documents are scored, ``[D]``; ``None`` for all.
    """
    keys, triples = gold.find(rows)
    first = _first(rows, keys)
    judged = first[rows.document[first] < len(gold.documents)]
    sizes, hits = _evidence(rows, triples, gold, convention)
    return Matches(
        document=rows.document[judged],
        head=rows.head[judged],
        tail=rows.tail[judged],
        relation=rows.relation[judged],
        triple=triples[judged],
        evidence_size=sizes[judged],
        evidence_hits=hits[judged],
        documents=np.ones(len(gold.documents), bool) if documents is None else documents,
        duplicates=len(rows.document) - len(first),
        unjudged=len(first) - len(judged),
    )


def _first(rows: PredictionRows, keys: Ints) -> Ints:
    """Return where each distinct prediction comes first, in order."""
    packed, odd = np.flatnonzero(keys >= 0), np.flatnonzero(keys < 0)
    first = packed[np.unique(keys[packed], return_index=True)[1]]
    if len(odd):  # names or entities that the gold does not have: few, so the slow way will do
        columns = (rows.document, rows.head, rows.tail, rows.relation)
        table = np.stack([column[odd] for column in columns], axis=1)
        first = np.concatenate([first, odd[np.unique(table, axis=0, return_index=True)[1]]])
    return np.sort(first)


def _evidence(
    rows: PredictionRows, triples: Ints, gold: Gold, convention: Convention
) -> tuple[Ints, Ints]:
    """Count the distinct evidence sentences of each row, and those that are gold."""
    row = np.repeat(np.arange(len(rows.document)), rows.evidence_count)
    order = np.lexsort((rows.evidence, row))
    row, sentence = row[order], rows.evidence[order]
    new = np.ones(len(row), bool)
    new[1:] = (row[1:] != row[:-1]) | (sentence[1:] != sentence[:-1])
    row, sentence = row[new], sentence[new]
    if convention.dummy_evidence:
        hit = (sentence == 1) & (triples[row] >= 0)
    else:
        hit = gold.supports(triples[row], sentence)
    count = len(rows.document)
    return np.bincount(row, minlength=count), np.bincount(row[hit], minlength=count)


@dataclass(frozen=True, eq=False)
class Counts:
    """Everything that scores are made of, by document, so that documents can be resampled.

    Args:
        documents: Ids of the scored documents, ``[D]``.
        table: The counts, ``[D, 6 + F]``: the columns of ``COLUMNS``, then the correct predictions
            that each fact set knows.
        facts: Names of the fact sets, ``[F]``.
        unknown: Predictions for documents that the gold does not have; they count as wrong.
        has_evidence: Whether evidence can be scored.
        convention: How the scorer counts.
    """

    documents: tuple[str, ...]
    table: Ints
    facts: tuple[str, ...]
    unknown: int
    has_evidence: bool
    convention: Convention

    def totals(self) -> Ints:
        """Return the counts of all documents together, ``[6 + F]``."""
        totals: Ints = self.complete(self.table.sum(axis=0))
        return totals

    def complete(self, totals: NDArray[np.int64]) -> Ints:
        """Add to sums over documents, ``[..., 6 + F]``, what belongs to no document."""
        constant = np.zeros(self.table.shape[1], np.int64)
        constant[COLUMNS.index("predicted")] = self.unknown
        constant[COLUMNS.index("gold_evidence")] = self.convention.evidence_offset
        return totals + constant

    def rates(self, totals: Ints) -> dict[str, Floats]:
        """Return every overall score for totals of shape ``[..., 6 + F]``, each ``[...]``."""
        gold, predicted, correct, *evidence = np.moveaxis(totals[..., : len(COLUMNS)], -1, 0)
        precision, recall = ratio(correct, predicted), ratio(correct, gold)
        rates = {"f1": harmonic(precision, recall), "precision": precision, "recall": recall}
        for number, name in enumerate(self.facts):
            seen = totals[..., len(COLUMNS) + number]
            unseen = ignoring(predicted, correct, seen, self.convention.ign_epsilon)
            rates[f"ign_f1/{name}"] = harmonic(unseen, recall)
            rates[f"ign_precision/{name}"] = unseen
        if self.has_evidence:
            gold_evidence, predicted_evidence, hits = evidence
            precision, recall = ratio(hits, predicted_evidence), ratio(hits, gold_evidence)
            rates["evidence_f1"] = harmonic(precision, recall)
            rates["evidence_precision"], rates["evidence_recall"] = precision, recall
        return rates


def count(
    matches: Matches, gold: Gold, convention: Convention, only: RelationGroup | None = None
) -> Counts:
    """Count by document.

    Args:
        matches: The predictions held against the gold.
        gold: The labels.
        convention: How to count.
        only: Which relations count; ``None`` for all.
    """
    size = len(gold.documents)
    document, _, _, relation = gold.triples.T
    wanted = np.ones(len(relation), bool)
    kept = np.ones(len(matches.relation), bool)
    if only is not None:
        wanted = only.contains(relation, gold.relation_ids)
        kept = only.contains(matches.relation, gold.relation_ids)
    divided = np.ones_like(kept) if convention.precision_over_all else kept
    known = matches.document >= 0
    correct = kept & (matches.triple >= 0)
    evidence = gold.entries if convention.dummy_evidence else gold.evidence_entries
    columns = [
        _sum(document[wanted], size),
        _sum(matches.document[divided & known], size),
        _sum(matches.document[correct], size),
        _sum(document[wanted], size, evidence[wanted]),
        _sum(matches.document[kept & known], size, matches.evidence_size[kept & known]),
        _sum(matches.document[correct], size, matches.evidence_hits[correct]),
    ]
    for seen in gold.seen:
        seen_correct = correct.copy()
        seen_correct[correct] = seen[matches.triple[correct]]
        columns.append(_sum(matches.document[seen_correct], size))
    scored = matches.documents
    return Counts(
        documents=tuple(np.array(gold.documents, object)[scored]),
        table=np.stack(columns, axis=1)[scored],
        facts=tuple(label.name for label in gold.facts),
        unknown=int((divided & ~known).sum()),
        has_evidence=gold.has_evidence or convention.dummy_evidence,
        convention=convention,
    )


def _sum(document: Ints, size: int, weights: Ints | None = None) -> Ints:
    if weights is None:
        return np.bincount(document, minlength=size)
    # bincount adds in float64, which is exact for any number of sentences there can be
    return np.bincount(document, weights, minlength=size).astype(np.int64)
