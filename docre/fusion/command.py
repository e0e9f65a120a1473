"""``docre fuse``: predict with two readings of each document."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from rich.console import Console

from docre.errors import DocreError

# As published: four columns of a pair, the threshold's among them.
TOP_K = 4


def fuse_run(
    run: Path | None = None,
    documents: Path | None = None,
    output: Path | None = None,
    threshold: float | None = None,
    reach: float | Literal["inf"] = 10.0,
    split: Literal["test", "dev"] = "test",
    console: Console | None = None,
) -> None:
    """Predict with a trained model that reads each document twice: whole, and its evidence alone.

    Args:
        run: Folder of the run, as docre fit printed it.
        documents: File of one's own to predict, in any format docre reads, in place of a split.
        output: Where predictions go: .jsonl with names, scores and evidence, .json as the official
            result.json, .zip as a submission; fused_SPLIT.jsonl in the run folder if left out.
        threshold: What a triple that is not sure by itself has to score. Left out, it is tuned on
            the dev split of the run and kept in fusion.json in the run folder.
        reach: Evidence is read again for pairs whose best relation is at most so far below their
            threshold; inf for all pairs, as published, which takes many times as long.
        split: Split of the run to predict.
        console: Where to print; standard output if left out.

    Raises:
        DocreError: If the run cannot be opened, knows no evidence or has nothing to tune on.
    """
    from docre.callbacks.score_files import write_json
    from docre.fusion.fuse import keep
    from docre.fusion.fused_file import SUFFIXES, write_fused
    from docre.fusion.report import say, score_record, score_table, scores_of
    from docre.fusion.tuning import tuned_threshold
    from docre.fusion.two_readings import read_twice
    from docre.opened_run import open_run

    if run is None:
        raise DocreError("docre fuse needs a trained model: --run FOLDER")
    if output is not None and output.suffix not in SUFFIXES:
        raise DocreError(f"--output must end in one of {', '.join(SUFFIXES)}: {output}")
    reach = float(reach)
    if not reach >= 0:
        raise DocreError(f"--reach must not be negative, it is {reach}")
    if threshold is not None and math.isnan(threshold):
        raise DocreError("--threshold is not a number")
    if documents is not None and split != "test":
        raise DocreError("--documents is read in place of --split: give one of them")
    if output is not None and documents is not None and output.resolve() == documents.resolve():
        raise DocreError(f"{output} is the file to read; name another file to write")
    if documents is not None and not documents.is_file():  # dev may be read for an hour before it
        raise DocreError(f"--documents: no such file: {documents}")
    console = console or Console()
    opened = open_run(run)
    facts = opened.data.facts()
    what: Literal["test", "dev", "predict"] = split if documents is None else "predict"
    if documents is None:
        opened.data.corpus(what)  # says now, not after tuning, if it is not there
    readings, is_tuned = None, threshold is None
    if threshold is None:
        path = run / "fusion.json"
        threshold, readings = tuned_threshold(opened, path, TOP_K, reach, console)
    if documents is not None:
        opened, readings = open_run(run, documents), None
    if readings is None or what != "dev":
        readings = read_twice(opened, what, TOP_K, reach)
    kept = keep(readings.fused, threshold)
    target = output or run / f"fused_{what}.jsonl"
    write_fused(target, readings.documents, kept, opened.data.relations.descriptions)
    if any(one.relations is not None for one in readings.documents):
        scores = scores_of(readings, kept, facts)
        console.print(score_table(*scores))
        record = run / "scores" / f"{what}_fused.json"
        about = {"split": what, "fusion": {"threshold": threshold, "reach": str(reach)}}
        write_json(record, score_record(opened, scores, about))
        say(console, f"scores written to {record}")
    say(
        console,
        f"{readings.pseudo_documents:,} pseudo documents for {len(readings.documents):,} "
        f"documents, {readings.published:,} by the published rule (--reach inf)",
    )
    if what == "dev" and is_tuned:
        console.print(
            "[bold yellow]WARNING[/bold yellow] the threshold of the fusion is tuned on dev: dev "
            "scores after fusion are too good, report those of test",
            soft_wrap=True,
        )
    say(console, f"{len(kept):,} predictions written to {target}")
