"""``docre fuse`` on a tiny run, against a loop over documents."""

import json
import math
import re
from contextlib import chdir

import pytest
import torch
from rich.console import Console

from docre import Document, read_documents, score, write_documents
from docre.cli import main
from docre.data.collate import Collate
from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.formats.official import read_predictions
from docre.decoding import ZeroDecoder
from docre.errors import DocreError
from docre.fusion.candidates import CandidateDecoder
from docre.fusion.command import TOP_K, fuse_run
from docre.fusion.fuse import fuse, keep
from docre.fusion.pseudo_documents import pseudo_documents
from docre.model import DocREModel
from docre.opened_run import open_run
from docre.scoring import Facts, Gold
from docre.triples import triples_of
from tests.test_training import TINY, failing, quietly

SMALL = TINY.replace("dev_documents: 8", "dev_documents: 5").replace("24", "18")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fusion")
    (folder / "tiny.yaml").write_text(SMALL)
    with chdir(folder):
        quietly("fit", "--config", "tiny.yaml")
    return folder


@pytest.fixture(scope="module")
def files(workplace):
    (folder,) = (workplace / "data").glob("synthetic-*")
    return {split: folder / f"{split}.json" for split in ("train", "dev", "test")}


@pytest.fixture(scope="module")
def opened(workplace):
    with chdir(workplace):
        return open_run(workplace / "runs" / "tiny" / "version_0")


@pytest.fixture
def trained(workplace, opened, monkeypatch):
    monkeypatch.chdir(workplace)
    found = workplace / "runs" / "tiny" / "version_0"

    def remembered(run, *documents):
        return open_run(run, *documents) if documents or run != found else opened

    # opening a run is most of the time; over a file it is opened as ever
    monkeypatch.setattr("docre.opened_run.open_run", remembered)
    yield found
    (found / "fusion.json").unlink(missing_ok=True)


def fused(*options, **named):
    """Run the command and return what it prints."""
    console = Console(record=True, width=200)
    fuse_run(*options, **named, console=console)
    return console.export_text()


def slow(run, opened, documents, threshold, reach, decoder=None):
    """The same, one document at a time."""
    model = DocREModel.load_from_checkpoint(run / "checkpoints" / "best.ckpt").eval()
    featurizer = opened.data.featurizer

    def candidates(document):
        table = FeatureTable.from_batches([to_record_batch(featurizer([document]))])
        batch = Collate()(table[[0]])
        with torch.no_grad():
            output = model(batch)
        return triples_of(output, batch, model.relations, CandidateDecoder(TOP_K, decoder), 0.2)

    full, second, count = [], [], 0
    for document in documents:
        found = candidates(document)
        full += found
        for pseudo in pseudo_documents(document, found, reach):
            count += 1
            if len(pseudo.document.entities) > 1:
                second += [pseudo.restore(triple) for triple in candidates(pseudo.document)]
    return keep(fuse(full, second), threshold), count


@pytest.mark.parametrize("reach", [0.0, math.inf])
def test_fusion_is_a_loop_over_documents(trained, opened, files, tmp_path, reach):
    documents = read_documents(files["test"])
    output = tmp_path / "out.json"
    said = fused(trained, output=output, threshold=-10.2, reach=reach)
    kept, count = slow(trained, opened, documents, -10.2, reach)
    assert f"{count:,} pseudo documents for 8 documents" in said
    published = int(re.search(r"(\d+) by the published rule", said)[1])
    assert 0 < count < published if reach == 0 else count == published > 8
    found = {p[:4]: p for p in read_predictions(output)}
    want = {one[:4]: one for one in kept}
    assert found.keys() == want.keys()
    assert found
    for key, one in want.items():
        assert found[key].score == pytest.approx(one.margin, abs=1e-4)
        assert found[key].evidence == one.evidence
    assert not (trained / "fusion.json").exists()  # nothing was tuned


