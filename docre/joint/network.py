"""The joint network: four heads in a row on the states of tokens, and memories beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from docre.joint.batch import JointBatch
from docre.joint.coreference_head import CoreferenceHead
from docre.joint.entity_head import EntityStates, EntityTypeHead
from docre.joint.extracted import Extracted
from docre.joint.finding import EditDistances, FoundMentions
from docre.joint.inference import (
    MENTION_PAIR_BUDGET,
    SPAN_BUDGET,
    JointHeads,
    extract,
    heads_in_a_row,
    mentions_of,
)
from docre.joint.loss import JointLogits
from docre.joint.mention_head import MentionHead
from docre.joint.relation_base import (
    RelationHead,
    RelationHeadFactory,
    RelationInput,
    above_threshold,
)
from docre.joint.relation_heads import GlobalRelationHead
from docre.joint.similarity_memories import SimilarityMemories
from docre.joint.span_pooling import span_max
from docre.joint.thresholds import JointThresholds
from docre.memory.base import MemoryFactory


class JointNetwork(nn.Module):
    """Finds mentions, which of them are one entity, the types of entities and their relations.

    Each head is trained on what is true before it, and works on what those before it found. Heads
    may be left out at both ends of the row: what comes before the first is taken from the
    annotations, and after the last nothing is found. So each head can be a model of its own.

    Args:
        in_features: ``D``, width of the states of tokens.
        num_types: Number of entity types.
        num_relations: ``R``.
        mention: Makes the head of mentions from ``D``.
        coreference: Makes the head of coreference from ``D``.
        entity: Makes the head of types from ``D`` and their number. With a memory, that has its
            own, and this one only says that there is such a head.
        relation: Makes the head of relations from ``D`` and both numbers.
        memory: Makes memories that entities and pairs are classified with, and that tokens and
            mentions read from.
        readers: Make memories from ``D`` that head and tail of each pair read from, one after
            another.
        threshold: Give each pair a threshold of its own in column 0 of its logits, for losses that
            compare with one. A relation is then as probable as it is above that.
        dropout: Of entities.
        mention_pair_budget: Pairs of mentions that are scored at a time in :meth:`extract`; more
            need more memory, fewer more time. Those of one entity pair stay together.
        span_budget: The same of candidates. Those of one document stay together if they read from
            a memory.

    Raises:
        ValueError: If heads are missing between others, or one that a memory needs.
    """

    def __init__(
        self,
        in_features: int,
        num_types: int,
        num_relations: int,
        mention: Callable[[int], nn.Module] | None = MentionHead,
        coreference: Callable[[int], nn.Module] | None = CoreferenceHead,
        entity: Callable[[int, int], nn.Module] | None = EntityTypeHead,
        relation: RelationHeadFactory | None = GlobalRelationHead,
        memory: Callable[[int, int, int], SimilarityMemories] | None = None,
        readers: Sequence[MemoryFactory] = (),
        threshold: bool = False,
        dropout: float = 0.1,
        mention_pair_budget: int = MENTION_PAIR_BUDGET,
        span_budget: int = SPAN_BUDGET,
    ) -> None:
        super().__init__()
        self.tasks = heads_in_a_row(
            mention=mention, coreference=coreference, entity=entity, relation=relation
        )
        if relation is None and (readers or threshold):
            what = "readers" if readers else "threshold"
            raise ValueError(f"{what}: there is no relation head to have it")
        if memory is not None and (entity is None or relation is None):
            lacking = "entity" if entity is None else "relation"
            raise ValueError(
                f"memory: it is written by classifying, and there is no {lacking} head"
            )
        self.mention_pair_budget, self.span_budget = mention_pair_budget, span_budget
        memories = None if memory is None else memory(in_features, num_types, num_relations)
        self.mention = None if mention is None else mention(in_features)
        self.coreference = None if coreference is None else coreference(in_features)
        self.entity_states = EntityStates(dropout)
        self.entity: nn.Module | None = None
        if entity is not None:
            made = entity(in_features, num_types) if memories is None else memories.entity_head()
            self.entity = made
        self.relation: RelationHead | None = None
        if relation is not None:
            self.relation = relation(in_features, num_types, num_relations)
            self.relation.read_from(make(in_features) for make in readers)
            if threshold:
                self.relation.learn_threshold()
            if memories is not None:
                memories.serve(self.relation)
        self.memory = memories

    def forward(self, token_states: Tensor, batch: JointBatch) -> JointLogits:
        """Return what the heads say about the sample of a training batch.

        Args:
            token_states: Those of the batch's texts.  # [B, T, D]
            batch: A batch with a sample, and its mention pairs where the relation head reads them.
        """
        sample = batch.sample
        if sample is None:
            raise ValueError("the batch has no sample: it is none to train with")
        tokens, spans = self._read_tokens(token_states, batch), sample.spans
        states = span_max(tokens, spans.document, spans.start, spans.end, sample.longest)  # [N, D]
        if self.memory is not None:
            states = self.memory.read_spans(states, spans.document, len(tokens))
        mention = coreference = entity = relation = None
        if self.mention is not None:
            mention = self.mention(states, spans.sizes)
        if self.coreference is not None:
            coreference = self.coreference(
                states, sample.first, sample.second, sample.edit_distance
            )
        if self.entity is None and self.relation is None:
            return JointLogits(mention, coreference)
        member, count = sample.member, len(sample.entity_type)
        entities = self.entity_states(states, member, sample.member_entity, count)
        if self.entity is not None:
            entity = self.entity(entities)
        if self.relation is not None:
            pairs = batch.mention_pairs if self.relation.reads_mention_pairs else None
            if pairs is None and self.relation.reads_mention_pairs:
                raise ValueError("the relation head reads mention pairs, and the batch has none")
            given = RelationInput(
                tokens,
                states,
                entities,
                sample.entity_type,
                sample.pair_head,
                sample.pair_tail,
                pairs,
                sample.pair_doc,
            )
            relation = self.relation(given)
        return JointLogits(mention, coreference, entity, relation)

    @torch.no_grad()
    def extract(
        self,
        token_states: Tensor,
        batch: JointBatch,
        edit_distances: EditDistances,
        thresholds: JointThresholds,
    ) -> list[Extracted]:
        """Return what is found in the documents of a batch; the network is in evaluation mode.

        Args:
            token_states: Those of the batch's texts.  # [B, T, D]
            batch: A batch with candidates; without a head of mentions, only the annotations of its
                documents are looked at.
            edit_distances: Says how far apart the texts of mentions are.
            thresholds: How sure the heads have to be.
        """
        return extract(
            self.heads(),
            self._read_tokens(token_states, batch),
            batch.candidates,
            edit_distances,
            thresholds,
            batch.truth,
            self.mention_pair_budget,
            self.span_budget,
        )

    def mentions(self, token_states: Tensor, batch: JointBatch, threshold: float) -> FoundMentions:
        """Return the mentions that the later heads see in :meth:`extract`."""
        tokens = self._read_tokens(token_states, batch)
        return mentions_of(
            self.heads(), tokens, batch.candidates, threshold, batch.truth, self.span_budget
        )

    def heads(self) -> JointHeads:
        """Return the heads as :func:`docre.joint.extract` takes them."""
        head, relation = self.relation, None
        if head is not None:
            relation = (
                head if head.threshold is None else lambda given: above_threshold(head(given))
            )
        return JointHeads(
            self.mention,
            self.coreference,
            self.entity_states,
            self.entity,
            relation,
            None if self.memory is None else self.memory.read_spans,
            None if head is None else head.read,
            head is not None and head.reads_mention_pairs,
        )

    def memory_parts(self) -> list[nn.Module | None]:
        """Return the memories: what may learn at another rate than the heads."""
        return [self.memory, None if self.relation is None else self.relation.readers]

    def _read_tokens(self, token_states: Tensor, batch: JointBatch) -> Tensor:
        if self.memory is None:
            return token_states
        return self.memory.read_tokens(token_states, batch.documents.token_mask)
