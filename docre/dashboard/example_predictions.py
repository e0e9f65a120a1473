"""What a model says of a few documents: right, wrong and missed triples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docre.batch import Batch
from docre.dashboard.markdown import plain, table
from docre.dashboard.part import Board, DashboardPart
from docre.documents import Document
from docre.outputs import HeadOutput
from docre.triples import PredictedTriple, triples_of

# Rows of a document, and characters of its text.
_ROWS = 40
_TEXT = 1200
_RIGHT, _WRONG, _MISSED = "✓", "✗", "○"


class ExamplePredictions(DashboardPart):
    """Writes the predictions for the same few documents again and again, beside their labels."""

    def __init__(self) -> None:
        self._triples: dict[str, list[PredictedTriple]] = {}

    def forget(self) -> None:
        """Forget all predictions."""
        self._triples = {}

    def see(self, board: Board, batch: Any, output: Any) -> None:
        """Take the triples of the examples in a batch."""
        if not isinstance(batch, Batch) or not isinstance(output, HeadOutput):
            return
        wanted = [name for name in batch.document_ids if name in board.examples.names]
        if not wanted:
            return
        self._triples = board.examples.only(self._triples | {name: [] for name in wanted})
        model = board.model
        found = triples_of(output, batch, board.relations, model.decoder, model.evidence_share)
        for triple in found:
            if triple.document in self._triples:
                self._triples[triple.document].append(triple)

    def draw(self, board: Board) -> None:
        """Write a page for each example."""
        for number, name in enumerate(board.examples.names, 1):
            if name in self._triples:
                document = board.examples.documents[name]
                page = example_page(document, self._triples[name], board.relation_names)
                board.writer.add_text(f"examples/{number}", page, board.step)


def example_page(
    document: Document, triples: Sequence[PredictedTriple], names: Mapping[str, str] | None = None
) -> str:
    """Return the page of one document as Markdown; whatever the document says is shown as text.

    Args:
        document: With its labels, if it has any.
        triples: The predictions for it.
        names: What people call the relations.
    """
    labels = {(r.head, r.tail, r.relation): r.evidence for r in document.relations or ()}
    ranked = sorted(triples, key=lambda triple: -triple.margin)
    found = {(t.head, t.tail, t.relation): t for t in ranked}
    known = document.relations is not None
    verdicts = {key: _RIGHT if key in labels else _WRONG for key in found}
    verdicts |= {key: _MISSED for key in labels if key not in found}
    rows = []
    for key, verdict in verdicts.items():
        head, tail, relation = key
        triple = found.get(key)
        evidence = labels.get(key) if triple is None else triple.evidence
        rows.append(
            [
                verdict if known else "predicted",
                plain(document.name(head)),
                plain((names or {}).get(relation) or relation),
                plain(document.name(tail)),
                "" if triple is None else f"{triple.margin:.2f}",
                ", ".join(str(sentence + 1) for sentence in evidence or ()),
            ]
        )
    heads = ["", "head", "relation", "tail", "margin", "evidence"]
    left = len(rows) - _ROWS
    parts = [f"### {plain(document.id)}", _tally(verdicts) if known else "not labelled"]
    parts += [quoted(document), table(heads, rows[:_ROWS])] + [f"and {left} more"] * (left > 0)
    return "\n\n".join(parts)


def _tally(verdicts: Mapping[Any, str]) -> str:
    listed = list(verdicts.values())
    kinds = {"right": _RIGHT, "wrong": _WRONG, "missed": _MISSED}
    return ", ".join(f"{kind} {listed.count(kind)} {name}" for name, kind in kinds.items())


def quoted(document: Document) -> str:
    """Return the beginning of a document's text as Markdown, with numbered sentences."""
    sentences, length = [], 0
    for number, words in enumerate(document.sentences, 1):
        text = " ".join(words)
        if length + len(text) > _TEXT:
            sentences.append("...")
            break
        length += len(text)
        sentences.append(f"**{number}** {plain(text)}")
    return "> " + " ".join(sentences)
