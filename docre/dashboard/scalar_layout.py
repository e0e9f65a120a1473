"""The Custom Scalars tab: which curves belong on one chart."""

from __future__ import annotations

from collections.abc import Iterable

from docre.dashboard.part import Board, DashboardPart
from docre.dashboard.slots import reading_parts
from docre.scoring.scores import Scores

# chart kind and tags, by category and title; tags of a Multiline chart are regular expressions
Layout = dict[str, dict[str, list[str | list[str]]]]

_LOSSES: dict[str, list[str | list[str]]] = {
    "loss in training": ["Multiline", [r"^train/loss$"]],
    "parts of the loss in training": ["Multiline", [r"^train/loss/"]],
    "loss on the development split": ["Multiline", [r"^val/loss(/|$)"]],
}
_TRAINING: dict[str, list[str | list[str]]] = {
    "learning rates": ["Multiline", [r"^lr/"]],
    "length of the gradient": ["Multiline", [r"^train/grad_norm$"]],
    "throughput": ["Multiline", [r"^throughput/"]],
}
_MEMORY: dict[str, list[str | list[str]]] = {
    "share of a read that comes from the memory": ["Multiline", [r"^.*/share$"]],
    "slots in use": ["Multiline", [r"^.*/slots_in_use$"]],
}


def pair_layout(memory: bool) -> Layout:
    """Return the charts of a pair model."""
    layout: Layout = {
        "scores": {
            "F1 and Ign F1": ["Multiline", [r"^val/(ign_)?f1$"]],
            "precision and recall": ["Multiline", [r"^val/(precision|recall)$"]],
            "F1 within a sentence and across": ["Multiline", [r"^val/(intra|inter)/f1$"]],
            "F1 of frequent and of other relations": [
                "Multiline",
                [r"^val/(?!intra|inter)\w+/f1$", r"^val/macro_f1$"],
            ],
        },
        "triples": {
            "predicted and labelled, development split": ["Multiline", [r"^val/(predicted|gold)$"]],
            "predicted in an epoch of training": ["Multiline", [r"^train/predicted$"]],
        },
        "loss": _LOSSES,
    }
    return layout | ({"memory": _MEMORY} if memory else {}) | {"training": _TRAINING}


def joint_layout(levels: Iterable[str], memory: bool) -> Layout:
    """Return the charts of a joint model.

    Args:
        levels: Those it is judged by.
        memory: Whether it has one.
    """
    names = tuple(levels)
    rates: dict[str, list[str | list[str]]] = {
        f"precision and recall: {name.replace('_', ' ')}": [
            "Multiline",
            [rf"^val/{name}_(precision|recall)$"],
        ]
        for name in names
    }
    of_levels: dict[str, list[str | list[str]]] = {
        "F1 of all levels": ["Multiline", [rf"^val/({'|'.join(names)})_f1$"]]
    }
    layout: Layout = {"scores": of_levels | rates, "loss": _LOSSES}
    return layout | ({"memory": _MEMORY} if memory else {}) | {"training": _TRAINING}


def band_layout(scores: Iterable[str], prefix: str = "band") -> Layout:
    """Return the charts of several seeds: a mean with a band around it.

    They show the scalars ``PREFIX/SCORE/mean``, ``.../low`` and ``.../high`` of a run that
    ``docre compare --tensorboard`` writes.

    Args:
        scores: Such as ``f1``.
        prefix: What the names of these scalars begin with.
    """
    charts: dict[str, list[str | list[str]]] = {}
    for score in scores:
        ends = [f"{prefix}/{score}/{name}" for name in ("mean", "low", "high")]
        charts[f"{score.replace('_', ' ')} over seeds"] = ["Margin", ends]
    return {"seeds": charts}


class ScalarLayout(DashboardPart):
    """Lays the curves of a run out on charts."""

    def begin(self, board: Board) -> None:
        """Write the layout."""
        memory = bool(reading_parts(board.model))
        levels = getattr(board.model, "levels", None)
        layout = pair_layout(memory) if levels is None else joint_layout(levels, memory)
        board.writer.add_custom_scalars(layout)

    def show(self, board: Board) -> None:
        """Log how many triples there are to find, beside how many were."""
        scores = board.scores()
        if isinstance(scores, Scores):
            board.writer.add_scalar("val/gold", scores.overall.gold, board.step)
