"""The annotations of a document, and how what a model finds there compares with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from docre.documents import Document
from docre.joint.spans import Spans
from docre.scoring.extraction import Annotation, Span
from docre.scoring.predictions import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Annotations and words of one document, in the same places as scores compare them.

    With a raw text places are characters, as its words may be others than those that the
    annotations count; without one they are words, counted in their sentence.

    Args:
        gold: The annotations.
        sentence: Where each word of the document is.  # [W]
        start: # [W]
        end: # [W]
    """

    gold: Annotation
    sentence: Ints
    start: Ints
    end: Ints

    @classmethod
    def of(cls, annotated: Document, read: Document) -> Answers:
        """Take the annotations of a document, and the words that a model reads it in.

        Args:
            annotated: As scores have it.
            read: The same on the words of the model; where the text was given as words, those.
        """
        gold = Annotation.of(annotated)
        if gold.text and read.offsets is not None:
            gold = gold.in_characters()
            places = [(0, *characters) for words in read.offsets for characters in words]
        else:
            places = [
                (number, word, word + 1)
                for number, words in enumerate(read.sentences)
                for word in range(len(words))
            ]
        return cls(gold, *np.array(places, np.int64).reshape(-1, 3).T)

    def places(self, spans: Spans) -> list[Span]:
        """Return where spans of words are; two are equal if their places are.

        Args:
            spans: Of this document, in host memory.
        """
        first, last = spans.word_start.numpy(), spans.word_end.numpy() - 1
        columns = self.sentence[first], self.start[first], self.end[last]
        return list(zip(*(column.tolist() for column in columns), strict=True))
