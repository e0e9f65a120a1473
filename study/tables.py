"""What stands on the results page: which sweeps, which of their cells are called what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PAIRS = ("f1", "ign_f1", "precision", "recall", "intra/f1", "inter/f1")
# where a sentence distance of 6 and more has too few relations to say anything
DISTANCES = ("distance_0/f1", "distance_1/f1", "distance_2/f1", "distance_3/f1", "distance_4_5/f1")
JOINT = ("mention_f1", "coreference_f1", "entity_f1", "relation_strict_f1")
# not a score of a file, but made of the counts by document
LENGTHS = ("length",)
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
    "relation_strict_f1": "relations, strict",
}


@dataclass(frozen=True)
class Table:
    """One table of the page, made of the runs of one sweep.

    Args:
        sweep: Name of the sweep, a file of ``cli_configs/results``.
        labels: What each cell is called, in the order of the rows; ``SWEEP/CELL`` is one of
            another sweep. The first is what the others are compared with.
        scores: The columns.
        small: The cells that ``make results-small`` trains.
        is_bare: Scores alone, for what stands in another table with its differences and costs.
    """

    sweep: str
    labels: Mapping[str, str] = field(repr=False)
    scores: tuple[str, ...] = PAIRS
    small: tuple[str, ...] = ()
    is_bare: bool = False


@dataclass(frozen=True)
class Grid:
    """F1 over two numbers, made of the runs of one sweep.

    Args:
        sweep: Name of the sweep.
        cell: Name of a cell, from its two numbers.
        rows: The first number.
        columns: The second one.
        corner: What they are called.
    """

    sweep: str
    cell: str
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    corner: str

    @property
    def cells(self) -> dict[tuple[float, float], str]:
        """The cells by their numbers."""
        pairs = [(row, column) for row in self.rows for column in self.columns]
        return {pair: self.cell.format(*pair) for pair in pairs}


# a cell of the main sweep with this ending is the same system at doubled rates
DOUBLED = "_x2"
# each at the rates that the search for rates took
SYSTEMS = {
    "atlop_x2": "ATLOP",
    "ssr_pu_x2": "SSR-PU",
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
_BIOMEDICAL = {
    "atlop": "ATLOP",
    "ssr_pu": "SSR-PU",
    "ttm": "TTM-RE (memory and S-PU)",
    "comm": "COMM on ATLOP",
}
_JOINT = {
    "grc": "JEREX, relations from entities (GRC)",
    "mrc": "JEREX, relations from mentions (MRC)",
    "grc_similarity": "GRC with similarity memory",
    "mrc_similarity": "MRC with similarity memory",
    "mrc_turing": "MRC with Token Turing memory",
}
_PROPORTIONS = (0.2, 0.4, 0.6, 0.8)
_RATES = ("f1", "precision", "recall")

TABLES = {
    "atlop": Table("atlop", {"atlop": "ATLOP, as its published code"}, small=("atlop",)),
    "encoder": Table("encoder", {"encoder": "ATLOP, incomplete labels"}, small=("encoder",)),
    "main": Table("main", SYSTEMS, small=("atlop_x2", "ttm_slots")),
    "distance": Table("main", SYSTEMS, DISTANCES, is_bare=True),
    "length": Table("main", SYSTEMS, LENGTHS),
    "noise": Table(
        "noise",
        {
            f"{labels}_{loss}": f"{said}: {called}"
            for labels, said in _LABELS.items()
            for loss, called in _LOSSES.items()
        },
        _RATES,
        small=("ext_s_pu",),
    ),
    "memory": Table(
        "memory",
        {
            "none": "no memory",
            "slots_1": "1 slot",
            "slots_10": "10 slots",
            "main/ttm_slots": "200 slots, 4 layers: TTM-RE",
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
            "main/ttm_slots": "within a pair, row order",
            "slots_gold_first": "within a pair, gold first",
            "pairs_row_order": "across 256 pairs, row order",
            "pairs_gold_first": "across 256 pairs, gold first",
            "pairs_gold_first_in_row_order": "the same weights, scored in row order",
            "slots_gold_first_in_row_order": "within a pair, gold first, scored in row order",
        },
        _RATES,
        small=("pairs_gold_first",),
    ),
    "pretrain": Table(
        "pretrain",
        {
            "pretrained_atlop": "ATLOP, automatic labels alone",
            "pretrained_ttm": "TTM-RE, automatic labels alone",
        },
        _RATES,
        small=("pretrained_ttm",),
    ),
    "finetune": Table(
        "finetune",
        {
            "main/atlop_x2": "ATLOP, human labels alone",
            "atlop": "ATLOP, automatic labels, then human ones",
            "main/ttm_slots": "TTM-RE, human labels alone",
            "ttm": "TTM-RE, both, its memory goes on learning",
            "ttm_frozen_memory": "TTM-RE, both, its memory frozen",
        },
        ("f1", "ign_f1", "precision", "recall"),
        small=("ttm_frozen_memory",),
    ),
    "curve": Table(
        "curve",
        {
            f"noise/complete_{loss}" if share == 100 else f"{loss}_{share}": (
                f"{share} % of the labels: {_LOSSES[loss]}"
            )
            for share in (100, 50, 25, 10)
            for loss in ("atl", "s_pu", "cmm")
        },
        _RATES,
        small=("s_pu_10",),
    ),
    "wrong": Table(
        "wrong",
        {
            f"{loss}_{share}" if share else f"noise/complete_{loss}": (
                f"{share} wrong labels for 100 true ones: {_LOSSES[loss]}"
            )
            for share in (0, 20, 50)
            for loss in ("atl", "s_pu", "cmm")
        },
        _RATES,
        small=("cmm_20",),
    ),
    "comm": Table(
        "comm",
        {
            "main/atlop_x2": "adaptive threshold: ATLOP",
            "atl_token": "adaptive threshold, reasoning over tokens",
            "atl_full": "adaptive threshold, full reasoning",
            "cmm_token": "concentrated margin (A), reasoning over tokens",
            "main/comm_atlop": "concentrated margin (A), full reasoning: COMM",
        },
        ("f1", "ign_f1", "precision", "recall"),
        small=("cmm_token",),
    ),
    "cdr": Table("cdr", _BIOMEDICAL, _RATES, small=("ttm",)),
    "chemdisgene": Table("chemdisgene", _BIOMEDICAL, _RATES, small=("comm",)),
    "joint_cdr": Table(
        "joint_cdr",
        {
            **_JOINT,
            **{f"warmup_{p}": f"reading begins after {p} of the updates" for p in _PROPORTIONS},
            "slot_width_32": "slots of 32 numbers",
            "slot_width_64": "slots of 64",
            "slot_width_128": "slots of 128",
            "normal_reads": "normal reads",
            "both_reads": "inverse and normal reads",
            "similarity_dot": "dot product",
            "similarity_cosine": "cosine",
        },
        JOINT,
        small=("grc_similarity",),
    ),
    "joint_redocred": Table("joint_redocred", _JOINT, JOINT, small=("mrc_turing",)),
}

# the sweeps whose runs are ranked too, see study/ranking.py
RANKED = ("main", "noise", "curve", "wrong", "memory")

_GRID = ((0.1, 0.2, 0.3, 0.4), (1, 1.2, 1.4, 1.6, 2), "m, gamma")
GRIDS = {
    "comm_form_a": Grid("comm", "a_{}_{}", *_GRID),
    "comm_form_b": Grid("comm", "b_{}_{}", *_GRID),
}


def small_cells(sweep: str) -> list[str]:
    """Return the cells of a sweep that ``make results-small`` trains."""
    cells = [cell for table in TABLES.values() if table.sweep == sweep for cell in table.small]
    cells += [next(iter(grid.cells.values())) for grid in GRIDS.values() if grid.sweep == sweep]
    return list(dict.fromkeys(cells))
