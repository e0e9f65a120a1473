"""What a list of known names alone can find: the baseline beside every joint result."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from docre.documents import Document, Entity, Mention
from docre.errors import DataError, Problem
from docre.neutral_words import neutral_document
from docre.segmentation import Span

# The words of a mention as they are looked up.
Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DictionaryBaseline:
    """Mark the names that training documents have marked, the longest first.

    Words of more than four letters are compared without regard to case, shorter ones letter by
    letter: ``US`` is not ``us``. Mentions with the same words in lower case and of the same type
    are one entity. Documents with a raw text are read in words that do not depend on where their
    mentions are, the words that joint models read.

    Args:
        types: Entity type of each name, which is the most frequent one of its mentions.
    """

    types: Mapping[Name, str]

    @classmethod
    def fit(cls, documents: Iterable[Document], share: float = 0.5) -> DictionaryBaseline:
        """Learn names from documents with entities.

        Args:
            documents: Documents with their entities; relations do not matter.
            share: Smallest part of the occurrences of a name in these documents that has to be a
                mention. Those within a longer mention do not count: the longer one is found first.

        Raises:
            DataError: If there is no mention to learn from, or one touches no word.
        """
        texts = [_Text.of(neutral_document(document)) for document in documents]
        kinds: dict[Name, Counter[str]] = {}
        for text in texts:
            for span, types in text.mentions.items():
                kinds.setdefault(text.name(span), Counter()).update(types)
        if not kinds:
            message = "no document has an entity"
            raise DataError([Problem("no-mentions", message, source="training documents")])
        seen, marked = Counter[Name](), Counter[Name]()
        for text in texts:
            inner = _within(text.mentions)
            for span, name in text.occurrences(kinds):
                if span in text.mentions:
                    marked[name] += 1
                    seen[name] += 1
                elif span not in inner:
                    seen[name] += 1
        return cls(
            {
                name: min(counts, key=lambda kind: (-counts[kind], kind))
                for name, counts in kinds.items()
                if marked[name] and marked[name] >= share * seen[name]
            }
        )

    def predict(self, document: Document) -> Document:
        """Return a document with what was found in its text, in place of what it had.

        Its sentences and words are those the names were looked for in; of relations it says
        nothing.
        """
        bare = neutral_document(replace(document, entities=(), relations=None, candidates=None))
        text = _Text.of(bare)
        # sorted is stable, so names of one length stay in the order of the text
        longest_first = sorted(text.occurrences(self.types), key=lambda found: -len(found[1]))
        taken: set[int] = set()
        chosen: list[tuple[Span, Name]] = []
        for span, name in longest_first:
            if taken.isdisjoint(range(*span)):
                taken.update(range(*span))
                chosen.append((span, name))
        entities: dict[tuple[Name, str], list[Mention]] = {}
        for span, name in sorted(chosen):
            kind = self.types[name]
            mention = Mention(*text.place(span), type=kind)
            mention = replace(mention, surface=bare.surface(mention))
            words = tuple(word.lower() for word in text.words[slice(*span)])
            entities.setdefault((words, kind), []).append(mention)
        found = (Entity(tuple(mentions), kind) for (_, kind), mentions in entities.items())
        return replace(bare, entities=tuple(found))


@dataclass(frozen=True, slots=True)
class _Text:
    """The words of a document, and the types of the entities at each span of them.

    Spans count the words of the whole document here.
    """

    sentences: tuple[tuple[str, ...], ...]
    first_word: list[int]
    words: list[str]
    keys: Name
    mentions: dict[Span, list[str]]

    @classmethod
    def of(cls, document: Document) -> _Text:
        first_word = [0, *accumulate(map(len, document.sentences))]
        mentions: dict[Span, list[str]] = {}
        for entity in document.entities:
            for mention in entity.mentions:
                base = first_word[mention.sentence]
                span = base + mention.start, base + mention.end
                mentions.setdefault(span, []).append(entity.type)
        words = [word for sentence in document.sentences for word in sentence]
        return cls(
            sentences=document.sentences,
            first_word=first_word,
            words=words,
            keys=tuple(word.lower() if len(word) > 4 else word for word in words),
            mentions=mentions,
        )

    def name(self, span: Span) -> Name:
        return self.keys[slice(*span)]

    def place(self, span: Span) -> tuple[int, int, int]:
        sentence = bisect_right(self.first_word, span[0]) - 1
        base = self.first_word[sentence]
        return sentence, span[0] - base, span[1] - base

    def occurrences(self, names: Collection[Name]) -> Iterator[tuple[Span, Name]]:
        """Yield the names that stand within a sentence, wherever they are."""
        sizes: dict[str, set[int]] = {}
        for name in names:
            sizes.setdefault(name[0], set()).add(len(name))
        for sentence, words in enumerate(self.sentences):
            base = self.first_word[sentence]
            for start in range(base, base + len(words)):
                for size in sizes.get(self.keys[start], ()):
                    end = start + size
                    if end <= base + len(words) and (name := self.name((start, end))) in names:
                        yield (start, end), name


def _within(mentions: Iterable[Span]) -> set[Span]:
    """Return all spans that lie in one of these, but are not all of it."""
    return {
        (a, b)
        for start, end in mentions
        for a in range(start, end)
        for b in range(a + 1, end + 1)
        if b - a < end - start
    }
