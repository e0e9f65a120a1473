"""What a joint model finds in a few documents: right, wrong and missed items of each level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from docre.dashboard.example_predictions import quoted
from docre.dashboard.markdown import plain, table
from docre.dashboard.part import Board, DashboardPart, Hook
from docre.documents import Document
from docre.scoring.extraction import Annotation, Span
from docre.scoring.joint import Item, items

# Rows of a level.
_ROWS = 30
_TITLES = {"mention": "Mentions", "entity": "Entities", "relation_strict": "Relations"}
_HEADS = {
    "mention": ["", "words", "sentence"],
    "entity": ["", "type", "mentions, with their sentences"],
    "relation_strict": ["", "head", "relation", "tail"],
}


class ExampleExtractions(DashboardPart):
    """Writes what a joint model finds in the same few documents, beside what they are labelled."""

    def __init__(self) -> None:
        self._found: dict[str, Document] = {}

    def forget(self) -> None:
        """Forget all documents."""
        self._found = {}

    def watch(self, board: Board) -> list[Hook]:
        """Listen to what a joint model extracts."""
        if not hasattr(board.model, "extract"):
            return []

        def keep(found: Iterable[Document]) -> None:
            self._found = board.examples.only(self._found | {one.id: one for one in found})

        return [_Listener(board.model, keep)]

    def draw(self, board: Board) -> None:
        """Write a page for each example."""
        for number, name in enumerate(board.examples.names, 1):
            if name in self._found:
                levels = [level for level in _TITLES if level in board.model.levels]
                # the words it was read in are those of the model
                gold = board.model.examples.document(board.examples.documents[name])
                page = extraction_page(gold, self._found[name], levels, board.relation_names)
                board.writer.add_text(f"examples/{number}", page, board.step)


class _Listener:
    """Hears every answer of a model's ``extract`` until it is removed."""

    def __init__(self, model: Any, hear: Callable[[Iterable[Document]], None]) -> None:
        self._model = model
        usual = model.extract

        def extract(*given: Any, **named: Any) -> Any:
            found = usual(*given, **named)
            hear(found)
            return found

        model.extract = extract

    def remove(self) -> None:
        del self._model.extract  # that of the class is there again


def extraction_page(
    gold: Document, found: Document, levels: Iterable[str], names: Mapping[str, str] | None = None
) -> str:
    """Return the page of one document as Markdown.

    Args:
        gold: With its annotations.
        found: The same document with what was found in it.
        levels: What is compared, such as ``entity``.
        names: What people call the relations.
    """
    there, made = (items(Annotation.of(document)) for document in (gold, found))
    parts = [f"### {plain(gold.id)}", quoted(gold)]
    for level in levels:
        true, guessed = there[level], made[level]
        kinds = (("✓", true & guessed), ("✗", guessed - true), ("○", true - guessed))
        rows = [
            [sign, *(plain(cell) for cell in _cells(gold, level, item, names or {}))]
            for sign, one_kind in kinds
            for item in sorted(one_kind, key=lambda item: _cells(gold, level, item, {}))
        ]
        told = ", ".join(
            f"{sign} {len(one_kind)} {word}"
            for (sign, one_kind), word in zip(kinds, ("right", "wrong", "missed"), strict=True)
        )
        left = len(rows) - _ROWS
        parts += [f"**{_TITLES[level]}**: {told}", table(_HEADS[level], rows[:_ROWS])]
        parts += [f"and {left} more"] * (left > 0)
    return "\n\n".join(parts)


def _cells(document: Document, level: str, item: Item, names: Mapping[str, str]) -> list[str]:
    """Return the words of an item; items of one document are told apart by their spans."""
    label, what = item
    if level == "mention":
        return [_words(document, cast(Span, what)), str(cast(Span, what)[0] + 1)]
    if level == "entity":
        return [label, _entity(document, cast(frozenset[Span], what))]
    head, tail = cast(tuple[tuple[frozenset[Span], str], ...], what)
    called = [f"{_entity(document, spans)} ({kind})" for spans, kind in (head, tail)]
    return [called[0], names.get(label) or label, called[1]]


def _entity(document: Document, spans: Iterable[Span]) -> str:
    said = (f"{_words(document, span)} [{span[0] + 1}]" for span in sorted(spans))
    return "; ".join(said)


def _words(document: Document, span: Span) -> str:
    sentence, start, end = span
    return " ".join(document.sentences[sentence][start:end])
