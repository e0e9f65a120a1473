"""What the threshold of each head lets through in a document, and whether it is right.

Items are compared as :mod:`docre.scoring.joint` does: whole, and repeated ones count once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from docre.joint.clustering import merges
from docre.joint.extracted import Extracted
from docre.joint_tuning.steps import Steps
from docre.scoring.extraction import Annotation, Span
from docre.scoring.predictions import Ints


def mention_steps(gold: Annotation, spans: Sequence[Span], probability: Tensor) -> Steps:
    """Return what the threshold of mentions does; gold that is no candidate is never found.

    Args:
        gold: The annotations.
        spans: All candidates, each once.
        probability: Of each being a mention.  # [N]
    """
    correct = np.fromiter((span in gold.mentions for span in spans), np.int8, len(spans))
    return Steps(probability.numpy(), np.ones_like(correct), correct, len(gold.mentions))


def coreference_steps(gold: Annotation, mentions: Sequence[Span], similarity: Tensor) -> Steps:
    """Return what the threshold of coreference does: from mentions alone to one entity of all.

    With each step two clusters become one. Taken are those with :func:`links`.

    Args:
        gold: The annotations.
        mentions: Those that were accepted, each once.
        similarity: As :func:`docre.joint.clusters` takes it.  # [M, M]
    """
    true = {spans for spans, _ in gold.entities}
    clusters = [frozenset([mention]) for mention in mentions]
    alone = sum(cluster in true for cluster in clusters)
    heights, correct = [], []
    for one, other, height in merges(similarity):
        parts = clusters[one], clusters[other]
        clusters[other] = parts[0] | parts[1]
        heights.append(height)
        correct.append((clusters[other] in true) - sum(part in true for part in parts))
    change = np.array(correct, np.int8)
    alike = 1 - np.array(heights, np.float64)
    return Steps(alike, np.full_like(change, -1), change, len(true), len(mentions), alone)


def links(similarity: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Say which clusters are linked at a threshold, to the last bit as clustering does it."""
    linked: NDArray[np.bool_] = 1 - similarity < 1 - threshold
    return linked


def relation_steps(
    gold: Annotation,
    entities: Sequence[tuple[frozenset[Span], str]],
    found: Extracted,
    relations: Sequence[str],
) -> Steps:
    """Return what the threshold of relations does to strict relations.

    Args:
        gold: The annotations of a labelled document.
        entities: The spans and the type of each entity that was found.
        found: With all relations, however unlikely.
        relations: Names, in the order of the relation head.
    """
    first: dict[Any, int] = {}
    for number, entity in enumerate(entities):
        first.setdefault(entity, number)
    same = np.array([first[entity] for entity in entities], np.int64)
    number_of = {name: number for number, name in enumerate(relations)}

    def key(head: Any, tail: Any, relation: Any) -> Any:
        return (head * len(entities) + tail) * len(relations) + relation

    true = {(r, gold.entities[h], gold.entities[t]) for h, t, r in gold.relations or ()}
    there = [
        key(first[head], first[tail], number_of[relation])
        for relation, head, tail in true
        if relation in number_of and head in first and tail in first
    ]
    keys: Ints = key(same[found.head.numpy()], same[found.tail.numpy()], found.relation.numpy())
    probability = found.relation_probability.numpy()
    if len(first) < len(entities):  # repeated entities, as annotations have them: the surest counts
        order = np.argsort(-probability, kind="stable")
        keys, place = np.unique(keys[order], return_index=True)
        probability = probability[order][place]
    correct = np.isin(keys, there).astype(np.int8)
    return Steps(probability, np.ones_like(correct), correct, len(true))
