"""A trained model beside the student."""

import json
from contextlib import chdir
from dataclasses import replace

import lightning
import pytest
import torch
from torch import nn

from docre.batch import Batch
from docre.data.cache import file_hash
from docre.distillation import OnlineTeacher
from docre.errors import DocreError
from docre.heads import Head
from docre.model import DocREModel
from docre.opened_run import open_run
from docre.outputs import HeadOutput
from tests.distillation.runs import fit
from tests.test_model import ENCODER, built, make
from tests.toy import RELATIONS


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("online"))


@pytest.fixture(scope="module")
def model(trained):
    source = trained / "checkpoints" / "best.ckpt"
    return DocREModel.load_from_checkpoint(source, map_location="cpu").eval()


@pytest.fixture(scope="module")
def batch(trained) -> Batch:
    with chdir(trained.parents[2]):
        return next(open_run(trained).read("train", lambda output, batch: batch, 4))


def test_it_is_the_model_run_by_hand(trained, model, batch, monkeypatch, tmp_path):
    # neither the data nor a hub are needed
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    teacher = OnlineTeacher(str(trained))
    teacher.prepare(model.relations, model.tokenizer_name)
    found = teacher.targets(batch)
    with torch.no_grad():
        expected = model(batch)
    torch.testing.assert_close(found.values, expected.logits, rtol=0, atol=0)
    assert found.columns is None
    mine, theirs = found.attention.per_pair(), expected.context.attention.per_pair()
    assert mine.shape == (batch.num_pairs, batch.num_tokens)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
    assert not found.values.requires_grad
    # a tensor of inference mode could not be kept for a gradient
    weight = torch.ones((), requires_grad=True)
    ((weight * found.values).square().sum() + (weight * mine).log1p().sum()).backward()


def test_one_of_both(trained, batch):
    found = OnlineTeacher(str(trained), attention=False).targets(batch)
    assert found.attention is None
    assert found.values is not None
    found = OnlineTeacher(str(trained), logits=False).targets(batch)
    assert found.values is None
    assert found.attention is not None
    with pytest.raises(DocreError, match="set logits or attention"):
        OnlineTeacher(str(trained), logits=False, attention=False)


class Pupil(lightning.LightningModule):
    def __init__(self, teacher):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.teacher = teacher


def test_it_is_no_part_of_the_student(trained, batch, model):
    teacher = OnlineTeacher(str(trained))
    pupil = Pupil(teacher)
    teacher.prepare(model.relations)
    pupil.train()
    teacher.targets(batch)
    assert set(pupil.state_dict()) == {"inner.weight", "inner.bias"}
    assert len(list(pupil.parameters())) == 2
    assert not teacher.model.training
    assert not any(p.requires_grad for p in teacher.model.parameters())
    kept = {name: value.clone() for name, value in teacher.model.state_dict().items()}
    pupil.double()
    teacher.targets(batch)
    assert all(torch.equal(kept[name], v) for name, v in teacher.model.state_dict().items())
    assert teacher.model.dtype == torch.float32


def test_a_model_made_in_python():
    model = built().float()
    teacher = OnlineTeacher.of(model)
    teacher.prepare(tuple(RELATIONS), "nothing")
    assert teacher.model is model
    assert teacher.describe() == {"kind": "OnlineTeacher", "logits": True, "attention": True}
    with pytest.raises(DocreError, match="the model knows 3 relations, the data 1"):
        teacher.prepare(["a"])


def test_it_has_to_go_with_the_student(trained, model, batch):
    teacher = OnlineTeacher(str(trained))
    names = list(model.relations)
    for wrong in (names[1:], names[::-1]):
        with pytest.raises(DocreError, match=rf"knows 21 relations, the data {len(wrong)}, or"):
            teacher.prepare(wrong)
    with pytest.raises(DocreError, match="the data are cut with bert-base-cased"):
        teacher.prepare(names, "bert-base-cased")
    more = batch.input_ids.clone()
    more[0, 1] = 900
    with pytest.raises(DocreError, match="knows 900 tokens, the batch has others"):
        teacher.targets(replace(batch, input_ids=more))


