"""What stands on the results page: which sweeps, which of their cells are called what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PAIRS = ("f1", "ign_f1", "precision", "recall", "intra/f1", "inter/f1")
# where a sentence distance of 6 and more has too few relations to say anything
DISTANCES = ("distance_0/f1", "distance_1/f1", "distance_2/f1", "distance_3/f1", "distance_4_5/f1")
HEADINGS = {
    "f1": "F1",
    "ign_f1": "Ign F1",
    "precision": "P",
    "recall": "R",
    "intra/f1": "intra",
    "inter/f1": "inter",
    "frequent/f1": "10 frequent relations",
    "long_tail/f1": "the others",
    "macro_f1": "macro F1",
    "distance_0/f1": "same sentence",
    "distance_1/f1": "next",
    "distance_2/f1": "2 apart",
    "distance_3/f1": "3",
    "distance_4_5/f1": "4-5",
    "mention_f1": "mentions",
    "coreference_f1": "coreference",
    "entity_f1": "entities",
    "relation_relaxed_f1": "relations",
    "relation_strict_f1": "strict",
}


@dataclass(frozen=True)
class Table:
    """One table of the page, made of the runs of one sweep.

    Args:
        sweep: Name of the sweep, a file of ``cli_configs/results``.
        labels: What each cell is called; cells that are not named are left out.
        scores: The columns.
        small: The cells that ``make results-small`` trains.
        baseline: The cell that the others are compared with; that of the sweep if left out.
    """

    sweep: str
    labels: Mapping[str, str] = field(repr=False)
    scores: tuple[str, ...] = PAIRS
    small: tuple[str, ...] = ()
    baseline: str | None = None


SYSTEMS = {
    "atlop": "ATLOP",
    "ssr_pu": "SSR-PU",
    "ttm_slots": "TTM-RE, attention within a pair (slots)",
    "ttm_pairs": "TTM-RE, attention across the pairs of a document",
    "docunet": "DocuNet",
    "kd_docre": "KD-DocRE",
    "dreeam": "DREEAM",
    "comm_atlop": "COMM on ATLOP",
    "comm_docunet": "COMM on DocuNet",
    "comm_kd_docre": "COMM on KD-DocRE",
    "ttm_cmm": "TTM-RE with COMM's loss",
}
_LABELS = {"complete": "all labels", "docred": "a third of them", "ext": "a sixth"}
_LOSSES = {
    "atl": "ATLOP (adaptive threshold)",
    "s_pu": "S-PU",
    "cmm": "concentrated margin",
    "comm": "COMM (reasoning and margin)",
    "ttm": "TTM-RE (memory and S-PU)",
}

TABLES = {
    "atlop": Table("atlop", {"atlop": "ATLOP, as its published code"}, small=("atlop",)),
    "main": Table("main", SYSTEMS, small=("atlop", "ttm_slots")),
    "distance": Table("main", SYSTEMS, DISTANCES),
    "noise": Table(
        "noise",
        {
            f"{labels}_{loss}": f"{said}: {called}"
            for labels, said in _LABELS.items()
            for loss, called in _LOSSES.items()
        },
        ("f1", "precision", "recall"),
        small=("ext_s_pu",),
    ),
    "memory": Table(
        "memory",
        {
            "none": "no memory",
            "slots_1": "1 slot",
            "slots_10": "10 slots",
            "slots_200": "200 slots",
            "slots_2000": "2,000 slots",
            "slots_20000": "20,000 slots",
            "prototypes": "two free vectors, no slots",
            "layers_0": "200 slots, no layer",
            "layers_1": "200 slots, 1 layer",
            "layers_2": "200 slots, 2 layers",
        },
        ("f1", "frequent/f1", "long_tail/f1", "macro_f1"),
        small=("prototypes",),
    ),
    "order": Table(
        "order",
        {
            "slots_row_order": "within a pair, row order",
            "slots_gold_first": "within a pair, gold first",
            "pairs_row_order": "across 256 pairs, row order",
            "pairs_gold_first": "across 256 pairs, gold first",
        },
        ("f1", "precision", "recall"),
        small=("pairs_gold_first",),
    ),
}
