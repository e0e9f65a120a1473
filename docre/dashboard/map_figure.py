"""The slots of a memory and head entities as a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from docre.dashboard.drawing import GRID, INK, new_figure, plain_axes
from docre.dashboard.head_entities import EntityPoint
from docre.dashboard.principal_plane import principal_plane
from docre.dashboard.slots import Slots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More labels cover each other.
_LABELLED = 120


def map_figure(slots: Slots, entities: Sequence[EntityPoint]) -> Figure:
    """Return slots and entities on a plane; entities of another width than the slots stay away."""
    shown = [point for point in entities if fits(point, slots)]
    vectors = torch.stack([*slots.vectors.float().cpu(), *(point.vector for point in shown)])
    plane, shares = principal_plane(vectors)
    of_slots, of_entities = plane[: len(slots.vectors)], plane[len(slots.vectors) :]
    figure = new_figure(7, 5.2)
    axes = figure.add_subplot()
    kinds = sorted({point.type for point in shown})
    for number, kind in enumerate(kinds):
        x, y = of_entities[[point.type == kind for point in shown]].T.numpy()
        colour = f"C{number % 10}"
        axes.scatter(x, y, s=14, alpha=0.55, linewidths=0, color=colour, label=kind or "head")
    x, y = of_slots.T.numpy()
    axes.scatter(x, y, s=42, marker="*", color=INK, label="memory slot")
    if any(label != str(number) for number, label in enumerate(slots.labels[:_LABELLED])):
        for label, place in zip(slots.labels[:_LABELLED], of_slots.tolist(), strict=False):
            axes.annotate(label, place, (3, 3), textcoords="offset points", fontsize=6, color=INK)
    what = "slots and head entities" if shown else "slots"
    plain_axes(axes, f"{slots.name}: {what}, principal components")
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for name, share in zip(("x", "y"), shares.tolist(), strict=True):
        getattr(axes, f"set_{name}label")(f"{100 * share:.0f} % of the variance", fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def fits(point: EntityPoint, slots: Slots) -> bool:
    """Say whether an entity can be compared with the slots of a memory."""
    return len(point.vector) == slots.vectors.shape[1]
