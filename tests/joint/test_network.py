"""The whole network: what it learns, what it finds, with heads and memories of all kinds."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from docre.joint import (
    CoreferenceHead,
    EntityTypeHead,
    GlobalRelationHead,
    JointLoss,
    JointNetwork,
    JointTargets,
    JointThresholds,
    MentionHead,
    MultiInstanceRelationHead,
    NegativeCounts,
    SimilarityMemories,
    clusters,
    relating,
)
from docre.joint import network as network_module
from docre.losses import (
    AdaptiveThresholdLoss,
    BalancedSoftmaxLoss,
    ConcentratedMarginLoss,
    PositiveUnlabelledLoss,
)
from docre.memory import SimilarityReader, TokenTuringReader, switch_reads
from tests.joint.scenes import (
    RELATIONS,
    TYPES,
    WIDTH,
    candidate_batch,
    documents,
    rich,
    states,
    training_batch,
    truth,
)

EVERYTHING = NegativeCounts(spans=10**6, coreference=10**6, relations=10**6)
FACTORIES = {
    "mention": MentionHead,
    "coreference": CoreferenceHead,
    "entity": EntityTypeHead,
    "relation": GlobalRelationHead,
}
ROWS = [
    tuple(FACTORIES)[first:last]
    for first in range(len(FACTORIES))
    for last in range(first + 1, len(FACTORIES) + 1)
]
RELATION = {"grc": GlobalRelationHead, "mrc": MultiInstanceRelationHead}
turing = partial(TokenTuringReader, slots=5, attention_heads=2)
MEMORIES = {
    "none": {},
    "similarity": {"memory": SimilarityMemories},
    "similarity and turing": {"memory": SimilarityMemories, "readers": [turing]},
    "two readers": {"readers": [turing, partial(SimilarityReader, slots=4)]},
}
LOSSES = {
    "bce": None,
    "cmm": ConcentratedMarginLoss,
    "s-pu": partial(PositiveUnlabelledLoss, prior_multiple=2.0),
}
SURE, MANY = JointThresholds(0.5, 0.45, 0.5), JointThresholds(0.1, 0.9, 0.3)


def build(seed=0, std=0.4, types=TYPES, **settings):
    """A network whose scores are far from each other."""
    torch.manual_seed(seed)
    settings = {"dropout": 0.0, **settings}
    network = JointNetwork(WIDTH, types, RELATIONS, **settings)
    for name, parameter in network.named_parameters():
        if "norm" not in name:
            nn.init.normal_(parameter, std=std)
    return network.eval()


def edit(row, mentions):
    return (mentions.word_start[:, None] * 7 + mentions.word_end).fmod(5)


def loss_of(network, truths, relation=None, **settings):
    batch = training_batch(truths, **settings)
    priors = torch.full((RELATIONS,), 0.1)
    made = JointLoss(priors, relation=relation)
    return made(network(states(truths), batch), JointTargets.of(batch.sample, RELATIONS))


def everything(found):
    values = {f.name: getattr(found, f.name) for f in fields(found)}
    spans, _ = values.pop("mentions"), values.pop("tasks")
    return values | {f.name: getattr(spans, f.name) for f in fields(spans) if f.name != "document"}


def same(found, expected):
    for each, wanted in zip(found, expected, strict=True):
        for name, value in everything(wanted).items():
            torch.testing.assert_close(everything(each)[name], value, msg=name)


def extracted(network, truths, sure=SURE):
    return network.extract(states(truths), candidate_batch(truths), edit, sure)


# training


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", RELATION)
def test_every_parameter_learns(kind, memory, loss):
    threshold = LOSSES[loss] is not None
    network = build(relation=RELATION[kind], threshold=threshold, **MEMORIES[memory]).train()
    parts = loss_of(network, documents(), LOSSES[loss])
    parts.total().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    names = {name.partition("/")[0] for name in parts.parts}
    assert names == {"mention", "coreference", "entity", "relation"}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", RELATION)
@pytest.mark.parametrize("document", [1, 2])
def test_a_batch_without_pairs_or_entities(kind, memory, loss, document):
    """Each parameter has a part in it, so data-parallel training goes on."""
    threshold = LOSSES[loss] is not None
    network = build(relation=RELATION[kind], threshold=threshold, **MEMORIES[memory]).train()
    parts = loss_of(network, [documents()[document]], LOSSES[loss])
    empty = [name for name in parts.parts if not name.startswith("mention")]
    entities = {"entity"} if document == 1 else set()
    assert all((float(parts.scalars()[name]) > 0) == (name in entities) for name in empty)
    parts.total().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", RELATION)
def test_a_step_before_memories_are_read(kind, loss):
    threshold = LOSSES[loss] is not None
    settings = {"relation": RELATION[kind], "threshold": threshold}
    network = build(**settings, **MEMORIES["similarity"])
    switch_reads(network, False)
    loss_of(network, documents(), LOSSES[loss]).total().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any() == (".reads." not in name), name
    # the classifiers of the memory are there, the reads are as if they were not
    plain = build(**settings, memory=partial(SimilarityMemories, tokens=[], mentions=[]))
    weights = network.state_dict()
    plain.load_state_dict({name: weights[name] for name in plain.state_dict()})
    batch, given = training_batch(documents()), states(documents())
    for one, other in zip(
        astuple(network(given, batch)), astuple(plain(given, batch)), strict=True
    ):
        assert torch.equal(one, other)


def astuple(value):
    return [getattr(value, field.name) for field in fields(value)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_step_in_half_precision(memory, loss):
    threshold = LOSSES[loss] is not None
    settings = {"relation": MultiInstanceRelationHead, "threshold": threshold}
    network = build(std=0.1, **settings, **MEMORIES[memory])
    exact = loss_of(network, documents(), LOSSES[loss]).total()
    with torch.autocast("cpu", torch.bfloat16):
        half = loss_of(network, documents(), LOSSES[loss]).total()
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=0.05, rtol=0.05)
    half.backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", RELATION)
def test_the_order_of_documents_does_not_matter(kind, memory):
    network = build(relation=RELATION[kind], **MEMORIES[memory])
    truths, order = documents(), [3, 0, 2, 1]
    turned = [truths[row] for row in order]
    each = [network(states([one]), training_batch([one])) for one in truths]
    for of in (truths, turned):
        logits = network(states(of), training_batch(of))
        alone = each if of is truths else [each[row] for row in order]
        for name in FACTORIES:
            wanted = torch.cat([getattr(one, name) for one in alone])
            torch.testing.assert_close(getattr(logits, name), wanted, msg=name)
    found = extracted(network, truths, MANY)
    assert sum(len(one.relation) for one in found) > 20
    same(extracted(network, turned, MANY), [found[row] for row in order])
    for row, one in enumerate(truths):
        same(extracted(network, [one], MANY), found[row : row + 1])


def test_batches_of_the_other_kind_are_refused():
    network, truths = build(relation=MultiInstanceRelationHead), documents()
    with pytest.raises(ValueError, match="no sample"):
        network(states(truths), candidate_batch(truths))
    with pytest.raises(ValueError, match="mention pairs"):
        network(states(truths), replace(training_batch(truths), mention_pairs=None))
    with pytest.raises(ValueError, match="no candidates"):
        network.extract(states(truths), training_batch(truths), edit, SURE)


@pytest.mark.parametrize("threshold", [False, True])
@pytest.mark.parametrize("kind", RELATION)
def test_mention_pairs_are_made_for_heads_that_read_them(kind, threshold, monkeypatch):
    network, truths = build(relation=RELATION[kind], threshold=threshold), documents()
    read, told, made = kind == "mrc", [], []
    network.relation.register_forward_hook(
        lambda _module, given, _output: told.append(given[0].mention_pairs is not None)
    )
    make = relating.all_mention_pairs
    monkeypatch.setattr(relating, "all_mention_pairs", lambda *a: made.append(a) or make(*a))
    batch = training_batch(truths)
    logits = network(states(truths), batch).relation
    extracted(network, truths)
    assert set(told) == {read}
    assert bool(made) == read
    if not read:
        bare = replace(batch, mention_pairs=None)
        assert torch.equal(network(states(truths), bare).relation, logits)


def test_span_maxima_are_told_the_longest_span(monkeypatch):
    """Known on the host, it bounds the tables also where nobody may look at the spans."""
    told, truths = [], documents()
    pool = network_module.span_max
    monkeypatch.setattr(
        network_module, "span_max", lambda *given: told.append(given[4]) or pool(*given)
    )
    network = build().to("meta")
    for row in (truths, truths[1:2], truths[2:3]):
        batch = training_batch(row)
        spans = batch.sample.spans
        network(states(row).to("meta"), batch.to("meta"))
        assert told.pop() == int((spans.end - spans.start).max())
    unknown = replace(batch, sample=replace(batch.sample, longest=None))
    assert torch.equal(build()(states(row), unknown).mention, build()(states(row), batch).mention)


# single tasks


def only(row, **settings):
    settings = {"relation": MultiInstanceRelationHead, **settings}
    heads = {name: settings.get(name, factory) for name, factory in FACTORIES.items()}
    return build(**{name: heads[name] if name in row else None for name in heads})


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_heads_in_a_row_learn_and_find(row):
    network = only(row)
    assert network.tasks == row
    batch = training_batch(documents())
    logits = network(states(documents()), batch)
    assert [name for name in FACTORIES if getattr(logits, name) is not None] == list(row)
    parts = JointLoss()(logits, JointTargets.of(batch.sample, RELATIONS))
    assert tuple(parts.parts) == row
    parts.total().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    found = extracted(network, documents())
    assert all(one.tasks == row for one in found)
    assert any(len(one.mentions) for one in found)
    assert ("relation" in row) == any(len(one.relation) for one in found)
    for one, known in zip(found, documents(), strict=True):
        assert len(one.mention_entity) == len(one.mentions)
        assert set(one.mention_entity.tolist()) == set(range(len(one.entity_type)))
        if "mention" not in row:
            assert (one.mention_probability == 1).all()
        if "mention" in row and "coreference" not in row:
            assert one.mention_entity.tolist() == list(range(len(one.mentions)))
        if row[0] == "relation":
            assert one.entity_type.tolist() == known.entity_type.tolist()
            assert (one.entity_probability == 1).all()
        elif "entity" not in row:
            assert (one.entity_type == -1).all()
            assert (one.entity_probability == 0).all()


@pytest.mark.parametrize("row", [("mention", "entity"), ("coreference", "relation"), ()])
def test_heads_with_a_gap(row):
    lacking = {"mention": "coreference", "coreference": "entity"}.get((row or ("",))[0], "no head")
    with pytest.raises(ValueError, match=lacking):
        only(row)


def test_mentions_alone_are_those_of_the_head():
    network, truths = only(("mention",)), documents()
    spans = training_batch(truths, EVERYTHING).sample.spans
    logits = network(states(truths), training_batch(truths, EVERYTHING)).mention
    probability = logits.detach().sigmoid()
    short = spans.sizes <= 3  # longer ones are annotated, and no candidates
    wanted = {
        (int(d), int(s), int(e)): float(p)
        for d, s, e, p, k in zip(
            spans.document, spans.word_start, spans.word_end, probability, short, strict=True
        )
        if k and p >= SURE.mention
    }
    assert len(wanted) > 10
    found = {
        (row, int(s), int(e)): float(p)
        for row, one in enumerate(extracted(network, truths))
        for s, e, p in zip(
            one.mentions.word_start, one.mentions.word_end, one.mention_probability, strict=True
        )
    }
    assert found == pytest.approx(wanted, abs=1e-6)


def test_coreference_alone_clusters_annotated_spans():
    """Each span once, in the order of candidates, however it was annotated."""
    network, one = only(("coreference",)), rich()
    (found,) = extracted(network, [one])
    places = list(zip(one.mention_start.tolist(), one.mention_end.tolist(), strict=True))
    ends = one.sentence_words.cumsum().tolist()
    order = sorted(
        set(places),
        key=lambda place: (sum(place[0] >= end for end in ends), place[1] - place[0], place[0]),
    )
    assert len(order) == len(places) - 2
    spans = found.mentions
    assert list(zip(spans.word_start.tolist(), spans.word_end.tolist(), strict=True)) == order
    offset, tokens = one.token_offset, states([one])[0]
    mentions = torch.stack([tokens[offset[a] : offset[b]].amax(0) for a, b in order])
    first, second = torch.triu_indices(len(order), len(order), 1)
    scores = network.coreference(mentions, first, second, edit(0, spans)[first, second])
    similarity = torch.zeros(len(order), len(order))
    similarity[first, second] = scores.sigmoid().detach()
    groups = clusters(similarity, SURE.coreference)
    assert 1 < len(groups) < len(order)
    assert [found.mention_entity.tolist().index(k) for k in range(len(groups))] == [
        group[0] for group in groups
    ]
    for number, group in enumerate(groups):
        assert all(found.mention_entity[mention] == number for mention in group)


@pytest.mark.parametrize(
    ("first", "types"), [("entity", TYPES), ("relation", TYPES), ("relation", 0)]
)
@pytest.mark.parametrize("kind", RELATION)
def test_annotated_entities_are_related_as_in_training(first, kind, types):
    """All pairs are asked in a sample that is large enough, and the answers are the same."""
    truths = documents()
    if not types:  # nobody knows them
        truths = [replace(one, entity_type=np.full_like(one.entity_type, -1)) for one in truths]
    heads = {"mention": None, "coreference": None, "relation": RELATION[kind]}
    if first == "relation":
        heads["entity"] = None
    network, sure = build(types=types, **heads), JointThresholds(relation=0.0)
    batch = training_batch(truths, EVERYTHING)
    given = states(truths)
    if first == "entity":  # the relation head sees predicted types, which training does not
        predicted = network(given, batch).entity.argmax(1)
        batch = replace(batch, sample=replace(batch.sample, entity_type=predicted))
    relation = network(given, batch).relation.detach()
    sample = batch.sample
    found = extracted(network, truths, sure)
    start = 0
    for row, one in enumerate(found):
        count = len(truths[row].entity_type)
        assert one.mention_entity.tolist() == truths[row].mention_entity.tolist()
        assert one.mentions.word_start.tolist() == truths[row].mention_start.tolist()
        assert one.mentions.word_end.tolist() == truths[row].mention_end.tolist()
        assert one.entity_type.tolist() == sample.entity_type[start : start + count].tolist()
        expected = {
            (int(h) - start, int(t) - start): scores.sigmoid()
            for h, t, scores in zip(sample.pair_head, sample.pair_tail, relation, strict=True)
            if start <= h < start + count
        }
        assert len(expected) == count * (count - 1)
        assert len(one.relation) == len(expected) * RELATIONS
        columns = (one.head, one.tail, one.relation, one.relation_probability)
        for h, t, r, probability in zip(*(column.tolist() for column in columns), strict=True):
            assert probability == pytest.approx(float(expected[h, t][r]), abs=1e-6)
        start += count


def test_annotations_have_to_be_there():
    network, truths = only(("coreference",)), documents()
    batch = replace(candidate_batch(truths), truth=())
    with pytest.raises(ValueError, match="0 documents for 4"):
        network.extract(states(truths), batch, edit, SURE)


# thresholds, readers, memories


@pytest.mark.parametrize(
    "loss", [AdaptiveThresholdLoss, BalancedSoftmaxLoss, ConcentratedMarginLoss]
)
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_relation_is_as_probable_as_it_is_above_the_threshold(memory, loss):
    settings = {"relation": MultiInstanceRelationHead, **MEMORIES[memory]}
    network = build(mention=None, coreference=None, threshold=True, **settings)
    switch_reads(network, False)  # documents have other candidates in training
    one = rich()
    batch = training_batch([one], EVERYTHING)
    types = network(states([one]), batch).entity.argmax(1)
    batch = replace(batch, sample=replace(batch.sample, entity_type=types))
    logits = network(states([one]), batch).relation.detach()
    assert logits.shape == (20, 1 + RELATIONS)
    parts = JointLoss(torch.ones(RELATIONS) / 9, relation=loss)(
        network(states([one]), batch), JointTargets.of(batch.sample, RELATIONS)
    )
    assert parts.total().isfinite()
    probability = (logits[:, 1:] - logits[:, :1]).sigmoid()
    above = probability >= 0.5
    assert 0 < int(above.sum()) < above.numel()
    pairs = list(zip(batch.sample.pair_head.tolist(), batch.sample.pair_tail.tolist(), strict=True))
    wanted = {(*pairs[p], r): float(probability[p, r]) for p, r in above.nonzero().tolist()}
    (found,) = extracted(network, [one], JointThresholds(relation=0.5))
    columns = (found.head, found.tail, found.relation)
    keys = zip(*(column.tolist() for column in columns), strict=True)
    values = found.relation_probability.tolist()
    assert dict(zip(keys, values, strict=True)) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("memory", [*MEMORIES, "pairs of a document see each other"])
@pytest.mark.parametrize("kind", RELATION)
def test_work_in_parts(kind, memory):
    """Parts end within documents, and pairs that see each other do so all the same."""
    together = {"readers": [partial(turing, axis="document")]}
    settings = {"relation": RELATION[kind], **MEMORIES.get(memory, together)}
    whole = build(**settings)
    found = extracted(whole, documents(), MANY)
    assert sum(len(one.relation) for one in found) > 20
    for budgets in ((150, 25), (1000, 60)):
        names = ("mention_pair_budget", "span_budget")
        parts = build(**settings, **dict(zip(names, budgets, strict=True)))
        same(extracted(parts, documents(), MANY), found)


def test_pairs_that_see_each_other_do_so_in_training():
    network = build(readers=[partial(turing, axis="document")])
    batch = training_batch([rich()])
    of_all = network(states([rich()]), batch).relation
    sample = batch.sample
    some = slice(2, 5)
    fewer = replace(sample, pair_head=sample.pair_head[some], pair_tail=sample.pair_tail[some])
    of_some = network(states([rich()]), replace(batch, sample=fewer)).relation
    assert not torch.allclose(of_some, of_all[some], atol=1e-3)


def test_heads_say_what_they_need():
    with pytest.raises(ValueError, match="readers: there is no relation head"):
        build(relation=None, readers=[turing])
    with pytest.raises(ValueError, match="threshold: there is no relation head"):
        build(relation=None, threshold=True)
    for missing in ("entity", "relation"):
        heads = {"mention": None, "coreference": None, missing: None}
        with pytest.raises(ValueError, match=f"memory: .* no {missing} head"):
            build(memory=SimilarityMemories, **heads)


@pytest.mark.parametrize("memory", MEMORIES)
def test_each_tensor_is_kept_under_one_name(memory):
    network = build(threshold=True, **MEMORIES[memory])
    tensors = [tensor.data_ptr() for tensor in network.state_dict().values()]
    assert len(set(tensors)) == len(tensors)
    if memory.startswith("similarity"):
        kept = [name for name in network.state_dict() if name.endswith("matrix")]
        assert kept == ["memory.entity.matrix", "memory.relation.matrix"]
    parts = [part for part in network.memory_parts() if part is not None]
    memories = {id(value) for part in parts for value in part.parameters()}
    assert bool(memories) == (memory != "none")
    assert memories < {id(value) for value in network.parameters()}


def test_a_copy_looks_at_its_own_memory():
    network, truths = build(**MEMORIES["similarity"]), documents()
    other = copy.deepcopy(network).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    again = build(**MEMORIES["similarity"])
    expected = extracted(again, truths)
    batch = candidate_batch(truths)
    found = other.extract(states(truths, dtype=torch.float64), batch, edit, SURE)
    assert any(len(one.mentions) for one in found)
    for one, wanted in zip(found, expected, strict=True):
        assert torch.equal(one.entity_type, wanted.entity_type)
        torch.testing.assert_close(one.relation_probability.float(), wanted.relation_probability)


def test_published_sizes():
    """768 wide, 6 types, 96 relations; the classifiers have no hidden layer and no bias."""
    network = JointNetwork(
        768, 6, 96, relation=MultiInstanceRelationHead, memory=SimilarityMemories
    )
    heads = 611_311 + 1_207_885 + 768 * 768
    tables, instances = (700 + 50) * 25, (5 * 768 + 50) * 768 + 768
    relation = tables + instances + (3 * 768) * 768 + 768 + 768 * 768
    memory = (6 + 96) * 768 + 4 * 768 * 768
    assert sum(p.numel() for p in network.parameters()) == heads + relation + memory
    plain = JointNetwork(768, 6, 96, relation=MultiInstanceRelationHead)
    assert sum(p.numel() for p in plain.parameters()) == 6_124_406


def test_a_large_document():
    """300 entities of two mentions, so that all pairs of mentions at once would be very many."""
    sentences = [20] * 60
    starts = [20 * s + 2 * k for s in range(60) for k in range(10)]
    spans = [(start, start + 1) for start in starts]
    entities = [list(pair) for pair in zip(spans[:300], spans[300:], strict=True)]
    one = truth(sentences, entities, [(0, 1, 2)], "large")
    asked = []
    network = build(mention=None, coreference=None, relation=MultiInstanceRelationHead, std=0.3)
    network.relation.register_forward_hook(
        lambda _module, given, _output: asked.append(len(given[0].mention_pairs.pair))
    )
    (found,) = extracted(network, [one], JointThresholds(relation=0.9))
    assert sum(asked) == 300 * 299 * 4
    assert max(asked) <= 24_000
    assert len(found.entity_type) == 300


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("memory", [None, SimilarityMemories])
@pytest.mark.parametrize("kind", RELATION)
@pytest.mark.parametrize("number", [0, 2])
def test_a_step_reads_no_value(number, kind, memory, loss):
    """On a device without values whatever asks for one fails: no number of rows depends on any."""
    readers, threshold = [partial(SimilarityReader, slots=4)], LOSSES[loss] is not None
    settings = {"relation": RELATION[kind], "threshold": threshold, "readers": readers}
    settings["memory"] = memory
    network, truths = build(**settings).train().to("meta"), documents()[number:]
    made = JointLoss(torch.full((RELATIONS,), 0.1), relation=LOSSES[loss]).to("meta")
    given, batch = states(truths).to("meta"), training_batch(truths).to("meta")
    made(network(given, batch), JointTargets.of(batch.sample, RELATIONS)).total().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", RELATION)
def test_a_step_never_waits_for_the_device(kind, memory, loss):
    threshold = LOSSES[loss] is not None
    settings = {"relation": RELATION[kind], "threshold": threshold, **MEMORIES[memory]}
    network, truths = build(**settings), documents()
    expected = loss_of(network, truths, LOSSES[loss]).total()
    network.cuda().train()
    made = JointLoss(torch.full((RELATIONS,), 0.1), relation=LOSSES[loss]).cuda()
    given, batch = states(truths).cuda(), training_batch(truths).to("cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        total = made(network(given, batch), JointTargets.of(batch.sample, RELATIONS)).total()
        total.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    network.eval()
    again = made(network(given, batch), JointTargets.of(batch.sample, RELATIONS)).total()
    torch.testing.assert_close(again.cpu(), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", RELATION)
def test_extraction_on_a_device(kind, memory):
    network, truths = build(relation=RELATION[kind], **MEMORIES[memory]), documents()
    expected = extracted(network, truths)
    given, batch = states(truths).cuda(), candidate_batch(truths).to("cuda")
    found = network.cuda().extract(given, batch, edit, SURE)
    for one, wanted in zip(found, expected, strict=True):
        for name, value in everything(wanted).items():
            torch.testing.assert_close(everything(one)[name], value, atol=1e-3, rtol=1e-3)
