"""Grouping of mentions by their names, against a slow reading of the rules."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.pipeline.finders.same_name import core_span, same_name


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Arle", "ARLE", "LOC"),
        ("the Arle", "Arle's", "LOC"),
        ("Arles'", "Arles", "LOC"),
        ("Arle 's", "Arle", "LOC"),
        ("Arle’s", "the\nArle", "LOC"),
        ("New  York", "New\nYork", "LOC"),
        ("U.S.", "US", "LOC"),
        ("the U. S. A.", "USA", "LOC"),
        ("U.S", "U.S.", "LOC"),
        ("J.K. Tarn", "J. K. Tarn", "PER"),
        ("Dr. Mia Tarn", "Mia Tarn", "PER"),
        ("Prof. Dr. Tarn", "tarn", "PER"),
        ("Jean-Luc", "Jean‑Luc", "PER"),
        ("O’Neil", "O'Neil", "PER"),
        ("Müller", unicodedata.normalize("NFD", "Müller"), "PER"),
        ("STRASSE", "straße", "LOC"),
        ("ﬁsh", "Fish", "MISC"),
        ("H₂O", "H2O", "MISC"),
        ("東京", "東京", "LOC"),
        ("WHO", "World Health Organization", "ORG"),
        ("the W.H.O.", "World Health Organization's", "ORG"),
        ("DOE", "Department of Energy", "ORG"),
        ("DE", "Department of Energy", "ORG"),
        ("ADR", "adverse drug reaction", "Disease"),
        ("SAW", "Spanish-American War", "MISC"),
        ("SW", "Spanish-American War", "MISC"),
        ("Tarn", "Mia Tarn", "PER"),
        ("Ms. Tarn's", "Mia Tarn", "PERSON"),
        ("TARN", "Mia B. Tarn Jr.", "person"),
        ("Tarn", "Mia Tarn, Jr.", "person"),
        ("van Gogh", "Vincent van Gogh", "PER"),
        ("Gogh", "Vincent van Gogh", "PER"),
    ],
)
def test_one_entity(one, other, kind):
    assert same_name([one, other], [kind, kind]) == [0, 0]
    assert same_name([other, one], [kind, kind]) == [0, 0]
    assert same_name([one, other], [kind, "another"]) == [0, 1]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("C", "C++", "MISC"),
        ("Na", "Na+", "Chemical"),
        ("Arle", "North Arle", "LOC"),
        ("who", "World Health Organization", "ORG"),  # an acronym is in capitals
        ("W", "World", "ORG"),
        ("Tarn", "Mia Tarn", "LOC"),  # last names are for persons
        ("Mia", "Mia Tarn", "PER"),  # a first name is not a last name
        ("Mr. Tarn", "Tarn", "ORG"),
        ("van Gogh", "Gogh", "PER"),  # nobody's full name
        ("The", "the Arle", "LOC"),
        ("", " ", "PER"),
    ],
)
def test_two_entities(one, other, kind):
    expected = [0, 0] if not (one + other).strip() else [0, 1]
    assert same_name([one, other], [kind, kind]) == expected
    assert same_name([other, one], [kind, kind]) == expected


def test_what_fits_several_names_joins_none():
    people = ["Mia Tarn", "Bo Tarn", "Tarn", "Mia Tarn"]
    assert same_name(people, ["PER"] * 4) == [0, 1, 2, 0]
    assert same_name(["AP", "Air Post", "Arle Press"], ["ORG"] * 3) == [0, 1, 2]
    # unless what they fit is known to be one thing
    assert same_name(people, ["PER"] * 4, [[0, 1]]) == [0, 0, 0, 0]


def test_short_forms_of_short_forms():
    names = ["MLK", "King", "Martin Luther King", "Dr. King", "martin luther king"]
    assert same_name(names, ["PER"] * 5) == [0] * 5


def test_clusters_join_what_has_one_type():
    names, types = ["Arle", "the town", "Arle FC", "Bo"], ["LOC", "LOC", "ORG", "PER"]
    assert same_name(names, types, [[0, 2, 1]]) == [0, 0, 1, 2]
    assert same_name(names, types, [[], [3], [2, 3]]) == [0, 1, 2, 3]
    assert same_name([], []) == []


def test_types_and_names_go_together():
    with pytest.raises(ValueError, match="zip"):
        same_name(["a"], [])


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("  the Arle's ", "Arle"),
        ("An Arle", "An Arle"),  # as in An Nguyen
        ("a book", "book"),
        ("Theodor", "Theodor"),
        ("THE ARLES'", "ARLES"),
        ("'s", "'s"),
        (" ", " "),
        ("", ""),
    ],
)
def test_core(name, core):
    assert name[slice(*core_span(name))] == core


WORDS = ["Mia", "Bo", "Tarn", "van", "of", "North", "Arle", "MN"]
NAMES = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
    st.sampled_from(["MT", "NA", "BT", "MVT", "ANT", "N.A.", "TARN", "the Arle", "Ms. Tarn"]),
)
MENTIONS = st.lists(st.tuples(NAMES, st.sampled_from(["PER", "LOC"])), max_size=8)


def plain(name, kind):
    """Return a name of the small language above in one form."""
    name = name.removeprefix("the ").replace(".", "")
    return name.removeprefix("Ms ").lower() if kind == "PER" else name.lower()


def is_short(one, other, kind):
    """Return whether one name of the small language is short for another, word by word."""
    words = other.split()
    letters = one.replace(".", "")
    if letters == letters.upper() and len(letters) > 1:
        for chosen in (words, [word for word in words if word != "of"]):
            if len(chosen) > 1 and letters == "".join(word[0] for word in chosen).upper():
                return True
    given, last = plain(other, kind).split()[:-1], plain(other, kind).split()[-1:]
    while given and given[-1] == "van":
        last = [given.pop(), *last]
    shorts = {" ".join(last), last[-1]} if given else set()
    return kind == "PER" and plain(one, kind) in shorts


def slow_groups(mentions, clusters):
    """Colour mentions until nothing changes, by comparing each with each."""
    colours = list(range(len(mentions)))

    def join(a, b):
        old, new = colours[a], colours[b]
        colours[:] = [new if colour == old else colour for colour in colours]

    pairs = [(a, b) for a in range(len(mentions)) for b in range(len(mentions))]
    for a, b in pairs:
        together = any(a in cluster and b in cluster for cluster in clusters)
        (one, kind), (other, its) = mentions[a], mentions[b]
        if kind == its and (together or plain(one, kind) == plain(other, kind)):
            join(a, b)
    before = list(colours)
    for colour in set(before):
        fits = {
            before[b]
            for a, b in pairs
            if before[a] == colour != before[b]
            and mentions[a][1] == mentions[b][1]
            and is_short(mentions[a][0], mentions[b][0], mentions[a][1])
        }
        if len(fits) == 1:
            join(before.index(colour), before.index(fits.pop()))
    order = list(dict.fromkeys(colours))
    return [order.index(colour) for colour in colours]


@given(MENTIONS, st.data())
def test_the_same_as_comparing_each_with_each(mentions, data):
    index = st.integers(0, max(len(mentions) - 1, 0))
    clusters = data.draw(st.lists(st.sets(index, max_size=3), max_size=2)) if mentions else []
    names, types = [name for name, _ in mentions], [kind for _, kind in mentions]
    assert same_name(names, types, clusters) == slow_groups(mentions, clusters)


@given(st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["PER", "X"])), max_size=6))
def test_any_text(mentions):
    names, types = [name for name, _ in mentions], [kind for _, kind in mentions]
    groups = same_name(names, types)
    assert list(dict.fromkeys(groups)) == list(range(len(set(groups))))
    pairs = [(a, b) for a in range(len(groups)) for b in range(len(groups))]
    assert all(types[a] == types[b] for a, b in pairs if groups[a] == groups[b])
    # the order of mentions does not matter
    turned = same_name(names[::-1], types[::-1])[::-1]
    assert all((groups[a] == groups[b]) == (turned[a] == turned[b]) for a, b in pairs)


def test_many_mentions():
    """Each with each would be 25 million comparisons."""
    names = [f"Mia Tarn{n}" for n in range(2_500)] + [f"Tarn{n}" for n in range(2_500)]
    assert same_name(names, ["PER"] * 5_000) == [*range(2_500), *range(2_500)]