FEATURES = {
    "markers": "entity",
    "source": "words",
    "alignment": "corrected",
    "max_tokens": None,
    "truncation": "window",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("markers", "typed"),
        ("source", "text"),
        ("alignment", "published"),
        ("truncation", "cut"),
    ],
)
def test_documents_have_to_become_the_same_tokens(trained, model, key, value):
    for run in (trained, trained / "checkpoints" / "best.ckpt"):
        teacher = OnlineTeacher(str(run))
        known = model.relations, model.tokenizer_name
        teacher.prepare(*known, FEATURES)
        # has no say where documents are never cut; neither has what is no setting of features
        teacher.prepare(*known, FEATURES | {"max_tokens": 512, "documents": "x", "on_error": "fix"})
        said = (
            rf"data\.features\.{key}: {value}, but the teacher .* was trained with {FEATURES[key]}"
        )
        with pytest.raises(DocreError, match=said):
            teacher.prepare(*known, FEATURES | {key: value})


def test_a_longest_document_is_compared_where_it_counts(trained, model, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    kept = tmp_path / "checkpoints" / "best.ckpt"
    kept.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    cut = FEATURES | {"max_tokens": 512, "truncation": "cut"}
    teacher = OnlineTeacher(str(tmp_path))
    teacher.prepare(model.relations, features=cut)  # nobody knows how it was trained
    (tmp_path / "run.json").write_text(json.dumps({"features": cut}))
    teacher.prepare(model.relations, features=cut)
    with pytest.raises(DocreError, match=r"data\.features\.max_tokens: 256, .* with 512"):
        teacher.prepare(model.relations, features=cut | {"max_tokens": 256})


def test_it_is_made_on_the_cpu_and_draws_nothing(trained, model):
    """Wherever the student is made: on a GPU its numbers would be drawn there."""
    teacher = OnlineTeacher(str(trained))
    before = torch.get_rng_state()
    with torch.device("meta"):
        teacher.prepare(model.relations)
    assert torch.equal(torch.get_rng_state(), before)
    found = teacher.model.state_dict()
    assert {value.device.type for value in found.values()} == {"cpu"}
    for name, value in model.state_dict().items():
        assert torch.equal(found[name], value)


@pytest.mark.gpu
def test_the_random_numbers_of_a_gpu_stay(trained, model):
    torch.cuda.manual_seed(3)
    before = torch.cuda.get_rng_state()
    with torch.device("cuda"):
        OnlineTeacher(str(trained)).prepare(model.relations)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_runs_that_cannot_teach(tmp_path, trained):
    with pytest.raises(DocreError, match="no such run folder or checkpoint"):
        OnlineTeacher("nowhere").prepare(["a"])
    (tmp_path / "a.ckpt").write_bytes(b"no")
    with pytest.raises(DocreError, match=r"model.teacher: .*a\.ckpt is no checkpoint"):
        OnlineTeacher(str(tmp_path / "a.ckpt")).prepare(["a"])
    known = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    known["hyper_parameters"] = {}
    torch.save(known, tmp_path / "b.ckpt")
    with pytest.raises(DocreError, match=r"b\.ckpt cannot be made a model again; .*of\(model\)"):
        OnlineTeacher(str(tmp_path / "b.ckpt")).prepare(["a"])


class Plain(Head):
    def __init__(self, in_features, num_relations):
        super().__init__(in_features, num_relations)
        self.outer = nn.Linear(in_features, 1 + num_relations)

    def forward(self, encoded, batch):
        return HeadOutput(self.outer(encoded.token_states[batch.pair_doc, 0]))


def test_a_head_without_attention(batch):
    model = make(encoder=ENCODER, head=Plain)
    model.build(tuple(RELATIONS), "nothing")
    small = batch.to("cpu")
    small.input_ids.clamp_(max=500)
    assert OnlineTeacher.of(model, attention=False).targets(small).values is not None
    with pytest.raises(DocreError, match="does not say where its contexts come from"):
        OnlineTeacher.of(model).targets(small)


def test_what_the_record_of_a_run_says(trained):
    source = trained / "checkpoints" / "best.ckpt"
    assert OnlineTeacher(str(trained), attention=False).describe() == {
        "kind": "OnlineTeacher",
        "file": str(source),
        "xxh3_128": file_hash(source),
        "logits": True,
        "attention": False,
    }
