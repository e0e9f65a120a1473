"""``docre report``: write a page of predictions against gold."""

from __future__ import annotations

from os.path import realpath  # unlike Path.resolve it takes a link to itself
from pathlib import Path

from rich.console import Console

from docre.data.relations import RelationSet
from docre.errors import DataError, Problem


def report(
    predictions: Path,
    gold: Path | None = None,
    documents: Path | None = None,
    relations: str | None = None,
    output: Path | None = None,
    console: Console | None = None,
) -> Path:
    """Write one HTML page on which to read predictions beside the gold; any browser opens it.

    Args:
        predictions: predictions.jsonl, result.json, a submission zip, or documents with predicted
            relations and perhaps entities of their own.
        gold: Documents with labels, in any format.
        documents: Documents whose labels are not to be looked at, in place of the gold.
        relations: What relations are called: a JSON file of names and descriptions, or 'docred'.
            Left out, the names are those in predictions.jsonl, or DocRED's where all are DocRED's.
        output: The page; PREDICTIONS with the ending .html if left out.
        console: Where to print; standard output if left out.

    Returns:
        The page.

    Raises:
        DataError: If a file cannot be read, there are no documents, or the page would replace one
            of the files.
    """
    from docre.data.checksums import sha256_of
    from docre.data.reading import read_documents
    from docre.data.writing import atomic_file
    from docre.report.content import page_content
    from docre.report.page import render_page
    from docre.report.reading import read_predicted

    target = output or predictions.with_suffix(".html")
    given = {"predictions": predictions, "gold": gold, "documents": documents}
    read = {role: path for role, path in given.items() if path is not None}
    _require(gold is None or documents is None, "give either gold or documents, not both")
    _require(
        all(realpath(target) != realpath(path) for path in read.values()),
        f"the page would replace {target}; name another with --output",
    )
    names = _descriptions(relations)
    predicted = read_predicted(predictions)
    texts = gold or documents
    _require(
        texts is not None or bool(predicted.documents),
        "the predictions have no texts; --gold or --documents names the file they were made from",
    )
    content = page_content(
        None if texts is None else read_documents(texts),
        predicted,
        gold is not None,
        [
            {"role": role, "file": path.name, "sha256": sha256_of(path)}
            for role, path in read.items()
        ],
        names,
    )
    page = render_page(content, f"{predictions.name} - docre report")
    with atomic_file(target) as file:
        file.write(page.encode())
    count = len(content["documents"])
    line = f"{count:,} documents written to {target}"
    (console or Console()).print(line, highlight=False, markup=False, soft_wrap=True)
    return target


def _descriptions(relations: str | None) -> dict[str, str]:
    if relations is None:
        return {}
    named = RelationSet.docred() if relations == "docred" else RelationSet.from_file(relations)
    return dict(named.descriptions)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise DataError([Problem("wrong-setting", message)])
