"""``docre score``: score a file of predictions against a file of labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from docre import __version__
from docre.data.fact_files import read_facts
from docre.data.reading import read_documents
from docre.errors import DataError, Problem
from docre.scoring import (
    DOCRED_FREQUENT,
    Gold,
    Prediction,
    Rates,
    RelationGroup,
    Scores,
    UnlabelledError,
    bootstrap,
    most_frequent,
    score,
)
from docre.scoring.groups import RelationGroupRates

Intervals = Mapping[str, tuple[float, float]]


def score_files(
    pred: Path,
    gold: Path,
    facts: Path | None = None,
    frequent: Sequence[str] | None = None,
    output: Path | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    json: bool = False,
    console: Console | None = None,
) -> Scores:
    """Score a file of predictions and print a table.

    Args:
        pred: ``result.json``, a submission zip, or documents with predicted relations.
        gold: Documents with labels, in any format.
        facts: Training facts for Ign F1: a ``.fact`` file or the training documents. Without it
            there is no Ign F1.
        frequent: Relations that count as frequent, the others being the long tail. Left out: those
            of the benchmark if the gold has all of them, else the ten with most labels.
        output: Write all numbers, also those of each relation, to this JSON file.
        bootstrap: Number of resamples for confidence intervals over documents; 0 for none.
        seed: Seed of the resamples.
        json: Print JSON instead of a table.
        console: Where to print; standard output if left out.

    Raises:
        DataError: If a file cannot be read or a setting makes no sense.
        UnlabelledError: If the gold has no labels; the submission is written then.
    """
    # the reader of predictions itself needs docre.scoring
    from docre.data.formats.official import read_predictions
    from docre.data.writing import atomic_file

    for name, value in (("bootstrap", bootstrap), ("seed", seed)):
        if value < 0:
            message = f"{name} must not be negative, it is {value}"
            raise DataError([Problem("wrong-setting", message)])
    known = read_facts(facts) if facts is not None else ()
    compiled = Gold.compile(read_documents(gold), known)
    predictions = read_predictions(pred)
    if not compiled.can_score:
        raise UnlabelledError(len(compiled.unlabelled), str(_submission(pred, predictions)))
    chosen = _frequent(compiled, frequent)
    sets = [chosen, chosen.others("long_tail"), *_top(compiled)]
    scores = score(predictions, compiled, sets)
    intervals = _intervals(scores, bootstrap, seed)
    body: dict[str, Any] = {
        "docre": __version__,
        "predictions": _source(pred),
        "gold": _source(gold),
        "facts": None if facts is None else _source(facts),
        "frequent": sorted(chosen.relations),
        "bootstrap": {"samples": bootstrap, "seed": seed, "confidence": 0.95}
        if bootstrap
        else None,
        "scores": scores.to_dict(relations=True),
        "intervals": intervals,
    }
    encoded = msgspec.json.format(msgspec.json.encode(body), indent=1)
    if output is not None:
        with atomic_file(output) as file:
            file.write(encoded)
    console = console or Console()
    if json:
        console.out(encoded.decode(), highlight=False)
    else:
        _print(console, scores, body, intervals)
    return scores


def _submission(pred: Path, predictions: Sequence[Prediction]) -> Path:
    """Write the zip that a hidden test set is scored from, unless that is what was given."""
    from docre.data.formats.official import write_predictions

    target = Path(pred).with_suffix(".zip")
    if target != Path(pred):
        write_predictions(target, predictions)
    return target


def _source(path: Path) -> dict[str, str]:
    return {"file": str(path), "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}


def _frequent(gold: Gold, names: Sequence[str] | None) -> RelationGroup:
    if names is not None:
        return RelationGroup("frequent", frozenset(names))
    if gold.relation_ids.keys() >= DOCRED_FREQUENT.relations:
        return DOCRED_FREQUENT
    return most_frequent(gold, 10, "frequent")


def _top(gold: Gold) -> Iterator[RelationGroup]:
    for size in (5, 10):
        top = most_frequent(gold, size)
        yield from (top, top.others(f"below_top_{size}"))


def _intervals(scores: Scores, samples: int, seed: int) -> Intervals:
    if not samples:
        return {}
    return bootstrap(scores.counts, samples, seed)


def _print(console: Console, scores: Scores, body: Mapping[str, Any], intervals: Intervals) -> None:
    console.print(_overall(scores, intervals))
    console.print(_groups(scores))
    for line in _notes(scores, body):
        console.print(escape(line), highlight=False, soft_wrap=True)


def _table(title: str) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold", min_width=13)
    for name in ("F1", "P", "R", "gold", "predicted", "correct"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _overall(scores: Scores, intervals: Intervals) -> Table:
    table = _table("Scores in percent")
    if intervals:
        table.add_column("95 % of F1", justify="right", no_wrap=True)
    rows: list[tuple[str, str, list[str]]] = [("relations", "f1", _cells(scores.overall))]
    for name, ign in scores.ign.items():
        cells = [*map(_percent, (ign.f1, ign.precision, scores.recall)), "", "", ""]
        rows.append((f"Ign ({name})", f"ign_f1/{name}", cells))
    if scores.evidence is not None:
        rows.append(("evidence", "evidence_f1", _cells(scores.evidence)))
    rows.append(("macro", "", [_percent(scores.macro_f1), "", "", "", "", ""]))
    for title, key, cells in rows:
        low, high = intervals.get(key, (0.0, 0.0))
        ends = [f"{_percent(low)}-{_percent(high)}" if key in intervals else ""]
        table.add_row(escape(title), *cells, *(ends if intervals else []))
    return table


def _groups(scores: Scores) -> Table:
    table = _table("Groups")
    table.add_column("P over all*", justify="right", no_wrap=True)
    for title, rates in scores.groups.items():
        published = (
            _percent(rates.precision_over_all_predictions)
            if isinstance(rates, RelationGroupRates)
            else ""
        )
        table.add_row(escape(title), *_cells(rates), published)
    return table


def _cells(rates: Rates) -> list[str]:
    counts = f"{rates.gold:,}", f"{rates.predicted:,}", f"{rates.correct:,}"
    return [*map(_percent, (rates.f1, rates.precision, rates.recall)), *counts]


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _notes(scores: Scores, body: Mapping[str, Any]) -> Iterator[str]:
    yield "* as in published top-k tables, too low: correct ones over predictions of all relations"
    for part in ("predictions", "gold", "facts"):
        if body[part] is not None:
            yield f"{part}: {body[part]['file']} (sha256 {body[part]['sha256'][:12]})"
    for ign in scores.ign.values():
        yield f"Ign F1 leaves out {ign.seen_correct:,} correct predictions known from {ign.facts}"
    if not scores.ign:
        yield (
            "Ign F1 is not shown: it needs the training facts (--facts FILE), and is another "
            "number for every set of facts"
        )
    yield f"frequent: {', '.join(body['frequent'])}"
    if scores.evidence is None:
        yield "evidence is not scored: no label of the gold has any"
    elif not scores.evidence.predicted:
        yield "no prediction has evidence"
    if body["bootstrap"]:
        settings = body["bootstrap"]
        yield f"intervals: {settings['samples']:,} resamples of documents, seed {settings['seed']}"
    yield f"{scores.documents:,} documents scored, docre {body['docre']}"
    yield from (f"{count:,} {what}" for count, what in _irregular(scores) if count)


def _irregular(scores: Scores) -> Iterator[tuple[int, str]]:
    yield scores.unlabelled_documents, "documents without labels were left out"
    yield scores.unjudged_predictions, "predictions for those were left out"
    yield scores.unknown_titles, "predictions are for documents the gold does not have: wrong"
    yield scores.unknown_relations, "predictions are of relations the gold does not have: wrong"
    yield scores.duplicates, "repeated predictions were dropped; the first one counts"
