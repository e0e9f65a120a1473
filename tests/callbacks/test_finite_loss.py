"""A loss that is not a number ends the training before it gets into the weights."""

import re
from functools import partial, wraps

import lightning
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from docre.batch import Batch
from docre.callbacks import FiniteLoss
from docre.errors import DocreError
from docre.heads import GroupedBilinear, PairHead
from docre.outputs import HeadOutput
from docre.parent import read_checkpoint
from docre.replay import replay
from docre.replay.kept_steps import read_ranks
from tests.test_ddp import TWO
from tests.test_joint_model import data as joint_data
from tests.test_joint_model import model as joint_model
from tests.test_model import data_of, files, make, trainer  # noqa: F401
from tests.test_training import TINY, process

BAD = "toy 7"


class BadForOne(PairHead):
    """Makes of the scores of one document what it is told to."""

    change = staticmethod(lambda logits: logits * float("nan"))

    def forward(self, encoded, batch):
        logits = super().forward(encoded, batch).logits
        ours = [name == BAD for name in batch.document_ids]
        (rows,) = torch.tensor(ours)[batch.pair_doc].nonzero(as_tuple=True)
        return HeadOutput(logits.index_copy(0, rows, self.change(logits[rows])))


class InfiniteGradient(BadForOne):
    """Gives scores that are finite, with a gradient that is not: that of a root at 0."""

    change = staticmethod(lambda logits: logits + (logits * 0).sqrt())


class Steps(lightning.Callback):
    """Remembers the weights after each update, and each batch."""

    def __init__(self):
        self.weights, self.batches = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append(batch)
        if not self.weights:
            self.weights.append(copied(pl_module))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.weights.append(copied(pl_module))


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def model_of(head, **options):
    classifier = partial(GroupedBilinear, block_size=4)
    return make(head=partial(head, width=16, classifier=classifier), **options)


def stopped(files, model, folder, *callbacks, **options):  # noqa: F811
    """Train until it is stopped, and return what was said and the steps before."""
    steps = Steps()
    made = trainer(FiniteLoss(folder=str(folder)), *callbacks, steps, **options)
    with pytest.raises(DocreError) as caught:
        made.fit(model, datamodule=data_of(files))
    return str(caught.value), steps


def test_nothing_is_updated(files, tmp_path):  # noqa: F811
    model = model_of(BadForOne)
    said, steps = stopped(files, model, tmp_path / "kept")
    step = len(steps.weights) - 1
    bad = steps.batches[-1]
    assert BAD in bad.document_ids
    assert all(BAD not in batch.document_ids for batch in steps.batches[:-1])
    first, *_ = said.splitlines()
    names = ", ".join(map(repr, bad.document_ids))
    assert first == f"step {step}: the loss is nan, in a batch of {names}"
    # as after the update before, and so in the checkpoint
    known = read_checkpoint(tmp_path / "kept" / f"step_{step}.ckpt")
    for name, value in steps.weights[-1].items():
        assert torch.equal(value, model.state_dict()[name])
        assert torch.equal(value, known["state_dict"][name])
    assert known["global_step"] == step
    left = {path.name for path in (tmp_path / "kept").iterdir()}
    assert left == {f"step_{step}.ckpt", f"step_{step}_rank_0.pt"}


def test_it_runs_again_in_python(files, tmp_path):  # noqa: F811
    said, steps = stopped(files, model_of(BadForOne), tmp_path)
    (path,) = tmp_path.glob("*.ckpt")
    assert f"docre.replay.replay({str(path)!r}, model) in Python" in said
    found = replay(path, model_of(BadForOne, seed=5))
    assert found.came_up
    assert found.step == len(steps.weights) - 1
    (batch,) = found.batches
    assert batch.document_ids == steps.batches[-1].document_ids
    assert (batch.module, batch.bad_documents) == ("head", (BAD,))
    # the same weights, and a head without the fault
    assert not replay(path, model_of(PairHead)).came_up
    with pytest.raises(DocreError, match=r"put together in Python.*replay\(CHECKPOINT, model\)"):
        replay(path)


def test_a_gradient_alone(files, tmp_path):  # noqa: F811
    said, _ = stopped(files, model_of(InfiniteGradient), tmp_path)
    assert "the loss is finite, but its gradient is not" in said
    assert repr(BAD) in said
    (path,) = tmp_path.glob("*.ckpt")
    (batch,) = replay(path, model_of(InfiniteGradient)).batches
    assert batch.module is None
    assert batch.parameter.startswith("head.classifier")
    assert batch.loss == pytest.approx(batch.kept_loss, rel=1e-6)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_several_batches_of_an_update(files, tmp_path, precision):  # noqa: F811
    """All are kept, and those that were well have the loss they had, dropout and all."""
    _, steps = stopped(
        files, model_of(BadForOne), tmp_path, accumulate_grad_batches=3, precision=precision
    )
    (path,) = tmp_path.glob("*.ckpt")
    (rank,) = read_ranks(path)
    count = len(steps.batches) % 3 or 3
    expected = [batch.document_ids for batch in steps.batches[-count:]]
    assert [one.document_ids for one in rank.batches] == expected
    for ours, theirs in zip(rank.batches, steps.batches[-count:], strict=True):
        assert_same(ours.batch, theirs)
    found = replay(path, model_of(BadForOne))
    for batch in found.batches:
        if batch.is_finite:
            assert batch.loss == pytest.approx(batch.kept_loss, rel=1e-6)
        assert batch.is_finite == (BAD not in batch.document_ids)
    assert found.came_up


