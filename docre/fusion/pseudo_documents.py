"""Documents of evidence alone, for a second look at the pairs they are evidence for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from docre.documents import Document, Entity

if TYPE_CHECKING:
    from docre.triples import PredictedTriple

Offsets = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class PseudoDocument:
    """Some sentences of a document, as a document of their own.

    Args:
        document: The sentences and the entities that are named in them; never labelled. Its id is
            different from that of every other pseudo document, but may be that of a document.
        parent: Id of the document they are from.
        entities: For each of its entities, which of the parent's it is.
        sentences: For each of its sentences, which of the parent's it is; ascending.
    """

    document: Document
    parent: str
    entities: tuple[int, ...]
    sentences: tuple[int, ...]

    def restore(self, triple: PredictedTriple) -> PredictedTriple:
        """Return a triple of the pseudo document as one of the parent."""
        return triple._replace(
            document=self.parent,
            head=self.entities[triple.head],
            tail=self.entities[triple.tail],
            evidence=tuple(self.sentences[sentence] for sentence in triple.evidence),
        )


def pseudo_documents(
    document: Document, candidates: Iterable[PredictedTriple], reach: float = 10.0
) -> list[PseudoDocument]:
    """Return the pseudo documents of a document: each of :func:`evidence_sets` as one.

    Args:
        document: The document.
        candidates: What was read in it, see :class:`docre.fusion.candidates.CandidateDecoder`.
        reach: How far below the threshold the best candidate of a pair may be.
    """
    sets = evidence_sets(document, candidates, reach)
    return [excerpt(document, sentences, number) for number, sentences in enumerate(sets)]


def evidence_sets(
    document: Document, candidates: Iterable[PredictedTriple], reach: float = 10.0
) -> list[tuple[int, ...]]:
    """Return the distinct sets of sentences to read again.

    The set of a pair is its predicted evidence, and the sentence where the head (the tail) is
    named first if it is not named in that evidence. A pair without evidence has none.

    With ``reach`` infinite every pair counts, as published. A finite reach leaves out the pairs
    whose best candidate is more than ``reach`` below the threshold, nearly all of them unrelated.
    What that means:

    * A triple of such a pair could only have been kept with a margin in its pseudo document of more
      than the tuned threshold + ``reach`` (+ 10, if the whole document did not propose it).
    * It is a cut all the same: those sentences also show other pairs, which lose this one of their
      readings. A triple that was read nowhere else then counts as not confirmed.

    Args:
        document: The document.
        candidates: What was read in it.
        reach: How far below the threshold the best candidate of a pair may be.

    Returns:
        In the order of the candidates, each ascending. Of a document without any candidate all
        sentences are one set, as published.
    """
    listed = list(candidates)
    if not listed:
        return [tuple(range(len(document.sentences)))]
    # once for each pair, which has the same evidence for all its candidates
    pairs = dict.fromkeys(
        (one.head, one.tail, one.evidence)
        for one in listed
        if one.evidence and one.margin >= -reach
    )
    return list(dict.fromkeys(_evidence_set(document, *pair) for pair in pairs))


def _evidence_set(
    document: Document, head: int, tail: int, evidence: Iterable[int]
) -> tuple[int, ...]:
    chosen = set(evidence)
    for entity in (head, tail):
        named = [mention.sentence for mention in document.entities[entity].mentions]
        # the tail is looked for in a sentence that was added for the head too
        if named and chosen.isdisjoint(named):
            chosen.add(min(named))
    return tuple(sorted(chosen))


def excerpt(document: Document, sentences: Sequence[int], number: int) -> PseudoDocument:
    """Return some sentences of a document as a document of their own.

    Entities keep their order and lose the mentions that are elsewhere; those without any are left
    out, and the candidate pairs of a document that restricts them with them.

    Args:
        document: The document.
        sentences: Which sentences, ascending.
        number: Which of the document's pseudo documents this is; the id is made of it.
    """
    place = {sentence: new for new, sentence in enumerate(sentences)}
    entities = {
        old: replace(
            entity,
            mentions=tuple(
                replace(mention, sentence=place[mention.sentence])
                for mention in entity.mentions
                if mention.sentence in place
            ),
        )
        for old, entity in enumerate(document.entities)
        if any(mention.sentence in place for mention in entity.mentions)
    }
    text, offsets = _text(document, sentences)
    made = Document(
        id=f"{document.id}#{number}",
        sentences=tuple(document.sentences[sentence] for sentence in sentences),
        entities=tuple(entities.values()),
        text=text,
        offsets=offsets,
        candidates=_candidates(document, entities),
    )
    return PseudoDocument(made, document.id, tuple(entities), tuple(sentences))


def _candidates(
    document: Document, entities: dict[int, Entity]
) -> tuple[tuple[int, int], ...] | None:
    if document.candidates is None:
        return None
    place = {old: new for new, old in enumerate(entities)}
    return tuple((place[h], place[t]) for h, t in document.candidates if {h, t} <= place.keys())


def _text(document: Document, sentences: Sequence[int]) -> tuple[str | None, Offsets | None]:
    """Return the raw text of some sentences, with one blank between them, and its words' places."""
    if document.text is None or document.offsets is None:
        return None, None
    parts: list[str] = []
    offsets = []
    length = 0
    for sentence in sentences:
        words = document.offsets[sentence]
        if not words:
            offsets.append(words)
            continue
        start, end = words[0][0], words[-1][1]
        shift = length - start
        offsets.append(tuple((first + shift, last + shift) for first, last in words))
        parts.append(document.text[start:end])
        length += end - start + 1
    return " ".join(parts), tuple(offsets)
