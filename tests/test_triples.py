"""From logits to triples of documents."""

import torch

from docre.data.collate import Collate
from docre.decoding import ThresholdDecoder
from docre.evidence import evidence_sentences
from docre.outputs import AttentionMaps, HeadOutput, PairContext
from docre.scoring import Prediction
from docre.triples import triples_of
from tests.data.test_collate import table_of
from tests.toy import RELATIONS, document

DOCUMENTS = [document(seed, entities=n) for seed, n in ((1, 3), (2, 0), (3, 1), (4, 4))]
NAMES = tuple(RELATIONS)


def batch():
    return Collate()(table_of(DOCUMENTS)[range(len(DOCUMENTS))])


def random_logits(made, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(made.num_pairs, 1 + len(NAMES), generator=generator)


def test_triples_are_a_loop_over_documents_and_pairs():
    made = batch()
    logits = random_logits(made)
    found = triples_of(HeadOutput(logits), made, NAMES, ThresholdDecoder())
    expected, row = [], 0
    for one in DOCUMENTS:
        for head, tail in one.pairs():
            for relation, name in enumerate(NAMES):
                value, threshold = float(logits[row, relation + 1]), float(logits[row, 0])
                if value > threshold:
                    margin = float(logits[row, relation + 1] - logits[row, 0])
                    expected.append((one.id, head, tail, name, value, margin, ()))
            row += 1
    assert found == expected
    assert {t.document for t in found} == {"toy 1", "toy 4"}


def test_evidence_comes_from_the_context_of_the_pair():
    made = batch()
    logits = random_logits(made, 1)
    generator = torch.Generator().manual_seed(2)
    # contexts shared by pairs, in an order of their own
    index = torch.randperm(made.num_pairs, generator=generator)
    scores = torch.randn(made.num_pairs, made.num_tokens, generator=generator) * 4
    of_pair = scores.masked_fill(~made.token_mask[made.pair_doc], -torch.inf).softmax(-1)
    attention = torch.empty_like(of_pair)
    attention[index] = of_pair
    context = PairContext(torch.zeros(made.num_pairs, 2), index, AttentionMaps(attention, index))
    output = HeadOutput(logits, context)
    found = triples_of(output, made, NAMES, ThresholdDecoder(), evidence_share=0.3)
    sentences = evidence_sentences(of_pair, made.pair_doc, made, 0.3)
    place = {
        (one.id, *pair): k
        for k, (one, pair) in enumerate((d, p) for d in DOCUMENTS for p in d.pairs())
    }
    assert len({triple.evidence for triple in found}) > 2
    for triple in found:
        assert triple.evidence == sentences[place[triple[:3]]]
    for silent in (HeadOutput(logits), HeadOutput(logits, PairContext(torch.zeros(1, 2), index))):
        assert not any(t.evidence for t in triples_of(silent, made, NAMES, ThresholdDecoder(), 0.3))
    assert not any(t.evidence for t in triples_of(output, made, NAMES, ThresholdDecoder()))


def test_nothing_is_predicted_where_the_threshold_wins():
    made = batch()
    logits = torch.zeros(made.num_pairs, 1 + len(NAMES))
    assert triples_of(HeadOutput(logits), made, NAMES, ThresholdDecoder()) == []


def test_a_triple_is_a_prediction_with_its_margin():
    made = batch()
    first = triples_of(HeadOutput(random_logits(made)), made, NAMES, ThresholdDecoder())[0]
    expected = Prediction(first.document, first.head, first.tail, first.relation, (), first.margin)
    assert first.prediction == expected


def test_attention_is_looked_at_once_a_pair():
    """An untrained model predicts most relations of each pair."""
    made = batch()
    logits = torch.zeros(made.num_pairs, 1 + len(NAMES))
    logits[:, 1:] = 1
    asked = []

    class Counting(AttentionMaps):
        def of(self, pairs):
            asked.extend(pairs.tolist())
            return super().of(pairs)

    maps = made.token_mask[made.pair_doc].float().softmax(-1)
    context = PairContext(torch.zeros(made.num_pairs, 2), None, Counting(maps))
    found = triples_of(HeadOutput(logits, context), made, NAMES, ThresholdDecoder(), 0.0)
    assert len(found) == made.num_pairs * len(NAMES)
    assert asked == list(range(made.num_pairs))
    assert all(triple.evidence for triple in found)
