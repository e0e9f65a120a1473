"""Entities by a spaCy pipeline: its named entities, grouped by name and by its coreference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docre.documents import Document
from docre.errors import DataError, DocreError, Problem
from docre.pipeline.finders.base import optional_package
from docre.pipeline.finders.marked_spans import MarkedSpan, with_entities
from docre.segmentation import Span

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

# What spaCy's English pipelines call the types of DocRED; its annotators did not mark ordinals.
DOCRED_TYPES: Mapping[str, str] = {
    "PERSON": "PER",
    "ORG": "ORG",
    **dict.fromkeys(("GPE", "LOC", "FAC", "NORP"), "LOC"),
    **dict.fromkeys(("DATE", "TIME"), "TIME"),
    **dict.fromkeys(("CARDINAL", "MONEY", "PERCENT", "QUANTITY"), "NUM"),
    **dict.fromkeys(("EVENT", "LANGUAGE", "LAW", "PRODUCT", "WORK_OF_ART"), "MISC"),
}


class SpacyFinder:
    """Marks what a spaCy pipeline has in ``doc.ents``.

    If the pipeline also resolves coreference, mentions that it says are one thing become one
    entity, whatever their names: clusters in ``doc.spans["coref_clusters_1"]`` and so on, as
    spaCy's ``SpanResolver`` writes them, or in ``doc._.coref_clusters``, as fastcoref does.

    Args:
        model: A spaCy pipeline, or what ``spacy.load`` takes: the name of an installed one, such as
            ``en_core_web_sm``, or its folder.
        types: The entity type for each label of the pipeline; entities of other labels are left
            out. Without it labels are types. :data:`DOCRED_TYPES` is for spaCy's English pipelines
            and models trained on DocRED.
        batch_size: How many documents spaCy reads at a time.

    Raises:
        DocreError: If spaCy or the pipeline is not installed, or the pipeline has no component.
    """

    def __init__(
        self,
        model: str | Language,
        types: Mapping[str, str] | None = None,
        batch_size: int = 32,
    ) -> None:
        self._pipeline: Any = _loaded(model) if isinstance(model, str) else model
        if not self._pipeline.pipe_names:
            raise DocreError("the spaCy pipeline has no component, so it finds no entity")
        self._types = types
        self._batch_size = batch_size

    def find(self, documents: Sequence[Document]) -> list[Document]:
        """Return the documents with the entities spaCy finds in them; see :class:`EntityFinder`.

        Raises:
            DataError: If a text is longer than the pipeline reads, its ``max_length``.
        """
        texts = [document.readable()[0] for document in documents]
        limit = self._pipeline.max_length
        too_long = [
            Problem("too-long", f"{len(text):,} characters are more than {limit:,}", one.id, "text")
            for one, text in zip(documents, texts, strict=True)
            if len(text) > limit
        ]
        if too_long:
            raise DataError(too_long, "split the document, or raise the pipeline's max_length")
        read = self._pipeline.pipe(texts, batch_size=self._batch_size)
        return [
            with_entities(document, self._marked(doc), _clusters(doc))
            for document, doc in zip(documents, read, strict=True)
        ]

    def _marked(self, doc: Doc) -> Iterator[MarkedSpan]:
        for entity in doc.ents:
            kind = entity.label_ if self._types is None else self._types.get(entity.label_)
            if kind is not None:
                yield MarkedSpan(entity.start_char, entity.end_char, kind)


def _clusters(doc: Doc) -> Iterator[list[Span]]:
    """Yield the character spans of each cluster of a coreference component, if there was one."""
    for key, group in doc.spans.items():
        if key.startswith("coref_clusters_"):
            yield [(span.start_char, span.end_char) for span in group]
    if doc.has_extension("coref_clusters"):
        yield from doc._.coref_clusters or ()


def _loaded(model: str) -> Any:
    spacy = optional_package("spacy")
    try:
        return spacy.load(model)
    except (OSError, ValueError) as error:
        hint = "" if Path(model).exists() else f"\npython -m spacy download {model}"
        raise DocreError(f"spaCy cannot load {model!r}: {error}{hint}") from error
