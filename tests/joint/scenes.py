"""Documents, batches and states for tests of joint extraction."""

from __future__ import annotations

import numpy as np
import torch

from docre.batch import Batch
from docre.joint import (
    JointBatch,
    JointSampler,
    NegativeCounts,
    candidate_spans,
    join_samples,
    join_spans,
    pairs_of,
)
from docre.joint.samples import JointTruth

WIDTH, TYPES, RELATIONS, MAX_WORDS = 16, 4, 3, 3
COUNTS = NegativeCounts(spans=30, coreference=20, relations=8)


def array(numbers):
    return np.array(numbers, dtype=np.int64)


def truth(sentences, entities, labels=(), name="a document", seed=0):
    """Entities are lists of word spans; every word has one to three tokens."""
    random = np.random.default_rng(seed)
    tokens = random.integers(1, 4, sum(sentences))
    spans = [(*span, entity) for entity, mentions in enumerate(entities) for span in mentions]
    start, end, entity = array(spans).reshape(-1, 3).T
    head, tail, relation = array(labels).reshape(-1, 3).T
    return JointTruth(
        name,
        array(sentences),
        np.concatenate(([0], tokens.cumsum())),
        start,
        end,
        entity,
        random.integers(0, TYPES, len(entities)),
        head,
        tail,
        relation,
        random.integers(0, 99, (len(spans), len(spans))),
    )


def rich(name="rich"):
    """Mentions that repeat, nest and touch, and one that is longer than a candidate."""
    entities = [
        [(5, 7), (0, 1)],
        [(1, 2), (5, 7), (9, 13)],
        [(14, 15), (14, 15)],
        [(8, 9), (15, 16), (2, 3)],
        [(17, 18)],
    ]
    labels = [(0, 1, 2), (0, 1, 0), (3, 0, 1), (1, 4, 1), (2, 3, 0), (4, 2, 2)]
    return truth((8, 6, 5), entities, labels, name, seed=1)


def documents():
    """A rich one, one with a single mention, one with none, and a plain one."""
    plain = truth((6, 4), [[(0, 2), (7, 8)], [(3, 4)], [(9, 10)]], [(0, 2, 1)], "plain", 4)
    return [
        rich(),
        truth((5,), [[(1, 3)]], name="single", seed=2),
        truth((4,), [], name="none", seed=3),
        plain,
    ]


def tokens_of(one):
    return int(one.token_offset[-1])


def states_of(one, width=WIDTH, dtype=torch.float32):
    generator = torch.Generator().manual_seed(sum(map(ord, one.document_id)))
    return torch.randn(tokens_of(one), width, generator=generator).to(dtype)


def states(truths, width=WIDTH, dtype=torch.float32):
    """States of all tokens, [B, T, D]; what stands at padding must not matter."""
    each = [states_of(one, width, dtype) for one in truths]
    return torch.nn.utils.rnn.pad_sequence(each, batch_first=True, padding_value=7.0)


def texts(truths):
    lengths = torch.tensor([tokens_of(one) for one in truths])
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    names = tuple(one.document_id for one in truths)
    labelled = torch.ones(len(truths), dtype=torch.bool)
    return Batch.of_texts(names, torch.arange(len(truths)), mask.long(), mask, labelled)


def words_of(truths):
    return tuple(tuple(f"w{n}" for n in range(one.sentence_words.sum())) for one in truths)


def training_batch(truths, counts=COUNTS, epoch=0):
    samples = [JointSampler(one, MAX_WORDS).draw(counts, 0, epoch) for one in truths]
    sample = join_samples(samples)
    return JointBatch(texts(truths), words_of(truths), tuple(truths), sample, pairs_of(sample))


def candidate_batch(truths):
    tables = [
        (torch.from_numpy(one.sentence_words), torch.from_numpy(one.token_offset)) for one in truths
    ]
    candidates = join_spans([candidate_spans(*table, MAX_WORDS) for table in tables])
    return JointBatch(texts(truths), words_of(truths), tuple(truths), candidates=candidates)
