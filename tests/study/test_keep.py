"""What stays of a run: small, without words of documents, and as good to compare."""

import hashlib
import json

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from docre.comparison import compare
from study import keep
from study.keep import keep_run
from study.logs import scalars
from tests.comparison.folders import DOCUMENTS, config_of, scores_of, write_run


@pytest.fixture
def runs(tmp_path):
    """Two runs, each with its copy."""
    for number, quality in enumerate((0.4, 0.7)):
        config = config_of(model__head__width=number)
        run = write_run(tmp_path / f"runs/{number}", config=config, scores=scores_of(quality, 1))
        logged = [("hp_metric", 9.0), *[("train/loss", 1.0), ("val/f1", quality)] * 3, ("end", 1.0)]
        # cut short after the first entries, and gone on with much later
        for file, part in enumerate((logged[:3], logged[3:])):
            with (run / f"events.out.tfevents.{file}").open("wb") as opened:
                writer = RecordWriter(opened)
                start = Event(wall_time=1e6 * file, file_version="brain.Event:2")
                writer.write(start.SerializeToString())
                for step, (tag, value) in enumerate(part):
                    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                    made = Event(wall_time=1e6 * file + 100 * step, step=step, summary=summary)
                    writer.write(made.SerializeToString())
        keep_run(run, tmp_path / f"kept/{number}")
    return tmp_path


def test_a_copy_compares_as_the_run(runs):
    names = {"a": "0", "b": "1"}
    found, kept = (
        compare([runs / of], names={k: runs / of / v for k, v in names.items()}, samples=50)
        for of in ("runs", "kept")
    )
    for name in names:
        ours, theirs = kept.row(name), found.row(name)
        assert ours.mean("f1") == theirs.mean("f1")
        assert ours.mean("intra/f1") == theirs.mean("intra/f1")
        assert ours.seeds == theirs.seeds
    tested = [one.tables[0].tested("b", "f1") for one in (found, kept)]
    assert tested[0] == tested[1]
    assert tested[0].difference > 0


def test_the_encoder_that_a_run_began_with(runs, monkeypatch):
    folder = runs / "encoder_s_pu"
    monkeypatch.setattr(keep, "ENCODERS", {"encoder": runs / "encoder", "s_pu": folder})
    folder.mkdir()
    (folder / keep.WEIGHTS).write_bytes(b"weights")
    first, second = runs / "runs/0", runs / "runs/1"
    with (first / "config.yaml").open("a") as file:
        file.write(f"weights: {folder}\n")
    for run in (first, second):
        keep_run(run, runs / "again" / run.name)
    records = [json.loads((runs / f"again/{n}/run.json").read_text()) for n in (0, 1)]
    assert records[0].pop("encoder") == hashlib.sha256(b"weights").hexdigest()
    assert records == [json.loads((run / "run.json").read_text()) for run in (first, second)]


def test_no_document_and_no_single_relation_is_named(runs):
    files = [path for path in (runs / "kept").rglob("*") if path.is_file()]
    text = "".join(path.read_text(errors="replace") for path in files)
    assert not any(made.id in text for made in DOCUMENTS)
    scores = json.loads((runs / "kept/0/scores/test.json").read_text())["scores"]
    assert "intra/f1" in scores
    assert not any(name.startswith("relation/") for name in scores)
    assert sum(path.stat().st_size for path in files) < 60_000


def test_the_log_of_epochs(runs):
    assert scalars(runs / "kept/1", "val/f1") == pytest.approx([0.7] * 3)
    assert scalars(runs / "kept/1", "train/loss") == []
    row = compare([runs / "kept/0"]).tables[0].rows[0]
    # from the first to the last entry, whatever else was in between
    assert row.seconds == 200 + 400
    assert compare([runs / "runs/0"]).tables[0].rows[0].seconds == row.seconds