def assert_same(ours, theirs):
    assert isinstance(ours, Batch)
    for name in Batch.__slots__:
        one, other = getattr(ours, name), getattr(theirs, name)
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other, name


class LongGradient(lightning.Callback):
    """Makes the gradient infinite, as a factor that is too large does."""

    def on_after_backward(self, trainer, pl_module):
        next(pl_module.parameters()).grad.fill_(float("inf"))


def half(scale=1024.0):
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=1000)
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}


def test_an_infinite_gradient_is_for_the_scaler(files, tmp_path):  # noqa: F811
    calls = FiniteLoss(folder=str(tmp_path))
    model = model_of(PairHead)
    made = trainer(calls, LongGradient(), max_steps=2, **half())
    made.fit(model, datamodule=data_of(files))
    assert made.precision_plugin.scaler.get_scale() == 256.0  # halved twice
    assert not list(tmp_path.iterdir())
    said, _ = stopped(files, model_of(BadForOne), tmp_path, accumulate_grad_batches=5, **half())
    assert "the loss is nan" in said
    (path,) = tmp_path.glob("*.ckpt")
    finite = [one for one in replay(path, model_of(BadForOne)).batches if one.is_finite]
    assert finite
    for one in finite:  # without the scale
        assert one.loss == pytest.approx(one.kept_loss, rel=1e-2)


def test_without_a_folder(files):  # noqa: F811
    with pytest.raises(DocreError, match=r"not kept, as this run has no folder: --finite_loss"):
        trainer(FiniteLoss()).fit(model_of(BadForOne), datamodule=data_of(files))


def test_a_folder_that_refuses(files, tmp_path):  # noqa: F811
    (tmp_path / "taken").write_text("a file")
    said, _ = stopped(files, model_of(BadForOne), tmp_path / "taken")
    assert "the loss is nan" in said
    assert re.search(r"could not be kept: .*taken", said)


def test_it_can_be_left_off(files):  # noqa: F811
    model = model_of(BadForOne)
    trainer(FiniteLoss(check=False)).fit(model, datamodule=data_of(files))
    assert any(not value.isfinite().all() for value in model.parameters())


def test_a_joint_model(tmp_path):
    """Its loss is bad once the documents of the second step come."""
    model = joint_model()
    step, losses = model.training_step, []

    @wraps(step)
    def bad(batch, batch_idx):
        loss = step(batch, batch_idx)
        losses.append(float(loss.detach()))
        return loss * float("nan") if batch_idx == 1 else loss

    model.training_step = bad
    made = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[FiniteLoss(folder=str(tmp_path / "kept"))],
    )
    with pytest.raises(DocreError, match="step 1: the loss is nan"):
        made.fit(model, datamodule=joint_data(tmp_path))
    found = replay(tmp_path / "kept" / "step_1.ckpt", joint_model())
    assert not found.came_up
    (batch,) = found.batches
    assert batch.loss == pytest.approx(losses[1], rel=1e-6)
    assert {"mention", "relation"} <= batch.parts.keys()
    assert len(batch.document_ids) > 1
    assert batch.module is None


OWN_HEAD = """
import torch
from docre.heads import PairHead
from docre.outputs import HeadOutput


class Bad(PairHead):
    def forward(self, encoded, batch):
        logits = super().forward(encoded, batch).logits
        bad = batch.document_index == 5
        return HeadOutput(logits.masked_fill(bad[batch.pair_doc][:, None], torch.nan))
"""


def test_two_processes_end_together(tmp_path):
    """Each with a loss of its own: one has the document, both stop and keep their batches."""
    (tmp_path / "badpkg.py").write_text(OWN_HEAD)
    config = TINY.replace("train_documents: 24", "train_documents: 12")
    config = config.replace(
        "reading:", "batches: {batch_size: 2, eval_batch_size: 3}\n    reading:"
    )
    (tmp_path / "tiny.yaml").write_text(config)
    own = ["--model.head=badpkg.Bad", "--model.loss.init_args.across_ranks=false"]
    done = process("fit", "-c", "tiny.yaml", *own, *TWO, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()[0]
    found = re.fullmatch(
        r"docre: error: step (\d): the loss is nan, in a batch of '(\S+)', '(\S+)' \(rank (\d)\)",
        said,
    )
    assert found, done.stderr
    step, *names, rank = found.groups()
    kept = tmp_path / "runs" / "tiny" / "version_0" / "nonfinite"
    expected = {f"step_{step}.ckpt", f"step_{step}_rank_0.pt", f"step_{step}_rank_1.pt"}
    assert {path.name for path in kept.iterdir()} == expected
    ranks = read_ranks(kept / f"step_{step}.ckpt")
    assert [one.rank for one in ranks] == [0, 1]
    assert ranks[int(rank)].batches[0].document_ids == tuple(names)
    assert len({name for one in ranks for name in one.batches[0].document_ids}) == 4
