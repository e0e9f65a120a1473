"""A document of random words, and weights that find in it about what people would."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from docre.joint import JointThresholds

TYPES, RELATIONS = 6, 96
SLOT = 8  # words of which at most one mention is made, so that no two of them touch
THRESHOLDS = JointThresholds()

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class RandomDocument:
    """A document as it comes from an encoder, and what was annotated in it.

    Args:
        words: All words.
        sentence_words: Number of words of each sentence.
        token_offset: Where the tokens of each word begin, and the end.
        states: Random token states.  # [T, D]
        mentions: First word and one past the last, those of the first entity first.
        mention_entity: Entity of each mention.
        entity_type: Type of each entity.
        labels: Head entity, tail entity, relation.
    """

    words: list[str]
    sentence_words: list[int]
    token_offset: list[int]
    states: Tensor
    mentions: list[Span]
    mention_entity: list[int]
    entity_type: list[int]
    labels: list[tuple[int, int, int]]

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return self.token_offset[-1]

    @property
    def width(self) -> int:
        """``D``, of the token states."""
        return self.states.shape[1]

    @property
    def sentence(self) -> list[int]:
        """Sentence of each word."""
        return [row for row, size in enumerate(self.sentence_words) for _ in range(size)]


def random_document(sentences: int, sizes: list[int], labels: int, width: int) -> RandomDocument:
    """Return a document of sentences of 25 words.

    A word has one token or, three times of ten, two; a mention one to four words.

    Args:
        sentences: Number of sentences.
        sizes: Number of mentions of each entity.
        labels: Number of relations that hold.
        width: Of the token states.
    """
    draw, noise = random.Random(0), torch.Generator().manual_seed(0)
    words = [
        "".join(draw.choices("abcdefghij", k=draw.randint(3, 9))) for _ in range(25 * sentences)
    ]
    offset = [0]
    for _ in words:
        offset.append(offset[-1] + 1 + (draw.random() < 0.3))
    slots = [25 * s + start for s in range(sentences) for start in range(0, 25 - SLOT + 1, SLOT)]
    mentions = []
    for slot in draw.sample(slots, sum(sizes)):
        start = slot + draw.randint(0, 3)
        mentions.append((start, start + draw.randint(1, 4)))
    states = torch.randn(offset[-1], width, generator=noise)
    mark(states, [(offset[start], offset[end]) for start, end in mentions])
    entities = len(sizes)
    pairs = [(head, tail) for head in range(entities) for tail in range(entities) if head != tail]
    return RandomDocument(
        words,
        [25] * sentences,
        offset,
        states,
        mentions,
        [entity for entity, size in enumerate(sizes) for _ in range(size)],
        [draw.randrange(TYPES) for _ in sizes],
        [(*pair, draw.randrange(RELATIONS)) for pair in draw.sample(pairs, labels)],
    )


def mark(states: Tensor, mentions: list[Span]) -> None:
    """Let the first three columns say where mentions begin, where they end, and what is outside.

    Args:
        states: Token states of a document.  # [T, D]
        mentions: First token and one past the last.
    """
    marks = torch.tensor([-1.0, -1.0, 1.0]).repeat(len(states), 1)
    for start, end in mentions:
        marks[start:end, 2] = -1
        marks[start, 0] = marks[end - 1, 1] = 1
    # not exactly the same number twice: of equal ones anyone may be the maximum
    states[:, :3] = marks + 0.01 * states[:, :3]


@torch.no_grad()
def find_marked(hidden: nn.Linear, output: nn.Linear) -> None:
    """Set one hidden unit of the mention head so that spans are mentions exactly where marked.

    It is on where a span begins a mention, ends one, and has no token outside of any: of mentions
    that touch, both together also count.
    """
    hidden.weight[0] = 0
    hidden.weight[0, :3] = torch.tensor([4.0, 4.0, -4.0])
    hidden.bias[0] = -8
    output.weight[0, 0] = 10
    output.bias[0] -= 20


@torch.no_grad()
def accept(output: nn.Linear, logits: Tensor, count: int, threshold: float) -> None:
    """Move the biases of a layer so that so many of its logits reach a threshold.

    The border is put in the middle of its two neighbours: rounding must not decide.
    """
    above, below = logits.flatten().topk(count + 1).values[-2:]
    output.bias += torch.tensor(threshold).logit() - (above + below) / 2
