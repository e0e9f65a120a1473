"""What does not belong together, checkpoint and data, model or machine, is one line."""

import json
import shutil
from contextlib import chdir
from functools import partial
from pathlib import Path

import msgspec
import pytest
import torch

import docre
from docre.differences import differing_names, differing_weights
from docre.encoder import Encoder
from docre.errors import DocreError
from docre.hub.contents import read_model
from docre.joint_model import JointModel
from docre.machine import misfit
from docre.model import DocREModel
from docre.opened_run import open_run
from docre.parent import read_checkpoint
from tests.distillation.runs import fit
from tests.test_joint_model import model as joint_model
from tests.test_model import BERT, READER, S_PU, data_of, files, make, train_into, trainer  # noqa: F401
from tests.test_training import failing
from tests.toy import RELATIONS

pytestmark = pytest.mark.reliability

NO_GPU = not (torch.cuda.is_available() or torch.backends.mps.is_available())
QUIET = ["--trainer.logger=false"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("wrong"))


@pytest.fixture
def here(trained, monkeypatch):
    monkeypatch.chdir(trained.parents[2])
    return trained.parents[2]


@pytest.fixture(scope="module")
def toy(files, tmp_path_factory):  # noqa: F811
    """A checkpoint of Python, of the toy data."""
    _, path = train_into(tmp_path_factory.mktemp("toy_run"), files)
    return Path(path)


def one_line(capsys, *arguments):
    code, said = failing(capsys, *arguments)
    assert (code, said.count("\n")) == (1, 1), said
    assert len(said) < 500
    return said.removeprefix("docre: error: ").rstrip("\n")


def changed(path, target, **values):
    """Write a checkpoint with other values."""
    torch.save(read_checkpoint(path) | values, target)
    return target


# --- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        ("abc", "ab", "only in the checkpoint: 'c'"),
        ("a", "abcdef", "only in this model: 'b', 'c', 'd' and 2 more"),
        ("ax", "ay", "only in the checkpoint: 'x'; only in this model: 'y'"),
        (
            "abc",
            "acb",
            "in another order: number 1 is 'b' in the checkpoint and 'c' in this model",
        ),
    ],
)
def test_names(theirs, ours, said):
    assert differing_names(tuple(theirs), tuple(ours)) == said


def test_weights():
    ours = {
        "head.memory.a.weight": torch.zeros(2),
        "head.memory.b": torch.zeros(1),
        "head.out": torch.zeros(2, 3),
        "scale": torch.zeros(()),
    }
    assert differing_weights(ours, ours) == ""
    theirs = {"head.out": torch.zeros(3, 3), "head.in.x": torch.zeros(1), "scale": torch.zeros(4)}
    assert differing_weights(theirs, ours) == (
        "only in the checkpoint: head.in; only in this model: head.memory; of another size in the "
        "checkpoint: head.out is 3 x 3, 2 x 3 in this model and 1 more"
    )
    assert differing_weights({"scale": torch.zeros(4)}, {"scale": ours["scale"]}) == (
        "of another size in the checkpoint: scale is 4, a single number in this model"
    )


# --- relations ------------------------------------------------------------------------------------


def test_other_relations_by_command(here, trained, tmp_path, capsys):
    names = list(json.loads((trained / "relations.json").read_text()))
    (tmp_path / "r.json").write_text(json.dumps([*names[2:], "invented"]))
    (folder,) = (path.parent for path in here.glob("data/*/train.json"))
    tokenizer = json.loads((trained / "run.json").read_text())["tokenizer"]
    own = [
        *("--data", "docre.data.modules.DocREDFormat"),
        *("--data.relations_file", tmp_path / "r.json", "--data.tokenizer", tokenizer),
        *("--data.reading.on_error=skip", "--data.reading.cache_dir", tmp_path / "cache"),
    ]
    splits = [
        f"--data.{split}_file={folder / f'{split}.json'}" for split in ("train", "dev", "test")
    ]
    checkpoint = ["--ckpt_path", trained / "checkpoints" / "best.ckpt"]
    for command in ("fit", "validate", "test", "predict"):
        run = ["-c", "tiny.yaml"] if command == "fit" else ["--run", trained]
        said = one_line(capsys, command, *run, *QUIET, *own, *splits, *checkpoint)
        assert f"only in the checkpoint: {names[0]!r}, {names[1]!r}" in said
        assert "'invented'" in said


def test_other_relations_in_python(files, toy, tmp_path):  # noqa: F811
    (tmp_path / "names.json").write_text(json.dumps([*RELATIONS, "invented"]))
    other = data_of(files, relations_file=str(tmp_path / "names.json"))
    with pytest.raises(DocreError, match=r"relations, .*\(only in the data: 'invented'\)"):
        trainer().test(make(READER, loss=S_PU), datamodule=other, ckpt_path=toy)
    built = make(READER, loss=S_PU)
    built.build(RELATIONS.names[:2], "nothing")
    with pytest.raises(DocreError, match=f"only in the checkpoint: {RELATIONS.names[2]!r}"):
        built.on_load_checkpoint(read_checkpoint(toy))


