"""What a training leaves for TensorBoard, and that it is the same training."""

from __future__ import annotations

import re

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS

from docre.dashboard import Dashboard, band_layout
from docre.dashboard.dashboard import make_board
from docre.dashboard.hparams_tab import FOLDER, final_scores
from docre.dashboard.relation_scores import ranked, rates_table
from docre.data.reading import read_documents
from docre.memory import TokenTuringReader
from docre.scoring.rates import Rates
from docre.training import DocRECLI
from tests.dashboard.plain_training import OFF, Line
from tests.dashboard.runs import SHORT, ended, events, fit, started
from tests.test_training import weights


@pytest.fixture(scope="module")
def shown(trained):
    return events(trained)


def texts(read, tag):
    return [
        event.tensor_proto.string_val[0].decode() for event in read.Tensors(f"{tag}/text_summary")
    ]


@pytest.fixture(scope="module")
def bare(workplace):
    """The same training with nothing on the dashboard but a part of one's own."""
    off = "".join(f"        {name}: {str(value).lower()}\n" for name, value in OFF.items())
    (workplace / "own.yaml").write_text(
        "trainer:\n"
        "  callbacks:\n"
        "    - class_path: docre.dashboard.Dashboard\n"
        f"      init_args:\n{off}"
        "        parts: [{class_path: tests.dashboard.runs.Longest}]\n"
        "dashboard: {drawings: 4, examples: 3}\n"
    )
    return fit(workplace, None, "bare", "--config=own.yaml", *SHORT, kind=DocRECLI)


def test_weights_are_the_same_without_it(trained, bare):
    for name in ("best", "last"):
        with_, without = (
            torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
            for folder in (trained, bare)
        )
        assert with_["state_dict"].keys() == without["state_dict"].keys()
        for key, value in with_["state_dict"].items():
            assert torch.equal(value, without["state_dict"][key])
        assert with_["global_step"] == without["global_step"]
    read, other = events(trained), events(bare)
    for tag in ("val/f1", "train/loss"):
        assert [e.value for e in read.Scalars(tag)] == [e.value for e in other.Scalars(tag)]


def test_a_configuration_brings_its_own(bare):
    """One among the callbacks takes the place of the usual one, and takes parts by class path."""
    read = events(bare)
    longest = read.Scalars("val/longest")
    assert all(event.value > 20 for event in longest)
    assert [event.step for event in longest] == [event.step for event in read.Scalars("val/f1")]
    tags = read.Tags()
    assert tags["images"] == tags["tensors"] == tags["histograms"] == []
    assert not (bare / FOLDER).exists()


def test_numbers_after_each_validation_and_pictures_at_times(shown):
    tags = shown.Tags()
    for tag in ("memory/share", "memory/slots_in_use", "val/gold"):
        assert [event.step for event in shown.Scalars(tag)] == [5, 11]
    assert [event.step for event in shown.Histograms("memory/usage")] == [5, 11]
    pictures = {"relations", "memory/slots", "memory/map"}
    pictures |= {f"attention/{number}" for number in (1, 2)}
    assert set(tags["images"]) == pictures
    for tag in pictures:
        assert [event.step for event in shown.Images(tag)] == [5, 11]
        assert all(event.width > 300 and event.height > 100 for event in shown.Images(tag))


def test_no_name_is_of_two_kinds(shown):
    """TensorBoard shows the first kind it meets, and nothing of the other."""
    kinds = ("scalars", "histograms", "images", "tensors")
    names = [name for kind in kinds for name in shown.Tags()[kind]]
    assert len(names) == len(set(names))


def test_slot_shares_are_those_of_the_memory(trained, shown):
    (share,) = [event.value for event in shown.Scalars("memory/share") if event.step == 11]
    (used,) = [event.value for event in shown.Scalars("memory/slots_in_use") if event.step == 11]
    assert 0 < share < 1
    # how a read is spread over the slots does not depend on the pairs
    state = weights(trained / "checkpoints" / "last.ckpt")
    memory = {k.removeprefix("head.memory."): v for k, v in state.items() if ".memory." in k}
    reader = TokenTuringReader(16, slots=5, layers=1, attention_heads=2)
    reader.load_state_dict(memory)
    spread = reader.summarizer(reader.memory).softmax(0).T.detach().double()  # [2, S]
    # the two reads may take different shares, so the number lies between those of both
    numbers = [float(torch.special.entr(row).sum().exp()) for row in spread]
    assert min(numbers) - 1e-3 <= used <= 5


def test_curve_and_layout(shown):
    curves = shown.Tensors("triples")
    assert [event.step for event in curves] == [5, 11]
    values = np.array(curves[-1].tensor_proto.float_val).reshape(6, 127)
    true, false, rejected, missed, precision, recall = values
    assert (true + missed == true[0]).all()
    assert (np.diff(true) <= 0).all()
    assert recall[0] == 1
    assert true[0] + false[0] == rejected[-1] + false[-1] + true[0]
    # one half is where the model decides, and the labels of its eight documents are all known
    assert recall[63] == pytest.approx(shown.Scalars("val/recall")[-1].value, abs=1e-5)
    assert precision[63] == pytest.approx(shown.Scalars("val/precision")[-1].value, abs=1e-5)
    (event,) = shown.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    titles = [category.title for category in layout.category]
    assert titles == ["scores", "triples", "loss", "memory", "training"]
    logged = shown.Tags()["scalars"]
    charts = [chart for category in layout.category for chart in category.chart]
    drawn = {
        c.title: [t for t in logged for p in c.multiline.tag if re.match(p, t)] for c in charts
    }
    assert sorted(drawn["F1 and Ign F1"]) == ["val/f1", "val/ign_f1"]
    assert sorted(drawn["precision and recall"]) == ["val/precision", "val/recall"]
    assert sorted(drawn["parts of the loss in training"]) == [
        "train/loss/negative",
        "train/loss/positive",
    ]
    assert sorted(drawn["slots in use"]) == ["memory/slots_in_use"]
    empty = {title for title, tags in drawn.items() if not tags}
    assert empty <= {"F1 of frequent and of other relations"}


