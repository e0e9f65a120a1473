"""What stands on the results page: which sweeps, which of their cells are called what."""

from __future__ import annotations

from collections.abc import Iterator

from study.table import Grid, Table

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


# a cell of the main sweep with this ending is the same system at doubled rates
DOUBLED = "_x2"
# each at the rates that the search for rates took
SYSTEMS = {
    "atlop_x2": "ATLOP",
    "ssr_pu_x2": "SSR-PU",
    "ttm_slots_x2": "TTM-RE, attention within a pair (slots)",
    "ttm_pairs_x2": "TTM-RE, attention across the pairs of a document",
    "docunet_x2": "DocuNet",
    "kd_docre_x2": "KD-DocRE",
    "dreeam": "DREEAM",
    "comm_atlop_x2": "COMM on ATLOP",
    "comm_docunet_x2": "COMM on DocuNet",
    "comm_kd_docre_x2": "COMM on KD-DocRE",
    "ttm_cmm_x2": "TTM-RE with COMM's loss",
}
_LABELS = {"complete": "all labels", "docred": "a third of them", "ext": "a sixth"}
_LOSSES = {
    "atl": "ATLOP (adaptive threshold)",
    "s_pu": "S-PU",
    "s_pu_12": "S-PU, told that it is a twelfth",
    "cmm": "concentrated margin",
    "comm": "COMM (reasoning and margin)",
    "ttm": "TTM-RE (memory and S-PU)",
    "ttm_none": "TTM-RE without memory",
}
_LEFT_OUT = {("complete", "s_pu_12"), ("docred", "s_pu_12"), ("complete", "ttm_none")}
_PN = "PN (S-PU, told that nothing is missing)"
_BIOMEDICAL = {
    "atlop": "ATLOP",
    "ssr_pu": _PN,
    "ttm": "PN with TTM-RE's memory",
    "comm": "COMM on ATLOP",
}
_JOINT = {
    "grc": "JEREX, relations from entities (GRC)",
    "grc_similarity": "GRC with similarity memory",
    "mrc": "JEREX, relations from mentions (MRC)",
    "mrc_similarity": "MRC with similarity memory",
    "mrc_turing": "MRC with Token Turing memory",
}
_PROPORTIONS = (0.2, 0.4, 0.6, 0.8)
_PREDICTED = ("f1", "precision", "recall")
_SHARES = (100, 50, 25, 10)
_WRONG = (0, 20, 50)


def _noise() -> Iterator[tuple[str, str]]:
    for labels, said in _LABELS.items():
        for loss, called in _LOSSES.items():
            is_complete = labels == "complete"
            name = _PN if loss == "s_pu" and is_complete else called
            if (labels, loss) in _LEFT_OUT:
                continue
            yield f"{labels}_{loss}", f"{said}: {name}"


def _less(loss: str, share: int) -> str:
    return f"noise/complete_{loss}" if share == 100 else f"{loss}_{share}"


def _more(loss: str, share: int) -> str:
    return f"{loss}_{share}" if share else f"noise/complete_{loss}"


_WAYS = ("row_order", "row_order_in_gold_first", "gold_first", "gold_first_in_row_order")
_NOISE = dict(_noise())
_TRIED = ("atl", "s_pu", "cmm")

