"""Batches made by hand."""

from __future__ import annotations

import torch

from docre.batch import Batch


def make_batch(input_ids, entities, pairs=None, labels=None, pad_id=0):
    """Make a batch from plain lists.

    Args:
        input_ids: Token ids of each document, special tokens included.
        entities: For each document, for each entity, the tokens its mentions are read at, counted
            in ``input_ids``.
        pairs: For each document, ``(head, tail)`` counted in it; all with ``h != t`` row-major if
            left out.
        labels: For each document, ``(head, tail, relation)`` with relations counted from 0.
        pad_id: What fills up shorter documents.
    """
    count = len(input_ids)
    width = max(map(len, input_ids))
    if pairs is None:
        pairs = [
            [(h, t) for h in range(len(of)) for t in range(len(of)) if h != t] for of in entities
        ]
    padded = [[*ids, *[pad_id] * (width - len(ids))] for ids in input_ids]
    entity_offset = offsets(entities)
    pair_offset = offsets(pairs)
    mentions = [
        (token, entity_offset[d] + e)
        for d, of in enumerate(entities)
        for e, tokens in enumerate(of)
        for token in tokens
    ]
    flat = [
        (entity_offset[d] + h, entity_offset[d] + t, d) for d, of in enumerate(pairs) for h, t in of
    ]
    labelled = [
        (pair_offset[d] + [tuple(p) for p in pairs[d]].index((h, t)), relation)
        for d, of in enumerate(labels or [])
        for h, t, relation in of
    ]
    heads, tails, pair_doc = columns(flat, 3)
    mention_token, mention_entity = columns(mentions, 2)
    label_pair, label_relation = columns(labelled, 2)
    none = torch.zeros(0, dtype=torch.long)
    return Batch(
        document_ids=tuple(f"document {d}" for d in range(count)),
        document_index=torch.arange(count),
        input_ids=torch.tensor(padded),
        token_mask=torch.tensor([[n < len(ids) for n in range(width)] for ids in input_ids]),
        mention_token=mention_token,
        mention_end=mention_token + 1,
        mention_entity=mention_entity,
        entity_doc=torch.tensor([d for d, of in enumerate(entities) for _ in of], dtype=torch.long),
        entity_type=torch.full((entity_offset[-1],), -1),
        entity_offset=torch.tensor(entity_offset),
        pair_head=heads,
        pair_tail=tails,
        pair_doc=pair_doc,
        pair_offset=torch.tensor(pair_offset),
        sentence_doc=torch.arange(count),
        sentence_start=torch.zeros(count, dtype=torch.long),
        sentence_end=torch.tensor([len(ids) for ids in input_ids]),
        labelled=torch.full((count,), labels is not None),
        label_pair=label_pair,
        label_relation=label_relation,
        evidence_label=none,
        evidence_sentence=none,
    )


def offsets(parts):
    """Return where each part begins, and the end."""
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    return ends


def columns(rows, width):
    """Return the columns of a table that may be empty."""
    return torch.tensor(rows, dtype=torch.long).reshape(-1, width).unbind(1)