# --- another head, another encoder ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model.head.init_args.width=8"], "head.head_extractor.weight is 16 x 32, 8 x 32 in"),
        (["--model.head.init_args.memory=docre.memory.TokenTuringReader"], ": head.memory"),
    ],
)
def test_another_head_by_command(here, trained, capsys, options, said):
    for command in ("validate", "test", "predict"):
        assert said in one_line(capsys, command, "--run", trained, *options)
    known = ["--model.init_from", trained]
    message = one_line(capsys, "fit", "-c", "tiny.yaml", *QUIET, *options, *known)
    assert message.startswith("init_from: ")
    assert said in message


def test_another_encoder_is_taken_from_the_checkpoint(here, trained, capsys):
    """Its size is in the checkpoint; for a beginning from it the sizes have to be the same."""
    wide = "--model.encoder.init_args.config.hidden_size=32"
    said = one_line(capsys, "fit", "-c", "tiny.yaml", *QUIET, wide, "--model.init_from", trained)
    assert "word_embeddings.weight is 900 x 16, 900 x 32 in this run" in said


def test_a_checkpoint_that_contradicts_itself(here, trained, tmp_path, capsys):
    """Its encoder is said to be of another size than its weights."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    path = run / "checkpoints" / "best.ckpt"
    facts = read_checkpoint(path)["docre"]
    facts["encoder_config"] = facts["encoder_config"] | {"hidden_size": 32}
    changed(path, path, docre=facts)
    for words in (["test"], ["validate"], ["predict"]):
        assert "900 x 16, 900 x 32 in this" in one_line(capsys, *words, "--run", run)
    with pytest.raises(DocreError, match="900 x 16, 900 x 32 in this model"):
        DocREModel.load_from_checkpoint(path, weights_only=True)
    with pytest.raises(DocreError, match="do not fit the model"):
        docre.load(run)
    with pytest.raises(DocreError, match=r"best\.ckpt does not fit the model: .* 900 x 32"):
        open_run(run)


def test_another_model_in_python(files, toy):  # noqa: F811
    with pytest.raises(DocreError, match=r"other parts: only in the checkpoint: head\.memory$"):
        trainer().test(make(loss=S_PU), datamodule=data_of(files), ckpt_path=toy)
    larger = partial(Encoder, config=BERT | {"hidden_size": 32})
    with pytest.raises(DocreError, match=r"word_embeddings\.weight is 600 x 16, 600 x 32 in this"):
        trainer().validate(
            make(READER, loss=S_PU, encoder=larger), datamodule=data_of(files), ckpt_path=toy
        )


# --- what is no checkpoint of this model ----------------------------------------------------------


def joint_checkpoint(folder):
    """A file that says it is of a joint model."""
    facts = {"model": "JointModel", "model_class": "docre.joint_model.JointModel"}
    rest = {"relations": ["r"], "types": ["T"], "tokenizer": "t", "parent": None}
    known = {"state_dict": {}, "docre": facts | rest | {"encoder_config": None}, "epoch": 0}
    torch.save(known | {"global_step": 0, "pytorch-lightning_version": "2.6.0"}, folder / "j.ckpt")
    return folder / "j.ckpt"


def foreign(folder, trained):
    """Files that are no checkpoint of ours, and what is said of each."""
    known = {"state_dict": {"layer": torch.zeros(1)}, "epoch": 1, "global_step": 2}
    others = {"hyper_parameters": {"hidden": 3}, "pytorch-lightning_version": "2.6.0"}
    torch.save(known | others, folder / "other.ckpt")
    torch.save({"config": Path("somewhere")}, folder / "objects.ckpt")
    torch.save([1, 2], folder / "list.ckpt")
    whole = (trained / "checkpoints" / "best.ckpt").read_bytes()
    (folder / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.ckpt").write_bytes(b"")
    return {
        "other.ckpt": "is not a checkpoint of docre",
        "objects.ckpt": "it holds objects of Python",
        "list.ckpt": "it holds a list alone",
        "cut.ckpt": "it is damaged, or cut off",
        "empty.ckpt": "it is damaged, or cut off",
        "j.ckpt": "is a checkpoint of JointModel, ",
    }


def test_what_is_no_checkpoint_of_it(here, trained, tmp_path, capsys):
    joint_checkpoint(tmp_path)
    for name, said in foreign(tmp_path, trained).items():
        path = tmp_path / name
        for command in ("fit", "validate", "test", "predict"):
            words = [command, "-c", "tiny.yaml", *QUIET, "--ckpt_path", path]
            message = one_line(capsys, *words)
            assert str(path) in message
            assert said in message
        message = one_line(capsys, "fit", "-c", "tiny.yaml", *QUIET, "--model.init_from", path)
        assert message.startswith(f"init_from: {path}")
        assert said in message


def test_a_pair_checkpoint_in_a_joint_model(here, trained, tmp_path, capsys):
    (tmp_path / "joint.yaml").write_text("model_class: docre.joint_model.JointModel\n")
    path = trained / "checkpoints" / "best.ckpt"
    for command in ("fit", "validate", "test", "predict"):
        said = one_line(capsys, command, "-c", tmp_path / "joint.yaml", "--ckpt_path", path)
        assert "is a checkpoint of DocREModel, the configuration is of JointModel" in said
    with pytest.raises(DocreError, match="a checkpoint of DocREModel, not of JointModel"):
        JointModel.load_from_checkpoint(path, weights_only=True)
    with pytest.raises(DocreError, match="a checkpoint of DocREModel, not of JointModel"):
        joint_model().on_load_checkpoint(read_checkpoint(path))
    with pytest.raises(DocreError, match="a checkpoint of JointModel, not of DocREModel"):
        make().on_load_checkpoint(read_checkpoint(joint_checkpoint(tmp_path)))


def test_runs_with_such_checkpoints(here, trained, tmp_path, capsys):
    """``docre.load``, and with it ``docre predict MODEL FILES``."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (tmp_path / "texts.jsonl").write_text('{"id": "1", "text": "Nothing."}\n')
    for name, said in foreign(tmp_path, trained).items():
        if name == "j.ckpt":
            continue
        shutil.copy(tmp_path / name, run / "checkpoints" / "best.ckpt")
        with pytest.raises(DocreError, match=said):
            docre.load(run)
        with pytest.raises(DocreError, match=said):
            read_model(run)
        out = ["--output", tmp_path / "out.jsonl"]
        assert said in one_line(capsys, "predict", run, tmp_path / "texts.jsonl", *out)
        assert not (tmp_path / "out.jsonl").exists()


