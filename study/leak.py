"""What the order of pairs tells about labels, by counting alone: no model is asked.

Pairs are cut into chunks of 256 consecutive ones, across the documents of a batch, as attention
across pairs sees them. For each pair: which share of the pairs with the same head is in its chunk?
With gold pairs first, a head that comes late in its document has only its gold pairs at the front.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docre.markdown_text import table
from study.places import DATA, REPOSITORY
from study.prepare import write_json

COUNTED = REPOSITORY / "study" / "leak.json"
CHUNK = 256


def count_leak(test: Path = DATA / "redocred" / "test.json") -> None:
    """Remember what order and size of the batches tell about the scored documents."""
    documents = json.loads(test.read_text())
    found = [
        {"order": order, "batch": size, **told(documents, order, size)}
        for order in ("gold first", "row order")
        for size in (1, 4, 8)
    ]
    write_json(COUNTED, found)


def told(documents: Sequence[dict[str, Any]], order: str, size: int) -> dict[str, float]:
    """Return how far companions tell gold pairs from others.

    Args:
        documents: In DocRED's form.
        order: ``gold first`` or ``row order``.
        size: Documents of a batch.

    Returns:
        ``alone``: pairs with less than half of their companions in the chunk; ``gold_alone`` and
        ``gold_others``: share of gold pairs among those and among the rest; ``auc``: chance that a
        gold pair has fewer companions than another one.
    """
    shares, gold = [], []
    for first in range(0, len(documents), size):
        here = [_pairs(document, order) for document in documents[first : first + size]]
        heads = np.concatenate([pairs[0] + 1000 * place for place, pairs in enumerate(here)])
        gold.append(np.concatenate([pairs[1] for pairs in here]))
        shares.append(_companions(heads))
    share, is_gold = np.concatenate(shares), np.concatenate(gold)
    alone = share < 0.5
    return {
        "pairs": len(share),
        "alone": int(alone.sum()),
        "gold_alone": float(is_gold[alone].mean()) if alone.any() else 0.0,
        "gold_others": float(is_gold[~alone].mean()),
        "auc": area(-share, is_gold),
    }


def _pairs(document: dict[str, Any], order: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return head and whether it is gold, of all pairs of a document in an order."""
    count = len(document["vertexSet"])
    known = dict.fromkeys((label["h"], label["t"]) for label in document["labels"])
    rows = [(h, t) for h in range(count) for t in range(count) if h != t]
    pairs = rows if order == "row order" else [*known, *(p for p in rows if p not in known)]
    return (
        np.array([head for head, _ in pairs], np.int64),
        np.array([pair in known for pair in pairs], bool),
    )


def _companions(heads: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of the pairs with the same head that are in the chunk of each pair."""
    chunk = np.arange(len(heads)) // CHUNK
    _, head, in_all = np.unique(heads, return_inverse=True, return_counts=True)
    _, both, together = np.unique(
        np.stack((head, chunk)), axis=1, return_inverse=True, return_counts=True
    )
    found: NDArray[np.float64] = together[both.ravel()] / in_all[head]
    return found


def area(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; ties count a half."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2  # mean rank of equal values, from 1
    ranks = rank[place.ravel()]
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))


def leak_table() -> str:
    """Return what was counted, in Markdown."""
    rows = [
        [
            f"{one['order']}, batches of {one['batch']}",
            f"{one['alone']:,} of {one['pairs']:,}",
            f"{100 * one['gold_alone']:.1f} %",
            f"{100 * one['gold_others']:.1f} %",
            f"{one['auc']:.3f}",
        ]
        for one in json.loads(COUNTED.read_text())
    ]
    return table(["", "pairs alone", "gold among them", "gold among the rest", "AUC"], rows, True)
