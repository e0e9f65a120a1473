"""Joint extraction with masks over all tokens and loops over all pairs, as it is often written.

Here only for ``benchmarks/joint.py``, which shows what our way of it saves. It reads the parameters
of the same heads, so it has to find the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from joint_document import THRESHOLDS, RandomDocument, Span
from torch import Tensor, nn

from docre.joint import (
    CoreferenceHead,
    EntityTypeHead,
    MentionHead,
    MultiInstanceRelationHead,
    clusters,
)

NEVER = -1e30


class Heads(nn.Module):
    """The heads whose parameters are read, and what is applied to entities."""

    def __init__(
        self,
        mention: MentionHead,
        coreference: CoreferenceHead,
        entity_dropout: nn.Dropout,
        entity: EntityTypeHead,
        relation: MultiInstanceRelationHead,
    ) -> None:
        super().__init__()
        self.mention, self.coreference = mention, coreference
        self.entity_dropout, self.entity, self.relation = entity_dropout, entity, relation


def levenshtein(one: str, other: str) -> int:
    """Return how many characters change from one text to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def phrase(document: RandomDocument, span: Span) -> str:
    """Return the text of a span."""
    return " ".join(document.words[span[0] : span[1]])


def all_spans(document: RandomDocument, max_words: int = 10) -> list[Span]:
    """Return the candidates of a document."""
    found, first = [], 0
    for count in document.sentence_words:
        for size in range(1, max_words + 1):
            for start in range(count - size + 1):
                found.append((first + start, first + start + size))  # noqa: PERF401
        first += count
    return found


def token_mask(start: int, end: int, tokens: int) -> Tensor:
    """Return what is inside of a span, [T]."""
    mask = torch.zeros(tokens, dtype=torch.bool)
    mask[start:end] = True
    return mask


def span_masks(document: RandomDocument, spans: list[Span]) -> Tensor:
    """Return the masks of spans, [N, T]."""
    offset = document.token_offset
    return torch.stack([token_mask(offset[a], offset[b], document.tokens) for a, b in spans])


def masked_max(states: Tensor, masks: Tensor, chunk: int) -> Tensor:
    """Return the maximum of the states under each mask, zero where it is empty, [N, D].

    Args:
        states: # [T, D]
        masks: # [N, T]
        chunk: Masks that are applied at a time.
    """
    found = []
    for part in masks.split(chunk):
        outside = (~part).unsqueeze(2) * NEVER  # [n, T, 1]
        found.append((states.unsqueeze(0) + outside).max(1).values)  # [n, T, D] within
    return torch.cat(found) * masks.any(1, keepdim=True)


def padded_max(values: Tensor, groups: list[list[int]]) -> Tensor:
    """Return the maximum of the rows of each group, all filled up to the largest one, [E, D]."""
    longest = max(map(len, groups))
    index = torch.tensor([group + [0] * (longest - len(group)) for group in groups])
    real = torch.tensor([[1] * len(group) + [0] * (longest - len(group)) for group in groups])
    outside = (real == 0).unsqueeze(2) * NEVER
    return (values[index] + outside).max(1).values


def mention_logits(head: MentionHead, states: Tensor, spans: list[Span]) -> Tensor:
    """Return the logit of each span, [N]."""
    sizes = torch.tensor([end - start for start, end in spans])
    hidden = head.hidden(torch.cat([states, head.size_embedding(sizes)], 1)).relu()
    return head.output(head.dropout(hidden)).squeeze(1)


def coreference_logits(
    head: CoreferenceHead, mentions: Tensor, pairs: list[tuple[int, int]], edits: list[int]
) -> Tensor:
    """Return the logit of each ordered pair of mentions, [C]."""
    first, second = torch.tensor(pairs).long().view(-1, 2).unbind(1)
    distance = head.edit_embedding(torch.tensor(edits).long())
    hidden = head.hidden(torch.cat([mentions[first], mentions[second], distance], 1)).relu()
    return head.output(head.dropout(hidden)).squeeze(1)


