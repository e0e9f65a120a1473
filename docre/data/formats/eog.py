"""The ``.data`` form of CDR and GDA that edge-oriented graph models introduced.

One line a document, columns parted by tabs: id, text, and then 17 columns for each group, which is
a pair of entities written out in full. The text has ``|`` between sentences and a blank between
words; positions count the words of the whole document. A group holds the label (``1:CID:2``,
``1:NR:2`` for none, or ``not_include``), the direction, whether the pair shares a sentence, two
close mentions, and then of each entity: id, names, type, starts, ends and sentences.

As published, a group whose direction is not ``L2R`` has its second entity as head. Groups labelled
``not_include`` are no pairs, but their mentions are mentions of the document like all others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from docre.data.formats.base import Fields
from docre.data.formats.eog_groups import (
    LEFT_OUT,
    Group,
    groups_as_read,
    new_groups,
    read_labels,
    unwritable,
)
from docre.data.formats.json_text import not_utf8
from docre.documents import Document, Entity, Mention
from docre.errors import DataError, Problem

_Argument = tuple[str, ...]

_WIDTH = 17
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class EogFormat:
    """Reader and writer of ``.data`` lines.

    What the document schema has no place for (order, direction and flags of the groups) is carried
    in ``extra["eog"]`` and written back as long as it still fits the document's entities,
    candidates and relations.
    """

    name: str = "eog"

    def split(self, data: bytes) -> Iterator[bytes]:
        """Cut a file into lines."""
        data = data.removeprefix(_BOM)
        if not data.strip():
            raise DataError([Problem("empty-file", "the file is empty")])
        for line in data.split(b"\n"):
            if line.strip():
                yield line.removesuffix(b"\r")

    def parse(self, record: bytes, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one line."""
        columns = _columns(record, index)
        fields = Fields(columns[0] or f"#{index}")
        sentences = tuple(tuple(text.split(" ")) for text in columns[1].split("|"))
        raw = [columns[at : at + _WIDTH] for at in range(2, len(columns), _WIDTH)]
        arguments = _arguments(raw)
        numbers = {argument: number for number, argument in enumerate(arguments)}
        firsts = list(accumulate(map(len, sentences), initial=0))
        notes: list[Problem] = []
        entities = tuple(
            _entity(fields, argument, place, firsts, notes) for argument, place in arguments.items()
        )
        groups = [_group(fields, group, numbers, f"groups[{g}]") for g, group in enumerate(raw)]
        fields.done()
        candidates, relations, repeated = read_labels(groups, entities)
        message = "the group has the pair and the relation of an earlier one"
        notes += [
            Problem("duplicate-relation", message, fields.document, f"groups[{g}]", "", "note")
            for g in repeated
        ]
        extra = {"eog": {"entities": len(entities), "groups": [list(group) for group in groups]}}
        document = Document(
            id=columns[0],
            sentences=sentences,
            entities=entities,
            relations=relations,
            candidates=candidates,
            extra=extra if groups else {},
        )
        return document, notes

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield one line a document; words that contain a separator are a :class:`DataError`."""
        return map(_line, documents)


def _columns(record: bytes, index: int) -> list[str]:
    try:
        columns = record.decode("utf-8").split("\t")
    except UnicodeDecodeError as error:
        name = record.partition(b"\t")[0][:40].decode("utf-8", "replace")
        raise not_utf8(error.start, name or f"#{index}") from None
    rest = len(columns) - 2
    if rest < 0 or rest % _WIDTH:
        message = f"{len(columns)} columns; expected id, text and {_WIDTH} for each group"
        name = columns[0][:40] or f"#{index}"
        place = f"groups[{max(rest, 0) // _WIDTH}]"
        raise DataError([Problem("wrong-columns", message, name, place)])
    return columns


def _arguments(raw: Sequence[Sequence[str]]) -> dict[_Argument, str]:
    """List the distinct entities: those of pairs by first use, head before tail; then the rest.

    The published code takes an id's mentions from its first use in a pair and marks the mentions
    of all uses. No known file gives an id two sets of mentions, but where one does, each further
    set becomes an entity of its own at the end, in no pair, so that all are marked.

    Returns:
        By argument, where it was met first.
    """
    arguments: dict[_Argument, str] = {}
    ids = set()
    for only_pairs in (True, False):
        for g, columns in enumerate(raw):
            if only_pairs and columns[0] == LEFT_OUT:
                continue
            for at in (5, 11) if columns[1] == "L2R" else (11, 5):
                argument = tuple(columns[at : at + 6])
                if not only_pairs or argument[0] not in ids:
                    arguments.setdefault(argument, f"groups[{g}][{at}:{at + 6}]")
                    ids.add(argument[0])
    return arguments


def _entity(
    fields: Fields, argument: _Argument, place: str, firsts: Sequence[int], notes: list[Problem]
) -> Entity:
    id, joined, kind, *numbers = argument
    names = joined.split("|")
    starts, ends, listed = (_numbers(fields, text, place) for text in numbers)
    if not len(names) == len(starts) == len(ends) == len(listed):
        counts = f"{len(names)} names, {len(starts)} starts, {len(ends)} ends"
        fields.add("wrong-columns", f"{counts} and {len(listed)} sentences", place)
        return Entity((), kind, id)
    mentions = []
    for name, start, end, named in zip(names, starts, ends, listed, strict=True):
        # A span outside of the sentence where it starts is kept as it is: `check` names it.
        sentence = bisect_right(firsts, start) - 1
        if sentence != named:
            message = f"word {start} is in sentence {sentence}, not {named}"
            notes.append(Problem("sentence-mismatch", message, fields.document, place, "", "note"))
        first = firsts[sentence]
        mentions.append(Mention(sentence, start - first, end - first, kind, name))
    return Entity(tuple(mentions), kind, id)


def _numbers(fields: Fields, text: str, place: str) -> list[int]:
    values = text.split(":")
    # nine digits are more than any document has words, and few enough for every integer type
    wrong = [v for v in values if not (v.isascii() and v.isdecimal() and len(v) < 10)]
    if wrong:
        fields.add("wrong-type", f"expected a whole number, found {wrong[0][:40]!r}", place)
        return []
    return [int(value) for value in values]


def _group(
    fields: Fields, columns: Sequence[str], numbers: dict[_Argument, int], place: str
) -> Group:
    label, direction, cross, near_first, near_second = columns[:5]
    if label != LEFT_OUT and not (len(label) > 4 and label[:2] == "1:" and label[-2:] == ":2"):
        message = f"expected 1:NAME:2 or {LEFT_OUT}, found {label[:40]!r}"
        fields.add("wrong-label", message, f"{place}[0]")
    if direction not in ("L2R", "R2L"):
        fields.add("wrong-label", f"expected L2R or R2L, found {direction[:40]!r}", f"{place}[1]")
    # further mentions of an id are in no pair, so its number in pairs is found in `read_labels`
    first, second = (numbers[tuple(columns[at : at + 6])] for at in (5, 11))
    return Group(first, second, label, direction, cross, near_first, near_second)


def _line(document: Document) -> bytes:
    as_read = groups_as_read(document)
    groups = as_read or list(new_groups(document))
    ids = [entity.id for entity in document.entities]
    if not as_read:
        ids = [id or f"E{index}" for index, id in enumerate(ids)]
    if not as_read and len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise unwritable(document, f"two entities have the id {twice!r}", "entities")
    firsts = list(accumulate(map(len, document.sentences), initial=0))
    arguments = [
        _written_argument(document, entity, id, firsts, bool(as_read))
        for id, entity in zip(ids, document.entities, strict=True)
    ]
    # an empty sentence would be read back as one with an empty word
    text = "|".join(" ".join(words) for words in document.sentences if words)
    if text.count("|") + text.count(" ") + 1 != max(1, document.num_words) or "\t" in text:
        word = next(w for words in document.sentences for w in words if {*w} & {*"\t| "})
        raise unwritable(document, f"the word {word!r} contains a separator", "sentences")
    columns = [document.id, text]
    for group in groups:
        columns += [*group[2:], *arguments[group.first], *arguments[group.second]]
    line = "\t".join(columns)
    if line.count("\t") != 1 + _WIDTH * len(groups) or "\n" in line:
        raise unwritable(document, "a name, id, type or relation contains a tab or line break", "")
    return line.encode() + b"\n"


def _written_argument(
    document: Document, entity: Entity, id: str, firsts: Sequence[int], as_read: bool
) -> _Argument:
    if not entity.mentions:
        raise unwritable(document, f"entity {id!r} has no mention", "entities")
    names = []
    for mention in entity.mentions:
        name = mention.surface
        if not as_read and (not name or {*name} & {*"\t\n|"}):
            name = " ".join(document.sentences[mention.sentence][mention.start : mention.end])
        names.append(name)
    starts = [firsts[m.sentence] + m.start for m in entity.mentions]
    ends = [firsts[m.sentence] + m.end for m in entity.mentions]
    sentences = [m.sentence for m in entity.mentions]
    numbers = (":".join(map(str, values)) for values in (starts, ends, sentences))
    return id, "|".join(names), entity.type, *numbers
