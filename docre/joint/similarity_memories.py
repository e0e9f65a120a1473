"""The similarity memory of joint extraction: a memory of entity types and one of relations.

Classifying writes them, by its gradient; tokens and mentions read from them, so that what is known
of types and relations reaches the earlier stages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from docre.joint.relation_base import RelationHead
from docre.memory.similarity import (
    BilinearSimilarity,
    SimilarityClassifier,
    SimilarityFactory,
    SimilarityMemory,
)
from docre.memory.similarity_reader import ReadingLevel
from docre.memory.similarity_reads import FlatInputs, InverseRead, MemoryRead, PaddedInputs

ReadFactory = Callable[[int, Sequence[int], SimilarityFactory], MemoryRead]


class SimilarityMemories(nn.Module):
    """Both memories, the levels at which documents read from them, and what classifies with them.

    The published system reads inversely at both levels; which memories are read does not change
    how classes are scored. What is made for the heads of a model belongs to the heads, and holds
    the similarities; the slots are here.

    Args:
        in_features: ``D``, width of all states.
        num_types: Number of entity types.
        num_relations: ``R``.
        slots: Slots a class; the published system has one.
        slot_features: Width of the slots, or those of the entity and of the relation memory;
            ``D`` if left out.
        similarity: Compares vectors and slots, to classify and to read.
        tokens: Make what tokens read by, one after another; none leaves them as they are. Called
            with ``D``, the widths of the slots that are read, and the similarity.
        mentions: The same of all spans that may be mentions.
        read_gradient: Whether memories also learn from being read.
        entity: Whether the entity memory is read.
        relation: Whether the relation memory is read.

    Reference: similarity-memory JEREX (Kosciukiewicz et al., 2023), released code.
    """

    def __init__(
        self,
        in_features: int,
        num_types: int,
        num_relations: int,
        slots: int = 1,
        slot_features: int | tuple[int, int] | None = None,
        similarity: SimilarityFactory = BilinearSimilarity,
        tokens: Sequence[ReadFactory] = (InverseRead,),
        mentions: Sequence[ReadFactory] = (InverseRead,),
        read_gradient: bool = True,
        entity: bool = True,
        relation: bool = True,
    ) -> None:
        super().__init__()
        if slot_features is None:
            slot_features = in_features
        if isinstance(slot_features, int):
            slot_features = (slot_features, slot_features)
        of_types, of_relations = slot_features
        self.in_features = in_features
        self.entity = SimilarityMemory(num_types, of_types, slots)
        self.relation = SimilarityMemory(num_relations, of_relations, slots)
        self.reads_entity, self.reads_relation = entity, relation
        self._similarity = similarity
        widths = [memory.features for memory in self.read_memories()]

        def level(reads: Sequence[ReadFactory]) -> ReadingLevel:
            made = [make(in_features, widths, similarity) for make in reads]
            return ReadingLevel(made, read_gradient)

        self.tokens, self.mentions = level(tokens), level(mentions)

    def read_memories(self) -> list[SimilarityMemory]:
        """Return the memories that are read, in the order that reads know them in."""
        both = (self.entity, self.reads_entity), (self.relation, self.reads_relation)
        return [memory for memory, read in both if read]

    def read_tokens(self, token_states: Tensor, token_mask: Tensor) -> Tensor:
        """Return the states after the reads of their level, [B, T, D].

        Args:
            token_states: # [B, T, D]
            token_mask: True at tokens.  # [B, T]
        """
        states: Tensor = self.tokens(token_states, self._matrices(), PaddedInputs(token_mask))
        return states

    def read_spans(self, span_states: Tensor, document: Tensor, documents: int) -> Tensor:
        """Return the states after the reads of their level, [N, D].

        Args:
            span_states: Of all spans that are asked about in each document.  # [N, D]
            document: Document of each.  # [N]
            documents: ``B``.
        """
        inputs = FlatInputs(document, documents)
        states: Tensor = self.mentions(span_states, self._matrices(), inputs)
        return states

    def entity_head(self) -> MemoryClassifier:
        """Return what scores the types of entities, from their states."""
        return MemoryClassifier(self.in_features, self.entity, self._similarity)

    def serve(self, head: RelationHead) -> None:
        """Let a relation head score pairs with the relation memory, and look types up here."""
        head.output = MemoryClassifier(self.in_features, self.relation, self._similarity)
        head.take_types(MemoryTypes(self.entity), self.entity.features)

    def _matrices(self) -> list[Tensor]:
        return [memory.matrix for memory in self.read_memories()]


class MemoryClassifier(SimilarityClassifier):
    """A classifier with a memory that belongs to someone else.

    Args:
        features: Width of a vector, ``D``.
        memory: Slots of the classes; neither its values nor its place are the classifier's.
        similarity: Compares vectors and slots.
    """

    def __init__(
        self,
        features: int,
        memory: SimilarityMemory,
        similarity: SimilarityFactory = BilinearSimilarity,
    ) -> None:
        super().__init__(features, memory.features, similarity)
        self._memory = (memory,)  # in a tuple it is no part of this module

    def forward(self, states: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of each vector, [N, C], in at least float32."""
        return super().forward(states, *self._memory)


class MemoryTypes(nn.Module):
    """Features of entity types from a memory that belongs to someone else, without a gradient.

    Args:
        memory: Slots of the types.
    """

    def __init__(self, memory: SimilarityMemory) -> None:
        super().__init__()
        self._memory = (memory,)  # in a tuple it is no part of this module

    def forward(self, index: Tensor) -> Tensor:
        """Return the features of types, [..., slot_features]."""
        return self._memory[0].lookup(index)