def entity_logits(head: EntityTypeHead, entities: Tensor) -> Tensor:
    """Return the logits of each entity's types, [E, types]."""
    return head.output(head.dropout(head.hidden(entities).relu()))


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """All mention pairs of entity pairs: masks of what lies between, and both distances."""

    heads: Tensor
    tails: Tensor
    masks: Tensor
    token_distance: Tensor
    sentence_distance: Tensor
    groups: list[list[int]]

    @classmethod
    def of(
        cls,
        pairs: list[tuple[int, int]],
        entities: list[list[int]],
        places: list[tuple[int, ...]] | Tensor,
        tokens: int,
    ) -> Instances:
        """Go through the mentions of both entities of each pair.

        Args:
            pairs: Head and tail entity.
            entities: Mentions of each.
            places: First token of each mention, one past the last, the same in words, its
                sentence; as numbers or on the device.
            tokens: Of the document.
        """
        rows, masks, groups = [], [], []
        for head, tail in pairs:
            groups.append([])
            for one in entities[head]:
                for other in entities[tail]:
                    first, second = places[one], places[other]
                    distance = abs(first[4] - second[4])
                    if first[0] > second[0]:
                        first, second = second, first
                    masks.append(token_mask(int(first[1]), int(second[0]), tokens))
                    words = max(0, int(second[2] - (first[3] - 1)))
                    groups[-1].append(len(rows))
                    rows.append((one, other, words, int(distance)))
        heads, tails, words, sentences = torch.tensor(rows).unbind(1)
        return cls(heads, tails, torch.stack(masks), words, sentences, groups)


def relation_logits(
    head: MultiInstanceRelationHead,
    states: Tensor,
    mentions: Tensor,
    entities: Tensor,
    types: Tensor,
    pairs: list[tuple[int, int]],
    instances: Instances,
    chunk: int,
) -> Tensor:
    """Return the logits of each pair of entities, [P, R]."""
    first, second = torch.tensor(pairs).unbind(1)
    of_pair = torch.tensor([row for row, group in enumerate(instances.groups) for _ in group])
    wide = torch.cat(
        [
            masked_max(states, instances.masks, chunk),
            mentions[instances.heads],
            mentions[instances.tails],
            entities[first[of_pair]],
            entities[second[of_pair]],
            head.token_distance(instances.token_distance),
            head.sentence_distance(instances.sentence_distance),
        ],
        1,
    )  # [Q, 5D + 2m]
    pooled = padded_max(head.dropout(head.instance(wide)), instances.groups)  # [P, D]
    kinds = head.type_embedding(types)
    hidden = head.hidden(torch.cat([pooled, kinds[first], kinds[second]], 1)).relu()
    return head.output(head.dropout(hidden))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in a document; relations are head, tail, relation and probability."""

    mentions: list[Span]
    mention_probability: list[float]
    entities: list[list[int]]
    types: list[int]
    relations: list[tuple[int, int, int, float]]
    coreference_logits: Tensor
    relation_logits: Tensor


@torch.no_grad()
def extract(heads: Heads, document: RandomDocument, chunk: int) -> Found:
    """Find mentions, entities and relations."""
    spans = all_spans(document)
    pooled = masked_max(document.states, span_masks(document, spans), chunk)
    sure = mention_logits(heads.mention, pooled, spans).sigmoid()
    chosen = [row for row in range(len(spans)) if sure[row].item() >= THRESHOLDS.mention]
    mentions, states = [spans[row] for row in chosen], pooled[chosen]

    count = range(len(mentions))
    both = [(one, other) for one in count for other in count if one != other]
    edits = [
        levenshtein(phrase(document, mentions[one]), phrase(document, mentions[other]))
        for one, other in both
    ]
    of_both = coreference_logits(heads.coreference, states, both, edits)
    similarity = torch.eye(len(mentions))
    for row, (one, other) in enumerate(both):
        similarity[one, other] = of_both[row].sigmoid().item()
    entities = clusters(similarity, THRESHOLDS.coreference)

    entity_states = heads.entity_dropout(padded_max(states, entities))
    types = entity_logits(heads.entity, entity_states).softmax(1).argmax(1)

    sentence, offset = document.sentence, document.token_offset
    places = torch.tensor([(offset[a], offset[b], a, b, sentence[a]) for a, b in mentions])
    found = range(len(entities))
    pairs = [(head, tail) for head in found for tail in found if head != tail]
    instances = Instances.of(pairs, entities, places, document.tokens)
    logits = relation_logits(
        *(heads.relation, document.states, states, entity_states, types),
        *(pairs, instances, chunk),
    )
    relations = []
    for pair, scores in zip(pairs, logits.sigmoid(), strict=True):
        for relation in range(len(scores)):
            if scores[relation].item() >= THRESHOLDS.relation:
                relations.append((*pair, relation, scores[relation].item()))  # noqa: PERF401
    return Found(
        *(mentions, sure[chosen].tolist(), entities, types.tolist(), relations),
        *(of_both, logits),
    )
