"""Files that mean harm, through whole commands and readers: refused, and nothing of them is run.

The promises of docs/security.md: nothing is unpickled (``test_a_checkpoint_that_unpickles``), a
checkpoint chooses no code (``test_a_checkpoint_whose_settings_call``), nor does a configuration by
its functions and tags (``test_a_configuration_that_calls``), whatever is too deep, too large or too
long is one error (``test_files_that_are_bombs``), no text becomes a script or a formula
(``test_pages_with_payloads``), no regex takes for ever (``test_texts_against_regexes``).
"""

import csv
import io
import json
import shutil
import signal
import time
from contextlib import contextmanager
from xml.etree import ElementTree

import pytest
import torch
import yaml

import docre
from docre import Document, read_documents
from docre.calibration.file import read_calibration
from docre.chain.stages import read_chain
from docre.cli import main
from docre.comparison.document_counts import read_counts
from docre.comparison.run_files import read_json, read_yaml
from docre.data.fact_files import read_facts
from docre.data.formats.official import read_predictions
from docre.data.formats.registry import detect_format
from docre.data.relations import RelationSet
from docre.distillation.store import LogitFile
from docre.errors import DocreError
from docre.hub.manifest import read_json as read_exported_json
from docre.hub.remote import is_hub_name
from docre.markdown_text import plain
from docre.model import DocREModel
from docre.pipeline.extraction import Extraction
from docre.pipeline.finders.same_name import same_name
from docre.pipeline.inputs import read_stream, sources_of
from docre.pipeline.output import write_extractions
from docre.pipeline.records import array_records
from docre.published.label_names import label_names
from docre.report.reading import read_predicted
from docre.segmentation import split_text
from docre.sweep.sweep_file import read_sweep
from tests.hub.runs import trained
from tests.report.browser import browser
from tests.test_security import EVIL, PAYLOADS, Touching, laughs

pytestmark = pytest.mark.reliability


@pytest.fixture(scope="module")
def run():
    return trained("pair")


