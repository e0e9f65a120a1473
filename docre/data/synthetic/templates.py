"""The sentences: our own words for every relation, seen from either side.

A role is a relation with the side on which the subject of the paragraph stands: in ``born_in>`` it
is the head, in ``founded_by<`` the tail. In a template

* ``{s}`` is the subject, ``{s's}`` its possessive, ``{his}`` the possessive pronoun;
* ``{o}`` and ``{p}`` are what the first and the second fact say of it;
* ``{in:o}`` is a time with its preposition, "on 3 May 1901" or "in 1901";
* ``{own-son}``, ``{own-mother}``, ``{son}``, ``{mother}`` and ``{wife}`` are the words for the
  subject and for the other person that fit their sex;
* ``{PER}``, ``{LOC}``, ``{city}``, ``{country}``, ``{ORG}``, ``{MISC}`` and ``{in:TIME}`` are
  filled with anything of that kind, in sentences that state no relation.
"""

from __future__ import annotations

from collections.abc import Mapping

Roles = tuple[str, ...]

_SINGLE: dict[str, str] = {
    # a person
    "born_in>": """{s} was born in {o} .|{s} was a native of {o} .|{s's} birthplace was {o} .
        |{s} came into the world in {o} .""",
    "died_in>": """{s} died in {o} .|{s} passed away in {o} .|{s's} life ended in {o} .
        |{s} died after a long illness in {o} .""",
    "date_of_birth>": """{s} was born {in:o} .|{s} came into the world {in:o} .
        |{s's} date of birth was {o} .""",
    "date_of_death>": """{s} died {in:o} .|{s} passed away {in:o} .|{s's} life ended {in:o} .
        |{s's} date of death was {o} .""",
    "citizen_of>": """{s} was a citizen of {o} .|{s} held the citizenship of {o} .
        |{s} carried a passport of {o} .|As a citizen of {o} , {s} had the right to vote there .""",
    "works_for>": """{s} worked for {o} .|{s} was employed by {o} .|{s} held a post at {o} .
        |{s} was on the staff of {o} .|For many years {s} worked for {o} .""",
    "educated_at>": """{s} studied at {o} .|{s} was educated at {o} .|{s} graduated from {o} .
        |{s} received a degree from {o} .""",
    "member_of>": """{s} was a member of {o} .|{s} was elected a member of {o} .
        |{s} joined {o} as a member .|{s} held a membership card of {o} .""",
    "founded_by<": """{s} founded {o} .|{s} was the founder of {o} .|{s} set up {o} .
        |{s} established {o} with borrowed money .""",
    "spouse>": """{s} was married to {o} .|{s} married {o} .|{s's} {wife} was {o} .
        |{s} was happily married to {o} .""",
    "spouse<": """{s} was married to {o} .|{s} married {o} .|{s's} {wife} was {o} .
        |{s} was happily married to {o} .""",
    "parent_of>": """{s} was the {own-mother} of {o} .|{s} had a {son} , {o} .
        |{s's} {son} was {o} .|{s} brought up {his} {son} {o} .""",
    "parent_of<": """{s} was the {own-son} of {o} .|{s's} {mother} was {o} .
        |{s} was brought up by {his} {mother} {o} .|{s} was a {own-son} of {o} .""",
    "student_of>": """{s} was a student of {o} .|{s} was taught by {o} .|{s's} teacher was {o} .
        |{s} took lessons from {o} .""",
    "student_of<": """{s} taught {o} .|{s} was the teacher of {o} .|{s's} best student was {o} .
        |{s} gave lessons to {o} .""",
    "author_of>": """{s} wrote {o} .|{s} was the author of {o} .|{s} is known as the author of {o} .
        |{s} spent three years writing {o} .""",
    # an organisation
    "headquartered_in>": """{s} was headquartered in {o} .|{s} had its head office in {o} .
        |{s} moved its headquarters to {o} for good .|The headquarters of {s} stood in {o} .""",
    "founded_by>": """{s} was founded by {o} .|{s} was set up by {o} .|{s's} founder was {o} .
        |{s} was established by {o} .""",
    "founded_on>": """{s} was founded {in:o} .|{s} was established {in:o} .
        |{s} was set up {in:o} .|{s's} founding date was {o} .""",
    "owned_by>": """{s} was owned by {o} .|{s} was a subsidiary of {o} .
        |{s's} owner was {o} .|{s} was bought by {o} .""",
    "owned_by<": """{s} owned {o} .|{s} was the owner of {o} .|{s} bought {o} .
        |{s's} largest subsidiary was {o} .""",
    "works_for<": """{s} employed {o} .|{s} had {o} on its staff .|{s} gave a post to {o} .
        |At {s} worked {o} .""",
    "educated_at<": """{o} studied at {s} .|{o} graduated from {s} .|{s} gave a degree to {o} .
        |Among the graduates of {s} was {o} .""",
    "member_of<": """{o} was a member of {s} .|{s} counted {o} among its members .
        |{s} elected {o} a member .|{o} joined {s} as a member .""",
    "published_by<": """{s} published {o} .|{s} was the publisher of {o} .|{s} brought out {o} .""",
    # a place
    "located_in>": """{s} lies in {o} .|{s} is one of the old towns of {o} .
        |{s} is situated in {o} .|{s} is located in the south of {o} .""",
    "located_in<": """{o} lies in {s} .|{o} is situated in {s} .|{s} includes {o} .""",
    "capital_of>": """{s} is the capital of {o} .|{s} serves as the capital of {o} .
        |{s} has long been the capital of {o} .""",
    "capital_of<": """{s's} capital is {o} .|{o} is the capital of {s} .
        |{o} serves as the capital of {s} .""",
    "headquartered_in<": """{s} is home to the headquarters of {o} .
        |{s} houses the head office of {o} .|{o} had its head office in {s} .""",
    "born_in<": """{s} is the birthplace of {o} .|{o} was born in {s} .
        |{s} is proud to be the birthplace of {o} .""",
    "died_in<": """{o} died in {s} .|{o} passed away in {s} .|{s} is where {o} died .""",
    "citizen_of<": """{o} was a citizen of {s} .|{o} held the citizenship of {s} .""",
    # a work
    "author_of<": """{s} was written by {o} .|{s's} author was {o} .|The author of {s} was {o} .
        |{o} wrote {s} in three years .""",
    "published_on>": """{s} was published {in:o} .|{s} appeared in print {in:o} .
        |{s} came out {in:o} .""",
    "published_by>": """{s} was published by {o} .|{s} was brought out by {o} .
        |{s's} publisher was {o} .""",
}

