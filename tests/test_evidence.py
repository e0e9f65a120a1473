"""Evidence is read off attention, sentence by sentence."""

import pytest
import torch

from docre.data.collate import Collate
from docre.evidence import evidence_sentences, sentence_scores
from tests.data.test_collate import table_of
from tests.toy import document


@pytest.fixture(scope="module")
def batch():
    """Documents of one to five sentences, some of them empty."""
    return Collate()(table_of([document(seed, entities=4) for seed in range(5)])[range(5)])


def attention_over(batch, seed=0):
    """Attention of all pairs over the tokens of their own documents, with a sum of 1."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(batch.num_pairs, batch.num_tokens, generator=generator) * 3
    return scores.masked_fill(~batch.token_mask[batch.pair_doc], -torch.inf).softmax(-1)


def slow(attention, batch, share):
    found = []
    for pair in range(batch.num_pairs):
        own = [n for n, d in enumerate(batch.sentence_doc.tolist()) if d == batch.pair_doc[pair]]
        sums = [
            float(attention[pair, int(batch.sentence_start[n]) : int(batch.sentence_end[n])].sum())
            for n in own
        ]
        found.append(tuple(number for number, value in enumerate(sums) if value > share))
    return found


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_a_sentence_needs_its_share(batch, share):
    attention = attention_over(batch)
    found = evidence_sentences(attention, batch.pair_doc, batch, share)
    assert found == slow(attention, batch, share)
    assert len({len(sentences) for sentences in found}) > 1


def test_some_pairs_in_any_order(batch):
    attention = attention_over(batch, 1)
    chosen = torch.tensor([batch.num_pairs - 1, 3, 3, 20])
    expected = slow(attention, batch, 0.2)
    found = evidence_sentences(attention[chosen], batch.pair_doc[chosen], batch)
    assert found == [expected[k] for k in chosen.tolist()]


def test_other_documents_get_nothing(batch):
    scores = sentence_scores(torch.ones(2, batch.num_tokens), torch.tensor([0, 3]), batch)
    assert (scores[0, batch.sentence_doc != 0] == 0).all()
    assert (scores[1, batch.sentence_doc != 3] == 0).all()
    lengths = (batch.sentence_end - batch.sentence_start).float()
    assert torch.equal(scores.sum(0)[batch.sentence_doc == 3], lengths[batch.sentence_doc == 3])


def test_half_precision_counts_in_float32(batch):
    narrow = attention_over(batch).to(torch.bfloat16)
    scores = sentence_scores(narrow, batch.pair_doc, batch)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(
        scores, sentence_scores(narrow.float(), batch.pair_doc, batch), atol=0, rtol=0
    )


def test_no_pair(batch):
    none = torch.zeros(0, batch.num_tokens)
    assert evidence_sentences(none, torch.zeros(0, dtype=torch.long), batch) == []
