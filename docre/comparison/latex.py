"""A comparison as LaTeX, for a paper."""

from __future__ import annotations

import re

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
# a sign of a number, neither a hyphen nor part of a date or of 1e-05
_SIGNED = re.compile(r"(?<![\w)\]}.])[+-]\d+(?:\.\d+)?")
_STAR = "$^{*}$"


def latex(comparison: Comparison) -> str:
    """Return the tables of a comparison.

    Notes on the numbers stand below the scores; those on the runs are comments of the source. There
    are no columns ``runs`` and ``time`` unless the comparison was asked for them.
    """
    sheets = sheets_of(comparison, for_paper=True)
    return _HEAD + "\n".join(_sheet(sheet) for sheet in sheets)


def _sheet(sheet: Sheet) -> str:
    columns = "l" + "r" * (len(sheet.headings) - 1)
    rows = [[_cell(cell) for cell in row] for row in sheet.rows]
    if sheet.baseline is not None:
        rows[sheet.baseline][0] += " (baseline)"
    lines = [
        r"\begin{table}[t]",
        r"  \centering",
        f"  \\caption{{{_text(sheet.title)}.}}",
        f"  \\label{{tab:{sheet.label}}}",
        f"  \\begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        f"    {_row([_text(heading) for heading in sheet.headings])}",
        r"    \midrule",
        *(f"    {_row(row)}" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *_notes(sheet.notes),
        r"\end{table}",
        *(f"% {' '.join(remark.split())}" for remark in sheet.remarks),
    ]
    return "\n".join(lines) + "\n"


def _notes(notes: list[str]) -> list[str]:
    if not notes:
        return []
    return [
        r"  \par\smallskip",
        r"  \begin{minipage}{\linewidth}",
        r"    \footnotesize\raggedright",
        *(f"    {_text(note[:1].upper() + note[1:])}." for note in notes),
        r"  \end{minipage}",
    ]


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: Cell) -> str:
    marked = cell.text.endswith("*") and bool(_SIGNED.match(cell.text))
    text = "--" if cell.text == "-" else _text(cell.text[:-1] if marked else cell.text)
    text = f"\\textbf{{{text}}}" if cell.is_best else text
    text += _STAR if marked or cell.is_significant else ""
    return f"{text} $\\pm$ {cell.spread}" if cell.spread else text


def _text(text: str) -> str:
    """Return a text that is shown as it stands, on one line."""
    line, done, parts = " ".join(text.split()), 0, []
    for found in _SIGNED.finditer(line):
        parts += [_escaped(line[done : found.start()]), f"${found[0]}$"]
        done = found.end()
    return "".join([*parts, _escaped(line[done:])])


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
