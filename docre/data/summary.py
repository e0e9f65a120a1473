"""What is in a file of documents, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from docre.data.markers import MarkerStyle, marker_tokens
from docre.documents import Document
from docre.errors import DataError, Problem
from docre.scoring.distance import entity_distances

if TYPE_CHECKING:
    from docre.data.features import Source

PERCENTILES = (50, 90, 99, 100)
# As in the data modules of these data sets; pubtator is that of CDR.
_CONVENTIONS: Mapping[str, tuple[Source, MarkerStyle]] = {
    "chemdisgene": ("text", "entity"),
    "chemdisgene-pubtator": ("text", "entity"),
    "pubtator": ("text", "entity"),
    "eog": ("words", "mention"),
}


@dataclass(slots=True)
class CorpusSummary:
    """Counts over documents; lengths are kept one a document."""

    documents: int = 0
    unlabelled: int = 0
    sentences: int = 0
    words: list[int] = field(default_factory=list)
    entities: list[int] = field(default_factory=list)
    mentions: int = 0
    pairs: list[int] = field(default_factory=list)
    positive_pairs: int = 0
    triples: int = 0
    intra: int = 0
    inter: int = 0
    without_evidence: int = 0
    relations: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    tokens: list[int] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Count one document."""
        self.documents += 1
        self.unlabelled += document.relations is None
        self.sentences += len(document.sentences)
        self.words.append(document.num_words)
        self.entities.append(len(document.entities))
        self.mentions += sum(len(entity.mentions) for entity in document.entities)
        self.pairs.append(document.num_pairs)
        self.types.update(entity.type or "(none)" for entity in document.entities)
        labels = document.relations or ()
        self.triples += len(labels)
        self.positive_pairs += len({(label.head, label.tail) for label in labels})
        self.relations.update(label.relation for label in labels)
        self.without_evidence += sum(not label.evidence for label in labels)
        if labels:
            distances = entity_distances(document)
            near = sum(int(distances[label.head, label.tail]) == 0 for label in labels)
            self.intra += near
            self.inter += len(labels) - near

    def over(self, window: int) -> int:
        """Return how many documents have more tokens than a window."""
        return sum(length > window for length in self.tokens)


def summarise(documents: Iterable[Document]) -> CorpusSummary:
    """Count documents, however many there are."""
    summary = CorpusSummary()
    for document in documents:
        summary.add(document)
    return summary


def token_convention(format: str) -> tuple[Source, MarkerStyle]:
    """Return what the models of the data set with this format cut, and how they mark mentions.

    Only a data set's own format gives it away; for the others it is what features have if nothing
    else is chosen.
    """
    return _CONVENTIONS.get(format, ("words", "entity"))


def token_counter(
    tokenizer: str, source: Source = "words", markers: MarkerStyle = "entity"
) -> Callable[[Sequence[Document]], list[int]]:
    """Return a function that counts tokens as the pair models see them, markers and all.

    Args:
        tokenizer: Hub name, folder or package name.
        source: Whether words are cut each by itself or the text as a whole.
        markers: Marker convention, ``entity``, ``mention`` or ``none``.

    Raises:
        DataError: If the tokenizer does not say where in a text its tokens are.
    """
    # here, because these import transformers and a file is also summarised without them
    from docre.data.layout import Units, lay_out, piece_units, word_units
    from docre.data.pieces import Pieces
    from docre.pretrained import load_tokenizer

    pieces = Pieces(load_tokenizer(tokenizer))
    marker_ids = dict.fromkeys(marker_tokens(markers), 0)
    specials = len(pieces.prefix) + len(pieces.suffix)

    def units(documents: Sequence[Document]) -> Iterator[Units]:
        if source == "words":
            table = pieces.of_words(w for d in documents for s in d.sentences for w in s)
            yield from (word_units(document, table) for document in documents)
            return
        texts = [document.readable() for document in documents]
        try:
            cut = pieces.of_texts([text for text, _ in texts])
        except ValueError as error:  # not a fast tokenizer
            raise DataError([Problem("wrong-setting", str(error))]) from None
        for document, (_, offsets), found in zip(documents, texts, cut, strict=True):
            yield piece_units(document, offsets, found)

    def count(documents: Sequence[Document]) -> list[int]:
        laid_out = (lay_out(cut, markers, marker_ids) for cut in units(documents))
        return [len(layout.ids) + specials for layout in laid_out]

    return count


def percentiles(values: Sequence[int]) -> list[int]:
    """Return the median, the 90th and 99th percentile and the maximum."""
    if not values:
        return [0] * len(PERCENTILES)
    return [int(v) for v in np.percentile(values, PERCENTILES, method="higher")]


def rows_of(summary: CorpusSummary, window: int) -> Iterator[tuple[str, str]]:
    """Yield name and value of everything worth a line."""
    documents = max(summary.documents, 1)
    yield "documents", f"{summary.documents:,}"
    if summary.unlabelled:
        yield "  without labels", f"{summary.unlabelled:,}"
    yield "sentences", _each(summary.sentences, documents)
    yield "words", _each(sum(summary.words), documents)
    yield "entities", _each(sum(summary.entities), documents)
    yield "mentions", _each(summary.mentions, documents)
    pairs = sum(summary.pairs)
    yield "pairs", _each(pairs, documents)
    yield "  with a relation", f"{summary.positive_pairs:,}{_share(summary.positive_pairs, pairs)}"
    yield "triples", _each(summary.triples, documents)
    yield "  in one sentence (intra)", f"{summary.intra:,}{_share(summary.intra, summary.triples)}"
    yield "  across (inter)", f"{summary.inter:,}{_share(summary.inter, summary.triples)}"
    share = _share(summary.without_evidence, summary.triples)
    yield "  without evidence", f"{summary.without_evidence:,}{share}"
    yield "relations", f"{len(summary.relations):,}"
    if summary.tokens:
        yield f"documents over {window:,} tokens", f"{summary.over(window):,}"


def length_rows(summary: CorpusSummary) -> Mapping[str, list[int]]:
    """Return the percentiles of each length."""
    lengths = {"words": summary.words, "entities": summary.entities, "pairs": summary.pairs}
    if summary.tokens:
        lengths["tokens, markers included"] = summary.tokens
    return {name: percentiles(values) for name, values in lengths.items()}


def _each(total: int, documents: int) -> str:
    return f"{total:,} ({total / documents:,.1f} a document)"


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""
