"""The corpus: a document for every index, splits that share no fact."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from docre.data.synthetic.config import SyntheticConfig, SyntheticConfigError
from docre.data.synthetic.names import Namer
from docre.data.synthetic.noise import CLEAN, add_noise, pack
from docre.data.synthetic.relations import close
from docre.data.synthetic.render import Draft
from docre.data.synthetic.things import Fact
from docre.data.synthetic.world import make_world
from docre.documents import Document, Entity, Mention, Relation

TRAIN = "train"


def generate(
    config: SyntheticConfig | None = None, start: int = 0, stop: int | None = None
) -> Iterator[Document]:
    """Yield the documents of a corpus, one at a time.

    A document depends on the seed and its index only, so shards can be made apart from each other
    and put together.

    Args:
        config: What the corpus is like; the default corpus if left out.
        start: Index of the first document.
        stop: One past the index of the last; ``config.documents`` if left out.

    Example:
        >>> document = next(generate(SyntheticConfig(seed=1)))
        >>> len(document.sentences) >= 5
        True
    """
    config = config or SyntheticConfig()
    stop = config.documents if stop is None else stop
    if not 0 <= start <= max(start, stop):
        raise SyntheticConfigError(f"start must not be negative, it is {start}")
    for index in range(start, stop):
        yield make_document(config, index)


def generate_splits(
    config: SyntheticConfig | None = None, sizes: Mapping[str, int] | None = None
) -> dict[str, Iterator[Document]]:
    """Return an iterator for each split; no fact of one split occurs in another.

    Every fact has at least one side all of whose names occur in one document only, so no (head
    name, tail name, relation) over any names of an entity comes twice. Noise goes to ``train``
    only. The other splits have the first indices, in the order given: they stay what they are
    when ``train`` grows.

    Args:
        config: What the corpus is like; ``documents`` is not used.
        sizes: Number of documents by split; 1,000 / 200 / 200 if left out.
    """
    config = config or SyntheticConfig()
    sizes = {TRAIN: 1000, "dev": 200, "test": 200} if sizes is None else sizes
    wrong = {name: size for name, size in sizes.items() if size < 0}
    if wrong:
        raise SyntheticConfigError(f"sizes must not be negative: {wrong}")
    quiet = replace(config, unlabelled_fraction=0.0, wrong_fraction=0.0, distant=False)
    starts, position = {}, 0
    for name in sorted(sizes, key=lambda name: name == TRAIN):
        starts[name] = position
        position += sizes[name]
    return {
        name: generate(config if name == TRAIN else quiet, starts[name], starts[name] + size)
        for name, size in sizes.items()
    }


def make_document(config: SyntheticConfig, index: int) -> Document:
    """Return one document of a corpus."""
    key = f"{config.seed}:{index}"
    rng = random.Random(key)
    world = make_world(rng, _namer(config.seed), index)
    draft = Draft(rng, world, config)
    fewest, most = config.sentences
    draft.write(fewest + int(rng.random() ** 0.6 * (most - fewest + 1)))
    sentences = draft.sentences
    places = {number: entity for entity, number in enumerate(draft.spots)}
    kinds = [world.things[number].kind for number in places]
    entities = tuple(
        Entity(
            tuple(
                Mention(sentence, start, end, kind, " ".join(sentences[sentence][start:end]))
                for sentence, start, end in spots
            ),
            kind,
        )
        for kind, spots in zip(kinds, draft.spots.values(), strict=True)
    )
    labels = sorted(
        (places[head], places[tail], relation, evidence)
        for (relation, head, tail), evidence in close(draft.stated).items()
    )
    relations = tuple(Relation(*label) for label in labels)
    extra = {}
    if config.noisy:
        facts = [
            Fact(fact.relation, places[fact.head], places[fact.tail], fact.spoken)
            for fact in world.facts
            if fact.head in places and fact.tail in places
        ]
        extra[CLEAN] = pack(relations)
        noise = random.Random(f"{key}:noise")
        relations = tuple(add_noise(noise, config, relations, kinds, facts))
    return Document(
        id=f"synthetic-{config.seed}-{index}",
        sentences=tuple(map(tuple, sentences)),
        entities=entities,
        relations=relations,
        extra=extra,
    )


@lru_cache(maxsize=4)
def _namer(seed: int) -> Namer:
    return Namer(seed)
