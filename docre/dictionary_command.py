"""``docre dictionary``: find the names that training documents mark, and score that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from docre.data.reading import read_documents
from docre.data.writing import write_documents
from docre.dictionary_baseline import DictionaryBaseline
from docre.errors import DocreError
from docre.scoring.joint import ENTITY_LEVELS, score_joint
from docre.scoring.tables import joint_table


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
        scores = replace(score_joint(gold, found), levels=ENTITY_LEVELS)
        console.print(joint_table(scores, "Scores in percent"), highlight=False)
    else:
        console.print("not scored: the documents have no entities to compare with")
    counts = f"{len(fitted.types):,} names learnt, {len(found):,} documents looked through"
    console.print(counts, highlight=False)
    if target is not None:
        written = f"what was found is in {target}"
        console.print(written, highlight=False, markup=False, soft_wrap=True)
    return 0
