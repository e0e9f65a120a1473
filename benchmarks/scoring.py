"""How long it takes to score 500 documents: ``python benchmarks/scoring.py``.

Uses Re-DocRED dev and the DocRED training facts from ``DOCRE_DATA`` or ``../shared/data``, else
made-up documents of the same size. Predictions are the labels with noise, in random order.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from docre.data.fact_files import read_facts
from docre.data.reading import read_documents
from docre.documents import Document, Entity, Mention, Relation
from docre.scoring import (
    DOCRED_FREQUENT,
    OFFICIAL,
    Facts,
    Gold,
    Prediction,
    bootstrap,
    most_frequent,
    score,
)
from docre.scoring.counts import count, match


def load() -> tuple[str, list[Document], Facts]:
    """Return the real documents and facts, or made-up ones."""
    given = os.environ.get("DOCRE_DATA")
    data = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    dev, facts = data / "redocred/dev_revised.json", data / "docred/ref/train_annotated.fact"
    if dev.exists() and facts.exists():
        return str(dev), read_documents(dev), read_facts(facts)
    documents = made_up(random.Random(0))
    return "made-up documents", documents, Facts.from_documents(documents[:50], "made up")


def made_up(rng: random.Random, count: int = 500) -> list[Document]:
    """Return documents with as many entities and labels as Re-DocRED has."""
    documents = []
    for number in range(count):
        entities = tuple(
            Entity((Mention(rng.randrange(8), 0, 1, "T", f"name {rng.randrange(3000)}"),))
            for _ in range(20)
        )
        labels = tuple(
            Relation(*rng.sample(range(20), 2), f"P{rng.randrange(96)}", (rng.randrange(8),))
            for _ in range(35)
        )
        documents.append(Document(f"document {number}", (("word",),) * 8, entities, labels))
    return documents


def noisy(documents: list[Document], rng: random.Random) -> list[Prediction]:
    """Return predictions of which about four in five are right."""
    predictions = []
    for document in documents:
        for label in document.relations or ():
            evidence = tuple(label.evidence or ())
            if rng.random() < 0.85:
                predictions.append(
                    Prediction(document.id, label.head, label.tail, label.relation, evidence)
                )
            if rng.random() < 0.2:
                other = rng.randrange(len(document.entities))
                predictions.append(
                    Prediction(document.id, other, label.tail, label.relation, (rng.randrange(5),))
                )
    rng.shuffle(predictions)
    return predictions


def timed(name: str, work: Callable[[], object], rounds: int) -> float:
    """Print the median and the fastest time of some rounds; return the median in ms."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    median = statistics.median(times)
    print(f"{name:<52} {median:8.1f} ms  (fastest {min(times):.1f}, of {rounds})")
    return median


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    source, documents, facts = load()
    predictions = noisy(documents, random.Random(1))
    gold = Gold.compile(documents, facts)
    sets = [DOCRED_FREQUENT, DOCRED_FREQUENT.others("long_tail"), most_frequent(gold, 10)]
    print(f"{source}: {len(documents)} documents, {len(gold.keys):,} gold triples")
    print(f"{len(predictions):,} predictions, facts {facts.label}")

    def headline() -> object:
        counts = count(match(gold.encode(predictions), gold, OFFICIAL), gold, OFFICIAL)
        return counts.rates(counts.totals())

    timed("compile the gold, once", lambda: Gold.compile(documents, facts), 3)
    timed("triples to F1, Ign F1, P, R, evidence F1", headline, rounds)
    timed("the same with all groups and relations", lambda: score(predictions, gold, sets), rounds)
    scores = score(predictions, gold, sets)
    timed("1,000 bootstrap resamples", lambda: bootstrap(scores.counts, 1000), 5)
    ign = next(iter(scores.ign_f1.values()))
    print(f"F1 {scores.f1:.4f}, Ign F1 {ign:.4f}")


if __name__ == "__main__":
    main()
