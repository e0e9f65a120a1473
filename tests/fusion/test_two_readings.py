"""What two readings need, and the batches of the second one."""

from types import SimpleNamespace

import pytest
import torch

from docre.data.features import FeatureSettings, Featurizer
from docre.data.modules import BatchSettings
from docre.decoding import ThresholdDecoder
from docre.errors import DocreError
from docre.fusion.two_readings import in_batches, read_twice
from docre.outputs import HeadOutput, PairContext
from tests.toy import RELATIONS, TYPES, document, pieces

DOCUMENTS = [document(seed, entities=3) for seed in range(23)]


def data(batches=None, alignment="corrected"):
    source = "text" if alignment == "published" else "words"
    return SimpleNamespace(
        featurizer=Featurizer(pieces(), RELATIONS, TYPES),
        features=FeatureSettings(source=source, alignment=alignment),
        batches=(batches or BatchSettings()).or_else(),
        documents=lambda split: DOCUMENTS,
    )


@pytest.mark.parametrize(
    "batches",
    [
        BatchSettings(),
        BatchSettings(eval_batch_size=5),
        BatchSettings(token_budget=90),
        BatchSettings(pair_budget=20, token_budget=10_000),
    ],
)
def test_batches_hold_every_document_once_by_length(batches):
    settings = batches.or_else()
    found = list(in_batches(DOCUMENTS, data(batches)))
    names = [name for batch in found for name in batch.document_ids]
    assert sorted(names) == sorted(one.id for one in DOCUMENTS)
    lengths = [length for batch in found for length in batch.sizes.tokens]
    assert lengths == sorted(lengths)
    for batch in found:
        if settings.eval_batch_size is not None:
            assert len(batch) <= settings.eval_batch_size
        if settings.token_budget is not None and len(batch) > 1:
            assert batch.input_ids.numel() <= settings.token_budget
        if settings.pair_budget is not None and len(batch) > 1:
            assert batch.num_pairs <= settings.pair_budget
    assert len(found) > 2


def test_no_documents_make_no_batches():
    assert list(in_batches([], data())) == []


@pytest.mark.parametrize("context", [None, PairContext(torch.zeros(1, 2))])
def test_a_head_without_attention_knows_no_evidence(context):
    model = SimpleNamespace(
        head=torch.nn.Identity(),
        relations=tuple(RELATIONS),
        decoder=ThresholdDecoder(),
        evidence_share=0.2,
    )

    def read(split, reading):
        for batch in in_batches(DOCUMENTS, data()):
            yield reading(HeadOutput(torch.zeros(batch.num_pairs, 4), context), batch)

    opened = SimpleNamespace(model=model, data=data(), read=read)
    with pytest.raises(DocreError, match=r"model\.head: Identity does not say which tokens"):
        read_twice(opened, "dev", 4, 10.0)


def test_the_published_alignment_has_no_sentences():
    opened = SimpleNamespace(model=None, data=data(alignment="published"))
    with pytest.raises(DocreError, match="has no sentences to read again"):
        read_twice(opened, "dev", 4, 10.0)