@pytest.fixture
def place(run, tmp_path, monkeypatch):
    """A copy of the run in a folder of its own, and a file that nobody may make."""
    shutil.copytree(run.parents[2], tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"
    assert not (tmp_path / "made").exists()


def refused(capsys, *words):
    """Run a command that has to fail with one message."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    said = capsys.readouterr().err
    assert caught.value.code in (1, 2), said
    assert "Traceback" not in said
    assert said.count("error: ") == 1, said
    return said


# --- checkpoints ----------------------------------------------------------------------------------


def edit_checkpoints(place, change):
    for path in place.glob("runs/*/*/checkpoints/*.ckpt"):
        known = torch.load(path, weights_only=True)
        change(known)
        torch.save(known, path)


BEST = "runs/pair/version_0/checkpoints/best.ckpt"
RUN = "runs/pair/version_0"
TEACHER = {"class_path": "docre.distillation.OnlineTeacher", "init_args": {"run": RUN}}
OPENING = [
    ("test", "--run", RUN),
    ("validate", "--run", RUN),
    ("predict", "--run", RUN),
    ("predict", RUN, "texts.jsonl", "--output", "out.jsonl"),
    ("fit", "--config", "pair.yaml", "--ckpt_path", BEST),
    ("fit", "--config", "pair.yaml", "--ckpt_path", BEST, "--weights_only=false"),
    ("fit", "--resume", RUN),
    ("fit", "--config", "pair.yaml", "--model.init_from", RUN),
    ("fit", "--config", "pair.yaml", "--model.teacher", json.dumps(TEACHER)),
    ("test", "--config", "pair.yaml", "--ckpt_path", BEST),
    ("calibrate", "--run", RUN),
    ("distil", "--run", RUN, "--documents", "texts.jsonl", "--output", "scores.arrow"),
    ("fuse", "--run", RUN),
    ("tune", "--run", RUN),
    ("export", RUN, "model"),
    ("convert", "atlop", BEST, "model", "--dataset=docred", "--encoder=x"),
    ("compare", RUN, "--split", "dev"),
]


@pytest.mark.parametrize("words", OPENING, ids=lambda words: f"{words[0]} {words[1]}")
def test_a_checkpoint_that_unpickles(place, capsys, figures, words):
    docre.write_documents(place / "texts.jsonl", [Document.from_text("a", "One. Two.")])
    edit_checkpoints(place, lambda known: known.update(evil=Touching(place.parent / "made")))
    said = refused(capsys, *words)
    assert ".ckpt" in said
    figures.add("hostile files refused", 1, of=1)


def test_a_checkpoint_that_unpickles_in_python(place, figures):
    edit_checkpoints(place, lambda known: known.update(evil=Touching(place.parent / "made")))
    for reading in (docre.load, DocREModel.load_from_checkpoint, docre.hub.save_pretrained):
        more = ("out",) if reading is docre.hub.save_pretrained else ()
        with pytest.raises(DocreError, match=r"best\.ckpt"):
            reading(BEST, *more)
        figures.add("hostile files refused", 1, of=1)


CHOOSING = [
    words
    for words in OPENING
    if "--ckpt_path" in words or "--model.teacher" in words or words[0] in ("export",)
]


@pytest.mark.parametrize("words", CHOOSING, ids=lambda words: f"{words[0]} {words[1]}")
def test_a_checkpoint_whose_settings_call(place, capsys, figures, words):
    """Its values are plain, and would be made classes and functions of again."""
    call = {**EVIL, "init_args": {"cmd": f"touch {place.parent / 'made'}"}}
    edit_checkpoints(place, lambda known: known["hyper_parameters"].update(encoder=call))
    assert "subprocess.getoutput" in refused(capsys, *words)
    figures.add("hostile files refused", 1, of=1)


def test_a_configuration_that_calls(place, capsys, figures):
    path = place / RUN / "config.yaml"
    config = yaml.safe_load(path.read_text())
    call = {**EVIL, "init_args": {"cmd": f"touch {place.parent / 'made'}"}}
    config["model"]["encoder"] = call
    texts = [
        yaml.safe_dump(config),
        f"x: !!python/object/apply:os.system ['touch {place.parent / 'made'}']",
        laughs(),
        "a: " + "[" * 100_000,
    ]
    for text in texts:
        path.write_text(text)
        for words in (
            ("test", "--run", RUN),
            ("fit", "--config", path),
            ("calibrate", "--run", RUN),
        ):
            refused(capsys, *words)
            figures.add("hostile files refused", 1, of=1)
    for text in texts[1:]:
        path.write_text(text)
        for command in ("compare", "sweep", "chain"):
            refused(capsys, command, RUN if command == "compare" else path)
            figures.add("hostile files refused", 1, of=1)


# --- bombs ----------------------------------------------------------------------------------------

DOCUMENT = (
    '[{"id": "d", "sentences": [["a", "b"]], "entities": [{"mentions": [{"sentence": NUMBER, '
    '"start": NUMBER, "end": NUMBER}]}], "relations": [{"head": NUMBER, "tail": 0, "relation": '
    '"x", "evidence": [NUMBER], "score": NUMBER}]}]'
)
DOCRED = (
    '[{"title": "d", "sents": [["a", "b"]], "vertexSet": [[{"name": "x", "sent_id": NUMBER, '
    '"pos": [NUMBER, NUMBER], "type": "PER"}]], "labels": [{"h": NUMBER, "t": 0, "r": "x", '
    '"evidence": [NUMBER]}]}]'
)
TEXT = '{"id": "d", "text": "abc", "entities": [{"mentions": [{"start": NUMBER, "end": NUMBER}]}]}'
RESULT = '[{"title": "d", "h_idx": NUMBER, "t_idx": NUMBER, "r": 7, "evidence": [NUMBER]}]'
NUMBERS = ("9" * 400, "9" * 6000, "1e308", "1e999", "-1", "1000000000000", "NaN", "true", '"x"')
BOMBS = {
    **{
        f"{name} {number[:6]}": form.replace("NUMBER", number)
        for name, form in (("own", DOCUMENT), ("docred", DOCRED), ("text", TEXT), ("res", RESULT))
        for number in NUMBERS
    },
    "deep list": "[" * 100_000,
    "deep object": '{"a":' * 100_000,
    "deep value": '[{"id":"d","sentences":' + "[" * 100_000 + "]" * 100_000 + "}]",
    "deep level": '{"levels":' * 50_000,
    "keys": '{"id":"d",' + ",".join(f'"k{k}":1' for k in range(100_000)) + "}",
    "long": '[{"id":"' + "x" * 10**6 + '"}]',
    "columns": "1|t|x\n1|a|y\n1\t" + "\t".join(["1"] * 10**6),
    "quotes": "[" + '"' * 10**6,
    "backslashes": '[{"id":"' + "\\" * 10**6,
    "halves": "[{]" * 10**5,
}


YAML = (read_yaml, read_chain, read_sweep)


def readers(run, tmp_path):
    """Everything that reads a file somebody gave, by what it is called."""
    calibrated = tmp_path / "calibrated"
    calibrated.mkdir()

    def calibration(path):
        shutil.copy(path, calibrated / "calibration.json")
        read_calibration(calibrated, run / "checkpoints/best.ckpt")

    def stream(path):
        for one in read_stream(sources_of([path]).files):
            if one.problems:
                raise DocreError("said")

    return [
        *(read_documents, read_facts, read_predictions, RelationSet.from_file, read_predicted),
        *(calibration, stream, read_json, read_yaml, read_exported_json, read_counts, read_chain),
        *(read_sweep, LogitFile, lambda path: label_names(path, None, "docred")),
    ]


def test_files_that_are_bombs(run, tmp_path, figures):
    """One error of ours each, or what is read is what the file says; never another exception."""
    for name, text in BOMBS.items():
        path = tmp_path / "file.json"
        path.write_text(text)
        for reader in readers_of(run, tmp_path):
            if reader in YAML and len(text) > 1 << 18 and not name.startswith("deep"):
                continue  # it is only slow: a megabyte takes a minute
            try:
                reader(path)
                said = ""
            except DocreError as error:
                said = str(error)
                figures.add("hostile files refused", 1, of=1)
            assert len(said) < 100_000, (name, reader)


def readers_of(run, tmp_path, known={}):  # noqa: B006 - made once
    if tmp_path not in known:
        known[tmp_path] = readers(run, tmp_path)
    return known[tmp_path]


@pytest.mark.parametrize("form", [DOCUMENT, DOCRED, TEXT])
@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_refused(tmp_path, form, number, figures):
    path = tmp_path / "file.json"
    path.write_text(form.replace("NUMBER", number))
    with pytest.raises(DocreError, match="document"):
        read_documents(path)
    figures.add("hostile files refused", 1, of=1)


# --- texts ----------------------------------------------------------------------------------------


def hostile_extraction(number, text):
    """A document that has a payload wherever a text can be."""
    words = text.split() or [text]
    ends = [[(0, 0, len(words))], [(0, len(words), len(words) + 1)]]
    made = Document.from_words(f"{number} {text}", [[*words, "b"]], ends, [(0, 1, text)])
    return Extraction(made, descriptions={text: text})


def test_pages_with_payloads(tmp_path, figures):
    found = [hostile_extraction(number, text) for number, text in enumerate(PAYLOADS)]
    page = tmp_path / "<img src=x onerror=window.hacked=1>.html"
    for path in (page, tmp_path / "a.csv", tmp_path / "a.graphml"):
        write_extractions(path, found)
    assert len(ElementTree.parse(tmp_path / "a.graphml").getroot()) > 1
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert len(rows) == len(PAYLOADS)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    text = page.read_text()
    assert text.count("<script") == 2
    assert "script-src 'sha256-" in text
    plainly = tmp_path / "page.html"
    plainly.write_text(text)
    with browser(tmp_path) as tab:
        for number in range(len(PAYLOADS)):
            tab.open(plainly, f"#document={number}")
            assert tab.ask("window.hacked") is None
            made = "document.querySelectorAll('img, svg, iframe, a[href^=java]').length"
            assert tab.ask(made) == 0
        assert tab.ask("document.querySelectorAll('#list li').length") > 0
        asked = [one["request"]["url"] for one in tab.said("Network.requestWillBeSent")]
        assert all(url.startswith(("file:", "about:")) for url in asked), asked
    figures.add("hostile files refused", len(PAYLOADS), of=len(PAYLOADS))


@contextmanager
def within(seconds):
    def stop(number, frame):
        raise AssertionError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


PIECES = ('"', '\\"', " ", "\n", ".", ". ", '!"', "A. ", "the ", "mr. ", "'s ", "f1/", "a.", "*")


@pytest.mark.parametrize("piece", PIECES)
def test_texts_against_regexes(tmp_path, piece, figures):
    """A hundred thousand characters of what each pattern might look at again and again."""
    text = (piece * 100_000)[:100_000]
    started = time.monotonic()
    with within(60):
        for kind in (f'[{{"id":{text}', f'[{{"id":"{text}'):
            try:
                detect_format(tmp_path / "x", kind.encode())
                list(array_records(io.BytesIO(kind.encode())))
            except DocreError:
                pass
        split_text(text, [])
        plain(text)
        same_name([text, f"a{text}b", "a"], ["PER"] * 3)
        is_hub_name(text)
    figures.worst("regexes on 100,000 characters", time.monotonic() - started, "s")
    figures.add("hostile files refused", 1, of=1)
