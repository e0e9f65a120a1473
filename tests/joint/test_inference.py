"""What is found in documents, with heads whose answers are known and with real ones."""

from __future__ import annotations

import weakref
from dataclasses import fields, replace

import pytest
import torch

from docre.documents import Document, Entity, Mention
from docre.errors import DataError
from docre.joint import (
    CoreferenceHead,
    EntityStates,
    EntityTypeHead,
    GlobalRelationHead,
    MentionHead,
    MultiInstanceRelationHead,
    Spans,
    candidate_spans,
)
from docre.joint.inference import JointHeads, extract
from docre.joint.thresholds import JointThresholds
from docre.joint.to_documents import to_document
from docre.scoring.joint import score_joint

WIDTH, TYPES, RELATIONS = 12, 3, 4
TABLES = {"grc": GlobalRelationHead, "mrc": MultiInstanceRelationHead}
LENGTHS = ((7, 5), (6,), (), (1,), (4, 4, 4))  # words of each sentence of each document


def joined(parts):
    """Put the spans of documents behind each other."""
    parts = list(parts)
    return Spans(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Spans)))


def recorded(head, name, found):
    """The same head; its answer is also kept under a name."""

    def forward(*given):
        found[name] = head(*given)
        return found[name]

    return forward


def candidates(lengths, row=0):
    sentences = torch.tensor(lengths, dtype=torch.long)
    return candidate_spans(sentences, torch.arange(int(sentences.sum()) + 1) * 2, 3, row)


def real_heads(kind, dtype=torch.float32):
    torch.manual_seed(1)
    heads = [
        MentionHead(WIDTH),
        CoreferenceHead(WIDTH),
        EntityStates(),
        EntityTypeHead(WIDTH, TYPES),
        TABLES[kind](WIDTH, TYPES, RELATIONS),
    ]
    for head in heads:
        head.eval().to(dtype)
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return JointHeads(*heads)


def edit(row, mentions):
    return (mentions.word_start[:, None] * 7 + mentions.word_end).fmod(5)


def states_of(lengths, tokens=None):
    torch.manual_seed(sum(lengths))
    states = torch.randn(2 * sum(lengths), WIDTH)
    return torch.nn.functional.pad(states, (0, 0, 0, (tokens or len(states)) - len(states)))


def everything(found):
    """All that was found, by name; the row in the batch aside."""
    values = {f.name: getattr(found, f.name) for f in fields(found)}
    spans, _ = values.pop("mentions"), values.pop("tasks")
    return values | {f.name: getattr(spans, f.name) for f in fields(spans) if f.name != "document"}


@pytest.mark.parametrize("kind", TABLES)
def test_batches_find_what_single_documents_have(kind):
    heads, sure = real_heads(kind), JointThresholds(0.6, 0.3, 0.5)
    alone = [
        extract(heads, states_of(lengths)[None], candidates(lengths), edit, sure)[0]
        for lengths in LENGTHS
    ]
    assert sum(len(found.relation) for found in alone) > 50
    assert any(len(found.mentions) > len(found.entity_type) for found in alone)
    states = torch.stack([states_of(lengths, 40) for lengths in LENGTHS])
    spans = joined(candidates(lengths, row) for row, lengths in enumerate(LENGTHS))
    within = torch.cat([torch.arange(len(candidates(lengths))) for lengths in LENGTHS])
    mixed = spans.of(within.sort(stable=True).indices)  # the first of each document, and so on
    for given in (spans, mixed):
        together = extract(heads, states, given, edit, sure)
        assert len(together) == len(alone)
        for row, (found, expected) in enumerate(zip(together, alone, strict=True)):
            assert (found.mentions.document == row).all()
            for name, value in everything(expected).items():
                torch.testing.assert_close(everything(found)[name], value, msg=f"{row}: {name}")


