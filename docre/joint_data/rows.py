"""Documents as rows of numbers and words for joint models: the text, and beside it the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import pyarrow as pa

from docre.data.columns import RowKind
from docre.data.pieces import Pieces
from docre.data.relations import RelationSet
from docre.documents import Document
from docre.errors import DataError, Problem
from docre.neutral_words import neutral_document, unaligned_mentions


@dataclass(frozen=True, slots=True)
class JointRowSettings:
    """How documents become tokens for joint models.

    Args:
        special_tokens: Whether the tokenizer's special tokens are put around a document.
        max_tokens: Longest document, special tokens included; longer ones are refused.
    """

    special_tokens: bool = True
    max_tokens: int | None = None


class JointRow(NamedTuple):
    """One document; words are counted in the document, tokens from the first special one.

    ``word_token`` has the first token of each word and, at its end, one past the last token of the
    last word. Mentions are in the order of their entities. Labels are each there once.
    """

    id: str
    input_ids: list[int]
    words: list[str]
    word_token: list[int]
    sentence_words: list[int]
    mention_start: list[int]
    mention_end: list[int]
    mention_entity: list[int]
    entity_type: list[int]
    labelled: bool
    label_head: list[int]
    label_tail: list[int]
    label_relation: list[int]
    num_tokens: int
    num_pairs: int
    unaligned_mentions: int


def _unaligned(rows: pa.RecordBatch) -> Mapping[str, int]:
    return {
        "mentions": len(rows.column("mention_start").flatten()),
        "unaligned_mentions": int(rows.column("unaligned_mentions").to_numpy().sum()),
    }


def _unaligned_said(lost: Mapping[str, int]) -> str:
    if not lost["unaligned_mentions"]:
        return ""
    return (
        f"{lost['unaligned_mentions']} of {lost['mentions']} mentions do not begin and end where "
        "words do; they are taken to be the words they touch"
    )


JOINT_ROWS = RowKind(
    JointRow,
    ("docre.joint_data.rows", "docre.neutral_words"),
    _unaligned,
    _unaligned_said,
)


class JointFeaturizer:
    """Turn documents into rows for joint models.

    Each word is cut into pieces by itself. No markers are set: where entities are is the question.

    Args:
        pieces: The tokenizer.
        relations: Relations in their fixed order. Labels of others are left out: whoever reads the
            documents refuses them where that matters.
        types: Entity types in their fixed order; other types become -1.
        settings: How documents become tokens.
    """

    def __init__(
        self,
        pieces: Pieces,
        relations: RelationSet,
        types: Sequence[str] = (),
        settings: JointRowSettings | None = None,
    ) -> None:
        self.pieces = pieces
        self.relations = relations
        self.types = tuple(types)
        self.settings = settings or JointRowSettings()
        self._type_index = {name: index for index, name in enumerate(self.types)}

    def __call__(self, documents: Sequence[Document]) -> list[JointRow]:
        """Return the rows of some documents, tokenised together.

        Raises:
            DataError: With every document that is longer than ``max_tokens``, or that has a word
                without a token.
        """
        neutral = [neutral_document(document) for document in documents]
        table = self.pieces.of_words(w for d in neutral for words in d.sentences for w in words)
        problems: list[Problem] = []
        rows = []
        for document, given in zip(neutral, documents, strict=True):
            row = self._row(document, table, unaligned_mentions(given, document))
            rows.append(row)
            if any(a == b for a, b in zip(row.word_token, row.word_token[1:], strict=False)):
                message = f"the tokenizer {self.pieces.name} has no token for a word"
                problems.append(Problem("no-token", message, document.id, "sentences"))
            most = self.settings.max_tokens
            if most is not None and row.num_tokens > most:
                message = f"{row.num_tokens:,} tokens, max_tokens is {most:,}"
                problems.append(Problem("too-long", message, document.id))
        if problems:
            raise DataError(problems)
        return rows

    def _row(self, document: Document, table: Mapping[str, list[int]], unaligned: int) -> JointRow:
        pieces, special = self.pieces, self.settings.special_tokens
        prefix, suffix = (pieces.prefix, pieces.suffix) if special else ([], [])
        unknown = [] if pieces.unknown_id is None else [pieces.unknown_id]
        words = [word for sentence in document.sentences for word in sentence]
        cut = [table[word] or unknown for word in words]
        input_ids = [*prefix, *(number for ids in cut for number in ids), *suffix]
        base = [0, *accumulate(map(len, document.sentences))]
        mentions = [
            (base[m.sentence] + m.start, base[m.sentence] + m.end, number)
            for number, entity in enumerate(document.entities)
            for m in entity.mentions
        ]
        labels = dict.fromkeys(
            (label.head, label.tail, self.relations.index(label.relation))
            for label in document.relations or ()
            if label.relation in self.relations
        )
        count = len(document.entities)
        return JointRow(
            id=document.id,
            input_ids=input_ids,
            words=words,
            word_token=list(accumulate(map(len, cut), initial=len(prefix))),
            sentence_words=[len(sentence) for sentence in document.sentences],
            mention_start=[start for start, _, _ in mentions],
            mention_end=[end for _, end, _ in mentions],
            mention_entity=[entity for _, _, entity in mentions],
            entity_type=[self._type_index.get(e.type, -1) for e in document.entities],
            labelled=document.relations is not None,
            label_head=[head for head, _, _ in labels],
            label_tail=[tail for _, tail, _ in labels],
            label_relation=[relation for _, _, relation in labels],
            num_tokens=len(input_ids),
            num_pairs=count * (count - 1),
            unaligned_mentions=unaligned,
        )
