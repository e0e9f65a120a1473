"""``docre baseline``: predict from entity types alone, for a score to compare with."""

from __future__ import annotations

from pathlib import Path

from docre.baseline import TypePairBaseline
from docre.data.formats.official import write_predictions
from docre.data.reading import read_documents
from docre.errors import DocreError


def baseline(train: str, documents: str, output: str) -> int:
    """Predict relations from entity types alone, by their share in training documents.

    Whoever does not beat this has learnt nothing from the text.

    Args:
        train: Labelled documents to count relations in.
        documents: Documents to predict; their labels are not looked at.
        output: Where the predictions go: result.json, or a submission if it ends in .zip.
    """
    from rich.console import Console

    target = Path(output)
    if target.exists() and any(target.samefile(p) for p in (train, documents) if Path(p).exists()):
        raise DocreError(f"{output} is one of the files to read; name another file to write")
    fitted = TypePairBaseline.fit(read_documents(Path(train)))
    listed = read_documents(Path(documents))
    count = write_predictions(output, (p for made in listed for p in fitted.predict(made)))
    kinds = sum(len(names) for names in fitted.relations.values())
    Console().print(
        f"{count:,} predictions for {len(listed):,} documents written to {output}\n"
        f"{kinds} relations over {len(fitted.relations)} type pairs, each in at least "
        f"{fitted.threshold:.1%} of the training pairs of its types; F1 on the training documents "
        f"{fitted.train_f1:.3f}",
        soft_wrap=True,
    )
    return 0
