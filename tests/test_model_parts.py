"""Contexts, refinements, added losses and teachers inside a model."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from docre.context import LocalizedContext, UNetContext
from docre.distillation.teacher import Teacher
from docre.errors import DocreError
from docre.heads import RefinedClassifier
from docre.losses import (
    AdaptiveThresholdLoss,
    AttentionDistillation,
    ConcentratedMarginLoss,
    EvidenceLoss,
    LogitDistillation,
)
from docre.optim import GroupSettings, LearningRates
from docre.outputs import Targets, TeacherTargets
from docre.refinement import AxialTransformer, InstanceReasoning
from tests.test_model import batch_of as batch_of_documents
from tests.test_model import data_of, files, head_of, make, trainer  # noqa: F401 - a fixture
from tests.toy import RELATIONS, document

U_NET = partial(UNetContext, down=4, out=6)
AXIAL = partial(AxialTransformer, layers=1, attention_heads=2)


def refined(*refinements):
    return partial(RefinedClassifier, features=8, block_size=4, refinements=refinements)


def head_with(context=LocalizedContext, classifier=None):
    made = head_of(context=context)
    return made if classifier is None else partial(made, classifier=classifier)


class Constant(Teacher):
    """Says the same of every pair, and keeps what it was asked."""

    def __init__(self):
        self.prepared, self.asked = [], 0

    def prepare(self, relations, tokenizer=None, features=None):
        self.prepared.append((tuple(relations), tokenizer, features))

    def targets(self, batch):
        self.asked += 1
        return TeacherTargets(torch.zeros(batch.num_pairs, 1 + len(RELATIONS)))


# --- what plain DDP needs -------------------------------------------------------------------------


@pytest.mark.parametrize("context", [LocalizedContext, U_NET])
@pytest.mark.parametrize(
    "classifier",
    [
        None,
        refined(AXIAL),
        refined(partial(AXIAL, padding="published")),
        refined(InstanceReasoning),
        refined(InstanceReasoning, AXIAL),
    ],
)
def test_every_parameter_gets_a_gradient_also_without_pairs(context, classifier):
    model = make(head=head_with(context, classifier), extra_losses=[EvidenceLoss])
    model.build(tuple(RELATIONS), "nothing")
    for documents in ([document(1, 4), document(2, 3)], [document(3, 0), document(4, 1)]):
        model.zero_grad()
        batch = batch_of_documents(documents)
        model._loss(model(batch), batch).total().backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("extra", [EvidenceLoss, AttentionDistillation])
@pytest.mark.parametrize("context", [LocalizedContext, U_NET])
def test_a_loss_of_attention_has_a_graph_without_pairs(context, extra):
    model = make(head=head_with(context))
    model.build(tuple(RELATIONS), "nothing")
    batch = batch_of_documents([document(3, 0), document(4, 1)])
    output = model(batch)
    assert output.context.attention.maps.dtype == torch.float32
    teacher = TeacherTargets(attention=output.context.attention)
    total = extra()(output, Targets(batch.labels(len(RELATIONS)), batch, teacher)).total()
    total.backward()
    assert total == 0


# --- learning rates -------------------------------------------------------------------------------


def test_context_and_refinement_learn_as_they_are_told(files):  # noqa: F811
    rates = LearningRates(context=GroupSettings(4e-4), refinement=GroupSettings(5e-4))
    model = make(head=head_with(U_NET, refined(AXIAL)), rates=rates)
    made = trainer(max_steps=1)
    made.fit(model, datamodule=data_of(files))
    groups = made.optimizers[0].param_groups
    assert {group["name"]: group["initial_lr"] for group in groups} == {
        "encoder": 3e-5,
        "context": 4e-4,
        "refinement": 5e-4,
        "head": 1e-4,
    }
    names = {id(p): name for name, p in model.named_parameters()}
    of = {group["name"]: {names[id(p)] for p in group["params"]} for group in groups}
    assert all(name.startswith("head.context.") for name in of["context"])
    assert all(name.startswith("head.classifier.refinements.") for name in of["refinement"])
    assert "head.classifier.projection" in of["head"]
    assert sum(map(len, of.values())) == len(names)


# --- losses and teachers --------------------------------------------------------------------------


def test_what_a_loss_measures_is_logged(files):  # noqa: F811
    made = trainer()
    made.fit(make(loss=ConcentratedMarginLoss), datamodule=data_of(files))
    logged = made.logged_metrics
    assert {"train/margin_positive", "train/margin_negative", "train/predicted"} <= set(logged)
    assert "val/margin_positive" in logged


def test_the_parts_of_added_losses_are_logged(files):  # noqa: F811
    made = trainer()
    made.fit(make(extra_losses=[partial(EvidenceLoss, weight=0.5)]), datamodule=data_of(files))
    logged = {name: float(value) for name, value in made.logged_metrics.items()}
    names = ("positive", "negative", "evidence")
    positive, negative, evidence = (logged[f"val/loss/{name}"] for name in names)
    assert logged["val/loss"] == pytest.approx(positive + negative + 0.5 * evidence, rel=1e-5)


def test_a_teacher_is_asked_in_training_only(files):  # noqa: F811
    model = make(extra_losses=[LogitDistillation], teacher=Constant)
    made = trainer(max_epochs=1)
    made.fit(model, datamodule=data_of(files))
    assert model.teacher.asked == made.global_step
    ((relations, tokenizer, features),) = model.teacher.prepared
    assert relations == tuple(RELATIONS)
    assert tokenizer == str(files / "tokenizer")
    assert features["markers"] == "entity"
    assert "train/loss/teacher_logits" in made.logged_metrics
    assert "val/loss/teacher_logits" not in made.logged_metrics


def test_a_teacher_is_checked_also_if_the_model_is_there_already(files):  # noqa: F811
    model = make(extra_losses=[LogitDistillation], teacher=Constant)
    data = data_of(files)
    model.build(tuple(RELATIONS), str(files / "tokenizer"))
    trainer(max_steps=1).fit(model, datamodule=data)
    assert len(model.teacher.prepared) == 1


def test_what_does_not_fit_is_named(files):  # noqa: F811
    data = data_of(files)
    wrong = make(extra_losses=[EvidenceLoss, partial(EvidenceLoss, weight=-1.0)])
    with pytest.raises(DocreError, match=r"model\.extra_losses\[1\]: weight is at least 0"):
        trainer().fit(wrong, datamodule=data)
    with pytest.raises(DocreError, match=r"model\.loss: .*set model\.teacher"):
        trainer().fit(make(extra_losses=[LogitDistillation]), datamodule=data)
    with pytest.raises(DocreError, match=r"model\.loss: .*'positive'"):
        trainer().fit(make(extra_losses=[AdaptiveThresholdLoss]), datamodule=data)
    with pytest.raises(DocreError, match=r"model\.loss: "):  # nothing to validate with
        trainer().fit(make(loss=LogitDistillation, teacher=Constant), datamodule=data)
    low = make(head=head_with(partial(UNetContext, down=4, out=6, height=4)))
    many = data_of(files, train="few.jsonl")
    trainer(max_steps=1).fit(low, datamodule=many)
    with pytest.raises(DocreError, match=r"model\.head: document '.*' has 5 entities"):
        low(batch_of_documents([document(1, 5)]))
