"""Read the documents of a run twice: whole, and in pseudo documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from docre.batch import Batch
from docre.data.collate import Collate
from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.modules.base import DocREDataModule, Split
from docre.data.sampling import pack_by_budget, pack_by_size
from docre.documents import Document
from docre.errors import DocreError
from docre.fusion.candidates import CandidateDecoder
from docre.fusion.fuse import Fused, fuse
from docre.fusion.pseudo_documents import PseudoDocument, evidence_sets, pseudo_documents
from docre.model import DocREModel
from docre.opened_run import OpenedRun
from docre.outputs import HeadOutput
from docre.triples import PredictedTriple, triples_of


@dataclass(frozen=True, eq=False)
class TwoReadings:
    """What came out of both readings.

    Args:
        documents: The documents, in the order of their file.
        predicted: What the model predicts without fusion.
        fused: Both readings together.
        pseudo_documents: How many pseudo documents there were.
        published: How many there are with an infinite reach, as published.
    """

    documents: list[Document]
    predicted: list[PredictedTriple]
    fused: Fused
    pseudo_documents: int
    published: int


def read_twice(opened: OpenedRun, split: Split, top_k: int, reach: float) -> TwoReadings:
    """Read a split whole, then its pseudo documents, and fuse what was read.

    Args:
        opened: The run; its decoder says what is predicted without fusion, and what margins are
            counted from.
        split: What to read.
        top_k: Columns of a pair that are looked at.
        reach: See :func:`docre.fusion.pseudo_documents.evidence_sets`.

    Raises:
        DocreError: If the run cannot say which sentences are evidence.
    """
    model, data = opened.model, opened.data
    if data.features.alignment == "published":
        raise DocreError(
            "data.features.alignment: the published alignment has no sentences to read again"
        )
    decoder = CandidateDecoder(top_k, model.decoder)

    def whole(output: HeadOutput, batch: Batch) -> tuple[list[PredictedTriple], ...]:
        _require_attention(output, model)
        return tuple(
            triples_of(output, batch, model.relations, of, model.evidence_share)
            for of in (decoder, model.decoder)
        )

    def part(output: HeadOutput, batch: Batch) -> list[PredictedTriple]:
        return triples_of(output, batch, model.relations, decoder)

    documents = data.documents(split)
    candidates: dict[str, list[PredictedTriple]] = {one.id: [] for one in documents}
    predicted: list[PredictedTriple] = []
    for found, usual in opened.read(split, whole):
        predicted += usual
        for triple in found:
            candidates[triple.document].append(triple)
    made = [p for one in documents for p in pseudo_documents(one, candidates[one.id], reach)]
    # those with one entity have nothing to say
    by_id = {one.document.id: one for one in made if one.document.num_pairs}
    batches = in_batches([one.document for one in by_id.values()], data)
    second = opened.read_batches(batches, part, len(by_id))
    return TwoReadings(
        documents,
        predicted,
        fuse((one for listed in candidates.values() for one in listed), restored(second, by_id)),
        len(made),
        sum(len(evidence_sets(one, candidates[one.id], float("inf"))) for one in documents),
    )


def restored(
    readings: Iterator[list[PredictedTriple]], by_id: dict[str, PseudoDocument]
) -> Iterator[PredictedTriple]:
    """Yield what was read in pseudo documents as triples of their parents."""
    for triples in readings:
        for triple in triples:
            yield by_id[triple.document].restore(triple)


def in_batches(documents: Sequence[Document], data: DocREDataModule) -> Iterator[Batch]:
    """Yield batches of documents that are in no file, those of like length together.

    Args:
        documents: Any documents.
        data: Says how documents become tokens and batches.
    """
    if not documents:
        return
    table = FeatureTable.from_batches([to_record_batch(data.featurizer(documents))])
    settings = data.batches
    order = np.argsort(table.num_tokens, kind="stable")
    if settings.eval_batch_size is None:
        budgets = settings.token_budget, settings.pair_budget
        packed = pack_by_budget(order, table.num_tokens, table.num_pairs, *budgets)
    else:
        packed = pack_by_size(order, settings.eval_batch_size)
    collate = Collate(data.featurizer.pieces.pad_id)
    for rows in packed:
        yield collate(table[rows.tolist()])


def _require_attention(output: HeadOutput, model: DocREModel) -> None:
    if output.context is None or output.context.attention is None:
        raise DocreError(
            f"model.head: {type(model.head).__name__} does not say which tokens the context of a "
            "pair is made of, so there is no evidence to read again"
        )
