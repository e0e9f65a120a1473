"""Figures without a screen: drawn by matplotlib's object interface, shown as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from docre.dashboard.part import Board

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#333333", "#dddddd"
BLUE, PURPLE, GREY = "#3572b0", "#6a3d9a", "#8a8a8a"
_DPI = 110


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that belongs to nobody's window, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain_axes(axes: Axes, title: str) -> None:
    """Leave only what is needed to read the axes."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.tick_params(labelsize=8, colors=INK, length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Return the picture, [height, width, 3]."""
    canvas = figure.canvas
    canvas.draw()
    drawn: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    return drawn


def show_figure(board: Board, tag: str, figure: Figure) -> None:
    """Show a figure under a name."""
    board.writer.add_image(tag, pixels(figure), board.step, dataformats="HWC")
