"""What ``benchmarks/joint.py`` measures of docre, on one document."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from joint_document import RELATIONS, THRESHOLDS, RandomDocument
from torch import Tensor

from docre.batch import Batch
from docre.joint import (
    Extracted,
    JointSample,
    JointSampler,
    JointTargets,
    JointTruth,
    NegativeCounts,
    Spans,
    candidate_spans,
    edit_distances,
    phrases_of_words,
    span_max,
)
from docre.joint.batch import JointBatch, join_samples, pairs_of
from docre.joint.loss import JointLoss
from docre.joint.network import JointNetwork


class Ours:
    """The three things that are measured.

    Args:
        network: With a multi-instance head.
        document: What it is shown.
    """

    def __init__(self, network: JointNetwork, document: RandomDocument) -> None:
        self.network, self.document = network, document
        self.loss = JointLoss()
        self.epoch = 0

    def pooling(self, gradient: Tensor) -> Tensor:
        """Pool all candidates, and return the gradient of the token states."""
        states = self.document.states.unsqueeze(0).detach().requires_grad_()
        spans = self.candidates()
        span_max(states, spans.document, spans.start, spans.end).backward(gradient)
        return states.grad.squeeze(0)

    def step(self) -> None:
        """Draw a sample, and bring the gradient of its loss back to weights and token states."""
        self.network.train().zero_grad()
        self.epoch += 1
        self.sample_loss(self.document.states.detach().requires_grad_(), self.draw()).backward()

    def inference(self) -> Extracted:
        """Find mentions, entities and relations."""
        self.network.eval()
        batch = self._batch(candidates=self.candidates())
        states = self.document.states.unsqueeze(0)
        with torch.no_grad():
            return self.network.extract(states, batch, self._distances, THRESHOLDS)[0]

    def candidates(self) -> Spans:
        """Return the candidates for mentions."""
        document = self.document
        return candidate_spans(
            torch.tensor(document.sentence_words), torch.tensor(document.token_offset), 10
        )

    def draw(self) -> JointSample:
        """Draw a sample as in a first epoch, with nothing kept from before."""
        document = self.document
        truth = JointTruth(
            "random",
            np.array(document.sentence_words),
            np.array(document.token_offset),
            *np.array(document.mentions).T,
            np.array(document.mention_entity),
            np.array(document.entity_type),
            *np.array(document.labels).T,
            edit_distances(phrases_of_words(document.words, document.mentions)),
        )
        return join_samples([JointSampler(truth).draw(NegativeCounts(), 0, self.epoch)])

    def sample_loss(self, states: Tensor, sample: JointSample) -> Tensor:
        """Return the loss of a sample, from token states, [T, D]."""
        batch = self._batch(sample=sample, mention_pairs=pairs_of(sample))
        logits = self.network(states.unsqueeze(0), batch)
        return self.loss(logits, JointTargets.of(sample, RELATIONS)).total()

    def _batch(self, **given: Any) -> JointBatch:
        ids = torch.zeros(1, self.document.tokens, dtype=torch.long)
        none = torch.tensor([0])
        texts = Batch.of_texts(("random",), none, ids, ids == 0, none == 0)
        return JointBatch(texts, (tuple(self.document.words),), (), **given)

    def _distances(self, _: int, mentions: Spans) -> Tensor:
        spans = zip(mentions.word_start.tolist(), mentions.word_end.tolist(), strict=True)
        return torch.from_numpy(edit_distances(phrases_of_words(self.document.words, spans)))
