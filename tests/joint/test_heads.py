"""The four heads, beside one layer over joined inputs, in training and evaluation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from docre.joint import (
    CoreferenceHead,
    EntityStates,
    EntityTypeHead,
    GlobalRelationHead,
    MentionHead,
    MultiInstanceRelationHead,
    RelationInput,
    above_threshold,
    all_mention_pairs,
    candidate_spans,
    span_max,
)

WIDTH, TYPES, RELATIONS = 12, 3, 4
DOCUMENTS = 2


def relation_input(seed=0, dtype=torch.float64):
    """Two documents, four entities of one to three mentions in each, and all pairs."""
    torch.manual_seed(seed)
    states = torch.randn(DOCUMENTS, 40, WIDTH, dtype=dtype, requires_grad=True)
    spans = [
        candidate_spans(torch.tensor([11, 8, 10]), torch.arange(30) + 1, 3, d)
        for d in range(DOCUMENTS)
    ]
    of_document = [each.of(torch.randperm(len(each))[:8]) for each in spans]
    columns = ("document", "sentence", "word_start", "word_end", "start", "end")
    mentions = type(of_document[0])(
        *(torch.cat([getattr(each, name) for each in of_document]) for name in columns)
    )
    sizes = torch.tensor([1, 3, 2, 2] * DOCUMENTS)
    offset = torch.cat((torch.zeros(1).long(), sizes.cumsum(0)))
    pairs = [
        (d * 4 + h, d * 4 + t)
        for d in range(DOCUMENTS)
        for h in range(4)
        for t in range(4)
        if h != t
    ]
    head, tail = torch.tensor(pairs).unbind(1)
    pooled = span_max(states, mentions.document, mentions.start, mentions.end)
    member = torch.arange(len(mentions))
    entities = EntityStates(0.0)(pooled, member, torch.repeat_interleave(sizes), len(sizes))
    return states, RelationInput(
        states,
        pooled,
        entities,
        torch.randint(TYPES, (len(sizes),)),
        head,
        tail,
        all_mention_pairs(head, tail, member, offset, mentions),
    )


def joined_instances(head, given):
    """The layer over mention pairs as the formula has it: join everything, multiply once."""
    pairs, gaps = given.mention_pairs, given.mention_pairs.gaps
    rows = []
    for q in range(len(pairs.head)):
        gap, p = int(pairs.gap[q]), int(pairs.pair[q])
        tokens = given.token_states[gaps.document[gap], gaps.start[gap] : gaps.end[gap]]
        context = tokens.max(0).values if len(tokens) else tokens.new_zeros(WIDTH)
        distance = gaps.token_distance[gap].clamp(max=head.token_distance.num_embeddings - 1)
        sentences = gaps.sentence_distance[gap].clamp(max=head.sentence_distance.num_embeddings - 1)
        rows.append(
            torch.cat(
                (
                    context,
                    given.mentions[pairs.head[q]],
                    given.mentions[pairs.tail[q]],
                    given.entities[given.pair_head[p]],
                    given.entities[given.pair_tail[p]],
                    head.token_distance.weight[distance],
                    head.sentence_distance.weight[sentences],
                )
            )
        )
    return head.instance(torch.stack(rows))


def pooled_over_pairs(states, given):
    owner = given.mention_pairs.pair
    return torch.stack([states[owner == p].max(0).values for p in range(len(given.pair_head))])


def types_of(head, given):
    types = head.type_embedding(given.entity_type)
    return types[given.pair_head], types[given.pair_tail]


def same_gradients(found, expected, wanted):
    seed = torch.randn_like(found)
    ours = torch.autograd.grad(found, wanted, seed, retain_graph=True)
    theirs = torch.autograd.grad(expected, wanted, seed, retain_graph=True)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("rows", [(4, 2), (50, 10)])
def test_multi_instance_relations(train, rows):
    """With tables of 4 and 2 rows most distances are beyond the table."""
    states, given = relation_input()
    head = MultiInstanceRelationHead(WIDTH, TYPES, RELATIONS, 5, 3, *rows, dropout=0.0).double()
    nn.init.normal_(head.instance.bias)
    head.train(train)
    pooled = pooled_over_pairs(joined_instances(head, given), given)
    hidden = head.hidden(torch.cat((pooled, *types_of(head, given)), 1)).relu()
    expected = head.output(hidden)
    found = head(given)
    assert found.shape == (24, RELATIONS)
    torch.testing.assert_close(found, expected)
    same_gradients(found, expected, [states, *head.parameters()])


def test_global_relations():
    states, given = relation_input()
    head = GlobalRelationHead(WIDTH, TYPES, RELATIONS, 5, dropout=0.0).double()
    ends = given.entities[given.pair_head], given.entities[given.pair_tail]
    hidden = head.hidden(torch.cat((*ends, *types_of(head, given)), 1)).relu()
    expected = head.output(hidden)
    found = head(given)
    torch.testing.assert_close(found, expected)
    same_gradients(found, expected, [states, *head.parameters()])


class Scaled(nn.Module):
    """A memory whose slots are a number for heads and one for tails, and which tells documents."""

    def __init__(self, width, head=2.0, tail=-1.0):
        super().__init__()
        self.slots = nn.Parameter(torch.tensor([head, tail], dtype=torch.float64))

    def forward(self, head, tail, pair_doc):
        document = pair_doc.unsqueeze(1) + 1
        return head * self.slots[0] * document, tail + self.slots[1] * head


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("kind", [GlobalRelationHead, MultiInstanceRelationHead])
def test_pairs_that_read_memories(kind, train):
    """One reader after another changes what a pair takes for the states of its entities."""
    states, given = relation_input()
    given = replace(given, pair_doc=torch.arange(DOCUMENTS).repeat_interleave(12))
    head = kind(WIDTH, TYPES, RELATIONS, 5, dropout=0.0).double().train(train)
    head.read_from([Scaled(WIDTH), Scaled(WIDTH, 0.5, 3.0)])
    rows = []
    for pair in range(24):
        one, other = given.entities[given.pair_head[pair]], given.entities[given.pair_tail[pair]]
        for reader in head.readers:
            by, add = reader.slots
            one, other = one * by * (pair // 12 + 1), other + add * one
        rows.append((one, other))
    # as if each pair had two entities of its own
    apart = replace(
        given,
        entities=torch.stack([state for row in rows for state in row]),
        entity_type=given.entity_type[torch.stack((given.pair_head, given.pair_tail), 1)].flatten(),
        pair_head=2 * torch.arange(24),
        pair_tail=2 * torch.arange(24) + 1,
    )
    readers, head.readers = head.readers, nn.ModuleList()
    expected = head(apart)
    head.readers = readers
    found = head(given)
    torch.testing.assert_close(found, expected)
    same_gradients(found, expected, [states, *head.parameters()])
    before = head.read(given)
    assert head.read(before) is before  # nobody reads twice
    torch.testing.assert_close(head(before), found)


def test_a_threshold_is_made_from_the_state_of_a_pair():
    _, given = relation_input()
    head = GlobalRelationHead(WIDTH, TYPES, RELATIONS, dropout=0.0).double()
    plain = head(given)
    head.learn_threshold()
    assert not head.threshold.bias.any()
    nn.init.normal_(head.double().threshold.bias)
    found = head(given)
    torch.testing.assert_close(found[:, 1:], plain)
    torch.testing.assert_close(found[:, :1], head.threshold(head.pair_states(given)))
    margins = torch.stack([found[:, r] - found[:, 0] for r in range(1, 1 + RELATIONS)], 1)
    torch.testing.assert_close(above_threshold(found), margins)
    assert above_threshold(found.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("kind", [GlobalRelationHead, MultiInstanceRelationHead])
def test_types_that_are_not_known(kind):
    """They add nothing, as a type whose features are zero."""
    _, given = relation_input()
    head = kind(WIDTH, TYPES, RELATIONS, dropout=0.0).double()
    some = torch.arange(len(given.entity_type)) % 3 == 0
    with torch.no_grad():
        head.type_embedding.weight[1] = 0
    known = replace(given, entity_type=given.entity_type.masked_fill(some, 1))
    unknown = replace(given, entity_type=given.entity_type.masked_fill(some, -1))
    assert torch.equal(head(unknown), head(known))
    assert not torch.allclose(head(unknown), head(given))
    nobody = kind(WIDTH, 0, RELATIONS, dropout=0.0).double()
    nobody(replace(given, entity_type=torch.full_like(given.entity_type, -1))).sum().backward()
    assert not nobody.type_embedding.weight.grad.any()


def test_mentions():
    head = MentionHead(WIDTH, 6, 5, dropout=0.0).double()
    spans = torch.randn(20, WIDTH, dtype=torch.float64, requires_grad=True)
    sizes = torch.randint(1, 9, (20,))
    joined = torch.cat((spans, head.size_embedding(sizes.clamp(max=5))), 1)
    expected = head.output(head.hidden(joined).relu()).squeeze(1)
    found = head(spans, sizes)
    torch.testing.assert_close(found, expected)
    same_gradients(found, expected, [spans, *head.parameters()])


def test_coreference():
    head = CoreferenceHead(WIDTH, 6, 5, dropout=0.0).double()
    mentions = torch.randn(9, WIDTH, dtype=torch.float64, requires_grad=True)
    first, second = torch.randint(9, (2, 30)).unbind()
    edits = torch.randint(9, (30,))
    joined = (mentions[first], mentions[second], head.edit_embedding(edits.clamp(max=5)))
    expected = head.output(head.hidden(torch.cat(joined, 1)).relu()).squeeze(1)
    found = head(mentions, first, second, edits)
    torch.testing.assert_close(found, expected)
    same_gradients(found, expected, [mentions, *head.parameters()])
    assert not torch.allclose(found, head(mentions, second, first, edits))


def test_entities_and_their_types():
    mentions = torch.randn(5, WIDTH)
    member, entity = torch.tensor([4, 0, 0, 2]), torch.tensor([0, 0, 2, 2])
    found = EntityStates(0.5).eval()(mentions, member, entity, 3)
    expected = [mentions[[4, 0]].amax(0), torch.zeros(WIDTH), mentions[[0, 2]].amax(0)]
    assert torch.equal(found, torch.stack(expected))
    head = EntityTypeHead(WIDTH, TYPES).eval()
    torch.testing.assert_close(head(found), head.output(head.hidden(found).relu()))


def test_dropout_reaches_what_it_should():
    """Entities once for all heads; mention pairs before the maximum; hidden layers of all heads."""
    torch.manual_seed(0)
    _, given = relation_input(dtype=torch.float32)
    state = EntityStates(0.5)(torch.ones(400, 1), torch.arange(400), torch.arange(400), 400)
    assert set(state.flatten().tolist()) == {0.0, 2.0}
    everything = (
        MentionHead(WIDTH, dropout=1.0),
        CoreferenceHead(WIDTH, dropout=1.0),
        EntityTypeHead(WIDTH, TYPES, dropout=1.0),
        GlobalRelationHead(WIDTH, TYPES, RELATIONS, dropout=1.0),
        MultiInstanceRelationHead(WIDTH, TYPES, RELATIONS, dropout=1.0),
    )
    for head in everything:
        nn.init.constant_(head.output.bias, 3.0)
    one, two = torch.zeros(1).long(), torch.ones(1).long()
    found = (
        everything[0](given.mentions, torch.ones(len(given.mentions)).long()),
        everything[1](given.mentions, one, two, two),
        everything[2](given.entities),
        everything[3](given),
        everything[4](given),
    )
    for logits in found:  # nothing but the last bias is left
        assert torch.equal(logits, torch.full_like(logits, 3.0))
    pooled = everything[4].pooled_instances(given)
    assert torch.equal(pooled, torch.zeros_like(pooled))
    head = MultiInstanceRelationHead(WIDTH, TYPES, RELATIONS, dropout=0.0)
    assert torch.count_nonzero(head.pooled_instances(given)) == 24 * WIDTH


def test_no_rows_give_a_gradient_of_zero():
    """A document without entities must not leave parameters out of the graph (DDP)."""
    none = torch.zeros(0, dtype=torch.long)
    heads = nn.ModuleList(
        [
            MentionHead(WIDTH),
            CoreferenceHead(WIDTH),
            EntityTypeHead(WIDTH, TYPES),
            GlobalRelationHead(WIDTH, TYPES, RELATIONS),
            MultiInstanceRelationHead(WIDTH, TYPES, RELATIONS),
        ]
    )
    states, mentions = torch.randn(1, 9, WIDTH), torch.zeros(0, WIDTH)
    spans = candidate_spans(none, torch.tensor([0]), 3)
    pairs = all_mention_pairs(none, none, none, torch.tensor([0]), spans)
    entities = EntityStates()(mentions, none, none, 0)
    given = RelationInput(states, mentions, entities, none, none, none, pairs)
    outputs = (
        heads[0](mentions, none),
        heads[1](mentions, none, none, none),
        heads[2](entities),
        heads[3](given),
        heads[4](given),
    )
    assert [len(output) for output in outputs] == [0] * 5
    sum(output.sum() for output in outputs).backward()
    for parameter in heads.parameters():
        assert torch.equal(parameter.grad, torch.zeros_like(parameter))


@pytest.mark.parametrize(
    "head",
    [
        MentionHead(200),
        CoreferenceHead(200),
        EntityTypeHead(200, 50),
        GlobalRelationHead(200, 50, 50),
        MultiInstanceRelationHead(200, 50, 50),
    ],
    ids=lambda head: type(head).__name__,
)
def test_initial_weights(head):
    for name, parameter in head.named_parameters():
        if name.endswith("bias"):
            assert torch.equal(parameter, torch.zeros_like(parameter))
        else:
            assert 0.017 < float(parameter.detach().std()) < 0.023, name


def test_number_of_parameters_is_the_published_one():
    sizes = {
        MentionHead(768): 611_311,
        CoreferenceHead(768): 1_207_885,
        EntityTypeHead(768, 6): 595_206,
        MultiInstanceRelationHead(768, 6, 96): 3_710_004,
        GlobalRelationHead(768, 6, 96): 1_292_790,
    }
    for head, size in sizes.items():
        assert sum(parameter.numel() for parameter in head.parameters()) == size


def test_half_precision():
    _, given = relation_input(dtype=torch.float32)
    head = MultiInstanceRelationHead(WIDTH, TYPES, RELATIONS).eval()
    with torch.autocast("cpu", torch.bfloat16):
        found = head(given)
    torch.testing.assert_close(found.float(), head(given), atol=0.01, rtol=0.1)