def test_a_run_that_counts_from_0(trained, opened, files, tmp_path, monkeypatch):
    """Column 0 is an ordinary class there: what it says must not move a margin."""
    fused(trained)
    monkeypatch.setattr(opened.model, "decoder", ZeroDecoder())
    assert "was made with another decoder: tuning" in fused(trained)
    output = tmp_path / "out.json"
    fused(trained, output=output, threshold=-10.2, reach=0.0)
    kept, _ = slow(
        trained, opened, read_documents(files["test"]), -10.2, 0.0, decoder=ZeroDecoder()
    )
    found = {p[:4]: p.score for p in read_predictions(output)}
    want = {one[:4]: one.margin for one in kept}
    assert found
    assert found == pytest.approx(want, abs=1e-4)
    sums = [one.score for one in kept if one.margin > 0]
    assert sums  # a margin of one reading is the logit itself
    usual, _ = slow(trained, opened, read_documents(files["test"]), -10.2, 0.0)
    assert {one[:4]: one.margin for one in usual} != want


def test_a_threshold_is_tuned_once(trained):
    said = fused(trained)
    assert "there is no" in said
    assert "tuning the threshold on dev" in said
    known = json.loads((trained / "fusion.json").read_text())
    assert known.keys() == {
        "threshold",
        "checkpoint_xxh3_128",
        "dev_xxh3_128",
        "dev_limit",
        "top_k",
        "reach",
        "evidence_share",
        "decoder",
    }
    assert (known["top_k"], known["reach"], known["evidence_share"]) == (4, 10.0, 0.2)
    first = (trained / "fused_test.jsonl").read_bytes()
    again = fused(trained)
    assert "tuning" not in again
    assert f"threshold {known['threshold']:.4f} from" in again
    assert (trained / "fused_test.jsonl").read_bytes() == first
    assert len(first.splitlines()) == 8
    # another reach is another threshold
    assert "was made with another reach: tuning" in fused(trained, reach=0.0)
    assert json.loads((trained / "fusion.json").read_text())["reach"] == 0.0


def test_scores_before_and_after(trained, files, tmp_path):
    """Tuned on dev, dev is at its best; what is printed is what the files score."""
    output = tmp_path / "dev.json"
    said = fused(trained, output=output, split="dev")
    assert "WARNING the threshold of the fusion is tuned on dev" in said
    documents = read_documents(files["dev"])
    gold = Gold.compile(documents, Facts.from_documents(read_documents(files["train"]), "t"))
    scores = score(read_predictions(output), gold)
    quietly("validate", "--run", trained)
    usual = json.loads((trained / "scores" / "dev.json").read_text())["scores"]
    rows = [
        line.split()[-5:] for line in said.splitlines() if line.strip().startswith(("one", "fused"))
    ]
    names = ("f1", "ign_f1", "precision", "recall", "evidence_f1")
    assert rows[0] == [f"{100 * usual[name]:.2f}" for name in names]
    after = scores.to_dict()
    assert rows[1] == [f"{100 * after[name]:.2f}" for name in names]
    threshold = json.loads((trained / "fusion.json").read_text())["threshold"]
    record = json.loads((trained / "scores" / "dev_fused.json").read_text())
    assert record["scores"]["f1"] == pytest.approx(after["f1"])
    assert record["one_reading"]["f1"] == pytest.approx(usual["f1"])
    assert (record["split"], record["fusion"]) == ("dev", {"threshold": threshold, "reach": "10.0"})
    assert record["data"]["dev"]["xxh3_128"]
    for other in (threshold - 0.5, threshold + 0.5):
        fused(trained, output=output, split="dev", threshold=other)
        assert score(read_predictions(output), gold).f1 <= scores.f1
    assert "WARNING" not in fused(trained)


