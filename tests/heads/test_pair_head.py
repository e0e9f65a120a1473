"""The chassis of the pair systems: extractors, independence, empty documents."""

from functools import partial

import pytest
import torch

from docre.context import Context
from docre.heads import GroupedBilinear, PairHead
from docre.heads.pair_head import extract
from docre.memory import TokenTuringReader
from docre.outputs import Encoded, PairContext
from docre.pooling import AttentionPooling, MeanPooling
from tests.batches import make_batch

IDS = [[5] * 9, [5] * 6, [5] * 4, [5] * 7]
ENTITIES = [[[1, 4], [2], [3]], [[1], [2]], [[1]], []]
WIDTH, HEADS = 6, 3
READER = partial(TokenTuringReader, slots=4, attention_heads=2)


def made(memory=None, **options):
    torch.manual_seed(0)
    classifier = partial(GroupedBilinear, block_size=4)
    return PairHead(WIDTH, 4, memory=memory, classifier=classifier, width=8, **options).double()


def encoded(batch):
    make = torch.Generator().manual_seed(1)
    options = {"dtype": torch.float64, "generator": make}
    tokens = torch.randn(len(IDS), 9, WIDTH, **options)
    mentions = [token for of in ENTITIES for entity in of for token in entity]
    rows = torch.rand(len(mentions), HEADS, 9, **options)
    length = batch.num_tokens
    doc = batch.entity_doc[batch.mention_entity]
    rows = rows[: len(doc), :, :length] * batch.token_mask[doc][:, None]
    return Encoded(tokens[: len(batch), :length], rows)


@pytest.mark.parametrize("memory", [None, READER])
@pytest.mark.parametrize("shared", [False, True])
def test_scores_are_what_a_loop_over_pairs_gives(memory, shared):
    head = made(memory, shared_extractor=shared)
    batch = make_batch(IDS, ENTITIES)
    states = encoded(batch)
    logits = head(states, batch).logits
    attention = states.mention_attention
    for p in range(batch.num_pairs):
        ends = []
        for entity in (batch.pair_head[p], batch.pair_tail[p]):
            mine = batch.mention_entity == entity
            token = batch.mention_token[mine]
            pooled = states.token_states[batch.pair_doc[p], token].logsumexp(0)
            ends.append((pooled, attention[mine].mean(0)))
        shared_map = (ends[0][1] * ends[1][1]).mean(0)
        context = shared_map / (shared_map.sum() + 1e-5) @ states.token_states[batch.pair_doc[p]]
        tail_extractor = head.head_extractor if shared else head.tail_extractor
        h = torch.tanh(head.head_extractor(torch.cat([ends[0][0], context])))[None]
        t = torch.tanh(tail_extractor(torch.cat([ends[1][0], context])))[None]
        if memory is not None:
            h, t = head.memory(h, t, torch.zeros(1, dtype=torch.long))
        torch.testing.assert_close(logits[p : p + 1], head.classifier(h, t))


@pytest.mark.parametrize("memory", [None, READER])
def test_a_document_does_not_see_its_batch(memory):
    head = made(memory)
    batch = make_batch(IDS, ENTITIES)
    together = head(encoded(batch), batch).logits
    alone = make_batch(IDS[:1], ENTITIES[:1])
    torch.testing.assert_close(head(encoded(alone), alone).logits, together[: alone.num_pairs])


def test_documents_without_pairs_train_too():
    head = made(READER)
    batch = make_batch(IDS[2:], ENTITIES[2:])
    states = Encoded(torch.randn(2, 7, WIDTH).double(), torch.rand(1, HEADS, 7).double())
    logits = head(states, batch).logits
    assert logits.shape == (0, 5)
    logits.sum().backward()
    assert all(p.grad is not None for p in head.parameters())


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("pooling", [MeanPooling, AttentionPooling])
def test_every_parameter_gets_a_gradient(shared, pooling):
    head = made(READER, shared_extractor=shared, pooling=pooling)
    batch = make_batch(IDS, ENTITIES)
    head(encoded(batch), batch).logits.pow(2).sum().backward()
    without = [name for name, p in head.named_parameters() if p.grad is None]
    assert without == []


def test_extractor_is_a_linear_layer_over_both_halves():
    layer = torch.nn.Linear(5, 4).double()
    entities, contexts = torch.randn(3, 2).double(), torch.randn(2, 3).double()
    entity, index = torch.tensor([0, 2, 1, 1]), torch.tensor([0, 0, 1, 1])
    found = extract(layer, entities, entity, PairContext(contexts, index))
    expected = torch.tanh(layer(torch.cat([entities[entity], contexts[index]], 1)))
    torch.testing.assert_close(found, expected)


class WideContext(Context):
    """A context of another width than the tokens, one a pair."""

    def __init__(self, in_features):
        super().__init__(in_features)
        self.out_features = 2

    def forward(self, encoded, entity_states, entity_attention, batch):
        return PairContext(encoded.token_states.new_ones(batch.num_pairs, 2))


def test_a_context_of_ones_own():
    head = made(context=WideContext)
    batch = make_batch(IDS, ENTITIES)
    assert head(encoded(batch), batch).logits.shape == (8, 5)
    assert head.head_extractor.in_features == WIDTH + 2