@pytest.mark.parametrize("kind", TABLES)
def test_candidates_that_read(kind):
    """What is between mentions is still read from the tokens; documents read as a whole."""
    heads, sure = real_heads(kind), JointThresholds(0.6, 0.3, 0.5)
    states = torch.stack([states_of(lengths, 40) for lengths in LENGTHS])
    spans = joined(candidates(lengths, row) for row, lengths in enumerate(LENGTHS))
    asked = []

    def read(values, document, documents):
        asked.append((len(values), documents))
        sizes = torch.bincount(document, minlength=documents)
        return values * (sizes[document] / 7).unsqueeze(1)

    scaled = replace(heads, read_spans=read)
    whole = extract(scaled, states, spans, edit, sure)
    assert asked == [(len(spans), len(LENGTHS))]
    for budget, parts in ((1, 4), (21, 3), (46, 2)):  # of 30, 15, 0, 1 and 27 candidates
        asked.clear()
        same(extract(scaled, states, spans, edit, sure, span_budget=budget), whole)
        assert sum(count for count, _ in asked) == len(spans)
        assert len(asked) == parts
    for row, lengths in enumerate(LENGTHS):
        count = len(candidates(lengths))
        maxima = replace(heads, read_spans=lambda values, *_, by=count / 7: values * by)
        same(extract(maxima, states[row : row + 1], candidates(lengths), edit, sure), [whole[row]])


def same(found, expected):
    for each, wanted in zip(found, expected, strict=True):
        for name, value in everything(wanted).items():
            torch.testing.assert_close(everything(each)[name], value, msg=name)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("budget", [1, 5, 40, 10**6])
def test_work_in_parts_finds_the_same(kind, budget):
    heads, sure = real_heads(kind), JointThresholds(0.6, 0.3, 0.5)
    states = torch.stack([states_of(lengths, 40) for lengths in LENGTHS])
    spans = joined(candidates(lengths, row) for row, lengths in enumerate(LENGTHS))
    whole = extract(heads, states, spans, edit, sure)
    rows = {"mention": [], "coreference": [], "relation": []}

    def counted(name, index):
        def head(*given):
            size = len(given[index]) if name != "relation" else len(given[0].mention_pairs.pair)
            pairs = 1 if name != "relation" else len(given[0].pair_head)
            rows[name].append((size, pairs))
            return getattr(heads, name)(*given)

        return head

    watched = replace(
        heads,
        mention=counted("mention", 1),
        coreference=counted("coreference", 1),
        relation=counted("relation", 0),
    )
    same(extract(watched, states, spans, edit, sure, (), budget, budget), whole)
    for name, parts in rows.items():
        assert all(size <= budget or (name == "relation" and pairs == 1) for size, pairs in parts)
        assert (len(parts) == 1) == (budget == 10**6), name


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("budget", [5, 10**6])
def test_relations_are_those_of_all_that_reach_the_threshold(kind, budget):
    """With a threshold of 0 there is every relation of every pair; others leave some of them."""
    heads = real_heads(kind)
    states = torch.stack([states_of(lengths, 40) for lengths in LENGTHS])
    spans = joined(candidates(lengths, row) for row, lengths in enumerate(LENGTHS))

    def rows(threshold):
        sure = JointThresholds(0.6, 0.3, threshold)
        found = extract(heads, states, spans, edit, sure, (), budget, budget)
        names = ("head", "tail", "relation", "relation_probability")
        columns = [[getattr(one, name).tolist() for name in names] for one in found]
        return found, [list(zip(*of, strict=True)) for of in columns]

    found, every = rows(0.0)
    for one, listed in zip(found, every, strict=True):
        count = len(one.entity_type)
        assert [row[:3] for row in listed] == [
            (h, t, r)
            for h in range(count)
            for t in range(count)
            if h != t
            for r in range(RELATIONS)
        ]
    assert sum(map(len, every)) > 100
    for threshold in (0.3, 0.7, every[0][0][3], 1.0):
        wanted = [[row for row in listed if row[3] >= threshold] for listed in every]
        assert rows(threshold)[1] == wanted


def test_what_was_scored_is_not_kept():
    """Only one part of the scores of all pairs exists at a time."""
    heads, alive = real_heads("grc"), []

    def relation(given):
        assert not any(scores() is not None for scores in alive)
        found = heads.relation(given)
        alive.append(weakref.ref(found))
        return found

    states, spans = states_of((7, 5))[None], candidates((7, 5))
    sure = JointThresholds(0.1, 1.0, 0.9)
    extract(replace(heads, relation=relation), states, spans, edit, sure, (), 20)
    assert len(alive) > 3


