"""``docre distil``, and a student that learns from what it writes."""

import json
import os
from contextlib import chdir

import numpy as np
import pytest
import torch

from docre import read_documents, write_documents
from docre.cli import main
from docre.data.cache import file_hash
from docre.distillation import OnlineTeacher, StoredScores
from docre.distillation.command import distil
from docre.distillation.store import LogitFile
from docre.errors import DocreError
from docre.opened_run import open_run
from tests.distillation.runs import fit, made_file


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("distil"))


@pytest.fixture(autouse=True)
def here(trained, monkeypatch):
    monkeypatch.chdir(trained.parents[2])
    return trained.parents[2]


@pytest.fixture
def documents(here):
    return made_file(here, "train")


@pytest.fixture(scope="module")
def expected(trained):
    """What the teacher says when it is asked one document at a time."""
    with chdir(trained.parents[2]):
        read = open_run(trained).read("train", lambda output, batch: (batch, output.logits), 1)
        return {batch.document_ids[0]: logits.numpy() for batch, logits in read}


@pytest.mark.parametrize("options", [["--top_k", "5"], ["--full", "true"], ["--top_k", "99"], []])
def test_what_is_in_the_file(trained, documents, expected, tmp_path, capsys, options):
    output = tmp_path / "new" / "scores.arrow"
    files = ["--run", trained, "--documents", documents, "--output", output]
    with pytest.raises(SystemExit) as caught:
        main(["distil", *map(str, files), *options, "--batch_size", "5"])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.err) == (0, "")
    pairs = sum(map(len, expected.values()))
    kept = {"--top_k 5": 5, "": 16}.get(" ".join(options), 22)
    assert f"12 documents, {pairs:,} pairs, {kept} of 22 logits of each" in shown.out
    assert f"{output.stat().st_size / 1e6:,.1f} MB" in shown.out
    file = LogitFile(output)
    assert list(file) == [made.id for made in read_documents(documents)] == list(expected)
    known = json.loads((trained / "run.json").read_text())
    assert file.header.teacher == file_hash(trained / "checkpoints" / "best.ckpt")
    assert file.header.source == file_hash(documents)
    assert file.header.relations == tuple(json.loads((trained / "relations.json").read_text()))
    assert file.header.top_k == (None if kept == 22 else kept)
    assert file.header.on_error == "fail"
    assert file.header.features == {"tokenizer": known["tokenizer"], **known["features"]}
    for name, logits in expected.items():
        values, columns = file.rows(name)
        if columns is None:
            columns = np.tile(np.arange(22), (len(logits), 1))
        assert values.shape == (len(logits), kept)
        taken = np.take_along_axis(logits, columns.astype(int), 1)
        np.testing.assert_allclose(values, taken, rtol=1e-3, atol=1e-4)
        assert (columns[:, 0] == 0).all()


def test_stored_and_recomputed_targets_agree(trained, documents, tmp_path):
    output = tmp_path / "x.arrow"
    distil(trained, documents, output, full=True)
    stored, online = StoredScores(str(output)), OnlineTeacher(str(trained))
    opened = open_run(trained)
    for batch in opened.read("train", lambda output, batch: batch, 4):
        one, other = stored.targets(batch), online.targets(batch)
        torch.testing.assert_close(one.values, other.values, rtol=1e-3, atol=1e-4)


class Taught:
    """Arguments of a training with a teacher."""

    def __init__(self, teacher, **options):
        made = {"class_path": f"docre.distillation.{teacher}", "init_args": options}
        loss = {"class_path": "docre.losses.LogitDistillation", "init_args": {"weight": 2.0}}
        self.arguments = [
            f"--model.teacher={json.dumps(made)}",
            f"--model.extra_losses={json.dumps([loss])}",
            "--seed_everything=3",
        ]


def weights(folder):
    found = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value for name, value in found.items() if not name.startswith("loss")}


