"""Logits of a batch, from a file."""

import pickle

import numpy as np
import pytest
import torch

from docre.data.cache import file_hash
from docre.distillation import StoredScores, Teacher
from docre.distillation.store import LogitHeader, write_logits
from docre.errors import DocreError
from tests.batches import make_batch
from tests.distillation.test_store import header, random_logits, write

SIZES = {"document 0": 6, "document 1": 0, "document 2": 2}
RELATIONS = header().relations


def batch_of(order=None, entities=((1, 2, 3), (1,), (1, 2))):
    entities = [[[token] for token in tokens] for tokens in entities]
    pairs = [[(h, t) for h in range(len(of)) for t in range(len(of)) if h != t] for of in entities]
    if order is not None:
        pairs[0] = [pairs[0][k] for k in order]
    return make_batch([[5] * 6, [5] * 3, [5] * 4], entities, pairs)


def dense_of(relations=6, seed=0):
    made = random_logits(SIZES.values(), relations, seed)
    return dict(zip(SIZES, made.values(), strict=True))


def write_backwards(path, dense, **options):
    """The file has its own order of documents."""
    others = {"another": np.zeros((3, next(iter(dense.values())).shape[1]), np.float32)}
    write(path, dict(reversed(dense.items())) | others, **options)
    return str(path)


@pytest.mark.parametrize("relations", [6, 300])
@pytest.mark.parametrize("order", [None, (5, 0, 3, 2, 4, 1)])
def test_all_logits_in_the_order_of_the_batch(tmp_path, relations, order):
    dense = dense_of(relations)
    teacher = StoredScores(write_backwards(tmp_path / "x.arrow", dense, relations=relations))
    assert isinstance(teacher, Teacher)
    teacher.prepare(header(relations).relations)
    found = teacher.targets(batch_of(order))
    assert found.columns is None
    assert found.attention is None
    assert found.values.dtype == torch.float32
    first = dense["document 0"] if order is None else dense["document 0"][list(order)]
    expected = np.concatenate([first, dense["document 2"]]).astype(np.float16)
    np.testing.assert_array_equal(found.values.numpy(), expected)


@pytest.mark.parametrize("relations", [6, 300])
@pytest.mark.parametrize("order", [None, (5, 0, 3, 2, 4, 1)])
def test_the_highest_logits(tmp_path, relations, order):
    dense = dense_of(relations)
    path = write_backwards(tmp_path / "x.arrow", dense, relations=relations, top_k=4)
    found = StoredScores(path).targets(batch_of(order))
    first = dense["document 0"] if order is None else dense["document 0"][list(order)]
    logits = torch.from_numpy(np.concatenate([first, dense["document 2"]]))
    assert found.columns.dtype == torch.int64
    assert (found.columns[:, 0] == 0).all()
    torch.testing.assert_close(
        found.values, logits.gather(1, found.columns).half().float(), rtol=0, atol=0
    )
    best = logits[:, 1:].topk(3).indices + 1
    assert torch.equal(found.columns[:, 1:], best)


def test_a_batch_without_pairs(tmp_path):
    path = write_backwards(tmp_path / "x.arrow", dense_of() | {"document 0": np.zeros((0, 7))})
    batch = make_batch([[5, 5]], [[[1]]])
    found = StoredScores(path).targets(batch)
    assert found.values.shape == (0, 7)


def test_nothing_is_opened_before_training(tmp_path):
    """A student is loaded, scored and sent to other processes without the file."""
    teacher = StoredScores(str(tmp_path / "none.arrow"))
    pickle.loads(pickle.dumps(teacher))
    with pytest.raises(DocreError, match=r"no such file: .*none\.arrow"):
        teacher.prepare(RELATIONS)


@pytest.mark.parametrize(
    "relations", [RELATIONS[:-1], (*RELATIONS, "more"), tuple(reversed(RELATIONS))]
)
def test_other_relations(tmp_path, relations):
    teacher = StoredScores(write_backwards(tmp_path / "x.arrow", dense_of()))
    with pytest.raises(DocreError, match=rf"of 6 relations, the data have {len(relations)}, or"):
        teacher.prepare(relations)
    teacher.prepare(list(RELATIONS), "any tokenizer")


def test_another_file_is_said(tmp_path, caplog):
    documents = tmp_path / "train.json"
    documents.write_text("[]")
    source = file_hash(documents)
    teacher = StoredScores(write_backwards(tmp_path / "x.arrow", dense_of(), source=source))
    teacher.prepare(RELATIONS, features={"markers": "typed", "documents": str(documents)})
    teacher.prepare(RELATIONS, features={"markers": "typed"})
    assert caplog.messages == []
    documents.write_text("[1]")
    teacher.prepare(RELATIONS, features={"documents": str(documents)})
    (said,) = caplog.messages
    for part in (tmp_path / "x.arrow", source, documents, file_hash(documents)):
        assert str(part) in said


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        ("fix", "skip", True),
        ("skip", "fix", True),
        ("fix", "fix", False),
        ("fail", "fix", False),  # nothing was wrong
        ("skip", "fail", False),
        (None, "fix", False),  # of an earlier version
        ("fix", None, False),
    ],
)
def test_documents_that_were_read_otherwise(tmp_path, caplog, theirs, ours, said):
    teacher = StoredScores(write_backwards(tmp_path / "x.arrow", dense_of(), on_error=theirs))
    teacher.prepare(RELATIONS, features={"on_error": ours})
    told = f"x.arrow was made with on_error {theirs}, the data are read with {ours}"
    assert [message.endswith(told) for message in caplog.messages] == [True] * said


def test_other_documents(tmp_path):
    dense = dense_of()
    teacher = StoredScores(write_backwards(tmp_path / "x.arrow", dense))
    with pytest.raises(DocreError, match=r"'document 2' has 6 pairs, .* has logits of 2: it was"):
        teacher.targets(batch_of(entities=((1, 2, 3), (1,), (1, 2, 3))))
    del dense["document 1"]
    teacher = StoredScores(write_backwards(tmp_path / "y.arrow", dense))
    with pytest.raises(DocreError, match=r"y\.arrow has no logits of document 'document 1'"):
        teacher.targets(batch_of())


def test_what_the_record_of_a_run_says(tmp_path):
    path = tmp_path / "x.arrow"
    with write_logits(path, LogitHeader(teacher="abc", source="def", relations=("a", "b"))):
        pass
    assert StoredScores(str(path)).describe() == {
        "kind": "StoredScores",
        "file": str(path),
        "teacher": "abc",
        "source": "def",
        "top_k": None,
    }


@pytest.mark.gpu
def test_on_a_gpu(tmp_path):
    path = write_backwards(tmp_path / "x.arrow", dense_of(), top_k=3)
    batch = batch_of((5, 0, 3, 2, 4, 1))
    here, there = (StoredScores(path).targets(made) for made in (batch, batch.to("cuda")))
    assert there.values.is_cuda
    assert torch.equal(there.values.cpu(), here.values)
    assert torch.equal(there.columns.cpu(), here.columns)