TABLES = {
    "atlop": Table("atlop", {"atlop": "ATLOP, as its published code"}, PAIRS, small=("atlop",)),
    "encoder": Table(
        "encoder",
        {"encoder": "ATLOP, incomplete labels", "s_pu": "S-PU, incomplete labels: the control's"},
        PAIRS,
        small=("encoder", "s_pu"),
    ),
    "main": Table("main", SYSTEMS, PAIRS, small=("atlop_x2", "ttm_slots_x2")),
    "distance": Table("main", SYSTEMS, DISTANCES, is_bare=True),
    "length": Table("main", SYSTEMS, LENGTHS),
    "control": Table(
        "control",
        {
            "main/atlop_x2": "ATLOP, from ATLOP's encoder",
            "main/ssr_pu_x2": "SSR-PU, from ATLOP's encoder",
            "main/ttm_slots_x2": "TTM-RE, from ATLOP's encoder",
            "atlop": "ATLOP, from S-PU's encoder",
            "ssr_pu": "SSR-PU, from S-PU's encoder",
            "ttm_slots": "TTM-RE, from S-PU's encoder",
            "noise/docred_atl": "a third of the labels: ATLOP, from ATLOP's encoder",
            "noise/docred_s_pu": "a third of the labels: S-PU, from ATLOP's encoder",
            "docred_atl": "a third of the labels: ATLOP, from S-PU's encoder",
            "docred_s_pu": "a third of the labels: S-PU, from S-PU's encoder",
        },
        _PREDICTED,
        against={
            **dict.fromkeys(("atlop", "ssr_pu", "ttm_slots"), "atlop"),
            **dict.fromkeys(("noise/docred_atl", "noise/docred_s_pu"), "noise/docred_atl"),
            **dict.fromkeys(("docred_atl", "docred_s_pu"), "docred_atl"),
        },
        small=("ssr_pu",),
    ),
    "noise": Table(
        "noise",
        _NOISE,
        _PREDICTED,
        against={cell: f"{cell.partition('_')[0]}_atl" for cell in _NOISE},
        small=("ext_s_pu",),
    ),
    "memory": Table(
        "memory",
        {
            "none": "no memory",
            "slots_1": "1 slot",
            "slots_10": "10 slots",
            "main/ttm_slots_x2": "200 slots, 4 layers: TTM-RE",
            "slots_2000": "2,000 slots",
            "slots_20000": "20,000 slots",
            "prototypes": "two free vectors, no slots",
            "layers_0": "200 slots, no layer",
            "layers_1": "200 slots, 1 layer",
            "layers_2": "200 slots, 2 layers",
            "layers_3": "200 slots, 3 layers",
        },
        ("f1", "frequent/f1", "long_tail/f1", "macro_f1"),
        small=("prototypes",),
    ),
    "order": Table(
        "order",
        {
            "main/ttm_slots_x2": "within a pair, row order",
            "slots_gold_first": "within a pair, gold first",
            "slots_gold_first_in_row_order": "the same weights, scored in row order",
            "pairs_row_order": "across 256 pairs, row order",
            "pairs_row_order_in_gold_first": "these weights, scored gold first",
            "pairs_gold_first": "across 256 pairs, gold first",
            "pairs_gold_first_in_row_order": "its weights, scored in row order",
            "one_slot_row_order": "one slot, across 256 pairs, row order",
            "one_slot_row_order_in_gold_first": "one slot, these weights, scored gold first",
            "one_slot_gold_first": "one slot, across 256 pairs, gold first",
            "one_slot_gold_first_in_row_order": "one slot, its weights, scored in row order",
            "longer_row_order": "one slot, longer, row order",
            "longer_row_order_in_gold_first": "one slot, longer, these weights, scored gold first",
            "longer_gold_first": "one slot, longer, gold first",
            "longer_gold_first_in_row_order": "one slot, longer, its weights, scored in row order",
        },
        _PREDICTED,
        against={
            f"{which}_{way}": f"{which}_row_order"
            for which in ("pairs", "one_slot", "longer")
            for way in _WAYS
        },
        small=("pairs_gold_first",),
    ),
    "pretrain": Table(
        "pretrain",
        {
            "pretrained_atlop": "ATLOP, automatic labels alone",
            "pretrained_none": "TTM-RE without memory, automatic labels alone",
            "pretrained_ttm": "TTM-RE, automatic labels alone",
        },
        _PREDICTED,
        small=("pretrained_ttm",),
    ),
    "finetune": Table(
        "finetune",
        {
            "main/atlop_x2": "ATLOP, human labels alone",
            "atlop": "ATLOP, automatic labels, then human ones",
            "memory/none": "TTM-RE without memory, human labels alone",
            "none": "TTM-RE without memory, both",
            "main/ttm_slots_x2": "TTM-RE, human labels alone",
            "ttm": "TTM-RE, both, its memory goes on learning",
            "ttm_frozen_memory": "TTM-RE, both, its memory frozen",
        },
        ("f1", "ign_f1", "precision", "recall"),
        against={
            **dict.fromkeys(("memory/none", "none"), "memory/none"),
            **dict.fromkeys(("main/ttm_slots_x2", "ttm", "ttm_frozen_memory"), "main/ttm_slots_x2"),
        },
        small=("ttm_frozen_memory",),
    ),
    "curve": Table(
        "curve",
        {
            _less(loss, share): f"{share} % of the labels: "
            + (_PN if loss == "s_pu" and share == 100 else _LOSSES[loss])
            for share in _SHARES
            for loss in _TRIED
        },
        _PREDICTED,
        against={_less(loss, share): _less("atl", share) for loss in _TRIED for share in _SHARES},
        small=("s_pu_10",),
    ),
    "wrong": Table(
        "wrong",
        {
            _more(loss, share): f"{share} wrong labels for 100 true ones: "
            + (_PN if loss == "s_pu" else _LOSSES[loss])
            for share in _WRONG
            for loss in _TRIED
        }
        | {
            f"{loss}_50_typed": "50 of fitting types: " + (_PN if loss == "s_pu" else _LOSSES[loss])
            for loss in _TRIED
        },
        _PREDICTED,
        against={_more(loss, share): _more("atl", share) for loss in _TRIED for share in _WRONG}
        | {f"{loss}_50_typed": "atl_50_typed" for loss in _TRIED},
        small=("cmm_20",),
    ),
    "comm": Table(
        "comm",
        {
            "main/atlop_x2": "ATLOP: adaptive threshold, grouped bilinear classifier",
            "atl_none": "adaptive threshold, features of a pair",
            "atl_token": "adaptive threshold, reasoning over tokens",
            "atl_full": "adaptive threshold, full reasoning",
            "cmm_none": "concentrated margin (A), features of a pair",
            "cmm_token": "concentrated margin (A), reasoning over tokens",
            "main/comm_atlop_x2": "concentrated margin (A), full reasoning: COMM",
            "cmm_full_head_rate": "the same, reasoning learns five times as fast",
        },
        ("f1", "ign_f1", "precision", "recall"),
        small=("cmm_token",),
    ),
    "cdr": Table("cdr", _BIOMEDICAL, _PREDICTED, small=("ttm",)),
    "chemdisgene": Table("chemdisgene", _BIOMEDICAL, _PREDICTED, small=("comm",)),
    "joint_cdr": Table(
        "joint_cdr",
        _JOINT,
        JOINT,
        against=dict.fromkeys(("mrc", "mrc_similarity", "mrc_turing"), "mrc"),
        tested="relation_strict_f1",
        small=("grc_similarity",),
    ),
    "joint_memory": Table(
        "joint_cdr",
        {
            "mrc_similarity": "MRC with similarity memory: half of the updates without reading, "
            "slots of 384, inverse reads, bilinear",
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
        tested="relation_strict_f1",
    ),
    "joint_redocred": Table(
        "joint_redocred",
        _JOINT,
        JOINT,
        against=dict.fromkeys(("mrc", "mrc_similarity", "mrc_turing"), "mrc"),
        tested="relation_strict_f1",
        small=("mrc_turing",),
    ),
}

# the sweeps whose runs are ranked too, see study/ranking.py
RANKED = ("main", "control", "noise", "curve", "wrong", "memory")
# those whose memories are looked at, see study/shares.py
READ = ("order", "memory", "main")

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
