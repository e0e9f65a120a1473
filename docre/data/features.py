"""From documents to the numbers a model reads: one row of integers a document.

Token ids with markers, where mentions and sentences lie among them, candidate pairs where a data
set restricts them, and labels as triples of integers. Nothing here depends on the labels except the
label columns themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from docre.data.layout import (
    TokenLayout,
    lay_out,
    piece_units,
    word_units,
)
from docre.data.markers import MarkerStyle, marker_tokens
from docre.data.pieces import Pieces
from docre.data.published_alignment import published_layout
from docre.data.relations import RelationSet
from docre.documents import Document
from docre.errors import DataError, Problem

Truncation = Literal["window", "error", "cut"]
Source = Literal["words", "text"]
Alignment = Literal["corrected", "published"]


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """How documents become tokens.

    What is left out (``None``) is the data set's own convention.

    Args:
        markers: Marker convention, see :mod:`docre.data.markers`; ``entity`` in general.
        source: ``words`` cuts each word by itself, as the published systems do, and is general;
            ``text`` cuts the text as a whole.
        alignment: ``published`` repeats ChemDisGene's published slips, for parity only.
        max_tokens: Longest document, special tokens included; ``None`` means any length.
        truncation: What happens to a longer one: ``window`` keeps it whole for an encoder that
            reads it in windows, ``error`` refuses it, ``cut`` cuts it and counts what was lost.
    """

    markers: MarkerStyle | None = None
    source: Source | None = None
    alignment: Alignment = "corrected"
    max_tokens: int | None = None
    truncation: Truncation = "window"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("markers", self.markers, (None, *get_args(MarkerStyle))),
            ("source", self.source, (None, *get_args(Source))),
            ("alignment", self.alignment, get_args(Alignment)),
            ("truncation", self.truncation, get_args(Truncation)),
        ):
            if value not in known:
                names = ", ".join(str(one) for one in known if one is not None)
                raise ValueError(f"features.{name} must be one of {names}, not {value!r}")
        if self.alignment == "published" and (
            self.markers not in (None, "entity") or self.source not in (None, "text")
        ):
            raise ValueError("alignment='published' has markers and a source of its own")
        if self.truncation != "window" and self.max_tokens is None:
            raise ValueError(f"truncation={self.truncation!r} needs max_tokens")
        if self.max_tokens is not None and self.max_tokens < 8:
            raise ValueError(f"max_tokens must be at least 8, not {self.max_tokens}")

    def or_else(self, markers: MarkerStyle = "entity", source: Source = "words") -> FeatureSettings:
        """Return the settings with a data set's conventions where none were chosen."""
        return replace(self, markers=self.markers or markers, source=self.source or source)


class Features(NamedTuple):
    """One document in numbers; positions count from the first special token.

    ``label_*`` and ``evidence_*`` are parallel lists; ``evidence_label`` counts the labels of this
    document. ``candidate_*`` are empty where all pairs are candidates (``typed`` is false).
    """

    id: str
    input_ids: list[int]
    mention_token: list[int]
    mention_end: list[int]
    mention_entity: list[int]
    entity_type: list[int]
    sentence_start: list[int]
    sentence_end: list[int]
    typed: bool
    candidate_head: list[int]
    candidate_tail: list[int]
    labelled: bool
    label_head: list[int]
    label_tail: list[int]
    label_relation: list[int]
    evidence_label: list[int]
    evidence_sentence: list[int]
    num_tokens: int
    num_pairs: int
    lost_tokens: int
    lost_mentions: int


