"""Entities by GLiNER, which is told the types to look for in words of its own prompt."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docre.documents import Document
from docre.errors import DataError, DocreError, Problem
from docre.pipeline.finders.base import optional_package
from docre.pipeline.finders.marked_spans import MarkedSpan, Offsets, with_entities
from docre.segmentation import Span

_PIECE = re.compile(r"\w+|[^\w\s]")
SMALLEST_WINDOW = 8


class GlinerFinder:
    """Marks what a GLiNER model finds, reading each document in windows of whole sentences.

    GLiNER cuts a text that is longer than it reads and says so at best in a warning. Here nothing
    is cut: a window is at most as long as the model reads, in words and in tokens, and is made
    shorter for documents whose words have many tokens. A sentence longer than a window is read in
    pieces that overlap by a quarter.

    Args:
        model: A GLiNER model, or what ``GLiNER.from_pretrained`` takes: a name or folder.
        labels: What to look for, in the model's words, and the entity type of each; a sequence of
            labels if these are types already.
        threshold: Smallest score of a mention.
        window: Largest number of words read at a time.
        batch_size: How many windows are read at a time.
        device: Where a model given by name runs.

    Raises:
        DocreError: If GLiNER is not installed, or there is nothing to look for.
    """

    def __init__(
        self,
        model: Any,
        labels: Mapping[str, str] | Sequence[str],
        threshold: float = 0.5,
        window: int = 128,
        batch_size: int = 8,
        device: str = "cpu",
    ) -> None:
        if isinstance(labels, str):
            raise DocreError(f"labels is a text, {labels!r}; it must be a list of labels")
        if not labels:
            raise DocreError("labels is empty, so there is nothing to look for")
        if window < SMALLEST_WINDOW:
            raise DocreError(f"window is {window}; it must be at least {SMALLEST_WINDOW}")
        if isinstance(model, str):
            gliner = optional_package("gliner")
            model = gliner.GLiNER.from_pretrained(model, map_location=device)
        self._model = model
        self._types = dict(labels) if isinstance(labels, Mapping) else {one: one for one in labels}
        self._threshold = threshold
        self._window = window
        self._batch_size = batch_size

    def find(self, documents: Sequence[Document]) -> list[Document]:
        """Return the documents with the entities GLiNER finds; see :class:`EntityFinder`.

        Raises:
            DataError: If words of a document have so many tokens that the model cannot read even
                a few of them at a time.
        """
        windows = [
            (number, start, text)
            for number, document in enumerate(documents)
            for start, text in self._windows(document)
        ]
        marked: list[list[MarkedSpan]] = [[] for _ in documents]
        found = self._read([text for _, _, text in windows])
        for (number, start, _), spans in zip(windows, found, strict=True):
            for span in spans:
                kind, score = self._types[span["label"]], float(span["score"])
                place = start + int(span["start"]), start + int(span["end"])
                marked[number].append(MarkedSpan(*place, kind, score))
        return [with_entities(one, spans) for one, spans in zip(documents, marked, strict=True)]

    def _read(self, texts: list[str]) -> list[list[dict[str, Any]]]:
        """Return what the model finds in each text."""
        if not texts:
            return []
        with warnings.catch_warnings():
            # a window is never longer than the model reads; were one, it would be cut
            warnings.filterwarnings("error", message=".* has been truncated to ")
            found = self._model.inference(
                texts, [*self._types], threshold=self._threshold, batch_size=self._batch_size
            )
        # models that also find relations return these beside the entities
        entities: list[list[dict[str, Any]]] = found[0] if isinstance(found, tuple) else found
        return entities

    def _windows(self, document: Document) -> list[tuple[int, str]]:
        """Return the windows of a document, and where in its text each begins."""
        text, offsets = document.readable()
        size = min(self._window, self._model.config.max_len)
        while size >= SMALLEST_WINDOW:
            windows = [(start, text[start:end]) for start, end in window_spans(text, offsets, size)]
            if all(self._fits(part) for _, part in windows):
                return windows
            size //= 2
        message = "its words have more tokens than the GLiNER model reads at a time"
        raise DataError([Problem("too-long", message, document.id, "sentences")])

    def _fits(self, text: str) -> bool:
        """Return whether the model reads a text to its end, together with the labels."""
        processor, config = self._model.data_processor, self._model.config
        words = [word for word, _, _ in processor.words_splitter(text)]
        prompt = [part for label in self._types for part in (config.ent_token, label)]
        tokenizer = processor.transformer_tokenizer
        # without verbose=False it would log that the text is too long, which is being asked
        tokens = tokenizer(
            [*prompt, config.sep_token, *words], is_split_into_words=True, verbose=False
        )
        if len(words) > config.max_len:
            return False
        return bool(len(tokens["input_ids"]) <= tokenizer.model_max_length)


def window_spans(text: str, offsets: Offsets, size: int) -> Iterator[Span]:
    """Yield character spans that cover all sentences, of at most ``size`` words each.

    A window is as many whole sentences as there is room for. A sentence with more words is cut
    into windows that overlap by a quarter of ``size``. What is counted as words are runs of letters
    and digits and other single characters, whatever the words of the document are.

    Example:
        >>> text = "One two. Three four five six seven."
        >>> [text[a:b] for a, b in window_spans(text, (((0, 8),), ((9, 35),)), 4)]
        ['One two.', 'Three four five six', 'six seven.']
    """
    pending: list[Span] = []
    for sentence in offsets:
        if not sentence:
            continue
        begin, end = sentence[0][0], sentence[-1][1]
        words = [match.span() for match in _PIECE.finditer(text, begin, end)]
        if pending and len(pending) + len(words) > size:
            yield pending[0][0], pending[-1][1]
            pending = []
        step = size - size // 4
        while len(words) > size:
            yield words[0][0], words[size - 1][1]
            words = words[step:]
        pending += words
    if pending:
        yield pending[0][0], pending[-1][1]