def test_bands_are_margin_charts(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_custom_scalars(band_layout(["f1", "ign_f1"]))
    (event,) = events(tmp_path).Tensors("custom_scalars__config__")
    (seeds,) = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0]).category
    (series,) = seeds.chart[1].margin.series
    ends = (series.value, series.lower, series.upper)
    assert ends == ("band/ign_f1/mean", "band/ign_f1/low", "band/ign_f1/high")


def test_texts(trained, shown):
    pages = [texts(shown, f"examples/{number}") for number in (1, 2)]
    assert [len(page) for page in pages] == [2, 2]
    documents = read_documents(next((trained.parents[2] / "data").rglob("*dev*.json*")))
    named = {one.id for one in documents}
    titles = {page[0].splitlines()[0].removeprefix("### ").replace("\\", "") for page in pages}
    assert len(titles) == 2
    assert titles <= named
    rows = [line for line in texts(shown, "relations")[-1].splitlines() if line.startswith("| ")]
    gold = {label.relation for one in documents for label in one.relations}
    listed = {row.split(" | ")[0].strip("| ").split()[0].replace("\\", "") for row in rows[1:]}
    assert gold <= listed


def test_projector(trained):
    names = (trained / "projector" / "memory.names.tsv").read_text().splitlines()
    numbers = np.loadtxt(trained / "projector" / "memory.vectors.tsv", delimiter="\t")
    assert len(numbers) == len(names) - 1 > 5
    state = weights(trained / "checkpoints" / "last.ckpt")
    np.testing.assert_allclose(numbers[:5], state["head.memory.memory"], rtol=1e-4, atol=1e-6)
    assert [name.split("\t")[0] for name in names[1:6]] == ["slot"] * 5
    assert {name.split("\t")[0] for name in names[6:]} <= {
        "PER",
        "ORG",
        "LOC",
        "TIME",
        "MISC",
        "NUM",
    }


# --- settings and final scores --------------------------------------------------------------------


def test_hparams_tab(trained, shown):
    given = started(trained)
    assert given["head.memory"].string_value == "TokenTuringReader"
    assert given["head.memory.slots"].number_value == 5
    assert given["loss.risk"].string_value == "s-pu"
    assert given["seed"].number_value == 7
    assert given["data"].string_value == "SyntheticDocRED"
    assert not any("init_args" in name or "logger" in name for name in given)
    assert ended(trained).status == STATUS_SUCCESS
    scores = events(trained / FOLDER)
    f1 = [event.value for event in shown.Scalars("val/f1")]
    best = f1.index(max(f1))
    assert scores.Scalars("hp/dev_f1")[-1].value == f1[best]
    assert scores.Scalars("hp/dev_f1")[-1].step == shown.Scalars("val/f1")[best].step
    ign = [event.value for event in shown.Scalars("val/ign_f1")]
    assert scores.Scalars("hp/dev_ign_f1")[-1].value == ign[best]


def test_final_scores():
    logged = {"val/f1": 1.0, "val/relation_strict_f1": 0.5, "val/intra/f1": 0.2, "test/f1": 0.1}
    assert final_scores(logged, "val", "dev") == {
        "hp/dev_f1": 1.0,
        "hp/dev_relation_strict_f1": 0.5,
    }
    assert final_scores(logged, "test", "test") == {"hp/test_f1": 0.1}


# --- what can be left out -------------------------------------------------------------------------


def test_parts_can_be_left_out():
    assert Dashboard(**OFF).parts == []
    for name, kinds in {
        "curves": ["PrecisionRecall"],
        "memory": ["MemorySlots", "MemoryMap"],
        "hparams": ["HparamsTab"],
        "attention": ["ExamplePredictions", "ExampleExtractions", "AttendedWords"],
    }.items():
        few = Dashboard(**(OFF | {name: True, "examples": int(name == "attention")})).parts
        assert [type(part).__name__ for part in few] == kinds


@pytest.mark.parametrize("options", [{"logger": False}, {"fast_dev_run": True}])
def test_nothing_is_shown_where_nothing_is_logged(options, tmp_path):
    trainer = lightning.Trainer(accelerator="cpu", default_root_dir=tmp_path, **options)
    trainer.state.fn = "fit"
    assert make_board(trainer, Line(), 3) is None
    trainer = lightning.Trainer(accelerator="cpu", logger=TensorBoardLogger(tmp_path))
    assert make_board(trainer, Line(), 3) is None  # it trains nothing
    trainer.state.fn = "fit"
    assert make_board(trainer, Line(), 3) is not None


def test_relations_in_order():
    rates = {"a": Rates(1, 2, 1), "b": Rates(5, 0, 0), "c": Rates(0, 0, 0), "d": Rates(0, 3, 0)}
    assert list(ranked(rates)) == ["b", "a", "d"]
    rows = rates_table(ranked(rates), {"a": "is a"}).splitlines()
    assert rows[3] == "| a is a | 66.7 | 50.0 | 100.0 | 1 | 2 | 1 |"
