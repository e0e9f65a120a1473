"""``docre calibrate`` on tiny runs: what it fits to, and what it writes."""

import json
import shutil

import numpy as np
import pytest
import torch

from docre.calibration import calibration_from_dict, fit, probability_margins
from docre.calibration.command import calibrate
from docre.calibration.file import read_calibration
from docre.calibration.judged import judge
from docre.errors import DocreError
from docre.joint import JointThresholds
from docre.scoring.extraction import extractions
from docre.scoring.joint import items
from docre.thresholds_file import write_thresholds
from tests.hub.runs import batches_of, trained


@pytest.fixture(scope="module")
def pair():
    return trained("pair")


@pytest.fixture(scope="module")
def opened(pair):
    return batches_of(pair)[0]


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """A copy, where it can be found from its own working folder."""
    folder = tmp_path_factory.mktemp("joint")
    shutil.copytree(trained("relations").parents[2], folder, dirs_exist_ok=True)
    run = folder / "runs/relations/version_0"
    best = run / "checkpoints/best.ckpt"
    write_thresholds(run, best, {"mention": 0.1, "coreference": 0.3, "relation": 0.02})
    return run


def cells_of(run):
    """Every relation of every pair by a loop: document, margin, right, predicted."""
    opened, read = batches_of(run)
    documents = {one.id: one for one in opened.data.documents("dev")}
    for batch, output in read:
        for number, name in enumerate(batch.document_ids):
            true = {(r.head, r.tail, r.relation) for r in documents[name].relations}
            first = int(batch.entity_offset[number])
            for pair in range(*batch.pair_offset[number : number + 2].tolist()):
                place = int(batch.pair_head[pair]) - first, int(batch.pair_tail[pair]) - first
                row = output.logits[pair]
                for column, relation in enumerate(opened.model.relations, start=1):
                    margin = float(row[column] - row[0])
                    yield name, margin, (*place, relation) in true, margin > 0


def test_pairs_are_judged_by_all_their_cells(pair, opened, monkeypatch):
    monkeypatch.chdir(pair.parents[2])
    cells = list(cells_of(pair))
    names = list(dict.fromkeys(name for name, *_ in cells))
    assert len(names) == 8
    folds = judge(opened, batch_size=3)
    for number, found in enumerate(folds):
        ours = [cell for cell in cells if cell[0] in names[number::2]]
        shown = [cell for cell in ours if cell[3]]
        assert len(found.cells) == len(ours)
        assert len(found.predicted) == len(shown) > 0
        right = sum(right for _, _, right, _ in ours)
        assert found.cells.weights @ found.cells.correct == pytest.approx(right)
        right = sum(right for _, _, right, _ in shown)
        assert found.predicted.weights @ found.predicted.correct == pytest.approx(right)
        margins = np.array([margin for _, margin, *_ in ours])
        curve = fit("isotonic", margins, [right for _, _, right, _ in ours])
        quick = fit("isotonic", found.cells.margins, found.cells.correct, found.cells.weights)
        # margins are told apart in steps of a thousandth
        away = np.abs(curve.probability(margins) - quick.probability(margins))
        assert np.quantile(away, 0.9) < 0.01


def test_what_it_writes(pair, opened, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(pair.parents[2])
    run = tmp_path / "run"
    shutil.copytree(pair, run)
    best = run / "checkpoints/best.ckpt"
    assert read_calibration(run, best) is None
    calibrate(run, accelerator="cpu")
    body = json.loads((run / "calibration.json").read_text())
    assert body["calibration"]["method"] == "isotonic"
    assert body["measures"]["after"]["ece"] < body["measures"]["before"]["ece"]
    assert body["data"]["dev"]["documents"] == 8
    assert (run / "calibration.png").read_bytes()[:4] == b"\x89PNG"
    found = read_calibration(run, best)
    assert found == calibration_from_dict(body["calibration"])
    folds = judge(opened)
    assert (
        f"{sum(len(one.predicted) for one in folds):,} predicted triples" in capsys.readouterr().out
    )
    # another checkpoint, other thresholds, another kind of file
    torch.save({}, best)
    assert read_calibration(run, best) is None
    assert "another checkpoint" in caplog.text
    last = run / "checkpoints/last.ckpt"
    (run / "calibration.json").write_text("{}")
    with pytest.raises(DocreError, match="docre calibrate again"):
        read_calibration(run, last)


def test_joint_models(joint, tmp_path, monkeypatch, caplog):
    """Right is what the strict score counts."""
    monkeypatch.chdir(joint.parents[2])
    opened, read = batches_of(joint)
    assert opened.model.thresholds == JointThresholds(0.1, 0.3, 0.02)
    gold = {one.id: one for one in opened.data.documents("dev")}
    opened.model._documents = gold  # a trainer does this: entities are taken from there
    expected = []
    for batch, _ in read:
        with torch.inference_mode():
            made = opened.model.extract(batch)
        for document in made:
            true = items(extractions([gold[document.id]])[document.id])["relation_strict"]
            (told,) = extractions([document]).values()
            for relation in document.relations:
                key = (
                    relation.relation,
                    (told.entities[relation.head], told.entities[relation.tail]),
                )
                expected.append((relation.score, key in true))
    opened.model._documents = {}
    folds = judge(opened)
    margins = np.concatenate(
        [np.repeat(f.predicted.margins, f.predicted.weights.astype(int)) for f in folds]
    )
    scores = probability_margins([score for score, _ in expected], 0.02)
    assert 0 < sum(right for _, right in expected) < len(scores)
    assert np.allclose(np.sort(margins), np.sort(scores), atol=1e-5)
    right = sum(f.predicted.weights @ f.predicted.correct for f in folds)
    assert right == pytest.approx(sum(right for _, right in expected))
    assert all(len(f.cells) >= len(f.predicted) for f in folds)
    assert (margins >= -1e-6).all()


def test_a_calibration_belongs_to_its_thresholds(joint, caplog):
    from docre.calibration import TemperatureCalibration
    from docre.calibration.file import write_calibration

    best = joint / "checkpoints/best.ckpt"
    numbers = {"mention": 0.1, "coreference": 0.3, "relation": 0.02}
    write_calibration(joint, best, TemperatureCalibration(2.0), {"thresholds": numbers})
    assert read_calibration(joint, best, numbers) == TemperatureCalibration(2.0)
    assert read_calibration(joint, best, {**numbers, "relation": 0.5}) is None
    assert "other thresholds" in caplog.text
    (joint / "calibration.json").unlink()


def test_what_cannot_be_calibrated(pair, opened, monkeypatch):
    with pytest.raises(DocreError, match="--run FOLDER"):
        calibrate()
    with pytest.raises(DocreError, match="at least 1"):
        calibrate(pair, batch_size=0)
    monkeypatch.delitem(opened.data.files, "dev")
    with pytest.raises(DocreError, match="no dev file"):
        judge(opened)
