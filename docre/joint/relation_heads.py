"""Relations between entities: from the entities alone, or from all pairs of their mentions."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.joint.initialisation import start_as_bert
from docre.joint.lookup import projected_rows
from docre.joint.relation_base import RelationHead, RelationInput
from docre.joint.span_pooling import span_max
from docre.pooling import segment_max


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
        super().__init__(
            in_features, num_types, num_relations, 2 * in_features, type_features, dropout
        )
        start_as_bert(self)

    def pairs_without_types(self, given: RelationInput, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the layer over both entities; see the base class."""
        of_head, of_tail = weight.chunk(2, 1)
        return given.of_entities(of_head, of_tail, bias)


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

    reads_mention_pairs: ClassVar[bool] = True

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
        super().__init__(in_features, num_types, num_relations, in_features, type_features, dropout)
        self.token_distance = nn.Embedding(token_rows, distance_features)
        self.sentence_distance = nn.Embedding(sentence_rows, distance_features)
        self.instance = nn.Linear(5 * in_features + 2 * distance_features, in_features)
        start_as_bert(self)

    def pairs_without_types(self, given: RelationInput, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the layer over the pooled mention pairs; see the base class."""
        return functional.linear(self.pooled_instances(given), weight, bias)

    def pooled_instances(self, given: RelationInput) -> Tensor:
        """Return the maximum of the states of each pair's mention pairs, [P, D].

        The layer over a mention pair is a sum: every block of its weight is applied where its
        input is, to gaps, mentions, entities and distances, and the sums are spread afterwards.
        """
        if given.mention_pairs is None:
            raise ValueError("mention_pairs: there are none, and this head reads them")
        width, features = self.in_features, self.token_distance.embedding_dim
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
        entities = given.of_entities(of_head_entity, of_tail_entity, self.instance.bias)  # [P, D]
        count = len(given.pair_head)
        if not self.training:  # the same for all mention pairs of a pair, so it can wait
            return segment_max(states, pairs.pair, count) + entities
        states = self.dropout(states.add_(entities.index_select(0, pairs.pair)))
        return segment_max(states, pairs.pair, count)  # [P, D]
