"""The batch: flat tensors with offsets, the only thing that goes from data into a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Sizes(NamedTuple):
    """What each document of a batch has, as plain integers: nobody has to ask the device."""

    tokens: tuple[int, ...]
    mentions: tuple[int, ...]
    entities: tuple[int, ...]
    pairs: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Documents of one step, flat.

    All indices are int64. Entities, mentions and pairs are counted over the whole batch; tokens
    are counted in their document's row of ``input_ids``. Pairs are row-major in each document,
    whatever the labels are: with attention across pairs an order made from labels would leak them.

    Args:
        document_ids: Title or id of each document.
        document_index: Row of each document in its data set.  # [B]
        input_ids: Token ids, padded to the right.  # [B, T]
        token_mask: True at real tokens.  # [B, T]
        mention_token: Token a mention is read at: its opening marker.  # [M]
        mention_end: One past the last token of the mention and its closing marker.  # [M]
        mention_entity: Entity of a mention.  # [M]
        entity_doc: Document of an entity.  # [E]
        entity_type: Index of the entity's type, -1 where it is unknown.  # [E]
        entity_offset: Where a document's entities begin.  # [B + 1]
        pair_head: Entity that is head of a pair.  # [P]
        pair_tail: Entity that is tail of a pair.  # [P]
        pair_doc: Document of a pair.  # [P]
        pair_offset: Where a document's pairs begin.  # [B + 1]
        sentence_doc: Document of a sentence.  # [N]
        sentence_start: First token of a sentence.  # [N]
        sentence_end: One past its last token.  # [N]
        labelled: False for documents that were never labelled.  # [B]
        label_pair: Pair that carries a label.  # [K]
        label_relation: Its relation, counted from 0; the logits' column is one more.  # [K]
        evidence_label: Label that a piece of evidence belongs to.  # [V]
        evidence_sentence: Sentence (counted over the batch) that supports it.  # [V]
        sizes: Numbers of tokens, mentions, entities and pairs; counted if left out.
    """

    document_ids: tuple[str, ...]
    document_index: Tensor
    input_ids: Tensor
    token_mask: Tensor
    mention_token: Tensor
    mention_end: Tensor
    mention_entity: Tensor
    entity_doc: Tensor
    entity_type: Tensor
    entity_offset: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    pair_doc: Tensor
    pair_offset: Tensor
    sentence_doc: Tensor
    sentence_start: Tensor
    sentence_end: Tensor
    labelled: Tensor
    label_pair: Tensor
    label_relation: Tensor
    evidence_label: Tensor
    evidence_sentence: Tensor
    sizes: Sizes = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.sizes is None:
            mention_doc = self.entity_doc[self.mention_entity]
            counted = (
                self.token_mask.sum(1),
                torch.bincount(mention_doc, minlength=len(self)),
                self.entity_offset.diff(),
                self.pair_offset.diff(),
            )
            object.__setattr__(self, "sizes", Sizes(*(tuple(c.tolist()) for c in counted)))

    @classmethod
    def of_texts(
        cls,
        document_ids: tuple[str, ...],
        document_index: Tensor,
        input_ids: Tensor,
        token_mask: Tensor,
        labelled: Tensor,
    ) -> Batch:
        """Make a batch of documents of which nothing but the text is known."""
        documents = len(document_ids)
        none, offset = torch.zeros(0, dtype=torch.long), torch.zeros(documents + 1).long()
        empty = {field.name: none for field in fields(cls) if field.name != "sizes"}
        given = {
            "document_ids": document_ids,
            "document_index": document_index,
            "input_ids": input_ids,
            "token_mask": token_mask,
            "labelled": labelled,
            "entity_offset": offset,
            "pair_offset": offset,
        }
        return cls(**(empty | given))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.document_ids)

    @property
    def num_tokens(self) -> int:
        """``T``: length of the longest document."""
        return self.input_ids.shape[1]

    @property
    def num_entities(self) -> int:
        """``E``."""
        return self.entity_doc.shape[0]

    @property
    def num_pairs(self) -> int:
        """``P``."""
        return self.pair_head.shape[0]

    def labels(self, num_relations: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the labels as 0 and 1, made on the batch's device.

        Args:
            num_relations: ``R``, without the threshold class.
            dtype: Of the result.

        Returns:
            One row a pair; column 0 is 1 exactly where no relation is.  # [P, 1 + R]
        """
        dense = torch.zeros(self.num_pairs, 1 + num_relations, dtype=dtype, device=self.device)
        dense[self.label_pair, self.label_relation + 1] = 1
        dense[:, 0] = 1
        dense[self.label_pair, 0] = 0
        return dense

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.input_ids.device

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory, from where copies to a GPU need not wait."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        changed: dict[str, Any] = {
            name: change(value)
            for name in (field.name for field in fields(self))
            if isinstance(value := getattr(self, name), Tensor)
        }
        return replace(self, **changed)
