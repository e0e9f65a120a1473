"""What a joint model finds in a document, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from docre.joint.spans import Spans


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """Mentions, entities and relations of one document, in host memory.

    Mentions are in the order of the candidates, entities in that of their first mention, relations
    by head, then tail, then relation. Where entities are taken from annotations, both are in the
    order they have there. Probabilities are in at least float32; what is taken is certain.

    Args:
        mentions: Spans that are mentions.
        mention_probability: # [M]
        mention_entity: Entity of each mention; no mention is without one.  # [M]
        entity_type: The most probable one; -1 where nobody knows.  # [E]
        entity_probability: Of that type; 0 where nobody knows.  # [E]
        head: Entity that is head of a relation.  # [K]
        tail: Entity that is its tail.  # [K]
        relation: Which of the ``R`` relations it is.  # [K]
        relation_probability: # [K]
        tasks: Names of the heads that looked: what is before the first of them is annotated, and
            nobody looked for what is after the last.
    """

    mentions: Spans
    mention_probability: Tensor
    mention_entity: Tensor
    entity_type: Tensor
    entity_probability: Tensor
    head: Tensor
    tail: Tensor
    relation: Tensor
    relation_probability: Tensor
    tasks: tuple[str, ...] = ("mention", "coreference", "entity", "relation")