_DOUBLE: dict[str, str] = {
    "born_in> date_of_birth>": """{s} was born in {o} {in:p} .|{s} was born {in:p} in {o} .
        |{s} came into the world {in:p} in {o} .""",
    "died_in> date_of_death>": """{s} died in {o} {in:p} .|{s} passed away {in:p} in {o} .""",
    "born_in> died_in>": """{s} was born in {o} and died in {p} .
        |{s} was a native of {o} but passed away in {p} .""",
    "date_of_birth> date_of_death>": """{s} was born {in:o} and died {in:p} .
        |{s} lived from {o} to {p} .""",
    "educated_at> works_for>": """{s} studied at {o} and then worked for {p} .
        |{s} graduated from {o} before taking a post at {p} .""",
    "works_for> member_of>": """{s} worked for {o} and was a member of {p} .
        |{s} was employed by {o} and joined {p} as a member .""",
    "student_of> educated_at>": """{s} studied at {p} and took lessons from {o} .
        |{s} graduated from {p} and was also taught by {o} .""",
    "spouse> works_for>": """{s} worked for {p} and was married to {o} .""",
    "spouse< works_for>": """{s} held a post at {p} and was married to {o} .""",
    "born_in> educated_at>": """{s} was born in {o} and studied at {p} .
        |{s} , a native of {o} , graduated from {p} .""",
    "founded_by> founded_on>": """{s} was founded {in:p} by {o} .|{s} was set up by {o} {in:p} .""",
    "headquartered_in> founded_by>": """{s} was founded by {p} and had its head office in {o} .
        |{s} was headquartered in {o} and was established by {p} .""",
    "headquartered_in> founded_on>": """{s} was founded {in:p} and had its head office in {o} .""",
    "headquartered_in> owned_by>": """{s} was owned by {p} and had its head office in {o} .""",
    "author_of< published_on>": """{s} was written by {o} and published {in:p} .
        |{s} , written by {o} , appeared in print {in:p} .""",
    "published_by> published_on>": """{s} was published by {o} {in:p} .
        |{s} was brought out by {o} {in:p} .""",
    "author_of< published_by>": """{s} was written by {o} and published by {p} .""",
}

