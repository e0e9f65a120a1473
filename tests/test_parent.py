"""Training in stages."""

import json
from functools import partial

import pytest
import torch

from docre.callbacks import FreezeModules
from docre.data.cache import file_hash
from docre.errors import DocreError
from docre.memory import TokenTuringReader
from docre.parent import Parent, best_checkpoint
from tests.test_model import (  # noqa: F401
    READER,
    S_PU,
    data_of,
    files,
    head_of,
    make,
    train_into,
    trainer,
)
from tests.toy import RELATIONS


@pytest.fixture(scope="module")
def parent(files, tmp_path_factory):  # noqa: F811
    """A model of the first stage and its run folder."""
    folder = tmp_path_factory.mktemp("parent")
    model, _ = train_into(folder / "checkpoints", files, seed=3)
    return model, folder


class Start(FreezeModules):
    """Remembers the weights that training begins with."""

    def on_train_start(self, trainer, pl_module):
        self.weights = {k: v.clone() for k, v in pl_module.state_dict().items()}
        self.moments = dict(trainer.optimizers[0].state)
        self.step = trainer.global_step


def child_of(path, files, *options, **settings):  # noqa: F811
    start = Start(["head.memory"])
    model = make(READER, seed=8, loss=partial(S_PU, prior_multiple=2.0), init_from=path)
    model.rates = settings.pop("rates", model.rates)
    made = trainer(start, max_epochs=2)
    made.fit(model, datamodule=data_of(files, "few.jsonl"))
    return model, start, made


def test_the_second_stage(parent, files):  # noqa: F811
    first, folder = parent
    model, start, made = child_of(folder, files)
    before = first.state_dict()
    for name, value in start.weights.items():
        same = torch.equal(value, before[name])
        assert same == name.startswith(("encoder.", "head.")), name
    assert start.step == 0
    assert start.moments == {}
    after = model.state_dict()
    trained = {name for name, _ in model.named_parameters()}
    kept = {name for name in trained if torch.equal(after[name], before[name])}
    assert kept == {name for name in trained if name.startswith("head.memory.")}
    assert [group["name"] for group in made.optimizers[0].param_groups] == ["encoder", "head"]
    # priors are those of the new data
    data = data_of(files, "few.jsonl")
    torch.testing.assert_close(model.loss.priors, torch.from_numpy(data.priors()).float())
    assert not torch.equal(model.loss.priors, first.loss.priors)


def test_the_run_knows_its_parent(parent, files):  # noqa: F811
    _, folder = parent
    path = folder / "checkpoints" / "last.ckpt"
    # a checkpoint itself, as well as its folder
    for given in (folder, path):
        model, _, _ = child_of(given, files)
        assert model.parent == Parent(str(path), file_hash(path), 0, 5)


def test_the_parent_is_not_needed_again(parent, files, tmp_path):  # noqa: F811
    _, folder = parent
    copied = tmp_path / "parent"
    (copied / "checkpoints").mkdir(parents=True)
    moved = copied / "checkpoints" / "last.ckpt"
    moved.write_bytes((folder / "checkpoints" / "last.ckpt").read_bytes())
    model, path = train_into(tmp_path / "child", files, init_from=str(copied))
    moved.unlink()
    data = partial(data_of, files)
    trainer().validate(
        make(READER, loss=S_PU, init_from=str(copied)), datamodule=data(), ckpt_path=path
    )
    # nor to go on with the second stage
    again = make(READER, loss=S_PU)
    made = trainer(max_epochs=2)
    made.fit(again, datamodule=data(), ckpt_path=path)
    assert made.global_step == 10
    assert again.parent == model.parent


def test_other_relations_and_other_parts(parent, files, tmp_path):  # noqa: F811
    _, folder = parent
    names = tmp_path / "names.json"
    names.write_text(json.dumps([*RELATIONS, "more"]))
    data = data_of(files, relations_file=str(names))
    with pytest.raises(DocreError, match=r"init_from: .* knows 3 relations, the data 4"):
        trainer().fit(make(READER, init_from=str(folder)), datamodule=data)
    with pytest.raises(DocreError, match=r"only in the checkpoint: head\.memory$"):
        trainer().fit(make(init_from=str(folder)), datamodule=data_of(files))
    more = partial(TokenTuringReader, slots=7, attention_heads=2)
    with pytest.raises(DocreError, match=r"head\.memory\.memory is 6 x 16, 7 x 16 in this run$"):
        trainer().fit(make(more, init_from=str(folder)), datamodule=data_of(files))
    shared = make(head=head_of(READER, shared_extractor=True), init_from=str(folder))
    with pytest.raises(DocreError, match=r"only in the checkpoint: head\.tail_extractor$"):
        trainer().fit(shared, datamodule=data_of(files))


def test_no_parent(tmp_path):
    with pytest.raises(DocreError, match="no such run folder or checkpoint"):
        best_checkpoint(tmp_path / "nothing")
    with pytest.raises(DocreError, match=r"neither checkpoints/best\.ckpt nor"):
        best_checkpoint(tmp_path)


def test_the_best_checkpoint_comes_before_the_last(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("last", "best"):
        (folder / f"{name}.ckpt").touch()
        assert best_checkpoint(tmp_path) == folder / f"{name}.ckpt"


def test_a_parent_that_is_none_of_ours(files, tmp_path):  # noqa: F811
    foreign = tmp_path / "foreign.ckpt"
    torch.save({"state_dict": {}, "epoch": 0, "global_step": 0}, foreign)
    with pytest.raises(DocreError, match=r"init_from: .* this is not a checkpoint of docre"):
        trainer().fit(make(READER, init_from=str(foreign)), datamodule=data_of(files))
    foreign.write_bytes(b"nothing")
    with pytest.raises(DocreError, match=r"init_from: .*foreign\.ckpt is no checkpoint"):
        trainer().fit(make(READER, init_from=str(foreign)), datamodule=data_of(files))
