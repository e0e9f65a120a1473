"""Modules that keep their weights."""

import pytest
import torch

from docre.callbacks import FreezeModules
from docre.errors import DocreError
from tests.test_model import READER, data_of, files, make, trainer  # noqa: F401
from tests.toy import RELATIONS


def built():
    model = make(READER)
    model.build(tuple(RELATIONS), "nothing", torch.tensor([0.1, 0.1, 0.1]))
    return model


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        (["head.memory"], "head.memory."),
        (["head.memory.memory"], "head.memory.memory"),
        (["encoder", "head.classifier.bias"], ("encoder.", "head.classifier.bias")),
    ],
)
def test_what_a_name_means(names, frozen):
    model = built()
    FreezeModules(names).on_model_built(None, model)
    found = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert found == {name for name, _ in model.named_parameters() if name.startswith(frozen)}
    assert found


@pytest.mark.parametrize("name", ["head.memry", "head.mem", "memory", ""])
def test_a_name_has_to_be_one(name):
    with pytest.raises(DocreError, match=r"to freeze; there are encoder\.model, head\.classifier"):
        FreezeModules([name]).on_model_built(None, built())


def test_a_model_that_is_built_already(files):  # noqa: F811
    """As one from a checkpoint, or one that was built by hand."""
    model = built()
    before = model.head.memory.memory.clone()
    made = trainer(FreezeModules(["head.memory"]), max_steps=2)
    made.fit(model, datamodule=data_of(files))
    torch.testing.assert_close(model.head.memory.memory, before, atol=0, rtol=0)
    assert [group["name"] for group in made.optimizers[0].param_groups] == ["encoder", "head"]
