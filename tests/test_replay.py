"""``docre replay``: a step whose loss was not finite, run again without its data."""

import os
import shutil

import pytest
import torch
from torch import nn

from docre.cli import main
from docre.data.examples import examples_of
from docre.errors import DocreError
from docre.joint.batch import JointBatch
from docre.parent import read_checkpoint
from docre.replay import replay
from docre.replay.plain_batch import from_plain, to_plain
from docre.replay.watching import FiniteWatch, is_finite
from tests.batches import make_batch
from tests.distillation.runs import fit
from tests.test_joint_model import data as joint_data
from tests.test_joint_model import model as joint_model
from tests.test_training import failing

HEAD = '''
import os
import torch
from docre.heads import PairHead
from docre.outputs import HeadOutput


class Faulty(PairHead):
    """Its scores are not numbers for the documents in these rows of the training data."""

    def forward(self, encoded, batch):
        logits = super().forward(encoded, batch).logits
        rows = [int(row) for row in os.environ["FAULTY_ROWS"].split()]
        bad = torch.isin(batch.document_index, torch.tensor(rows, dtype=torch.long))
        return HeadOutput(logits.masked_fill(bad[batch.pair_doc][:, None], torch.nan))
'''
TAUGHT = """
model:
  extra_losses:
    - class_path: docre.losses.LogitDistillation
  teacher:
    class_path: docre.distillation.online_teacher.OnlineTeacher
    init_args: {run: TEACHER, attention: false}
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that stopped in the last of its updates of two batches, and what it said."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "faulty_head.py").write_text(HEAD)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("FAULTY_ROWS", "0")
        with pytest.raises(DocreError) as caught:
            fit(
                folder,
                "--model.head=faulty_head.Faulty",
                "--data.init_args.batches={batch_size: 2, eval_batch_size: 2}",
                "--trainer.accumulate_grad_batches=2",
            )
        yield folder / "runs" / "tiny" / "version_0", str(caught.value)


def said_of(capsys, *arguments):
    """Run ``docre replay`` and return its exit code and the lines it prints."""
    with pytest.raises(SystemExit) as caught:
        main(["replay", *map(str, arguments)])
    said = capsys.readouterr()
    assert said.err == ""
    return caught.value.code, said.out.splitlines()


def test_what_a_run_says(stopped):
    run, said = stopped
    (path,) = (run / "nonfinite").glob("*.ckpt")
    command = said.splitlines()[-1].partition("Where it begins: ")[2]
    folder = run.parents[2]
    assert command == f"docre replay {os.path.relpath(path, folder)} --allow faulty_head"
    assert not (run / "checkpoints" / "last.ckpt").exists()  # none was there, none is


def test_it_comes_up_again(stopped, capsys):
    run, said = stopped
    code, lines = said_of(capsys, run, "--allow", "faulty_head")
    assert code == 0
    (path,) = (run / "nonfinite").glob("*.ckpt")
    assert lines[0] == f"{path}: step {path.stem.removeprefix('step_')}"
    batches = "\n".join(lines).split("\nbatch ")[1:]
    assert [text.partition("\n")[0] for text in batches] == ["0 of 2, rank 0", "1 of 2, rank 0"]
    (bad,) = (text for text in batches if "loss: nan (in training: nan)" in text)
    (good,) = (text for text in batches if text is not bad)
    assert "first module whose output is not finite: head" in bad
    documents = bad.partition("documents: ")[2].partition("\n")[0]
    assert said.splitlines()[0].endswith(f"in a batch of {documents}")
    guilty = bad.partition("scores are not finite in: ")[2].partition("\n")[0]
    assert guilty in documents
    assert guilty.count("'") == 2  # one
    assert "first module whose output is not finite: none" in good
    # the same dropout
    found = replay(run, allow=["faulty_head"])
    assert [one.is_finite for one in found.batches].count(True) == 1
    for one in found.batches:
        if one.is_finite:
            assert one.loss == pytest.approx(one.kept_loss, rel=1e-6)
            assert one.loss == pytest.approx(sum(one.parts.values()), rel=1e-6)


def test_it_does_not_come_up_again(stopped, capsys, monkeypatch):
    monkeypatch.setenv("FAULTY_ROWS", "")
    code, lines = said_of(capsys, stopped[0], "--allow", "faulty_head")
    assert (code, lines[-1]) == (1, "everything was finite this time")


def test_weights_that_are_bad_already(stopped, tmp_path):
    shutil.copytree(stopped[0] / "nonfinite", tmp_path / "nonfinite")
    (path,) = (tmp_path / "nonfinite").glob("*.ckpt")
    known = read_checkpoint(path)
    known["state_dict"]["head.classifier.bias"][1] = torch.inf
    torch.save(known, path)
    found = replay(tmp_path, allow=["faulty_head"])
    assert found.bad_weights == ("head.classifier.bias",)
    assert [one.module for one in found.batches] == ["head.classifier", "head.classifier"]


def test_a_class_that_nobody_allowed(stopped, capsys):
    code, said = failing(capsys, "replay", stopped[0])
    assert code == 1
    assert "if you trust the package faulty_head: --allow faulty_head" in said


def test_without_the_teacher(stopped, tmp_path, capsys, monkeypatch):
    """What a teacher says is left out, and that is said."""
    monkeypatch.setenv("FAULTY_ROWS", "")
    teacher = fit(tmp_path)
    monkeypatch.setenv("FAULTY_ROWS", "0")
    (tmp_path / "taught.yaml").write_text(TAUGHT.replace("TEACHER", str(teacher)))
    with pytest.raises(DocreError, match="the loss is nan"):
        fit(tmp_path, "-c", "taught.yaml", "--model.head=faulty_head.Faulty", name="student")
    shutil.rmtree(teacher)
    run = tmp_path / "runs" / "student" / "version_0"
    code, lines = said_of(capsys, run, "--allow", "faulty_head")
    assert code == 0
    assert any(
        line.startswith("note: a teacher is in no checkpoint: what it teaches (LogitDistillation)")
        for line in lines
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "no such run folder or checkpoint: nowhere"),
        ("nowhere.ckpt", "no such checkpoint: nowhere.ckpt"),
        ("empty", "empty has kept no step"),
        ("RUN/run.json", "has no batches beside it"),
        ("alone/step_3.ckpt", "alone/step_3.ckpt has no batches beside it"),
        ("other/step_3.ckpt", "step_3_rank_0.pt has no batches of a step"),
    ],
)
def test_errors(stopped, tmp_path, capsys, monkeypatch, path, said):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "alone", "other"):
        (tmp_path / folder).mkdir()
    for name in ("alone/step_3.ckpt", "other/step_3.ckpt", "other/step_3_rank_0.pt"):
        torch.save({"batches": [{"batch": {"kind": "os.system", "fields": {}}}]}, name)
    code, message = failing(capsys, "replay", path.replace("RUN", str(stopped[0])))
    assert code == 1
    assert said in message
    assert message.count("\n") == 1


# --- batches as plain values ----------------------------------------------------------------------


def leaves(value):
    """All plain values and tensors in a batch, in order."""
    slots = getattr(value, "__slots__", None) or getattr(value, "_fields", None)
    if slots and not isinstance(value, str | torch.Tensor):
        for name in slots:
            yield from leaves(getattr(value, name))
    elif isinstance(value, tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value.tolist() if hasattr(value, "tolist") else value


def through_a_file(batch, path):
    torch.save(to_plain(batch), path)
    return from_plain(torch.load(path, weights_only=True))


def test_a_batch_comes_back(tmp_path):
    batch = make_batch([[1, 2, 3], [4, 5]], [[[0], [1, 2]], [[1]]], labels=[[(0, 1, 2)], []])
    again = through_a_file(batch, tmp_path / "batch.pt")
    assert list(leaves(again)) == list(leaves(batch))
    assert again.sizes == batch.sizes


def test_a_joint_batch_comes_back(tmp_path):
    module = joint_data(tmp_path)
    module.examples = examples_of(joint_model())
    module.prepare_data()
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))
    assert isinstance(batch, JointBatch)
    assert batch.sample is not None
    again = through_a_file(batch, tmp_path / "batch.pt")
    assert list(leaves(again)) == list(leaves(batch))
    assert again.truth[0].edit_distance.dtype == batch.truth[0].edit_distance.dtype


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="Linear is no part of a batch"):
        to_plain((1, nn.Linear(1, 1)))
    for wrong in ({"kind": "Linear", "fields": {}}, {"kind": "Spans", "fields": {}}, {"a": 1}):
        with pytest.raises(ValueError, match="not the values of a batch"):
            from_plain(wrong)


# --- watching -------------------------------------------------------------------------------------


class Divides(nn.Module):
    def forward(self, values):
        return {"kept": (values / values.sum(), None)}


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 2), Divides())

    def forward(self, values):
        return self.inner(values)["kept"][0]


def test_the_innermost_module_is_named():
    model = Whole()
    with FiniteWatch(model) as watch:
        nn.init.zeros_(model.inner[0].weight)
        nn.init.zeros_(model.inner[0].bias)
        model(torch.ones(1, 2)).sum().backward()
    assert (watch.module, watch.parameter) == ("inner.1", "inner.0.bias")
    model(torch.full((1, 2), torch.nan))
    assert watch.module == "inner.1"  # it looks no longer
    assert not any(module._forward_hooks for module in model.modules())


def test_what_is_finite():
    assert is_finite({"a": [torch.ones(2), None, "text", torch.tensor([1])]})
    assert not is_finite({"a": [torch.ones(2), (torch.tensor(torch.inf),)]})