def test_edit_distances_are_whole_numbers():
    """Also those that single precision has no number for."""
    asked, large = {}, 2**24 + 1
    heads = known_heads([9.0, 9.0], {(0, 1): 0.0}, [0.0], asked)
    spans = candidates((2,)).of(torch.arange(2))
    for kind in (torch.long, torch.int32):
        distance = torch.full((2, 2), large, dtype=kind)
        extract(heads, states_of((2,))[None], spans, lambda *_, d=distance: d, JointThresholds())
        assert asked["pairs"] == [(0, 1, large)]


@pytest.mark.parametrize("budget", [0, -1])
def test_budgets_are_positive(budget):
    states, spans = states_of((4, 3))[None], candidates((4, 3))
    for budgets in ((1, budget), (budget, 1)):
        with pytest.raises(ValueError, match=f"budget of {budget}"):
            extract(real_heads("grc"), states, spans, edit, JointThresholds(0, 1, 0), (), *budgets)


def never(*_):
    raise AssertionError("there is nothing to compare")


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("documents", [0, 1, 3])
def test_no_candidates(kind, documents):
    states = torch.randn(documents, 5, WIDTH)
    nothing = candidates(())
    found = extract(real_heads(kind), states, nothing, never, JointThresholds())
    assert len(found) == documents
    assert not any(len(value) for each in found for value in everything(each).values())


@pytest.mark.parametrize("kind", TABLES)
def test_nothing_accepted(kind):
    states, spans = states_of((4, 3))[None], candidates((4, 3))
    (found,) = extract(real_heads(kind), states, spans, never, JointThresholds(mention=1.0))
    assert not any(map(len, everything(found).values()))


def known_heads(mention, coreference, relation, asked=None):
    """Heads that give these logits; ``asked`` takes what coreference and relations were asked."""
    asked = {} if asked is None else asked

    def of_pairs(states, first, second, distance):
        asked["pairs"] = list(zip(first.tolist(), second.tolist(), distance.tolist(), strict=True))
        return torch.tensor([coreference[pair[:2]] for pair in asked["pairs"]])

    def of_relations(given):
        asked["types"] = given.entity_type.tolist()
        asked["entities"] = list(
            zip(given.pair_head.tolist(), given.pair_tail.tolist(), strict=True)
        )
        return torch.tensor(relation).expand(len(asked["entities"]), len(relation))

    return JointHeads(
        lambda states, sizes: torch.tensor(mention),
        of_pairs,
        EntityStates().eval(),
        lambda entities: entities[:, :TYPES],
        of_relations,
    )


def logit(probability):
    """A float32 whose sigmoid is the probability, as float32 has it."""
    wanted = torch.tensor(probability)
    around = torch.logit(wanted.double()).float()
    near = around.view(torch.int32) + torch.arange(-200, 200, dtype=torch.int32)
    values = near.view(torch.float32)
    return values[values.sigmoid() == wanted][0].item()


@pytest.mark.parametrize("threshold", [0.5, 0.85, 0.6])
def test_mentions_and_relations_that_just_reach_the_threshold(threshold):
    tie, below = logit(threshold), logit(threshold - 1e-6)
    heads = known_heads([tie, below, 9.0], {(0, 1): -9.0}, [below, tie, -9.0, 9.0])
    spans, sure = candidates((3,)).of(torch.arange(3)), JointThresholds(threshold, 0.9, threshold)
    (found,) = extract(heads, states_of((3,))[None], spans, edit, sure)
    assert found.mentions.word_start.tolist() == [0, 2]
    assert found.mention_probability[0] == torch.tensor(threshold)
    columns = (found.head, found.tail, found.relation)
    expected = [(0, 1, 1), (0, 1, 3), (1, 0, 1), (1, 0, 3)]
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected
    assert found.relation_probability[0] == torch.tensor(threshold)


@pytest.mark.parametrize(("threshold", "entities"), [(0.5, 2), (0.85, 1)])
def test_pairs_that_just_reach_the_threshold(threshold, entities):
    """The distance has to be below that of the threshold: float32 rounds 0.85 to the good side."""
    heads = known_heads([9.0, 9.0], {(0, 1): logit(threshold)}, [9.0])
    spans, sure = candidates((2,)).of(torch.arange(2)), JointThresholds(0.5, threshold, 0.5)
    (found,) = extract(heads, states_of((2,))[None], spans, edit, sure)
    assert len(found.entity_type) == entities
    assert len(found.relation) == entities * (entities - 1)


