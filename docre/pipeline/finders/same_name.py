"""Which mentions of a document name the same thing, by their names alone.

Mentions of one type are one entity if

* their names are equal without regard to case, an article before them, a possessive ending after
  them and the full stops of initials (``the U.S.'s`` is ``US``), for persons also without a title;
* one is the acronym of the other, in capitals: initials of its words, with or without those of
  small words and of parts after a hyphen (``WHO``, ``World Health Organization``);
* one is the last name of the other, a person's full name (``Gogh``, ``Vincent van Gogh``).

An acronym or a last name that fits several names of the document joins none of them. Nothing is
understood: two persons of one name are one entity, and a pronoun or a description is none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

# What a short form is, of which type, and how it is written.
Form = tuple[str, str, str]

PERSON_TYPES = frozenset({"per", "person"})

_CORE = re.compile(
    r"\s*+(?:(?:[Tt]he|THE|an?)\s++)?(.*?\S)\s*(?:['’]\s?[sS]|(?<=[sS])\s?['’])?\s*", re.DOTALL
)
# the stop after a single letter, and blanks between two of these: ``U. S. A.`` is ``USA``
_INITIAL = re.compile(r"(?<!\w)([^\W\d_])\s?\.(?:\s*(?=[^\W\d_]\s?\.))?")
_TITLES = re.compile(r"(?:(?:mr|mrs|ms|miss|dr|prof|professor|sir|dame|lord|lady)\b\.?\s+)+(?=\S)")
_SUFFIXES = frozenset({"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"})
_PARTICLES = re.compile(r"van|von|de[rnl]?|della|di|da|dos|du|la|le|bin|ibn|al|el|te[nr]")
_SMALL = re.compile(
    r"of|the|and|for|in|on|to|an?|at|by|de[sl]?|la|le|du|di|da|und|et|y|&", re.IGNORECASE
)
_QUOTES = str.maketrans("’‘‐‑‒–", "''----")


def core_span(name: str) -> tuple[int, int]:
    """Return where in a name its core stands: without article, possessive and outer blanks."""
    match = _CORE.fullmatch(name)
    return match.span(1) if match else (0, len(name))


def same_name(
    names: Sequence[str], types: Sequence[str], clusters: Iterable[Iterable[int]] = ()
) -> list[int]:
    """Return the number of the entity of each mention; the first mention's is 0, and so on.

    Args:
        names: What the mentions are called.
        types: Their types; those of an entity are equal.
        clusters: Mentions known to be one thing, such as by a coreference system; those of one
            type become one entity before short forms are looked at.

    Example:
        >>> same_name(["the WHO", "Ada Bo", "World Health Organization", "Bo"], ["A", "PER"] * 2)
        [0, 1, 0, 1]
    """
    first: dict[tuple[str, str], int] = {}
    distinct: dict[tuple[str, str], int] = {}
    equal = []
    for index, (name, kind) in enumerate(zip(names, types, strict=True)):
        equal.append((first.setdefault((kind, _key(name, kind)), index), index))
        distinct.setdefault((name, kind), index)
    for cluster in clusters:
        of_type: dict[str, int] = {}
        equal.extend((of_type.setdefault(types[index], index), index) for index in cluster)
    groups = _merged(len(names), equal)
    # which groups a short form may stand for, and then which of them each group could be short for
    meant: dict[Form, set[int]] = {}
    for (name, kind), index in distinct.items():
        for form in _short_forms(name, kind):
            meant.setdefault(form, set()).add(groups[index])
    fitting: dict[int, set[int]] = {}
    for (name, kind), index in distinct.items():
        for form in _own_forms(name, kind):
            fitting.setdefault(groups[index], set()).update(meant.get(form, ()))
    head = {group: index for index, group in reversed([*enumerate(groups)])}
    same = [(index, head[group]) for index, group in enumerate(groups)]
    for group, others in fitting.items():
        others.discard(group)
        if len(others) == 1:
            same.append((head[group], head[others.pop()]))
    return _merged(len(names), same)


def _key(name: str, kind: str) -> str:
    """Return what equal names have in common."""
    plain = unicodedata.normalize("NFKC", _core(name)).translate(_QUOTES)
    plain = _INITIAL.sub(r"\1", plain)
    plain = " ".join(plain.casefold().split())
    if kind.casefold() in PERSON_TYPES:
        title = _TITLES.match(plain)
        plain = plain[title.end() :] if title else plain
    # folding case can take apart what was one character
    return unicodedata.normalize("NFKC", plain)


def _core(name: str) -> str:
    start, end = core_span(name)
    return name[start:end]


def _own_forms(name: str, kind: str) -> Iterator[Form]:
    """Yield what a name could be as the short form of another."""
    if kind.casefold() in PERSON_TYPES:
        yield "last name", kind, _key(name, kind)
    letters = re.sub(r"[.\s]", "", _core(name))
    if len(letters) > 1 and letters.isalpha() and letters.isupper():
        yield "acronym", kind, letters


def _short_forms(name: str, kind: str) -> Iterator[Form]:
    """Yield the short forms that a name has."""
    core = _core(name)
    for words in (core.split(), core.replace("-", " ").split()):
        for chosen in (words, [word for word in words if not _SMALL.fullmatch(word)]):
            if len(chosen) > 1:
                initials = (word.lstrip("([\"'“‘")[:1] for word in chosen)
                yield "acronym", kind, "".join(initials).upper()
    if kind.casefold() in PERSON_TYPES:
        given = _key(name, kind).replace(",", " ").split()
        while given and given[-1] in _SUFFIXES:
            given.pop()
        last = [given.pop()] if given else []
        while given and _PARTICLES.fullmatch(given[-1]):
            last.insert(0, given.pop())
        if given:
            yield "last name", kind, last[-1]
            yield "last name", kind, " ".join(last)


def _merged(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """Return the group of each item, groups numbered by their first item."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in links:
        parent[root(one)] = root(other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(item), len(numbers)) for item in range(count)]
