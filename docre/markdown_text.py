"""Text and tables in Markdown, read alike by GitHub and by TensorBoard."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_MARKS = re.compile(r"([\\`*_{}\[\]])")
_BEGIN = re.compile(r"^(\d*)(#|[-+](?=[\s-])|[.)](?=\s))")
# not every reader knows a backslash before these
_SIGNS = str.maketrans({"|": "&#124;", "~": "&#126;", "$": "&#36;"})


def plain(text: str) -> str:
    r"""Return a text that is shown as it stands, on one line.

    Example:
        >>> print(plain("a|b *c* <i>"))
        a&#124;b \*c\* &lt;i&gt;
        >>> print(plain("1. of -0.5"))
        1\. of -0.5
    """
    line = _BEGIN.sub(r"\1\\\2", _MARKS.sub(r"\\\1", " ".join(text.split())))
    return html.escape(line, quote=False).translate(_SIGNS)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """Return a table.

    Args:
        columns: The headings; Markdown already, as the cells are.
        rows: The cells of each row.
        numbers: Whether all columns but the first have numbers, which stand at the right.

    Example:
        >>> print(table(["a", "b"], [["1", "2"]]))
        | a | b |
        |---|---|
        | 1 | 2 |
    """
    written = ["| " + " | ".join(cells) + " |" for cells in (columns, *rows)]
    line = "|---|" + ("---:|" if numbers else "---|") * (len(columns) - 1)
    return "\n".join([written[0], line, *written[1:]])
