"""How well a model ranks triples, whatever threshold it learned to cut them off at.

Systems that are trained to different thresholds differ in F1 for two reasons: which triples they
hold for likely, and how many of them they predict. Average precision knows of the first alone. So
does F1 with all thresholds moved by one number: by the best one for the scored documents, which
nobody could choose beforehand, or for each half of them by the best one for the other half, which
is what somebody has who knows the complete labels of fifty documents.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch
from numpy.typing import NDArray

from docre.batch import Batch
from docre.decoding import Decoder
from docre.markdown_text import table as markdown_table
from docre.outputs import HeadOutput
from docre.pair_tuning.shift import best_shift
from docre.scoring.rates import Rates
from study.prepare import write_json

FILE = "ranking.json"
TITLES = {
    "f1": "F1",
    "average_precision": "average precision",
    "crossed_f1": "F1, threshold from the other half",
    "best_f1": "best F1",
}


def write_ranking(run: Path) -> None:
    """Rank all possible triples of the scored documents by what a trained pair model says."""
    target = run / "scores" / FILE
    if target.exists():
        return
    from docre.opened_run import open_run

    opened = open_run(run)
    decoder = opened.model.decoder

    def reading(
        output: HeadOutput, batch: Batch
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[int, ...]]:
        return *margins_of(output.logits, batch, decoder), batch.sizes.pairs

    each_margins, each_gold, each_pairs = zip(*opened.read("test", reading), strict=True)
    margins, gold = np.concatenate(each_margins), np.concatenate(each_gold)
    pairs = [count for counts in each_pairs for count in counts]
    relations = len(margins) // sum(pairs)
    # every second document is of the same half
    half = np.repeat(np.arange(len(pairs)) % 2, np.array(pairs) * relations)
    found = {
        "average_precision": average_precision(margins, gold),
        "crossed_f1": crossed_f1(margins, gold, half),
        "best_f1": best_f1(margins, gold),
    }
    write_json(target, found)


def margins_of(
    logits: torch.Tensor, batch: Batch, decoder: Decoder
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return how far each triple is above the threshold, and which are gold; both [P * R]."""
    margins = logits[:, 1:].float() - decoder.threshold(logits.float())[:, None]  # [P, R]
    gold = torch.zeros_like(margins, dtype=torch.bool)
    gold[batch.label_pair, batch.label_relation] = True
    return margins.flatten().cpu().numpy(), gold.flatten().cpu().numpy()


def average_precision(margins: NDArray[np.float32], gold: NDArray[np.bool_]) -> float:
    """Return the precision at each gold triple, on average; those with equal margins go together.

    Args:
        margins: Of each triple.  # [N]
        gold: Whether it is one; some are.  # [N]
    """
    order = np.argsort(-margins, kind="stable")
    found = np.cumsum(gold[order])
    last = np.append(np.diff(margins[order]) != 0, True)  # of those that are equal
    correct, predicted = found[last], np.flatnonzero(last) + 1
    return float((np.diff(correct, prepend=0) * correct / predicted).sum() / found[-1])


def best_f1(margins: NDArray[np.float32], gold: NDArray[np.bool_]) -> float:
    """Return F1 with the thresholds that are best for the same triples."""
    return best_shift(margins, gold, int(gold.sum())).after.f1


def crossed_f1(
    margins: NDArray[np.float32], gold: NDArray[np.bool_], half: NDArray[np.int64]
) -> float:
    """Return F1 over both halves, each with the thresholds that are best for the other one.

    Args:
        margins: Of each triple.  # [N]
        gold: Whether it is one; some of each half are.  # [N]
        half: Which half it belongs to, 0 or 1.  # [N]
    """
    above = np.zeros_like(gold)
    for side in (0, 1):
        others = half != side
        tuned = best_shift(margins[others], gold[others], int(gold[others].sum()))
        above |= ~others & (margins > tuned.shift)
    return Rates(int(gold.sum()), int(above.sum()), int((above & gold).sum())).f1


def ranking_table(rows: dict[str, Path]) -> str:
    """Return a table of the kept runs that were ranked.

    Args:
        rows: Folder of each cell, by what it is called.
    """
    written = []
    for label, folder in rows.items():
        each = [_scores(path.parent) for path in sorted(folder.glob(f"*/scores/{FILE}"))]
        if each:
            columns = [_said([one[name] for one in each]) for name in TITLES]
            written.append([label, *columns, str(len(each))])
    titles = ["", *TITLES.values(), "runs"]
    return markdown_table(titles, written, numbers=True) + "\n" if written else ""


def _scores(folder: Path) -> dict[str, float]:
    """Return what a run was ranked and scored at."""
    f1 = json.loads((folder / "test.json").read_text())["scores"]["f1"]
    return {"f1": f1, **json.loads((folder / FILE).read_text())}


def _said(values: list[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):.1f}{spread}"
