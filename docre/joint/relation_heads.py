"""Relations between entities: from the entities alone, or from all pairs of their mentions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.joint.initialisation import start_as_bert
from docre.joint.lookup import projected_rows
from docre.joint.mention_pairs import MentionPairs
from docre.joint.span_pooling import span_max
from docre.pooling import segment_max


@dataclass(frozen=True, slots=True, eq=False)
class RelationInput:
    """What relations are read from.

    Args:
        token_states: # [B, T, D]
        mentions: States of mentions.  # [M, D]
        entities: States of entities, after dropout.  # [E, D]
        entity_type: Known types in training, predicted ones afterwards.  # [E]
        pair_head: Entity that is head of a pair.  # [P]
        pair_tail: Entity that is tail of a pair.  # [P]
        mention_pairs: Those of the entity pairs, at least one for each.
    """

    token_states: Tensor
    mentions: Tensor
    entities: Tensor
    entity_type: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    mention_pairs: MentionPairs


class RelationHead(nn.Module, ABC):
    """Scores all relations of pairs of entities.

    Args:
        in_features: ``D``, width of all states.
        num_types: Number of entity types.
        num_relations: ``R``; there is no class for none, each relation is a yes or no.
        type_features: Width of the embedding of a type.
        dropout: Of the hidden layer.

    Attributes:
        type_embedding: Features of an entity type.
        output: Makes the scores of a pair from its state.
    """

    def __init__(
        self,
        in_features: int,
        num_types: int,
        num_relations: int,
        type_features: int = 25,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.type_embedding = nn.Embedding(num_types, type_features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(in_features, num_relations)

    @abstractmethod
    def pair_states(self, given: RelationInput) -> Tensor:
        """Return the state of each pair, before dropout, [P, D]."""

    def forward(self, given: RelationInput) -> Tensor:
        """Return the logits of each pair, [P, R]."""
        logits: Tensor = self.output(self.dropout(self.pair_states(given)))  # [P, R]
        return logits

    def _of_types(self, given: RelationInput, of_head: Tensor, of_tail: Tensor) -> Tensor:
        """Return what the types of head and tail add to a layer, [P, D]."""
        types = self.type_embedding(given.entity_type)  # [E, type_features]
        added = functional.linear(types, of_head).index_select(0, given.pair_head)  # [P, D]
        return added.add_(functional.linear(types, of_tail).index_select(0, given.pair_tail))


RelationHeadFactory = Callable[[int, int, int], RelationHead]


class GlobalRelationHead(RelationHead):
    """Scores a pair from the states and types of its two entities.

    Reference: JEREX (Eberts and Ulges, 2021), "global relation classifier".

    Args:
        in_features: ``D``, width of all states.
        num_types: Number of entity types.
        num_relations: ``R``.
        type_features: Width of the embedding of a type.
        dropout: Of the hidden layer.
    """

    def __init__(
        self,
        in_features: int,
        num_types: int,
        num_relations: int,
        type_features: int = 25,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(in_features, num_types, num_relations, type_features, dropout)
        self.hidden = nn.Linear(2 * in_features + 2 * type_features, in_features)
        start_as_bert(self)

    def pair_states(self, given: RelationInput) -> Tensor:
        """Return the state of each pair; see the base class."""
        width, features = given.entities.shape[1], self.type_embedding.embedding_dim
        weights = torch.split(self.hidden.weight, [width, width, features, features], 1)
        hidden = _of_entities(given, weights[0], weights[1], self.hidden.bias)  # [P, D]
        return hidden.add_(self._of_types(given, weights[2], weights[3])).relu_()


class MultiInstanceRelationHead(RelationHead):
    """Scores a pair from all pairs of its mentions and what stands between them.

    Each pair of mentions gets a state from what lies between the two, the mentions, their entities
    and both distances; an entity pair takes the element-wise maximum, and adds the types.

    Reference: JEREX (Eberts and Ulges, 2021), "multi-instance relation classifier".

    Args:
        in_features: ``D``, width of all states.
        num_types: Number of entity types.
        num_relations: ``R``.
        type_features: Width of the embedding of a type.
        distance_features: Width of the embedding of a distance.
        token_rows: Distances in words that are told apart; longer ones count as the longest.
        sentence_rows: Distances in sentences that are told apart.
        dropout: Of mention pairs and of the hidden layer.
    """

    def __init__(
        self,
        in_features: int,
        num_types: int,
        num_relations: int,
        type_features: int = 25,
        distance_features: int = 25,
        token_rows: int = 700,
        sentence_rows: int = 50,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(in_features, num_types, num_relations, type_features, dropout)
        self.token_distance = nn.Embedding(token_rows, distance_features)
        self.sentence_distance = nn.Embedding(sentence_rows, distance_features)
        self.instance = nn.Linear(5 * in_features + 2 * distance_features, in_features)
        self.hidden = nn.Linear(in_features + 2 * type_features, in_features)
        start_as_bert(self)

    def pair_states(self, given: RelationInput) -> Tensor:
        """Return the state of each pair; see the base class."""
        pooled = self.pooled_instances(given)
        width, features = pooled.shape[1], self.type_embedding.embedding_dim
        weights = torch.split(self.hidden.weight, [width, features, features], 1)
        hidden = functional.linear(pooled, weights[0], self.hidden.bias)  # [P, D]
        return hidden.add_(self._of_types(given, weights[1], weights[2])).relu_()

    def pooled_instances(self, given: RelationInput) -> Tensor:
        """Return the maximum of the states of each pair's mention pairs, [P, D].

        The layer over a mention pair is a sum: every block of its weight is applied where its
        input is, to gaps, mentions, entities and distances, and the sums are spread afterwards.
        """
        width, features = given.entities.shape[1], self.token_distance.embedding_dim
        widths = [*[width] * 5, features, features]
        of_gap, of_head, of_tail, *rest = torch.split(self.instance.weight, widths, 1)
        of_head_entity, of_tail_entity, of_tokens, of_sentences = rest
        pairs, gaps = given.mention_pairs, given.mention_pairs.gaps
        context = span_max(given.token_states, gaps.document, gaps.start, gaps.end, gaps.longest)
        between = functional.linear(context, of_gap)  # [G, D]
        between = between.add_(projected_rows(self.token_distance, of_tokens, gaps.token_distance))
        between = between.add_(
            projected_rows(self.sentence_distance, of_sentences, gaps.sentence_distance)
        )
        states = between.index_select(0, pairs.gap)  # [Q, D]
        states = states.add_(functional.linear(given.mentions, of_head).index_select(0, pairs.head))
        states = states.add_(functional.linear(given.mentions, of_tail).index_select(0, pairs.tail))
        entities = _of_entities(given, of_head_entity, of_tail_entity, self.instance.bias)  # [P, D]
        count = len(given.pair_head)
        if not self.training:  # the same for all mention pairs of a pair, so it can wait
            return segment_max(states, pairs.pair, count) + entities
        states = self.dropout(states.add_(entities.index_select(0, pairs.pair)))
        return segment_max(states, pairs.pair, count)  # [P, D]


def _of_entities(given: RelationInput, of_head: Tensor, of_tail: Tensor, bias: Tensor) -> Tensor:
    """Return what the states of head and tail add to a layer, [P, D]."""
    as_head = functional.linear(given.entities, of_head, bias)  # [E, D]
    as_tail = functional.linear(given.entities, of_tail)  # [E, D]
    added = as_head.index_select(0, given.pair_head)  # [P, D]
    return added.add_(as_tail.index_select(0, given.pair_tail))
