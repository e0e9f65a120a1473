"""The chassis of the pair systems: pool, give context, read a memory, classify."""

from __future__ import annotations

from torch import Tensor, nn

from docre.batch import Batch
from docre.context.base import ContextFactory
from docre.context.localized import LocalizedContext
from docre.grids import with_all_cells
from docre.heads.base import Head
from docre.heads.bilinear import GroupedBilinear
from docre.heads.classifier import ClassifierFactory
from docre.memory.base import MemoryFactory
from docre.outputs import Encoded, HeadOutput, PairContext, Scene
from docre.pooling import LogSumExpPooling, PoolingFactory, entity_attention, mention_states


class PairHead(Head):
    """Scores pairs from entity states and contexts.

    Mentions are pooled to entities; every pair gets a context; an extractor makes head and tail of
    the entity and the context, ``tanh(W [entity; context] + b)``; a memory, if there is one, reads
    both again; a classifier scores them. ATLOP is this without a memory, TTM-RE with one.

    Args:
        in_features: ``D``, width of the encoder's states.
        num_relations: ``R``, without the threshold.
        pooling: Makes entities of mentions.
        context: Makes the context of a pair.
        memory: Re-reads head and tail; none if left out.
        classifier: Scores head and tail.
        width: Of head and tail.
        shared_extractor: One extractor for both ends of a pair, as TTM-RE's code has it, instead
            of one for heads and one for tails.
    """

    def __init__(
        self,
        in_features: int,
        num_relations: int,
        pooling: PoolingFactory = LogSumExpPooling,
        context: ContextFactory = LocalizedContext,
        memory: MemoryFactory | None = None,
        classifier: ClassifierFactory = GroupedBilinear,
        width: int = 768,
        shared_extractor: bool = False,
    ) -> None:
        super().__init__(in_features, num_relations)
        self.pooling = pooling(in_features)
        self.context = context(in_features)
        joined = in_features + self.context.out_features
        self.head_extractor = nn.Linear(joined, width)
        self.tail_extractor = None if shared_extractor else nn.Linear(joined, width)
        self.memory = None if memory is None else memory(width)
        self.classifier = classifier(width, num_relations, in_features)

    def forward(self, encoded: Encoded, batch: Batch) -> HeadOutput:
        """Return the scores of all pairs; see the base class."""
        if not self.classifier.needs_grid:
            return self._score(encoded, batch)
        grid = with_all_cells(batch)
        output = self._score(encoded, grid.batch)
        context = None if output.context is None else output.context.of(grid.cell)
        return HeadOutput(output.logits[grid.cell], context)

    def _score(self, encoded: Encoded, batch: Batch) -> HeadOutput:
        mentions = mention_states(encoded.token_states, batch)
        entities = self.pooling(mentions, batch.mention_entity, batch.num_entities)  # [E, D]
        entities = entities.to(mentions.dtype)  # pooled in float32 at least
        attention = entity_attention(encoded.mention_attention, batch)  # [E, H, T]
        context = self.context(encoded, entities, attention, batch)
        head = extract(self.head_extractor, entities, batch.pair_head, context)
        tail_extractor = self.head_extractor if self.tail_extractor is None else self.tail_extractor
        tail = extract(tail_extractor, entities, batch.pair_tail, context)
        if self.memory is not None:
            head, tail = self.memory(head, tail, batch.pair_doc)
        blank = self.head_extractor.bias.tanh(), tail_extractor.bias.tanh()
        scene = Scene(encoded, context, batch, blank)
        return HeadOutput(self.classifier(head, tail, scene), context)


def extract(layer: nn.Linear, entities: Tensor, entity: Tensor, context: PairContext) -> Tensor:
    """Return ``tanh(W [entity; context] + b)`` of each pair.

    The two halves of ``W`` are applied before anything is spread over the pairs: to ``E`` entities
    and to the distinct contexts.

    Args:
        layer: ``W`` and ``b``.
        entities: States.  # [E, D]
        entity: Which entity of a pair is meant.  # [P]
        context: Contexts of the pairs.

    Returns:
        One row a pair.  # [P, D]
    """
    width = entities.shape[1]
    of_entity = nn.functional.linear(entities, layer.weight[:, :width], layer.bias)  # [E, D]
    of_context = nn.functional.linear(context.states, layer.weight[:, width:])  # [U, D]
    # in place: the sums are gathered copies that nobody else holds
    return of_entity[entity].add_(context.per_pair(of_context)).tanh_()
