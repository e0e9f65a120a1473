"""Batches with sentences, evidence and attention, for losses that look at more than logits."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from docre.losses import (
    AdaptiveThresholdLoss,
    AttentionDistillation,
    CombinedLoss,
    EvidenceLoss,
    LogitDistillation,
)
from docre.outputs import AttentionMaps, HeadOutput, PairContext, Targets, TeacherTargets
from tests.batches import make_batch

NUM_RELATIONS = 5
FEATURES = 3
# no pairs; labels, some pairs with several; labels again; pairs and no label
DOCUMENTS = (0, 1, 2, 3)

# each makes a loss that needs a scene
SCENE_LOSSES = {
    "evidence": EvidenceLoss,
    "attention": AttentionDistillation,
    "logits": LogitDistillation,
    "combined": lambda **k: CombinedLoss(
        [
            AdaptiveThresholdLoss(**k),
            EvidenceLoss(**k),
            AttentionDistillation(**k),
            LogitDistillation(weight=0.5, **k),
        ]
    ),
}


def with_evidence(batch, sentences, counts):
    """Give a batch sentences and evidence.

    Args:
        batch: One from ``make_batch``, with labels.
        sentences: First token and end of each sentence, for each document.
        counts: For each pair, how often each sentence of its document is evidence. A pair's labels
            take turns; a pair without labels has none.
    """
    first = [0]
    for of in sentences:
        first.append(first[-1] + len(of))
    pairs = batch.label_pair.tolist()
    found = []
    for pair, of in enumerate(counts):
        mine = [label for label, p in enumerate(pairs) if p == pair]
        begin = first[int(batch.pair_doc[pair])]
        numbers = [begin + s for s, count in enumerate(of) for _ in range(int(count))]
        assert mine or not numbers
        found += [(mine[turn % len(mine)], sentence) for turn, sentence in enumerate(numbers)]
    labels, where = torch.tensor(found, dtype=torch.long).reshape(-1, 2).unbind(1)
    starts, ends = torch.tensor([span for of in sentences for span in of]).unbind(1)
    return replace(
        batch,
        sentence_doc=torch.tensor([d for d, of in enumerate(sentences) for _ in of]),
        sentence_start=starts,
        sentence_end=ends,
        evidence_label=labels,
        evidence_sentence=where,
    )


def scene(documents=DOCUMENTS):
    """Return a batch of some documents, features of its pairs' tokens, and a teacher."""
    parts = [_document(number) for number in documents]
    batch = make_batch(
        [part["ids"] for part in parts],
        [part["entities"] for part in parts],
        labels=[part["labels"] for part in parts],
    )
    counts = [row for part in parts for row in part["counts"]]
    batch = with_evidence(batch, [part["sentences"] for part in parts], counts)
    width = batch.num_tokens
    features = [
        nn.functional.pad(part["features"], (0, 0, 0, width - len(part["ids"]))) for part in parts
    ]
    maps = [nn.functional.pad(part["map"], (0, width - len(part["ids"]))) for part in parts]
    values = torch.cat([part["values"] for part in parts])
    teacher = TeacherTargets(values, attention=AttentionMaps(torch.cat(maps)))
    return batch, torch.cat(features), teacher


def _document(number):
    """The same document whichever batch it is in; its pairs, each with its own random numbers."""
    generator = torch.Generator().manual_seed(number)
    length = 11 + number
    entities = [[1], [3, 9], [6], [7]][: (1, 3, 4, 3)[number]]
    pairs = [(h, t) for h in range(len(entities)) for t in range(len(entities)) if h != t]
    labels, counts = [], []
    for row, (h, t) in enumerate(pairs):
        wanted = [r for r in range(NUM_RELATIONS) if (row + number + r) % 4 == 0 and row != 2]
        wanted = wanted if number in (1, 2) else []
        labels += [(h, t, relation) for relation in wanted]
        drawn = torch.randint(0, 3, (3,), generator=generator).tolist()
        counts.append(drawn if wanted and row != 4 else [0, 0, 0])
    size = len(pairs), length
    draw = {"generator": generator, "dtype": torch.float64}
    return {
        "ids": list(range(5, 5 + length)),
        "entities": entities,
        "labels": labels,
        "counts": counts,
        "sentences": [(1, 4), (4, 8), (8, length - 1)],
        "features": torch.randn(*size, FEATURES, **draw),
        "map": torch.randn(*size, **draw).softmax(-1),
        "values": torch.randn(len(pairs), 1 + NUM_RELATIONS, **draw),
    }


class Student(nn.Module):
    """Makes logits and attention of the features of a scene, with the same parameters."""

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(FEATURES, 1 + NUM_RELATIONS).double()
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, features, mask):
        scores = self.score(features)  # [P, T, 1 + R]
        seen = scores[..., 0].masked_fill(~mask, -torch.inf).softmax(1)
        context = PairContext(scores[:, 0], attention=AttentionMaps(seen))
        return HeadOutput((scores * mask.unsqueeze(2)).sum(1), context)


def scene_step(student, loss, documents=DOCUMENTS):
    """Return the total, the parts and the gradients of one step."""
    student.zero_grad()
    batch, features, teacher = scene(documents)
    output = student(features, batch.token_mask[batch.pair_doc])
    parts = loss(output, Targets(batch.labels(NUM_RELATIONS), batch, teacher))
    parts.total().backward()
    return {
        "total": parts.total().detach(),
        **parts.scalars(),
        **{name.removeprefix("module."): p.grad.clone() for name, p in student.named_parameters()},
    }
