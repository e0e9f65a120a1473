"""Names of people, places, organisations and works, none of which comes twice in a corpus.

A name is made of two syllables and an ending that tells its kind. The number of the entity in the
corpus, mixed by a bijection that depends on the seed, gives the syllables: different numbers give
different names without a table of those already used, so documents can be made in any order and
on any machine. The inventory of about 500 pieces keeps a WordPiece vocabulary small.
"""

from __future__ import annotations

import random


def cut(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


_HEADS = tuple(
    onset + vowel
    for onset in cut("B Br C Cr D Dr F Fl G Gr H J K Kl L M N P Pr Kr R S Sh St T Th Tr V W Z")
    for vowel in "aeiou"
)
_MIDDLES = tuple(
    onset + vowel
    for onset in cut("b d f g k l m n p r s t v z nd lm rk st rl nt")
    for vowel in "aeiou"
)
_ENDINGS: dict[str, tuple[str, ...]] = {
    "person": cut(
        "sen son rick mann vik dor lund quist ley ner ker bert wald win ron mar dan kin vic "
        "gren strom dahl fels sky shaw zek lic rov tin ren thal rup dell vard gan sel der ther "
        "kov min bach bell hart lin man rell tner wen"
    ),
    "city": cut(
        "ford burg holm mouth stad ville port wick haven gate minster field bridge well dale "
        "town bury church ness castle by pool cliff grad stow shore fell leigh dorf brook mill "
        "cross moor hampton shire beck firth market combe quay"
    ),
    "country": cut("nia land stan ria lia via dia sia mark gard sova heim mia gia tria thia"),
    "organisation": cut(
        "tek dyne plex mex xon vex lux tron nix rex zon corp dex gon lex max nox pax rax star "
        "tax trex vax wex byx zex dax fex gex hex jax kex lax mox pex qex rox sax tix vox"
    ),
}
_PER_DOCUMENT = {"person": 5, "city": 5, "country": 2, "organisation": 4, "work": 2}
WOMEN = cut(
    "Ada Alma Anja Bella Carla Clara Dora Edith Elin Elsa Emma Erika Eva Flora Frida Greta "
    "Hanna Hilda Ida Inga Irma Jana Judith Julia Karin Lara Lena Lily Lotte Marta Mina Mira "
    "Nadia Nina Nora Olga Petra Rita Rosa Ruth Sara Selma Sofia Tara Thea Tilda Vera Wanda"
)
MEN = cut(
    "Adam Alban Anton Arno Axel Bruno Carl Colin David Edgar Emil Erik Ernst Felix Frank Fritz "
    "Georg Hans Henrik Hugo Igor Ivan Jakob Jan Jonas Josef Julian Karl Kurt Lars Leo Lukas "
    "Marek Martin Max Milo Nils Oscar Otto Paul Peter Pavel Ralf Robert Rolf Simon Tomas Victor"
)
_COLOURS = cut(
    "Silent Golden Broken Hidden Crimson Distant Empty Faded Gentle Hollow Frozen Burning "
    "Lonely Narrow Patient Quiet Restless Scarlet Secret Silver Sleeping Stolen Sunken Tender "
    "Velvet Wandering Weary Winter Wooden Bitter Blind Borrowed Bright Buried Careful Clever "
    "Copper Crooked Daring Endless Fallen Foreign Forgotten Glass Humble Iron Ivory Last Late "
    "Long Lost Marble Nameless Noble Painted Pale Perfect Rising Rusty Second Simple Slow "
    "Sudden Unwritten"
)
_OBJECTS = cut(
    "Harbour Garden Letter Mirror River Lantern Window Orchard Bridge Candle Clock Compass "
    "Corner Courtyard Crown Curtain Desert Doorway Echo Ember Feather Ferry Fountain Gallery "
    "Glove Hour Island Journey Kingdom Ladder Lake Map Meadow Melody Memory Mountain Needle "
    "Night Nest Ocean Palace Path Pearl Piano Portrait Promise Road Room Rope Season Shadow "
    "Shore Song Staircase Station Stone Storm Table Thread Tower Valley Voyage Wall Well"
)
_SUBJECTS = cut(
    "Amber Ashes Birds Bronze Clay Clouds Coal Cotton Dawn Dreams Dust Exile Fire Flowers Fog "
    "Foxes Ghosts Grass Gulls Hope Horses Ice Ink Lace Leaves Lies Light Linen Mercy Mist Moths "
    "Music Oak Paper Pine Poets Rain Reeds Roses Rust Sailors Salt Sand Silk Sleep Smoke Snow "
    "Sorrow Sparrows Stars Steam Straw Strangers Swans Thieves Thorns Thunder Time Tides Wax "
    "Wheat Wind Wine Wolves"
)


class Namer:
    """Gives the names of a corpus.

    Args:
        seed: Seed of the corpus.
    """

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"names:{seed}")
        self._mixers = {kind: _Mixer(rng, sizes(kind)) for kind in _PER_DOCUMENT}

    def word(self, kind: str, document: int, number: int) -> str:
        """Return the one-word name of the ``number``-th entity of a kind in a document."""
        (head, middle, ending), lap = self._mixers[kind](document * _PER_DOCUMENT[kind] + number)
        more = ""
        while lap:
            lap, syllable = divmod(lap - 1, len(_MIDDLES))
            more += _MIDDLES[syllable]
        return _HEADS[head] + _MIDDLES[middle] + more + _ENDINGS[kind][ending]

    def title(self, document: int, number: int) -> tuple[str, ...]:
        """Return the title of the ``number``-th work in a document, as words."""
        (a, b, c), lap = self._mixers["work"](document * _PER_DOCUMENT["work"] + number)
        volume = ("Part", str(lap + 1)) if lap else ()
        return ("The", _COLOURS[a], _OBJECTS[b], "of", _SUBJECTS[c], *volume)


class _Mixer:
    """A bijection from numbers to (three digits, lap) that hides the order of the numbers."""

    __slots__ = ("add", "lookup", "sizes", "times", "total")

    def __init__(self, rng: random.Random, sizes: tuple[int, int, int]) -> None:
        self.sizes = sizes
        self.total = sizes[0] * sizes[1] * sizes[2]
        self.times = 7_368_787  # a prime above every total
        self.add = int(rng.random() * self.total)
        self.lookup = [int(rng.random() * self.total) for _ in range(max(sizes))]

    def __call__(self, number: int) -> tuple[tuple[int, int, int], int]:
        lap, place = divmod(number, self.total)
        first, second, third = self.sizes
        place, c = divmod((place * self.times + self.add) % self.total, third)
        a, b = divmod(place, second)
        b = (b + self.lookup[a]) % second
        c = (c + self.lookup[b]) % third
        return ((a + self.lookup[c]) % first, b, c), lap


def sizes(kind: str) -> tuple[int, int, int]:
    """Return how many pieces there are for each of the three places of a name."""
    if kind == "work":
        return len(_COLOURS), len(_OBJECTS), len(_SUBJECTS)
    return len(_HEADS), len(_MIDDLES), len(_ENDINGS[kind])


def capacity(kind: str) -> int:
    """Return how many documents a kind's short names suffice for; later ones are longer."""
    first, second, third = sizes(kind)
    return first * second * third // _PER_DOCUMENT[kind]
