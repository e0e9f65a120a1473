"""A head, a memory and a loss of docre in a LightningModule and with data of one's own.

The data is invented: texts of word numbers, whose sentences are head, verb and tail. Two of the
verbs are relations, and no verb is in a text twice. Seconds on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from random import Random
from typing import NamedTuple

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from docre.batch import Batch
from docre.decoding import above_threshold
from docre.heads import GroupedBilinear, PairHead
from docre.losses import AdaptiveThresholdLoss
from docre.memory import TokenTuringReader
from docre.outputs import Encoded, HeadOutput, Targets

WORDS, VERBS, RELATIONS = 60, (1, 2), 2


class Text(NamedTuple):
    """One document of one's own: words, entities as places of words, and facts."""

    words: list[int]
    entities: list[list[int]]
    facts: list[tuple[int, int, int]]  # head, tail, relation


class Texts(Dataset[Text]):
    """Invented texts, the same for the same seed."""

    def __init__(self, count: int, seed: int) -> None:
        random = Random(seed)
        self.texts = [invent(random) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Text:
        return self.texts[index]


def invent(random: Random) -> Text:
    """Return a text of two to five sentences."""
    words, entities, facts = [0], [], []
    for between in random.sample((*VERBS, 3, 4, 5), random.randint(2, 5)):
        words += [random.randrange(10, WORDS), between, random.randrange(10, WORDS), 0]
        entities += [[len(words) - 4], [len(words) - 2]]
        if between in VERBS:
            facts.append((len(entities) - 2, len(entities) - 1, VERBS.index(between)))
    return Text(words, entities, facts)


def as_batch(texts: Sequence[Text]) -> Batch:
    """Return what heads of docre read: flat tensors, entities and pairs counted over the batch."""
    lengths = torch.tensor([len(text.words) for text in texts])
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)  # [B, T]
    ids = torch.zeros(mask.shape, dtype=torch.long)
    ids[mask] = torch.tensor([word for text in texts for word in text.words])
    counts = [len(text.entities) for text in texts]
    first = list(accumulate(counts, initial=0))
    mentions = [
        (place, first[d] + e)
        for d, text in enumerate(texts)
        for e, places in enumerate(text.entities)
        for place in places
    ]
    # all entities against all others, row by row: never an order made from labels
    pairs = [
        (first[d] + head, first[d] + tail, d)
        for d, text in enumerate(texts)
        for head in range(len(text.entities))
        for tail in range(len(text.entities))
        if head != tail
    ]
    where = {(head, tail): row for row, (head, tail, _) in enumerate(pairs)}
    labels = [
        (where[first[d] + head, first[d] + tail], relation)
        for d, text in enumerate(texts)
        for head, tail, relation in text.facts
    ]
    mention_token, mention_entity = columns(mentions, 2)
    pair_head, pair_tail, pair_doc = columns(pairs, 3)
    label_pair, label_relation = columns(labels, 2)
    numbers = range(len(texts))
    plain = Batch.of_texts(
        document_ids=tuple(str(d) for d in numbers),
        document_index=torch.arange(len(texts)),
        input_ids=ids,
        token_mask=mask,
        labelled=torch.ones(len(texts), dtype=torch.bool),
    )
    entity_doc = torch.tensor([d for d in numbers for _ in texts[d].entities])
    return replace(
        plain,
        mention_token=mention_token,
        mention_end=mention_token + 1,
        mention_entity=mention_entity,
        entity_doc=entity_doc,
        entity_type=torch.full_like(entity_doc, -1),
        entity_offset=torch.tensor(first),
        pair_head=pair_head,
        pair_tail=pair_tail,
        pair_doc=pair_doc,
        pair_offset=torch.tensor(list(accumulate((n * (n - 1) for n in counts), initial=0))),
        label_pair=label_pair,
        label_relation=label_relation,
        sizes=None,  # counted anew
    )


def columns(rows: Sequence[tuple[int, ...]], width: int) -> tuple[Tensor, ...]:
    """Return the columns of a table that may be empty."""
    return torch.tensor(rows, dtype=torch.long).reshape(-1, width).unbind(1)


class Extractor(lightning.LightningModule):
    """An encoder of one's own, and everything behind it from docre."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.look = nn.Conv1d(width, width, 3, padding=1)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.head = PairHead(
            width,
            RELATIONS,
            width=width,
            memory=partial(TokenTuringReader, slots=16, layers=1, attention_heads=2),
            classifier=partial(GroupedBilinear, block_size=8),
        )
        self.loss = AdaptiveThresholdLoss()
        self.hits = self.predicted = self.true = 0

    def forward(self, batch: Batch) -> HeadOutput:
        """Return the scores of all pairs; column 0 is the threshold."""
        words = self.embed(batch.input_ids)  # [B, T, D]
        states = words + self.look(words.transpose(1, 2)).transpose(1, 2).relu()
        mixed, weights = self.attention(
            states,
            states,
            states,
            key_padding_mask=~batch.token_mask,
            average_attn_weights=False,
        )  # [B, T, D], [B, H, T, T]
        document = batch.entity_doc[batch.mention_entity]
        rows = weights[document, :, batch.mention_token]  # [M, H, T]
        return self.head(Encoded(states + mixed, rows), batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss; its parts are named, and can be logged one by one."""
        parts = self.loss(self(batch), Targets(batch.labels(RELATIONS), batch))
        self.log_dict({f"loss/{name}": value for name, value in parts.scalars().items()})
        return parts.total()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count predicted and true triples."""
        found = above_threshold(self(batch).logits)  # [P, R]
        gold = batch.labels(RELATIONS)[:, 1:] > 0
        self.hits += int((found & gold).sum())
        self.predicted += int(found.sum())
        self.true += int(gold.sum())

    def on_test_epoch_end(self) -> None:
        """Log F1 over all documents."""
        self.log("f1", 2 * self.hits / max(1, self.predicted + self.true))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return one optimizer for everything."""
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def loaders(train: int = 400, test: int = 100) -> Iterator[DataLoader[Text]]:
    """Yield a loader to train with and one to test with."""
    for count, seed, shuffle in ((train, 0, True), (test, 1, False)):
        yield DataLoader(Texts(count, seed), 8, shuffle=shuffle, collate_fn=as_batch)


def main(epochs: int = 4) -> float:
    """Train, test and return F1."""
    lightning.seed_everything(0, verbose=False)
    train, test = loaders()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    model = Extractor()
    trainer.fit(model, train)
    (scores,) = trainer.test(model, test, verbose=False)
    return scores["f1"]


if __name__ == "__main__":
    print(f"F1 {main():.3f}")  # noqa: T201
