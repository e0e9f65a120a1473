"""What TensorBoard shows of a training beside its losses and scores."""

from docre.dashboard.dashboard import Dashboard
from docre.dashboard.flat_names import flat_names
from docre.dashboard.part import Board, DashboardPart
from docre.dashboard.scalar_layout import band_layout

__all__ = ["Board", "Dashboard", "DashboardPart", "band_layout", "flat_names"]