class Featurizer:
    """Turn documents into features.

    Args:
        pieces: The tokenizer.
        relations: Relations in their fixed order.
        types: Entity types in their fixed order; other types become -1.
        settings: How documents become tokens.
    """

    def __init__(
        self,
        pieces: Pieces,
        relations: RelationSet,
        types: Sequence[str] = (),
        settings: FeatureSettings | None = None,
    ) -> None:
        self.pieces = pieces
        self.relations = relations
        self.types = tuple(types)
        self.settings = (settings or FeatureSettings()).or_else()
        self._style: MarkerStyle = self.settings.markers or "entity"
        self._type_index = {name: index for index, name in enumerate(self.types)}
        names = marker_tokens(self._style, self.types)
        self._marker_ids: Mapping[str, int] = dict(zip(names, pieces.ids_of(names), strict=True))

    def __call__(self, documents: Sequence[Document]) -> list[Features]:
        """Return the features of some documents, tokenised together.

        Raises:
            DataError: With every document that is too long under ``truncation="error"``, or whose
                entity types have no typed marker.
        """
        self._require_markers(documents)
        problems: list[Problem] = []
        rows = []
        for document, layout in zip(documents, self._layouts(documents), strict=True):
            row = self._row(document, layout)
            most = self.settings.max_tokens
            if most is not None and row.num_tokens > most:
                if self.settings.truncation == "error":
                    message = f"{row.num_tokens:,} tokens, max_tokens is {most:,}"
                    problems.append(Problem("too-long", message, document.id))
                elif self.settings.truncation == "cut":
                    row = cut(row, most, self.pieces.suffix)
            rows.append(row)
        if problems:
            raise DataError(problems, "Set truncation to 'window' or 'cut', or raise max_tokens.")
        return rows

    def _require_markers(self, documents: Sequence[Document]) -> None:
        """Refuse what the settings cannot show to the encoder."""
        problems = []
        if self._style == "typed":
            problems = [
                Problem("unknown-type", f"no typed marker for {m.type!r}", document.id, place)
                for document in documents
                for e, entity in enumerate(document.entities)
                for k, m in enumerate(entity.mentions)
                if m.type not in self._type_index
                for place in [f"entities[{e}].mentions[{k}].type"]
            ]
        if self.settings.alignment == "published":
            problems += [
                Problem(
                    "no-sentences", "the published alignment has no sentences", d.id, "evidence"
                )
                for d in documents
                if any(label.evidence for label in d.relations or ())
            ]
        if problems:
            raise DataError(problems, "Choose other features.markers or features.alignment.")

    def _layouts(self, documents: Sequence[Document]) -> Iterator[TokenLayout]:
        style, types = self._style, self.types
        if self.settings.alignment == "published":
            yield from (published_layout(document, self.pieces) for document in documents)
        elif self.settings.source == "words":
            table = self.pieces.of_words(w for d in documents for s in d.sentences for w in s)
            for document in documents:
                yield lay_out(word_units(document, table), style, self._marker_ids, types)
        else:
            texts = [document.readable() for document in documents]
            cut_texts = self.pieces.of_texts([text for text, _ in texts])
            for document, (_, offsets), found in zip(documents, texts, cut_texts, strict=True):
                units = piece_units(document, offsets, found)
                yield lay_out(units, style, self._marker_ids, types)

    def _row(self, document: Document, layout: TokenLayout) -> Features:
        shift = len(self.pieces.prefix)
        mentions = [
            (start + shift, end + shift, entity)
            for entity, spans in enumerate(layout.mentions)
            for start, end in spans
        ]
        labels = document.relations or ()
        evidence = [(k, s) for k, label in enumerate(labels) for s in label.evidence or ()]
        candidates = document.candidates
        input_ids = [*self.pieces.prefix, *layout.ids, *self.pieces.suffix]
        return Features(
            id=document.id,
            input_ids=input_ids,
            mention_token=[start for start, _, _ in mentions],
            mention_end=[end for _, end, _ in mentions],
            mention_entity=[entity for _, _, entity in mentions],
            entity_type=[self._type_index.get(e.type, -1) for e in document.entities],
            sentence_start=[start + shift for start, _ in layout.sentences],
            sentence_end=[end + shift for _, end in layout.sentences],
            typed=candidates is not None,
            candidate_head=[head for head, _ in candidates or ()],
            candidate_tail=[tail for _, tail in candidates or ()],
            labelled=document.relations is not None,
            label_head=[label.head for label in labels],
            label_tail=[label.tail for label in labels],
            label_relation=[self.relations.index(label.relation) for label in labels],
            evidence_label=[k for k, _ in evidence],
            evidence_sentence=[s for _, s in evidence],
            num_tokens=len(input_ids),
            num_pairs=document.num_pairs,
            lost_tokens=0,
            # the published alignment loses some
            lost_mentions=sum(len(entity.mentions) for entity in document.entities) - len(mentions),
        )


def cut(row: Features, max_tokens: int, suffix: Sequence[int]) -> Features:
    """Cut a document that is too long and count the tokens and mentions that are lost.

    An entity that loses all its mentions stays, without any: entity numbers and pairs do not
    change.
    """
    keep = max_tokens - len(suffix)
    mentions = [
        (start, min(end, keep), entity)
        for start, end, entity in zip(
            row.mention_token, row.mention_end, row.mention_entity, strict=True
        )
        if start < keep
    ]
    return row._replace(
        input_ids=[*row.input_ids[:keep], *suffix],
        mention_token=[start for start, _, _ in mentions],
        mention_end=[end for _, end, _ in mentions],
        mention_entity=[entity for _, _, entity in mentions],
        sentence_start=[min(start, keep) for start in row.sentence_start],
        sentence_end=[min(end, keep) for end in row.sentence_end],
        num_tokens=max_tokens,
        lost_tokens=row.num_tokens - max_tokens,
        lost_mentions=row.lost_mentions + len(row.mention_token) - len(mentions),
    )
