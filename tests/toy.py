"""Small documents for tests, and the tokenizer they are cut with."""

from __future__ import annotations

from functools import cache
from random import Random

from docre.data.pieces import Pieces
from docre.data.relations import RelationSet
from docre.data.vocabulary import learn_word_pieces
from docre.documents import Document, Entity, Mention, Relation

RELATIONS = RelationSet(("born_in", "located_in", "works_for"))
TYPES = ("PER", "LOC", "ORG")
_WORDS = """
the old town of Arle lies near river Bo and Mia Tarn works for Nordwerk there since then
""".split()  # noqa: SIM905 - easier to read than a list


def document(seed: int, entities: int | None = None, labelled: bool = True) -> Document:
    """Return a valid document made by chance: any number of entities, empty sentences too."""
    random = Random(seed)
    sentences = tuple(
        tuple(random.choices(_WORDS, k=random.choice([0, 3, 7, 12])))
        for _ in range(random.randint(1, 5))
    )
    if not any(sentences):
        sentences = (*sentences, tuple(_WORDS))
    filled = [s for s, words in enumerate(sentences) if words]
    count = random.randint(0, 6) if entities is None else entities
    made = []
    for _ in range(count):
        mentions = []
        for _ in range(random.randint(1, 3)):
            sentence = random.choice(filled)
            start = random.randrange(len(sentences[sentence]))
            end = random.randint(start + 1, min(start + 3, len(sentences[sentence])))
            mentions.append(Mention(sentence, start, end, random.choice(TYPES)))
        made.append(Entity(tuple(mentions), type=mentions[0].type))
    relations: dict[tuple[int, int, str], Relation] = {}
    if count > 1 and labelled:
        for _ in range(random.randint(0, 5)):
            head, tail = random.sample(range(count), 2)
            name = random.choice(RELATIONS.names)
            evidence = tuple(sorted(random.sample(range(len(sentences)), random.randint(0, 1))))
            relations.setdefault((head, tail, name), Relation(head, tail, name, evidence))
    return Document(
        f"toy {seed}",
        sentences,
        tuple(made),
        tuple(relations.values()) if labelled else None,
    )


@cache
def pieces() -> Pieces:
    """Return a word-piece tokenizer that needs no file and no network."""
    from transformers import BertTokenizer

    vocabulary = learn_word_pieces(document(seed) for seed in range(200))
    made = BertTokenizer(vocab={token: k for k, token in enumerate(vocabulary)}, do_lower_case=True)
    return Pieces(made)
