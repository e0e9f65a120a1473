"""From decoded scores to triples of documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

from docre.batch import Batch
from docre.decoding import Decoder
from docre.evidence import evidence_sentences
from docre.outputs import HeadOutput
from docre.scoring import Prediction


class PredictedTriple(NamedTuple):
    """One predicted triple.

    Args:
        document: Id of the document.
        head: Index of the head entity.
        tail: Index of the tail entity.
        relation: Name of the relation.
        score: Its logit.
        margin: How far that is above the threshold of the pair.
        evidence: Sentences the pair's context is made of; empty if the head does not say.
    """

    document: str
    head: int
    tail: int
    relation: str
    score: float
    margin: float
    evidence: tuple[int, ...] = ()

    @property
    def prediction(self) -> Prediction:
        """The triple as the metrics and ``result.json`` take it, with the margin as its score."""
        return Prediction(
            self.document, self.head, self.tail, self.relation, self.evidence, self.margin
        )


def triples_of(
    output: HeadOutput,
    batch: Batch,
    relations: Sequence[str],
    decoder: Decoder,
    evidence_share: float | None = None,
) -> list[PredictedTriple]:
    """Return the triples of a batch, those of a document together.

    Args:
        output: What the head made of the batch.
        batch: The batch.
        relations: Names in the order of the columns, without the threshold.
        decoder: Which scores make a triple.
        evidence_share: A sentence is evidence if it gets more than this share of a pair's
            attention; ``None`` for no evidence.
    """
    decoded = decoder.decode(output.logits)
    documents = batch.pair_doc[decoded.pair]
    evidence: Iterable[tuple[int, ...]] = [()] * len(decoded)
    attention = None if output.context is None else output.context.attention
    if evidence_share is not None and attention is not None:
        # once a pair: an untrained model predicts most relations of each
        pairs, place = torch.unique(decoded.pair, return_inverse=True)
        of_pair = evidence_sentences(
            attention.of(pairs), batch.pair_doc[pairs], batch, evidence_share
        )
        evidence = [of_pair[pair] for pair in place.tolist()]
    first = batch.entity_offset[documents]
    columns = [
        column.tolist()
        for column in (
            documents,
            batch.pair_head[decoded.pair] - first,
            batch.pair_tail[decoded.pair] - first,
            decoded.relation,
            decoded.score,
            decoded.margin,
        )
    ]
    return [
        PredictedTriple(batch.document_ids[d], h, t, relations[r], score, margin, sentences)
        for d, h, t, r, score, margin, sentences in zip(*columns, evidence, strict=True)
    ]
