"""The share of the memory in a read, against the weights themselves."""

import json
import shutil
from contextlib import chdir

import pytest
import torch

from docre.memory.prototypes import read_weights
from docre.opened_run import open_run
from study.shares import share_table, write_share
from tests.hub.runs import PAIR, train

MEMORY = """
model:
  head:
    class_path: docre.heads.PairHead
    init_args:
      memory:
        class_path: docre.memory.TokenTuringReader
        init_args: {slots: 3, layers: 1, attention_heads: 2}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("shares"), "ttm", PAIR, MEMORY)


def test_it_is_what_the_weights_of_the_slots_add_up_to(run):
    with chdir(run.parents[2]):
        (run / "scores").mkdir(exist_ok=True)
        write_share(run)
        opened = open_run(run)
        reader, found = opened.model.head.memory, []

        def look(_, given):
            tokens = torch.stack(given[:2], 1)
            weights = read_weights(reader.summarizer(reader.memory), reader.summarizer(tokens))
            found.append(weights[..., :-2].sum(-1))

        reader.register_forward_pre_hook(look)
        list(opened.read("test", lambda output, batch: None))
    expected = torch.cat(found).mean()
    share = json.loads((run / "scores/share.json").read_text())["memory"]
    assert share == pytest.approx(float(expected), rel=1e-5)
    assert 0 < share < 1


def test_without_a_memory_there_is_none(run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("share.json"))
    (copied / "config.yaml").write_text("model: {head: {init_args: {memory: null}}}")
    write_share(copied)
    assert not (copied / "scores/share.json").exists()


def test_a_table_of_memories_that_were_looked_at(tmp_path):
    for seed, share in ((66, 0.5), (67, 0.75)):
        folder = tmp_path / "one" / f"seed_{seed}" / "scores"
        folder.mkdir(parents=True)
        (folder / "share.json").write_text(json.dumps({"memory": share}))
    rows = {"One": tmp_path / "one", "None": tmp_path / "none"}
    assert share_table(rows).splitlines()[2:] == ["| One | 62.500 % | 2 |"]
    assert share_table({"None": tmp_path / "none"}) == ""
