"""Texts in tables that people open in spreadsheets."""

from __future__ import annotations

# Some programs take the wide forms of these signs for them.
_SIGNS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def as_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe goes before it.

    Example:
        >>> as_cell("=1+1"), as_cell("1+1")
        ("'=1+1", '1+1')
    """
    return f"'{text}" if text.startswith(_SIGNS) else text
