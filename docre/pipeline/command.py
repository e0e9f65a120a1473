"""``docre predict MODEL FILES``: triples of any number of documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console


def predict(
    model: str,
    documents: list[str],
    output: Sequence[str] | None = None,
    finder: str | None = None,
    labels: Sequence[str] | None = None,
    min_probability: float | None = None,
    format: str | None = None,
    on_error: Literal["skip", "fix"] = "skip",
    device: str | None = None,
    precision: Literal["32", "bf16"] = "32",
    token_budget: int | None = None,
    pair_budget: int | None = None,
    revision: str | None = None,
    allow: Sequence[str] | None = None,
    offline: bool = False,
    again: bool = False,
    console: Console | None = None,
) -> int:
    """Predict the triples of documents, or find entities and triples in texts.

    A command that was killed goes on where it was when it is given again. What is wrong with a
    document is written beside the output and does not stop the rest.

    Args:
        model: Run folder of docre fit, folder of docre export, checkpoint, or name on the model
            hub.
        documents: Files of documents in any format docre reads, .txt files, or folders of them.
        output: Files to write: .jsonl (a line a document, the default), .json (the official
            result.json), .zip (a submission), .csv, .graphml or .html.
        finder: What finds entities in texts without any: joint:RUN, spacy:PIPELINE, gliner:MODEL
            or package.module:function.
        labels: What gliner is to look for: person place, or person=PER where the model says so.
        min_probability: Leave out triples that are less probable; needs a calibrated model.
        format: Name of the format of the files; found out from each if left out.
        on_error: skip leaves documents with a problem out, fix mends what can be mended.
        device: cpu, cuda, cuda:1; a GPU if there is one, by default.
        precision: bf16 computes in bfloat16 where that is safe.
        token_budget: Most padded tokens of a batch.
        pair_budget: Most entity pairs of a batch.
        revision: Branch, tag or commit of a model on the hub.
        allow: Packages beside docre whose classes the model may be made of.
        offline: Never use the network.
        again: Begin from the first document, whatever a killed command has done.
        console: Where to print; standard output if left out.

    Returns:
        Status of the command: 1 if nothing could be predicted.
    """
    from docre.hub.contents import read_model
    from docre.pipeline.extractor import Extractor
    from docre.pipeline.finders.named import finder_named
    from docre.pipeline.inputs import sources_of
    from docre.pipeline.job import Job

    sources = sources_of([Path(one) for one in documents])
    contents = read_model(model, revision=revision, offline=offline, allow=allow or ())
    found = None
    if finder is not None:
        found = finder_named(finder, labels or (), contents.types, device, offline)
    extractor = Extractor(
        contents, found, device, precision, min_probability, token_budget, pair_budget
    )
    outputs = [Path(one) for one in output or ("predictions.jsonl",)]
    job = Job(extractor, sources, outputs, console or Console())
    options = {
        "finder": finder,
        # retrained under its name, a finder is another one
        "finder_digest": getattr(found, "digest", None),
        "labels": list(labels or ()),
        "min_probability": min_probability,
        "format": format,
        "on_error": on_error,
        "precision": precision,
    }
    return job.run(options, format, on_error, again)