def test_later_heads_see_only_what_was_accepted():
    """Candidates 0, 2, 3, 4; linkage is complete: 0 and 4 are alike, 2 is like 0 alone."""
    asked = {}
    alike = dict.fromkeys([(0, 1), (0, 3)], 5.0) | {(0, 3): 9.0}
    pairs = {(one, other): -5.0 for one in range(4) for other in range(one + 1, 4)}
    heads = known_heads([9.0, -9.0, 9.0, 9.0, 9.0], pairs | alike, [9.0], asked)
    spans = candidates((5,)).of(torch.arange(5))
    distance = torch.arange(16).view(4, 4)
    states = torch.zeros(1, 10, WIDTH)
    states[0, 4, 1], states[0, 6, 2] = 3.0, 2.0
    (found,) = extract(heads, states, spans, lambda *_: distance, JointThresholds())
    assert asked["pairs"] == [(i, j, 4 * i + j) for i in range(4) for j in range(i + 1, 4)]
    assert found.mention_entity.tolist() == [0, 1, 2, 0]
    assert found.entity_type.tolist() == asked["types"] == [0, 1, 2]
    assert found.entity_probability[0].item() == pytest.approx(1 / 3)
    assert asked["entities"] == [(h, t) for h in range(3) for t in range(3) if h != t]
    assert len(found.relation) == 6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", TABLES)
def test_half_precision_is_finite(kind, dtype):
    """Large states, so that some logits are as large as half precision has them."""
    heads = real_heads(kind, dtype)
    states = (40 * states_of(LENGTHS[0])).to(dtype)[None]
    everyone_alone = JointThresholds(0.5, 1.0, 0.0)
    (found,) = extract(heads, states, candidates(LENGTHS[0]), edit, everyone_alone)
    assert len(found.relation)
    for name in ("mention_probability", "entity_probability", "relation_probability"):
        values = getattr(found, name)
        assert values.dtype == torch.float32
        assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("head", ["mention", "coreference", "relation"])
def test_logits_that_are_no_numbers(head):
    wrong = {"mention": 9.0, "coreference": -9.0, "relation": 9.0} | {head: float("nan")}
    pairs = {(0, 1): wrong["coreference"]}
    heads = known_heads([9.0, wrong["mention"]], pairs, [wrong["relation"]])
    spans = candidates((2,)).of(torch.arange(2))
    with pytest.raises(ValueError, match=f"{head} head"):
        extract(heads, states_of((2,))[None], spans, edit, JointThresholds())


def test_edit_distances_of_another_document():
    heads = known_heads([9.0, 9.0], {(0, 1): 0.0}, [0.0])
    spans = candidates((2,)).of(torch.arange(2))
    with pytest.raises(ValueError, match=r"document 0 are \[3, 3\] for 2 mentions"):
        extract(
            heads, states_of((2,))[None], spans, lambda *_: torch.eye(3).long(), JointThresholds()
        )