# --- a machine without a GPU ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "gpu", "options"),
    [
        ({"accelerator": "gpu"}, False, "--trainer.accelerator=cpu"),
        ({"accelerator": "gpu", "precision": "bf16-mixed"}, False, "--trainer.accelerator=cpu"),
        ({"accelerator": "gpu", "devices": 4, "precision": "16-mixed"}, True, ""),
        ({"devices": 4}, False, "--trainer.accelerator=cpu --trainer.devices=1"),
        (
            {"devices": [0], "accelerator": "cuda"},
            False,
            "--trainer.accelerator=cpu --trainer.devices=1",
        ),
        ({"devices": 4}, True, ""),
        ({"devices": 4, "accelerator": "cpu"}, False, ""),
        ({"precision": "16-mixed"}, False, "--trainer.precision=32-true"),
        ({"precision": "16-mixed", "accelerator": "cpu"}, True, "--trainer.precision=32-true"),
        ({"precision": None, "devices": "auto", "accelerator": "auto"}, False, ""),
        ({}, False, ""),
    ],
)
def test_what_a_machine_lacks(settings, gpu, options):
    found = misfit(settings, gpu)
    assert " ".join(found.options) == options
    assert bool(found.lacking) == bool(options)


@pytest.mark.skipif(not NO_GPU, reason="this machine has a GPU")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-c", "overlays/trainer/a6000_bf16.yaml"], "--trainer.accelerator cpu"),
        (["--trainer.accelerator=gpu"], "--trainer.accelerator cpu"),
        (["--trainer.accelerator=auto", "--trainer.devices=4"], "--trainer.devices 1"),
        (["--trainer.precision=16-mixed"], "--trainer.precision 32-true"),
    ],
)
def test_a_configuration_for_a_gpu(here, tmp_path, capsys, words, said):
    places = ["--data.data_dir", tmp_path / "data", "--data.reading.cache_dir", tmp_path / "cache"]
    message = one_line(capsys, "fit", "-c", "tiny.yaml", *words, *places, *QUIET)
    assert message.endswith(said)
    assert not list(tmp_path.iterdir())  # nothing was made or cached
    packaged = ["fit", "-c", "redocred_ttm.yaml", *words, "--data.data_dir", tmp_path / "data"]
    assert one_line(capsys, *packaged).endswith(said)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not NO_GPU, reason="this machine has a GPU")
def test_a_run_of_a_gpu(here, trained, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    config = msgspec.yaml.decode((run / "config.yaml").read_bytes())
    config["trainer"] |= {"accelerator": "gpu", "precision": "bf16-mixed"}
    (run / "config.yaml").write_bytes(msgspec.yaml.encode(config))
    for command in ("validate", "test", "predict"):
        said = one_line(capsys, command, "--run", run)
        assert said.endswith("--trainer.accelerator cpu")
    from docre.training import run as go

    go(["test", "--run", str(run), "--trainer.accelerator", "cpu"])
    found = json.loads((run / "scores" / "test.json").read_text())
    assert found["scores"]["documents"] == 5
    # what opens a run to look into it takes what there is
    with chdir(here):
        assert str(open_run(run).trainer.strategy.root_device) == "cpu"
