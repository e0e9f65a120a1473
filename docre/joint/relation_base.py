"""The contract of a relation head: what it is told about pairs of entities, what it makes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.joint.initialisation import start_as_bert
from docre.joint.mention_pairs import MentionPairs
from docre.losses.base import at_least_float32
from docre.memory.base import MemoryReader


@dataclass(frozen=True, slots=True, eq=False)
class RelationInput:
    """What relations are read from.

    Args:
        token_states: # [B, T, D]
        mentions: States of mentions.  # [M, D]
        entities: States of entities, after dropout.  # [E, D]
        entity_type: Known types in training, predicted ones afterwards; -1 for one that is not
            known, which adds nothing.  # [E]
        pair_head: Entity that is head of a pair.  # [P]
        pair_tail: Entity that is tail of a pair.  # [P]
        mention_pairs: Those of the entity pairs, at least one for each; none for heads that do
            not read them.
        pair_doc: Document of each pair, ascending; needed where memories are read.  # [P]
        ends: States of head and tail of each pair, where these differ from those of the entities:
            after memories were read.  # [P, D], [P, D]
    """

    token_states: Tensor
    mentions: Tensor
    entities: Tensor
    entity_type: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    mention_pairs: MentionPairs | None = None
    pair_doc: Tensor | None = None
    ends: tuple[Tensor, Tensor] | None = None

    def of_entities(self, of_head: Tensor, of_tail: Tensor, bias: Tensor) -> Tensor:
        """Return what the states of head and tail add to a layer.

        Args:
            of_head: Weight for heads.  # [K, D]
            of_tail: Weight for tails.  # [K, D]
            bias: # [K]

        Returns:
            # [P, K]
        """
        if self.ends is not None:
            head, tail = self.ends
            return functional.linear(head, of_head, bias) + functional.linear(tail, of_tail)
        # there are fewer entities than pairs
        as_head = functional.linear(self.entities, of_head, bias)  # [E, K]
        as_tail = functional.linear(self.entities, of_tail)  # [E, K]
        added = as_head.index_select(0, self.pair_head)  # [P, K]
        return added.add_(as_tail.index_select(0, self.pair_tail))


class RelationHead(nn.Module, ABC):
    """Scores all relations of pairs of entities.

    The last layer but one is over what a subclass knows of a pair and over the types of its ends:
    ``relu(W [pair; type of head; type of tail] + b)``.

    Args:
        in_features: ``D``, width of all states.
        num_types: Number of entity types.
        num_relations: ``R``; there is no class for none, each relation is a yes or no.
        pair_features: Width of what a subclass knows of a pair.
        type_features: Width of the embedding of a type.
        dropout: Of the hidden layer.

    Attributes:
        reads_mention_pairs: Whether a subclass needs the mention pairs of its input, which are only
            made where one does.
        type_embedding: Features of an entity type.
        hidden: The layer above.
        output: Makes the scores of a pair from its state.
        readers: Memories that head and tail of each pair read from, one after another.
        threshold: Makes the score that the others are compared with; none at first.

    Example:
        A whole head of one's own, of how two entities differ. Thresholds, memories and their
        readers go with it:

        >>> class DifferenceHead(RelationHead):
        ...     def __init__(self, in_features, num_types, num_relations):
        ...         super().__init__(in_features, num_types, num_relations, in_features)
        ...
        ...     def pairs_without_types(self, given, weight, bias):
        ...         return given.of_entities(weight, -weight, bias)
        >>> DifferenceHead(16, 3, 5).hidden
        Linear(in_features=66, out_features=16, bias=True)
    """

    reads_mention_pairs: ClassVar[bool] = False

    def __init__(
        self,
        in_features: int,
        num_types: int,
        num_relations: int,
        pair_features: int,
        type_features: int = 25,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.in_features, self.pair_features = in_features, pair_features
        # where there are no types, all of them are unknown, but something is looked up
        self.type_embedding: nn.Module = nn.Embedding(max(num_types, 1), type_features)
        self.hidden = nn.Linear(pair_features + 2 * type_features, in_features)
        self.dropout = nn.Dropout(dropout)
        self.output: nn.Module = nn.Linear(in_features, num_relations)
        self.threshold: nn.Linear | None = None
        self.readers = nn.ModuleList()

    @abstractmethod
    def pairs_without_types(self, given: RelationInput, weight: Tensor, bias: Tensor) -> Tensor:
        """Return ``W [what is known of a pair] + b``, in a tensor that may be written to.

        Args:
            given: The pairs.
            weight: # [D, pair_features]
            bias: # [D]

        Returns:
            # [P, D]
        """

    def forward(self, given: RelationInput) -> Tensor:
        """Return the logits of each pair, [P, R]; [P, 1 + R] with a threshold, in column 0."""
        states = self.dropout(self.pair_states(given))  # [P, D]
        logits: Tensor = self.output(states)  # [P, R]
        if self.threshold is None:
            return logits
        return torch.cat((self.threshold(states).to(logits.dtype), logits), 1)  # [P, 1 + R]

    def pair_states(self, given: RelationInput) -> Tensor:
        """Return the state of each pair, before dropout, [P, D]."""
        given = self.read(given)
        of_pair, of_types = self.hidden.weight.tensor_split([self.pair_features], 1)
        of_head, of_tail = of_types.chunk(2, 1)
        states = self.pairs_without_types(given, of_pair, self.hidden.bias)  # [P, D]
        known = given.entity_type.unsqueeze(1) >= 0  # [E, 1]
        types = self.type_embedding(given.entity_type.clamp(min=0))  # [E, type_features]
        types = torch.where(known, types, 0)
        as_head, as_tail = functional.linear(types, of_head), functional.linear(types, of_tail)
        states = states.add_(as_head.index_select(0, given.pair_head))
        return states.add_(as_tail.index_select(0, given.pair_tail)).relu_()

    def read(self, given: RelationInput) -> RelationInput:
        """Let head and tail of each pair read from the memories, unless they did before.

        A reader may let the pairs of a batch see each other: it is given all of them at once.
        """
        if given.ends is not None or not len(self.readers):
            return given
        head = given.entities.index_select(0, given.pair_head)  # [P, D]
        tail = given.entities.index_select(0, given.pair_tail)  # [P, D]
        for reader in self.readers:
            head, tail = reader(head, tail, given.pair_doc)
        return replace(given, ends=(head, tail))

    def read_from(self, readers: Iterable[MemoryReader]) -> None:
        """Add memories behind those that are there."""
        self.readers.extend(readers)

    def learn_threshold(self) -> None:
        """Give each pair a threshold of its own, made from its state."""
        self.threshold = nn.Linear(self.in_features, 1)
        start_as_bert(self.threshold)

    def take_types(self, embedding: nn.Module, type_features: int) -> None:
        """Look types up elsewhere; the hidden layer begins anew, at their width.

        Args:
            embedding: Features of types, from their indices.
            type_features: Their width.
        """
        self.type_embedding = embedding
        self.hidden = nn.Linear(self.pair_features + 2 * type_features, self.in_features)
        start_as_bert(self.hidden)


RelationHeadFactory = Callable[[int, int, int], RelationHead]
"""Makes a head from the width of states, the number of types and that of relations."""


def above_threshold(logits: Tensor) -> Tensor:
    """Return how far relations are above the learned threshold, in at least float32.

    Args:
        logits: Column 0 is the threshold.  # [P, 1 + R]

    Returns:
        The logits of the relations holding.  # [P, R]
    """
    logits = at_least_float32(logits)
    return logits[:, 1:] - logits[:, :1]
