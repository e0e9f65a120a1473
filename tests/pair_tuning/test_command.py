"""``docre tune`` on a tiny pair model: what it writes, and what the other commands make of it."""

import json
import shutil
from contextlib import chdir
from dataclasses import replace

import pytest
from rich.console import Console

import docre
from docre.calibration.command import calibrate
from docre.decoding import ThresholdDecoder
from docre.errors import DocreError
from docre.hub.command import export
from docre.opened_run import open_run
from docre.pair_tuning.tune import tune_shift
from docre.tune_command import tune_run
from tests.hub.runs import trained
from tests.test_training import quietly


@pytest.fixture
def run(tmp_path):
    """A copy of a run, in a folder where its relative names mean something."""
    run = trained("pair")
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    with chdir(run.parents[2]):
        yield copy


def tuned(run):
    console = Console(record=True, width=200)
    tune_run(run, accelerator="cpu", console=console)
    path = run / "thresholds.json"
    return console.export_text(), json.loads(path.read_text()) if path.exists() else None


def validated(run, *options):
    quietly("validate", "--run", run, *options)
    return json.loads((run / "scores" / "dev.json").read_text())


def test_validation_agrees(run):
    before = validated(run)
    said, known = tuned(run)
    after = validated(run)
    assert "thresholds" not in before
    assert after["thresholds"] == {"shift": known["shift"]}
    for name, body in (("f1_before", before), ("f1", after)):
        for score in ("f1", "precision", "recall"):
            assert known[name][score] == pytest.approx(body["scores"][score])
        assert f"{100 * body['scores']['f1']:.2f}" in said
    assert after["scores"]["f1"] > before["scores"]["f1"]
    assert f"{known['shift']:.4g}" in said
    # an option that is given counts more, and tuned once more nothing is better
    option = "--model.decoder.init_args.shift=0"
    assert validated(run, option)["scores"]["f1"] == before["scores"]["f1"]
    said, again = tuned(run)
    assert "no shift of the thresholds has a better F1: nothing is written" in said
    assert again == known


def test_whoever_loads_the_run_has_it(run):
    plain = docre.load(run)
    _, known = tuned(run)
    shifted = docre.load(run)
    assert plain.contents.model.decoder.shift == 0
    assert shifted.contents.model.decoder.shift == known["shift"]
    assert shifted.contents.model.decoder.top_k == plain.contents.model.decoder.top_k
    export(run, run / "exported")
    assert docre.load(run / "exported").contents.model.decoder.shift == known["shift"]


def test_a_calibration_of_other_thresholds_is_not_taken(run, caplog):
    calibrate(run, method="temperature", accelerator="cpu")
    assert docre.load(run).contents.calibration is not None
    tuned(run)
    assert docre.load(run).contents.calibration is None
    assert "was fitted to other thresholds than those of the run" in caplog.text
    calibrate(run, method="temperature", accelerator="cpu")
    assert docre.load(run).contents.calibration is not None


def test_the_cap_on_relations_stays(run):
    """A relation that the cap leaves out is no gain of any shift."""
    opened = open_run(run, arguments=["--trainer.accelerator=cpu"])
    found = {}
    for top_k in (0, 1, 2):
        opened.model.decoder = ThresholdDecoder(top_k)
        found[top_k] = tune_shift(opened)
        opened.model.decoder = ThresholdDecoder(top_k, found[top_k].shift)
        masks = opened.read("dev", lambda output, _: opened.model.decoder.mask(output.logits).sum())
        assert int(sum(masks)) == found[top_k].after.predicted
    assert found[1].after.predicted < found[0].after.predicted


def test_without_labels(run):
    opened = open_run(run, arguments=["--trainer.accelerator=cpu"])
    known = opened.data.documents("dev")
    opened.data.documents = lambda split: [replace(one, relations=None) for one in known]
    with pytest.raises(DocreError, match="tuned on labels: no dev document has any"):
        tune_shift(opened)
    del opened.data.files["dev"]
    with pytest.raises(DocreError, match="the run has no dev file to tune thresholds on"):
        tune_shift(opened)