def test_students(trained, here, documents, tmp_path):
    """Both teachers say the same, so both students become the same; without one, another."""
    output = here / "scores.arrow"
    distil(trained, documents, output, full=True)
    stored = fit(here, *Taught("StoredScores", path=str(output)).arguments, name="stored")
    online = fit(here, *Taught("OnlineTeacher", run=str(trained)).arguments, name="online")
    alone = fit(here, "--seed_everything=3", name="alone")
    one, other, none = map(weights, (stored, online, alone))
    assert one.keys() == other.keys() == none.keys()
    distance = max(float((one[name] - other[name]).abs().max()) for name in one)
    moved = max(float((one[name] - none[name]).abs().max()) for name in one)
    assert distance < 1e-4 < 1e-3 < moved
    # a student is opened without its teacher
    os.remove(output)
    found = open_run(stored, documents).read("predict", lambda output, batch: output.logits)
    assert torch.isfinite(torch.cat(list(found))).all()


def test_a_file_is_not_replaced_by_mistake(trained, documents, tmp_path):
    output = tmp_path / "x.arrow"
    distil(trained, documents, output, top_k=3)
    distil(trained, documents, output, top_k=4)
    assert LogitFile(output).header.top_k == 4
    other = tmp_path / "other.ckpt"
    known = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(known | {"global_step": 99}, other)
    last = tmp_path / "run"
    (last / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "run.json", "relations.json"):
        (last / name).write_bytes((trained / name).read_bytes())
    other.rename(last / "checkpoints" / "best.ckpt")
    before = output.read_bytes()
    with pytest.raises(DocreError, match="has the logits of another teacher; --overwrite"):
        distil(last, documents, output)
    assert output.read_bytes() == before
    distil(last, documents, output, overwrite=True)
    assert LogitFile(output).header.teacher == file_hash(last / "checkpoints" / "best.ckpt")
    output.write_bytes(b"something else")
    with pytest.raises(DocreError, match=r"x\.arrow is there already; --overwrite"):
        distil(trained, documents, output)


def one_line(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["distil", *map(str, arguments)])
    message = capsys.readouterr().err
    assert caught.value.code == 1
    assert "Traceback" not in message
    return message


def test_errors(trained, documents, tmp_path, capsys):
    run, files = ["--run", trained], ["--documents", documents]
    for given in (run, files, [*run, *files], [*run, "--output", "x.arrow"]):
        assert "needs --run FOLDER, --documents FILE and" in one_line(capsys, *given)
    output = ["--output", tmp_path / "x.arrow"]
    message = one_line(capsys, *run, *files, "--output", tmp_path / "x.json")
    assert "called NAME.arrow" in message
    assert "at least 2" in one_line(capsys, *run, *files, *output, "--top_k", "1")
    message = one_line(capsys, "--run", tmp_path, *files, *output)
    assert "is not a run folder" in message
    assert "no such file" in one_line(capsys, *run, "--documents", "no.json", *output)
    made = tmp_path / "bad.json"
    made.write_text('[{"title": "x", "sents": [["a"]], "vertexSet": [[]]}]')
    assert "document 'x'" in one_line(capsys, *run, "--documents", made, *output)
    assert not (tmp_path / "x.arrow").exists()


def test_unlabelled_documents_without_pairs(trained, documents, tmp_path):
    first, second, *_ = read_documents(documents)
    mine = tmp_path / "mine.jsonl"
    lonely = type(first)("lonely", first.sentences, first.entities[:1], None)
    write_documents(mine, [lonely, second, type(first)("nobody", first.sentences, (), None)])
    distil(trained, mine, tmp_path / "x.arrow")
    file = LogitFile(tmp_path / "x.arrow")
    count = len(second.entities)
    sizes = {name: file.num_pairs(name) for name in file}
    assert sizes == {"lonely": 0, second.id: count * (count - 1), "nobody": 0}


def test_how_documents_were_read_is_in_the_file(trained, documents, tmp_path):
    first, *_ = read_documents(documents)
    mine = tmp_path / "mine.jsonl"
    write_documents(mine, [first, first])
    distil(trained, mine, tmp_path / "x.arrow", on_error="fix")
    file = LogitFile(tmp_path / "x.arrow")
    assert (file.header.on_error, len(file)) == ("fix", 2)
