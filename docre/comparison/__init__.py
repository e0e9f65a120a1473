"""Runs against each other: means over seeds, differences with their uncertainty, as tables."""

from __future__ import annotations

from docre.comparison.comparing import compare
from docre.comparison.comparison import Comparison, ComparisonTable

__all__ = ["Comparison", "ComparisonTable", "compare"]
