"""``docre score``: score a file of predictions against a file of labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from rich.console import Console
from rich.markup import escape

from docre import __version__
from docre.data.fact_files import read_facts
from docre.data.reading import read_documents
from docre.documents import Document
from docre.errors import DataError, Problem
from docre.scoring import (
    DOCRED_FREQUENT,
    Gold,
    JointScores,
    Prediction,
    RelationGroup,
    Scores,
    UnlabelledError,
    bootstrap,
    most_frequent,
    score,
    score_joint,
)
from docre.scoring.extraction import has_own_entities
from docre.scoring.tables import group_table, joint_table, pair_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from docre.report.reading import PredictedRelations

_TITLE = "Scores in percent"


class _Told(NamedTuple):
    """Scores, and how they are told."""

    scores: Scores | JointScores
    record: dict[str, Any]
    tables: list[RenderableType]
    notes: list[str]


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
) -> Scores | JointScores:
    """Score a file of predictions and print a table.

    Documents are scored as joint extraction: mentions, entities and relations. With ``facts`` or
    ``frequent`` they are scored as triples, if their entities are those of the gold.

    Args:
        pred: ``predictions.jsonl``, ``result.json``, a submission zip, or documents with predicted
            relations and perhaps entities of their own.
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
        DataError: If a file cannot be read, a setting makes no sense, or there are no entities to
            compare predicted ones with.
        UnlabelledError: If the gold has no labels and entities are given; predictions that are no
            documents are written as a submission then.
    """
    # the readers of predictions themselves need docre.scoring
    from docre.data.writing import atomic_file
    from docre.report.reading import read_predicted

    for name, value in (("bootstrap", bootstrap), ("seed", seed)):
        _require(value >= 0, f"{name} must not be negative, it is {value}")
    known = read_facts(facts) if facts is not None else ()
    documents = read_documents(gold)
    predicted = read_predicted(pred)
    options = {"facts": facts, "frequent": frequent}
    given = [name for name, value in options.items() if value is not None]
    if predicted.documents and not given:
        _require(
            any(one.entities for one in documents),
            f"not scored: no document of {gold} has an entity to compare with",
        )
        told = _joint(documents, predicted, bootstrap, seed)
    else:
        for name in given:
            _require(
                not _has_own_entities(predicted, documents),
                f"--{name} is for triples of given entities; {pred} has entities of its own",
            )
            _require(
                not predicted.documents or _has_relations(predicted),
                f"--{name} is for triples; {pred} says nothing of relations",
            )
        compiled = Gold.compile(documents, known)
        predictions = list(_predictions(predicted))
        if not compiled.can_score:
            submission = None if predicted.documents else str(_submission(pred, predictions))
            raise UnlabelledError(len(compiled.unlabelled), submission)
        told = _pairs(compiled, predictions, frequent, bootstrap, seed)
    body: dict[str, Any] = {
        "docre": __version__,
        "predictions": _source(pred),
        "gold": _source(gold),
        "facts": None if facts is None else _source(facts),
        "bootstrap": {"samples": bootstrap, "seed": seed, "confidence": 0.95}
        if bootstrap
        else None,
        **told.record,
    }
    encoded = msgspec.json.format(msgspec.json.encode(body), indent=1)
    if output is not None:
        with atomic_file(output) as file:
            file.write(encoded)
    console = console or Console()
    if json:
        console.out(encoded.decode(), highlight=False)
        return told.scores
    for table in told.tables:
        console.print(table, highlight=False)
    for line in (*_sources(body), *told.notes):
        console.print(escape(line), highlight=False, soft_wrap=True)
    return told.scores


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise DataError([Problem("wrong-setting", message)])


def _has_own_entities(predicted: PredictedRelations, gold: Sequence[Document]) -> bool:
    pairs = ((one, predicted.documents.get(one.id)) for one in gold)
    return any(made is not None and has_own_entities(one, made) for one, made in pairs)


def _has_relations(predicted: PredictedRelations) -> bool:
    return any(one.relations is not None for one in predicted.documents.values())


def _joint(
    gold: Sequence[Document], predicted: PredictedRelations, samples: int, seed: int
) -> _Told:
    """Score mentions, entities and relations."""
    scores = score_joint(gold, predicted.documents.values())
    intervals = scores.intervals(samples, seed) if samples else {}
    record = scores.to_record() | {"intervals": intervals}
    notes = [
        "entities are predicted: an item is right only as a whole, with all mentions of its "
        "entities and no other",
        *_no_relations(scores),
        *_resampled(samples, seed),
        f"{scores.documents:,} documents scored, docre {__version__}",
        *(f"{count:,} {what}" for count, what in _irregular_joint(scores) if count),
    ]
    return _Told(scores, record, [joint_table(scores, _TITLE, intervals)], notes)


def _pairs(
    gold: Gold,
    predictions: Sequence[Prediction],
    frequent: Sequence[str] | None,
    samples: int,
    seed: int,
) -> _Told:
    """Score triples of given entities."""
    chosen = _frequent(gold, frequent)
    sets = [chosen, chosen.others("long_tail"), *_top(gold)]
    scores = score(predictions, gold, sets)
    intervals = bootstrap(scores.counts, samples, seed) if samples else {}
    record = {
        "frequent": sorted(chosen.relations),
        "scores": scores.to_dict(relations=True),
        "intervals": intervals,
    }
    footnote = (
        "* as in published top-k tables, too low: correct ones over predictions of all relations"
    )
    tables: list[RenderableType] = [
        pair_table(scores, _TITLE, intervals),
        group_table(scores, "Groups"),
        footnote,
    ]
    notes = [
        *_notes(scores, sorted(chosen.relations)),
        *_resampled(samples, seed),
        f"{scores.documents:,} documents scored, docre {__version__}",
        *(f"{count:,} {what}" for count, what in _irregular(scores) if count),
    ]
    return _Told(scores, record, tables, notes)


def _predictions(predicted: PredictedRelations) -> Iterator[Prediction]:
    """Yield triples as the scorer and a submission take them, with the margin as their score."""
    for name, relations in predicted.relations.items():
        for one in relations:
            margin = (one.extra or {}).get("margin", one.score)
            triple = one.head, one.tail, one.relation
            yield Prediction(name, *triple, one.evidence or (), margin)


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


def _sources(body: Mapping[str, Any]) -> Iterator[str]:
    for part in ("predictions", "gold", "facts"):
        if body[part] is not None:
            yield f"{part}: {body[part]['file']} (sha256 {body[part]['sha256'][:12]})"


def _resampled(samples: int, seed: int) -> Iterator[str]:
    if samples:
        yield f"intervals: {samples:,} resamples of documents, seed {seed}"


def _notes(scores: Scores, frequent: Sequence[str]) -> Iterator[str]:
    for ign in scores.ign.values():
        yield f"Ign F1 leaves out {ign.seen_correct:,} correct predictions known from {ign.facts}"
    if not scores.ign:
        yield (
            "Ign F1 is not shown: it needs the training facts (--facts FILE), and is another "
            "number for every set of facts"
        )
    yield f"frequent: {', '.join(frequent)}"
    if scores.evidence is None:
        yield "evidence is not scored: no label of the gold has any"
    elif not scores.evidence.predicted:
        yield "no prediction has evidence"


def _irregular(scores: Scores) -> Iterator[tuple[int, str]]:
    yield scores.unlabelled_documents, "documents without labels were left out"
    yield scores.unjudged_predictions, "predictions for those were left out"
    yield scores.unknown_titles, "predictions are for documents the gold does not have: wrong"
    yield scores.unknown_relations, "predictions are of relations the gold does not have: wrong"
    yield scores.duplicates, "repeated predictions were dropped; the first one counts"


def _no_relations(scores: JointScores) -> Iterator[str]:
    if scores.relation_strict is None and scores.unlabelled_documents < scores.documents:
        yield "relations are not scored: the predictions say nothing of them"


def _irregular_joint(scores: JointScores) -> Iterator[tuple[int, str]]:
    yield len(scores.missing_documents), "documents have no prediction at all: all in them missed"
    yield len(scores.unknown_documents), "documents are not in the gold: all in them wrong"
    yield scores.unlabelled_documents, "documents without labels are judged up to the entities"
    yield scores.unjudged_relations, "relations predicted there were left out"
    yield scores.duplicates, "repeated entities and relations were dropped"
    repeated = scores.partial_coreference.repeated_gold
    yield repeated, "gold mentions of several entities count for one in MUC, B3 and CEAF-e"
    repeated = scores.partial_coreference.repeated_predicted
    yield repeated, "predicted mentions of several entities, likewise"
