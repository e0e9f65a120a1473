"""A comparison as LaTeX, for a paper."""

from __future__ import annotations

from docre.comparison.comparison import Comparison
from docre.comparison.sheets import Cell, Sheet, sheets_of

_SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
}
_HEAD = "% docre compare; needs \\usepackage{booktabs}\n"


def latex(comparison: Comparison) -> str:
    """Return the tables of a comparison, each with its notes below the rows."""
    return _HEAD + "\n".join(_sheet(sheet) for sheet in sheets_of(comparison))


def _sheet(sheet: Sheet) -> str:
    columns = "l" + "r" * (len(sheet.headings) - 1)
    lines = [
        r"\begin{table}[t]",
        r"  \centering",
        f"  \\caption{{{_escaped(sheet.title)}.}}",
        f"  \\begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        f"    {_row([_escaped(heading) for heading in sheet.headings])}",
        r"    \midrule",
        *(f"    {_row([_cell(cell) for cell in row])}" for row in sheet.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *(f"  \\par\\smallskip{{\\footnotesize {_escaped(note)}.}}" for note in sheet.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    if cell.text[:1] in "+-" and cell.text[1:2].isdigit():  # a minus sign, not a hyphen
        text = " to ".join(f"${part}$" for part in text.split(" to "))
    text = f"\\textbf{{{text}}}" if cell.is_best else text
    return f"{text} $\\pm$ {cell.spread}" if cell.spread else text


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in " ".join(text.split()))
