"""Markdown for the Text tab."""

from __future__ import annotations

from docre.markdown_text import plain, table

__all__ = ["plain", "table"]