# both facts hold of the same other thing
_SAME: dict[str, str] = {
    "born_in> died_in>": """{s} was born in {o} and also died there .
        |{s} was born and died in {o} .|{s} , a native of {o} , passed away in the same place .""",
    "educated_at> works_for>": """{s} studied at {o} and later joined its staff .
        |{s} graduated from {o} and then held a post there .""",
    "founded_by< works_for>": """{s} founded {o} and worked for it until old age .
        |{s} was the founder of {o} and stayed on its staff .""",
    "founded_by> works_for<": """{s} was founded by {o} , who also worked for it .
        |{s's} founder was {o} , who stayed on its staff .""",
    "works_for> member_of>": """{s} was a member of {o} and also worked for it .
        |{s} was on the staff of {o} and also a member .""",
    "born_in< died_in<": """{o} was born and died in {s} .""",
}

# a template after "!" is only for things between which the world knows of no fact; the last one of
# each sort needs nothing but a time, which can always be had
_IDLE: dict[str, str] = {
    "PER": """{s} visited {LOC} {in:TIME} .|{s} spent a summer in {LOC} .
        |{s} gave a talk at {ORG} {in:TIME} .|{s} met {PER} in {city} .|{s} often wrote to {PER} .
        |{s} travelled through {country} {in:TIME} .|{s} owned a house in {city} .
        |!{s} turned down a post at {ORG} .|!{s} refused to join {ORG} .
        |!{s} admired the work of {PER} .|!{s} bought a copy of {MISC} in {city} .
        |!{s} praised {MISC} in a letter to {PER} .|{s} spoke at a dinner of {ORG} in {city} .
        |{s} had a quarrel with {PER} {in:TIME} .|!{s} translated {MISC} {in:TIME} .
        |{s} painted a view of {city} {in:TIME} .|{s} fell ill {in:TIME} .""",
    "ORG": """{s} opened an exhibition in {city} {in:TIME} .|{s} gave a prize to {PER} {in:TIME} .
        |!{s} signed a contract with {ORG} .|{s} sent a delegation to {country} .
        |!{s} bought a rare copy of {MISC} .|{s} honoured {PER} with a dinner in {city} .
        |!{s} lost a lawsuit against {ORG} {in:TIME} .|!{s} refused to employ {PER} .
        |{s} held a meeting in {city} {in:TIME} .|{s} suffered from a fire {in:TIME} .""",
    "city": """{s} is linked to {city} by a railway .|{s} gave a warm welcome to {PER} {in:TIME} .
        |{s} hosted a meeting of {ORG} {in:TIME} .|!{s} sells its wool to {country} .
        |{s} named a street after {PER} .|{MISC} was once read aloud in {s} .
        |{s} was damaged by a storm {in:TIME} .""",
    "country": """!{s} signed a treaty with {country} {in:TIME} .|{s} gave a medal to {PER} .
        |{s} sent a ship to {city} {in:TIME} .|{s} gave a large grant to {ORG} .
        |{s} changed its flag {in:TIME} .""",
    "MISC": """!{s} was praised by {PER} .|{s} was read aloud in {city} {in:TIME} .
        |!{s} was given a prize by {ORG} .|{s} was banned in {country} {in:TIME} .
        |!{s} was translated by {PER} {in:TIME} .|{s} was shown on a stage in {city} .
        |{s} was nearly forgotten {in:TIME} .""",
}

LEADS = tuple(
    tuple(text.split())
    for text in (
        "By all accounts ,", "As is well known ,", "According to the records ,",
        "As the local paper reported ,", "It is certain that", "Historians agree that",
        "In fact ,", "Later sources confirm that", "As far as anyone knows ,",
    )
)  # fmt: skip
TAILS = tuple(
    tuple(text.split())
    for text in (
        ", as old letters show", ", as many still remember", ", which was common at the time",
        ", though few people knew it", ", as every guidebook says", ", a fact often overlooked",
        ", according to one account", ", as was widely reported",
    )
)  # fmt: skip
# deeds that may open with "In 1931 ,": none of them is dated by a relation
DATABLE = frozenset({"works_for>", "member_of>", "spouse>", "spouse<"})


class Templates:
    """All templates, cut into words."""

    def __init__(self) -> None:
        self.single = {role: _cut(text) for role, text in _SINGLE.items()}
        self.double = _by_pair(_DOUBLE)
        self.same = _by_pair(_SAME)
        self.idle = {sort: _cut(text) for sort, text in _IDLE.items()}


def _cut(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(template.split()) for template in text.split("|"))


def _by_pair(table: Mapping[str, str]) -> dict[Roles, tuple[tuple[str, ...], ...]]:
    return {tuple(roles.split()): _cut(text) for roles, text in table.items()}