@pytest.mark.parametrize("name", ["mention", "coreference", "relation"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_thresholds_are_probabilities(name, value):
    with pytest.raises(ValueError, match=f"thresholds.{name}"):
        JointThresholds(**{name: value})


def found_in(lengths):
    """Mentions: the first word of the text, the last, and both first words of sentence 1."""
    count, first = sum(lengths), lengths[0]
    words = {(0, 1), (count - 1, count), (first, first + 2)}
    spans = candidates(lengths)
    logits = [
        9.0 if place in words else -9.0
        for place in zip(spans.word_start.tolist(), spans.word_end.tolist(), strict=True)
    ]
    pairs = {(0, 1): 9.0, (0, 2): -9.0, (1, 2): -9.0}
    heads = known_heads(logits, pairs, [-9.0, 9.0])
    states = torch.zeros(1, 2 * count, WIDTH)
    states[0, 2 * first, 2] = 1.0
    return extract(heads, states, spans, edit, JointThresholds())[0]


def test_documents_of_what_was_found():
    sentences = [["Ada", "met", "Byron", "."], ["The", "Countess", "of", "L", "."]]
    source = Document.from_words("Ada", sentences, [[(0, 2, 3)]], [])
    made = to_document(source, found_in((4, 5)), ["PER", "LOC", "NUM"], ["P1", "P2"])
    places = [[(m.sentence, m.start, m.end) for m in e.mentions] for e in made.entities]
    assert places == [[(0, 0, 1), (1, 4, 5)], [(1, 0, 2)]]
    assert [entity.type for entity in made.entities] == ["PER", "NUM"]
    assert [mention.type for e in made.entities for mention in e.mentions] == ["PER", "PER", "NUM"]
    labels = [(label.head, label.tail, label.relation) for label in made.relations]
    assert labels == [(0, 1, "P2"), (1, 0, "P2")]
    assert made.relations[0].score == pytest.approx(1 / (1 + 2.718281828459045**-9))
    assert (made.id, made.sentences) == (source.id, source.sentences)


def test_entities_whose_type_nobody_knows():
    sentences = [["Ada", "met", "Byron", "."], ["The", "Countess", "of", "L", "."]]
    found = found_in((4, 5))
    unknown = replace(found, entity_type=torch.tensor([-1, 2]))
    source = Document.from_words("Ada", sentences)
    made = to_document(source, unknown, ["PER", "LOC", "NUM"], ["P1", "P2"])
    assert [entity.type for entity in made.entities] == ["", "NUM"]
    assert {mention.type for mention in made.entities[0].mentions} == {""}


def test_annotated_entities_keep_a_type_that_the_model_does_not_know():
    sentences = [["Ada", "met", "Byron", "."], ["The", "Countess", "of", "L", "."]]
    entities = [
        Entity((Mention(0, 0, 1), Mention(1, 4, 5)), "ALIEN"),
        Entity((Mention(1, 0, 2),), "PER"),
    ]
    source = Document.from_words("Ada", sentences, entities, [])
    found = replace(found_in((4, 5)), entity_type=torch.tensor([-1, 0]))
    names = ["PER", "LOC", "NUM"], ["P1", "P2"]
    made = to_document(source, replace(found, tasks=("relation",)), *names)
    assert [entity.type for entity in made.entities] == ["ALIEN", "PER"]
    assert {mention.type for mention in made.entities[0].mentions} == {"ALIEN"}
    assert len(made.relations) == 2
    truth = replace(source, relations=made.relations)
    scores = score_joint([truth], [made])
    assert scores.relation_strict.overall.f1 == scores.relation_relaxed.overall.f1 == 1
    for others in (("coreference",), ("mention", "coreference")):  # found, not annotated
        made = to_document(source, replace(found, tasks=others), *names)
        assert [entity.type for entity in made.entities] == ["", "PER"]


@pytest.mark.parametrize("tasks", [("mention",), ("coreference", "entity"), ("entity",)])
def test_without_a_relation_head_nothing_was_judged(tasks):
    sentences = [["Ada", "met", "Byron", "."], ["The", "Countess", "of", "L", "."]]
    spans = [[(0, 0, 1), (1, 4, 5)], [(1, 0, 2)]]
    source = Document.from_words("Ada", sentences, spans, [(0, 1, "P1")])
    made = to_document(source, replace(found_in((4, 5)), tasks=tasks), ["PER", "LOC", "NUM"], [])
    assert made.relations is None
    assert [entity.type for entity in made.entities] == ["PER", "NUM"]


def test_documents_of_another_text():
    source = Document.from_words("Ada", [["Ada", "met", "Byron", "."]])
    with pytest.raises(DataError, match="Ada"):
        to_document(source, found_in((4, 5)), ["PER", "LOC", "NUM"], ["P1", "P2"])


@pytest.mark.gpu
@pytest.mark.parametrize("kind", TABLES)
def test_states_on_a_device(kind):
    """Everything else is given, and had back, in host memory."""
    heads, sure = real_heads(kind), JointThresholds(0.6, 0.3, 0.5)
    states = torch.stack([states_of(lengths, 40) for lengths in LENGTHS])
    spans = joined(candidates(lengths, row) for row, lengths in enumerate(LENGTHS))
    expected = extract(heads, states, spans, edit, sure)
    for field in fields(heads):
        getattr(heads, field.name).cuda()
    for found, wanted in zip(
        extract(heads, states.cuda(), spans, edit, sure), expected, strict=True
    ):
        for name, value in everything(wanted).items():
            torch.testing.assert_close(everything(found)[name], value, atol=1e-4, rtol=1e-4)
