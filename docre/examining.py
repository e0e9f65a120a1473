"""What can be wrong with a document that somebody put together without its constructors.

:class:`~docre.documents.Document` does not check itself, and :func:`~docre.documents.check` counts
on values of the right types. Whoever takes documents from people's own code asks here first.
"""

from __future__ import annotations

from docre.construction import Arguments
from docre.documents import Document, Entity, Mention, check
from docre.errors import Problem


def examine(document: Document) -> list[Problem]:
    """Say everything that is wrong with the text and the entities of a document.

    Its relations are not looked at: this is for documents whose relations are asked for.

    Returns:
        Values of a wrong type; if there are none, whatever does not fit together.
    """
    arguments = Arguments(document.id)
    arguments.sentences(document.sentences)
    entities = arguments.items(document.entities, "a tuple of entities", "entities")
    for number, entity in enumerate(entities):
        _entity(arguments, entity, f"entities[{number}]")
    if document.candidates is not None:
        pairs = arguments.items(document.candidates, "a tuple of pairs", "candidates")
        for number, pair in enumerate(pairs):
            arguments.numbers(pair, ("head", "tail"), f"candidates[{number}]")
    if document.text is not None:
        arguments.text(document.text, "text")
    if document.offsets is not None:
        _offsets(arguments, document)
    if arguments.problems:
        return arguments.problems
    bare = Document(
        document.id, document.sentences, document.entities, candidates=document.candidates
    )
    return check(bare)


def _entity(arguments: Arguments, entity: object, place: str) -> None:
    if not isinstance(entity, Entity):
        arguments.add("an Entity", entity, place)
        return
    arguments.text(entity.type, f"{place}.type")
    mentions = arguments.items(entity.mentions, "a tuple of mentions", f"{place}.mentions")
    for number, mention in enumerate(mentions):
        where = f"{place}.mentions[{number}]"
        if not isinstance(mention, Mention):
            arguments.add("a Mention", mention, where)
            continue
        span = (mention.sentence, mention.start, mention.end)
        arguments.numbers(span, ("sentence", "start", "end"), where)
        arguments.text(mention.type, f"{where}.type")


def _offsets(arguments: Arguments, document: Document) -> None:
    """Note where the words are not said to stand one after another in the text."""
    sentences = arguments.items(document.offsets, "a tuple of sentences", "offsets")
    if len(sentences) != len(document.sentences):
        arguments.add(
            f"offsets of {len(document.sentences)} sentences", document.offsets, "offsets"
        )
        return
    behind, most = 0, len(document.text or "")
    for number, (spans, words) in enumerate(zip(sentences, document.sentences, strict=True)):
        place = f"offsets[{number}]"
        listed = arguments.items(spans, "a tuple of (start, end)", place)
        if len(listed) != len(words):
            arguments.add(f"one (start, end) for each of {len(words)} words", spans, place)
        for index, span in enumerate(listed):
            where = f"{place}[{index}]"
            start, end = arguments.numbers(span, ("start", "end"), where)
            if not behind <= start < end <= most:
                arguments.add(f"a span within {behind}-{most}", span, where)
            behind = max(behind, end)
