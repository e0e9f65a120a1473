"""``docre dictionary``: find the names that training documents mark, and score that."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from docre.data.reading import read_documents
from docre.data.writing import write_documents
from docre.dictionary_baseline import DictionaryBaseline
from docre.errors import DocreError
from docre.scoring.joint import ENTITY_LEVELS, JointScores, score_joint


def dictionary(train: str, documents: str, output: str | None = None) -> int:
    """Find mentions and entities by the names in training documents alone, and score them.

    A joint model that does not beat this has learnt nothing but names.

    Args:
        train: Documents with entities, whose names are learnt.
        documents: Documents to find names in; the score compares with the entities they have.
        output: Where the documents with what was found go, in docre's own format.
    """
    target = None if output is None else Path(output)
    given = [path for path in (train, documents) if Path(path).exists()]
    if target is not None and target.exists() and any(map(target.samefile, given)):
        raise DocreError(f"{output} is one of the files to read; name another file to write")
    fitted = DictionaryBaseline.fit(read_documents(Path(train)))
    gold = read_documents(Path(documents))
    found = [fitted.predict(document) for document in gold]
    if target is not None:
        write_documents(target, found)
    console = Console()
    if any(document.entities for document in gold):
        console.print(_table(score_joint(gold, found)))
    else:
        console.print("not scored: the documents have no entities to compare with")
    counts = f"{len(fitted.types):,} names learnt, {len(found):,} documents looked through"
    console.print(counts, highlight=False)
    if target is not None:
        written = f"what was found is in {target}"
        console.print(written, highlight=False, markup=False, soft_wrap=True)
    return 0


def _table(scores: JointScores) -> Table:
    table = Table(
        title="Scores in percent", box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0)
    )
    table.add_column("")
    for column in ("F1", "P", "R", "gold", "predicted", "correct"):
        table.add_column(column, justify="right", no_wrap=True)
    for level in ENTITY_LEVELS:
        rates = getattr(scores, level).overall
        shares = (f"{100 * value:.2f}" for value in (rates.f1, rates.precision, rates.recall))
        counts = (f"{count:,}" for count in (rates.gold, rates.predicted, rates.correct))
        table.add_row(level, *shares, *counts)
    return table
