"""Batches of toy documents, what an encoder makes of them, and what a loss compares with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from zlib import crc32

import torch
from torch import Tensor

from docre.batch import Batch
from docre.outputs import AttentionMaps, Encoded, HeadOutput, PairContext, Targets, TeacherTargets
from docre.testing.documents import NUM_RELATIONS, ToyDocument


def batch_of(documents: Sequence[ToyDocument], padding: int = 0) -> Batch:
    """Return a batch of toy documents.

    Every other label is supported by the first sentence of its document.

    Args:
        documents: In their order.
        padding: Tokens to add to the longest document.
    """
    lengths = torch.tensor([document.tokens for document in documents])
    width = int(lengths.max()) + padding
    mask = torch.arange(width) < lengths.unsqueeze(1)  # [B, T]
    first = list(accumulate((len(document.entities) for document in documents), initial=0))
    first_pair = list(accumulate((len(document.pairs) for document in documents), initial=0))
    first_sentence = list(accumulate((len(d.sentences) for d in documents), initial=0))
    entities = [(d, tokens) for d, document in enumerate(documents) for tokens in document.entities]
    mentions = [(token, e) for e, (_, tokens) in enumerate(entities) for token in tokens]
    pairs = [
        (first[d] + head, first[d] + tail, d)
        for d, document in enumerate(documents)
        for head, tail in document.pairs
    ]
    sentences = [(d, *span) for d, document in enumerate(documents) for span in document.sentences]
    labels = [
        (first_pair[d] + document.pairs.index((head, tail)), relation, first_sentence[d])
        for d, document in enumerate(documents)
        for head, tail, relation in document.labels
    ]
    mention_token, mention_entity = _columns(mentions, 2)
    pair_head, pair_tail, pair_doc = _columns(pairs, 3)
    sentence_doc, sentence_start, sentence_end = _columns(sentences, 3)
    label_pair, label_relation, evidence = _columns(labels, 3)
    texts = Batch.of_texts(
        document_ids=tuple(document.name for document in documents),
        document_index=torch.arange(len(documents)),
        input_ids=torch.arange(width).expand_as(mask) * mask,
        token_mask=mask,
        labelled=torch.ones(len(documents), dtype=torch.bool),
    )
    return replace(
        texts,
        mention_token=mention_token,
        mention_end=mention_token + 1,
        mention_entity=mention_entity,
        entity_doc=torch.tensor([d for d, _ in entities], dtype=torch.long),
        entity_type=torch.full((len(entities),), -1),
        entity_offset=torch.tensor(first),
        pair_head=pair_head,
        pair_tail=pair_tail,
        pair_doc=pair_doc,
        pair_offset=torch.tensor(first_pair),
        sentence_doc=sentence_doc,
        sentence_start=sentence_start,
        sentence_end=sentence_end,
        label_pair=label_pair,
        label_relation=label_relation,
        evidence_label=torch.arange(len(labels))[::2],
        evidence_sentence=evidence[::2],
        sizes=None,  # type: ignore[arg-type]  # counted anew
    )


def encoded_of(
    documents: Sequence[ToyDocument],
    in_features: int = 16,
    attention_heads: int = 4,
    padding: int = 0,
) -> Encoded:
    """Return what an encoder might make of toy documents, in float64.

    A document has the same states whichever batch it is in. At padding they are anything, as those
    of real encoders are; attention there is exactly zero.

    Args:
        documents: In their order.
        in_features: Width of a state.
        attention_heads: Heads whose attention is given out.
        padding: Tokens to add to the longest document.
    """
    width = max(document.tokens for document in documents) + padding
    states, rows = [], []
    for document in documents:
        draw = _draw(document.name)
        own = torch.randn(document.tokens, in_features, generator=draw, dtype=torch.float64)
        looks = torch.randn(
            attention_heads, document.tokens, document.tokens, generator=draw, dtype=torch.float64
        ).softmax(2)
        rest = width - document.tokens
        beyond = torch.randn(
            rest, in_features, generator=_draw(f"{document.name} {width}"), dtype=torch.float64
        )
        states.append(torch.cat([own, 5 * beyond]))
        mentioned = [token for tokens in document.entities for token in tokens]
        of_mentions = looks[:, mentioned].transpose(0, 1)  # [m, H, t]
        rows.append(torch.nn.functional.pad(of_mentions, (0, rest)))
    return Encoded(torch.stack(states), torch.cat(rows))


def loss_inputs(
    documents: Sequence[ToyDocument], padding: int = 0, num_relations: int = NUM_RELATIONS
) -> tuple[HeadOutput, Targets]:
    """Return scores of the pairs of toy documents and what to compare them with, in float64.

    The scores come with attention over the tokens; beside the labels there are a batch with
    evidence and a teacher's scores and attention.

    Args:
        documents: In their order.
        padding: Tokens to add to the longest document.
        num_relations: ``R``.
    """
    batch = batch_of(documents, padding)
    columns = 1 + num_relations
    logits: list[Tensor] = []
    values: list[Tensor] = []
    maps: list[Tensor] = []
    taught: list[Tensor] = []
    for document in documents:
        draw = _draw(document.name)
        rest = batch.num_tokens - document.tokens
        for _ in document.pairs:
            ours, theirs = torch.randn(2, columns, generator=draw, dtype=torch.float64)
            looks = torch.randn(2, document.tokens, generator=draw, dtype=torch.float64).softmax(1)
            logits.append(2 * ours)
            values.append(theirs)
            for found, row in zip((maps, taught), looks, strict=True):
                found.append(torch.nn.functional.pad(row, (0, rest)))
    context = PairContext(
        _stacked(logits, columns), attention=AttentionMaps(_stacked(maps, batch.num_tokens))
    )
    teacher = TeacherTargets(
        _stacked(values, columns), attention=AttentionMaps(_stacked(taught, batch.num_tokens))
    )
    labels = batch.labels(num_relations, torch.float64)
    return HeadOutput(_stacked(logits, columns), context), Targets(labels, batch, teacher)


def _draw(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(crc32(name.encode()))


def _columns(rows: Sequence[tuple[int, ...]], width: int) -> tuple[Tensor, ...]:
    """Return the columns of a table that may be empty."""
    return torch.tensor(rows, dtype=torch.long).reshape(-1, width).unbind(1)


def _stacked(rows: Sequence[Tensor], width: int) -> Tensor:
    """Return the rows of a table that may be empty."""
    return torch.stack(list(rows)) if rows else torch.zeros(0, width, dtype=torch.float64)