def test_files_in_all_forms(trained, files, tmp_path):
    for name in ("p.json", "p.zip", "p.jsonl"):
        fused(trained, output=tmp_path / name, threshold=-10.0)
    predictions = read_predictions(tmp_path / "p.json")
    assert predictions == read_predictions(tmp_path / "p.zip")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [one.id for one in read_documents(files["test"])]
    listed = [
        (x["id"], t["head"], t["tail"], t["relation"], tuple(t["evidence"]), t["margin"])
        for x in lines
        for t in x["triples"]
    ]
    assert listed == [(*p[:5], round(p.score, 4)) for p in predictions]
    # the same fields as docre predict
    quietly("predict", "--run", trained, "--output", tmp_path / "usual.jsonl")
    usual = [json.loads(line) for line in (tmp_path / "usual.jsonl").read_text().splitlines()]
    field_names = [next(t.keys() for x in of for t in x["triples"]) for of in (lines, usual)]
    assert list(field_names[0]) == list(field_names[1])
    names = {(x["id"], t["head"]): t["head_name"] for x in usual for t in x["triples"]}
    both = {(x["id"], t["head"]): t["head_name"] for x in lines for t in x["triples"]}
    assert {key: both[key] for key in both.keys() & names} == {
        key: names[key] for key in both.keys() & names
    }


def test_documents_of_ones_own(trained, opened, files, tmp_path):
    text = "Mona Lind works for the Harbour Office. It lies in Tarn. Nobody else is here."
    spans = {"mona": [(0, 9)], "office": [(24, 38), (40, 42)], "tarn": [(51, 55)]}
    made = Document.from_text("mine", text, spans, types=["PER", "ORG", "PLANET"])
    lonely = Document.from_text("lonely", "Nobody is here.", {})
    file, output = tmp_path / "mine.jsonl", tmp_path / "out.jsonl"
    write_documents(file, [made, lonely])
    said = fused(trained, documents=file, output=output, threshold=-12.0)
    assert "Scores in percent" not in said
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["mine", "lonely"]
    assert lines[1]["triples"] == []
    kept, _ = slow(trained, opened, [made], -12.0, 10.0)
    assert len(lines[0]["triples"]) == len(kept) > 0
    # with the threshold of the run, and its facts
    write_documents(file, read_documents(files["test"]))
    said = fused(trained, documents=file, output=output)
    usual = fused(trained)
    assert "tuning" in said
    table = [line for line in said.splitlines() if line.strip().startswith(("one", "fused"))]
    assert table == [x for x in usual.splitlines() if x.strip().startswith(("one", "fused"))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "docre fuse needs a trained model: --run FOLDER"),
        (["--run", "nowhere"], "no such run folder: nowhere"),
        (["--run", "RUN", "--output", "x.txt"], "--output must end in one of .jsonl, .json, .zip"),
        (["--run", "RUN", "--reach", "-1"], "--reach must not be negative, it is -1.0"),
        (["--run", "RUN", "--threshold", ".nan"], "--threshold is not a number"),
        (["--run", "RUN", "--split", "dev", "--documents", "x"], "in place of --split"),
        (["--run", "RUN", "--documents", "x.json", "--output", "./x.json"], "the file to read"),
        (["--run", "RUN", "--threshold", "0", "--documents", "x"], "no such file: x"),
    ],
)
def test_errors(trained, capsys, options, message):
    options = [trained if word == "RUN" else word for word in options]
    code, said = failing(capsys, "fuse", *options)
    assert code == 1
    assert message in said
    assert "Traceback" not in said


def test_a_misspelt_file_is_said_before_dev_is_read(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("docre.opened_run.open_run", None)
    with pytest.raises(DocreError, match="--documents: no such file: "):
        fused(trained, documents=tmp_path / "typo.json")


def test_the_shell_takes_an_infinite_reach(trained, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    options = ["--reach", "inf", "--threshold", "-10.2", "--output", output]
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in ["fuse", "--run", trained, *options]])
    assert not caught.value.code
    counts = re.search(r"([\d,]+) pseudo documents .* ([\d,]+) by the", capsys.readouterr().out)
    assert counts[1] == counts[2]
