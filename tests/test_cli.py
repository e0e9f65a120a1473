"""The ``docre`` command as the shell sees it."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from docre.cli import COMMANDS, DATA_COMMANDS, main
from docre.data.reading import read_documents
from docre.data.summary import token_convention
from docre.data.writing import atomic_file, write_documents
from docre.documents import Document, Relation
from tests.corpora import corpus
from tests.data.test_reading import DOCRED, OWN, changed, write
from tests.toy import document as toy

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "lightning", "transformers", "datasets")


def run(capsys, *arguments):
    """Run a command here and return its exit code and what it wrote."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return caught.value.code or 0, shown.out, shown.err


def shell(*arguments, **options):
    """Run a command in a process of its own, where a warning would be seen."""
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:docre", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=options.pop("cwd", ROOT),
        timeout=120,
        **options,
    )


@pytest.fixture
def clean(tmp_path):
    file = tmp_path / "clean.json"
    write_documents(file, [toy(seed) for seed in range(20)], "docred")
    return file


@pytest.fixture
def dirty(tmp_path):
    bad = changed({**DOCRED, "title": "bad [bold]"}, "labels.0.t", 7)
    worse = changed({**DOCRED, "title": "worse"}, "sents", None)
    return write(tmp_path / "dirty.json", [DOCRED, bad, worse])


def test_help_names_all_commands(capsys):
    code, out, err = run(capsys, "--help")
    assert (code, err) == (0, "")
    assert all(name in out for name in (*COMMANDS, "data"))
    code, out, err = run(capsys, "data", "--help")
    assert (code, err) == (0, "")
    assert all(name in out for name in DATA_COMMANDS)


@pytest.mark.parametrize(
    "command", [*([n] for n in COMMANDS), *(["data", n] for n in DATA_COMMANDS)]
)
def test_each_command_has_help(capsys, command):
    code, out, err = run(capsys, *command, "--help")
    assert (code, err) == (0, "")
    assert "usage: docre" in out


def test_version(capsys):
    from docre import __version__

    code, out, _ = run(capsys, "--version")
    assert (code, out.split()[-1]) == (0, __version__)


@pytest.mark.parametrize(
    "arguments", [["data", "check"], ["nothing"], ["data", "check", "f", "--nope"]]
)
def test_wrong_usage_is_code_2(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "error:" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [[], ["data"]])
def test_no_command_is_answered_with_the_commands(capsys, arguments):
    assert run(capsys, *arguments) == run(capsys, *arguments, "--help")
    assert "baseline" not in DATA_COMMANDS


@pytest.mark.parametrize(
    "statement",
    [
        "import docre",
        "import docre.cli; docre.cli.build_parser()",
        "import docre.cli\ntry: docre.cli.main(['--help'])\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_imported_for_help(statement):
    code = f"{statement}\nimport sys; print('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
    done = shell("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("loaded: []\n")


def test_check_needs_nothing_heavy(clean):
    code = (
        "import contextlib, sys, docre.cli\n"
        f"with contextlib.suppress(SystemExit): docre.cli.main(['data', 'check', {str(clean)!r}])\n"
        f"print('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = shell("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("loaded: []\n")


def test_module_and_encodings(clean, dirty):
    done = shell("-m", "docre", "data", "check", clean)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No problems in 20 documents." in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    # a terminal that knows ASCII only
    odd = write(
        dirty.with_name("odd.json"), [changed({**DOCRED, "title": "é 🦊"}, "labels.0.t", 9)]
    )
    done = shell("-m", "docre", "data", "check", odd, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (1, "")
    assert "\\xe9 \\U0001f98a" in done.stdout
    # a file name that is not there, in a process: one message, no traceback
    done = shell("-m", "docre", "data", "check", "nothing.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "docre: error: nothing.json: no such file\n"


def test_check_of_a_clean_file(capsys, clean):
    code, out, err = run(capsys, "data", "check", clean)
    assert (code, err) == (0, "")
    documents = read_documents(clean)
    lines = {line.split("│")[1].strip(): line for line in out.splitlines() if line.count("│") == 3}
    pairs = sum(d.num_pairs for d in documents)
    triples = [r for d in documents for r in d.relations]
    assert "20" in lines["documents"]
    assert f"{pairs:,}" in lines["pairs"]
    assert f"{len(triples):,}" in lines["triples"]
    for name in ("entities", "mentions", "in one sentence (intra)", "across (inter)", "relations"):
        assert name in lines
    for name in ("p50", "p90", "p99", "born_in", "located_in", "works_for", "█"):
        assert name in out
    assert "tokens" not in out
    assert "No problems in 20 documents." in out


def test_check_of_a_real_file(capsys):
    code, out, err = run(capsys, "data", "check", corpus("redocred/dev_revised.json"), "--show", 3)
    assert (code, err) == (0, "")
    for part in ("500", "193,232", "17,284", "P131", "3,846", "92 more"):
        assert part in out


def test_check_lists_everything_and_says_what_can_be_done(capsys, dirty):
    code, out, err = run(capsys, "data", "check", dirty)
    assert (code, err) == (1, "")
    assert "1 of 3 documents that can be used" in out
    assert "2 problems (entity-out-of-range: 1, wrong-type: 1)" in out
    assert "document 'bad [bold]', relations[0].tail: entity 7 of a document" in out
    assert "document 'worse', sents: expected a list, found null" in out
    assert "2 of 3 documents cannot be used as they are." in out
    assert "--on_error fix" in out
    assert sorted(path.name for path in dirty.parent.iterdir()) == ["dirty.json"]


def test_check_shows_as_many_as_asked(capsys, dirty):
    code, out, _ = run(capsys, "data", "check", dirty, "--show", 1)
    assert code == 1
    assert "... and 1 more" in out
    assert "worse" not in out


@pytest.mark.parametrize(("policy", "kept", "fixed"), [("fix", 2, 1), ("skip", 1, 0)])
def test_check_writes_a_report(capsys, dirty, tmp_path, monkeypatch, policy, kept, fixed):
    target = tmp_path / "out" / "report.json"
    code, out, err = run(capsys, "data", "check", dirty, "--on_error", policy, "--report", target)
    assert (code, err) == (0, "")
    assert f"{kept} of 3 documents kept, {fixed} fixed, {3 - kept} skipped" in out
    assert str(target) in out
    body = json.loads(target.read_text())
    assert (body["documents"], body["kept"], body["fixed"]) == (3, kept, fixed)
    assert len(body["problems"]) == 2
    monkeypatch.chdir(tmp_path)
    run(capsys, "data", "check", dirty, "--on_error", policy)
    assert json.loads((tmp_path / "dirty.json.report.json").read_text()) == body


def test_check_counts_tokens(capsys, clean, tmp_path):
    from docre.data.vocabulary import learn_word_pieces, save_tokenizer

    save_tokenizer(learn_word_pieces(toy(seed) for seed in range(30)), tmp_path / "tokenizer")
    code, out, err = run(
        capsys, "data", "check", clean, "--tokenizer", tmp_path / "tokenizer", "--window", 40
    )
    assert (code, err) == (0, "")
    assert "documents over 40 tokens" in out
    assert "tokens, markers included" in out


def test_check_against_a_relation_set(capsys, clean, tmp_path):
    known = write(tmp_path / "relations.json", ["born_in", "works_for"])
    code, out, _ = run(capsys, "data", "check", clean, "--relations", known)
    assert code == 1
    assert "unknown relation 'located_in'" in out
    code, out, _ = run(capsys, "data", "check", clean, "--relations", "docred")
    assert code == 1
    code, _, err = run(capsys, "data", "check", clean, "--relations", tmp_path / "none.json")
    assert code == 1
    assert "no such file" in err


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", [], "the file is empty"),
        (b"[]", [], "no documents"),
        (b"hello", [], "cannot tell the format"),
        (b"\xff\xfe[\x00", [], "not UTF-8 at byte 0"),
        (b"[]", ["--format", "foo"], "unknown format 'foo'"),
        (b"[{}]", ["--limit", "0"], "limit must be at least 1"),
        (b"{", [], ""),
    ],
)
def test_files_that_cannot_be_checked(capsys, tmp_path, content, options, message):
    file = tmp_path / "file.json"
    file.write_bytes(content)
    code, out, err = run(capsys, "data", "check", file, *options)
    assert code == 1
    if message:
        assert err.startswith("docre: error: ")
        assert message in err
    assert "Traceback" not in out + err


def test_convert_there_and_back(capsys, clean, tmp_path):
    own, back = tmp_path / "new" / "own.jsonl.gz", tmp_path / "back.json"
    code, out, err = run(capsys, "data", "convert", clean, own)
    assert (code, err) == (0, "")
    assert f"20 documents written to {own} (docre)" in out
    assert read_documents(own) == read_documents(clean)
    assert run(capsys, "data", "convert", own, back, "--to", "docred")[0] == 0
    assert back.read_bytes() == clean.read_bytes()
    assert run(capsys, "data", "convert", own, back, "--limit", 3)[0] == 0
    assert len(read_documents(back)) == 3


def test_convert_mends_or_refuses(capsys, dirty, tmp_path):
    target = tmp_path / "mended.json"
    code, out, err = run(capsys, "data", "convert", dirty, target)
    assert (code, out) == (1, "")
    assert "2 problems" in err
    assert not target.exists()
    code, out, _ = run(capsys, "data", "convert", dirty, target, "--on_error", "fix")
    assert code == 0
    assert "2 documents written" in out
    assert "1 fixed, 1 skipped" in out
    report = json.loads((tmp_path / "mended.json.report.json").read_text())
    assert [p["action"] for p in report["problems"]] == ["fixed", "skipped"]
    assert run(capsys, "data", "check", target)[0] == 0


def test_convert_to_places_and_formats_that_are_not_there(capsys, clean, tmp_path):
    code, _, err = run(capsys, "data", "convert", clean, tmp_path / "a", "--to", "word")
    assert code == 1
    assert "unknown format 'word'" in err
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "data", "convert", clean, tmp_path / "file" / "a.json")
    assert code == 1
    assert err.startswith("docre: error: ")
    (tmp_path / "folder").mkdir()
    code, _, err = run(capsys, "data", "convert", clean, tmp_path / "folder")
    assert code == 1
    assert err.startswith("docre: error: ")


def test_score_end_to_end(capsys, tmp_path):
    from docre.data.formats.official import write_predictions
    from docre.scoring.predictions import predictions_of

    documents = [toy(seed) for seed in range(30)]
    gold, result = tmp_path / "gold.json", tmp_path / "submission.zip"
    write_documents(gold, documents, "docred")
    write_predictions(result, predictions_of(documents))
    code, out, err = run(capsys, "score", result, gold)
    assert (code, err) == (0, "")
    assert "100.00" in out
    output = tmp_path / "scores.json"
    code, out, err = run(capsys, "score", result, gold, "--json", "true", "--output", output)
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(output.read_text())
    code, out, err = run(capsys, "score", tmp_path / "none.json", gold)
    assert (code, out) == (1, "")
    assert err.startswith("docre: error: ")
    unlabelled = tmp_path / "u.json"
    write_documents(unlabelled, [toy(1, labelled=False)])
    code, out, err = run(capsys, "score", result, unlabelled)
    assert (code, out) == (1, "")
    assert err.startswith("docre: error: ")
    assert "Traceback" not in err


def test_a_closed_pipe_is_no_error(tmp_path):
    write(tmp_path / "a.json", [{**OWN, "id": str(k)} for k in range(9)])
    done = subprocess.run(
        f"'{sys.executable}' -m docre data check '{tmp_path / 'a.json'}' | head -n 1; "
        "echo ${PIPESTATUS[0]}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_convert_says_what_the_other_format_cannot_hold(capsys, tmp_path):
    text = {
        "id": "1",
        "text": "Mia works for Nord.",
        "entities": [
            {"id": "Q1", "type": "PER", "mentions": [{"start": 0, "end": 3}]},
            {"id": "Q2", "type": "ORG", "mentions": [{"start": 14, "end": 18}]},
        ],
        "relations": [{"head": 0, "tail": 1, "relation": "works_for", "score": 0.5}],
    }
    source = tmp_path / "text.jsonl"
    source.write_text(json.dumps(text))
    for target, lost in (("docre", ""), ("docred", "raw text|entity ids|scores")):
        code, out, _ = run(capsys, "data", "convert", source, tmp_path / "out.json", "--to", target)
        assert code == 0
        assert ("does not hold" in out) == bool(lost)
        for name in filter(None, lost.split("|")):
            assert f"{name} (1 documents)" in out


def test_convert_does_not_write_over_what_it_reads(capsys, clean, tmp_path):
    before = clean.read_bytes()
    (tmp_path / "link.json").symlink_to(clean)
    for target in (clean, tmp_path / "link.json", f"{tmp_path}/../{tmp_path.name}/clean.json"):
        code, out, err = run(capsys, "data", "convert", clean, target, "--to", "docre")
        assert (code, out) == (1, "")
        assert "the output would replace the input" in err
    assert clean.read_bytes() == before


def test_lists_are_words_in_the_shell(capsys, clean, tmp_path):
    for types, code in ((["PER"], 1), (["PER", "LOC", "ORG"], 0)):
        assert run(capsys, "data", "check", clean, "--types", *types)[0] == code
    write(tmp_path / "result.json", [{"title": "x", "h_idx": 0, "t_idx": 1, "r": "born_in"}])
    arguments = ("score", tmp_path / "result.json", clean, "--frequent", "born_in", "works_for")
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert "frequent: born_in, works_for" in out
    assert "Entity types to accept" in run(capsys, "data", "check", "--help")[1]


def test_swapped_files_and_hints(capsys, clean, dirty, tmp_path):
    entry = {"title": "x", "h_idx": 0, "t_idx": 1, "r": "born_in"}
    result = write(tmp_path / "result.json", [entry] * 2)
    for arguments in (
        ("score", clean, result),
        ("score", result, clean, "--facts", result),
        ("data", "check", result),
    ):
        code, _, err = run(capsys, *arguments)
        assert code == 1
        assert err == (
            f"docre: error: {result}: this is a file of predictions (result.json), not of "
            "documents; are the arguments swapped?\n"
        )
    for arguments in (("score", result, dirty), ("baseline", dirty, clean, tmp_path / "p.json")):
        code, _, err = run(capsys, *arguments)
        assert code == 1
        assert "2 problems" in err
        assert "on_error" not in err
    assert "on_error" in run(capsys, "data", "convert", dirty, tmp_path / "out.json")[2]


def test_synth_keeps_a_corpus_that_is_there(capsys, tmp_path):
    sizes = ("--documents", 3, "--dev", 2, "--test", 2)
    code, out, _ = run(capsys, "data", "synth", tmp_path, *sizes)
    assert code == 0
    assert out.count(tmp_path.name) == 1
    assert "train.json" in out
    before = (tmp_path / "train.json").read_bytes()
    for format in ("docred", "docre"):
        more = ("--seed", 5, "--format", format)
        code, _, err = run(capsys, "data", "synth", tmp_path, *sizes, *more)
        assert code == 1
        assert "--overwrite replaces" in err
    assert (tmp_path / "train.json").read_bytes() == before
    assert run(capsys, "data", "synth", tmp_path, *sizes, *more, "--overwrite")[0] == 0


def abstracts(path, relations):
    text = "Aspirin helps. TP53 falls."
    document = Document.from_text(
        "1", text, {"MESH:D1": [(0, 7)], "7157": [(15, 19)]}, types=["Chemical", "Gene"]
    )
    labels = tuple(Relation(0, 1, name) for name in relations)
    write_documents(
        path, [replace(document, relations=labels, extra={"title": "Aspirin helps."})], "docre"
    )
    return path


def test_relations_of_chemdisgene_go_beside_its_abstracts(capsys, tmp_path):
    source = abstracts(tmp_path / "own.json", ["chem_gene:affects^binding"])
    target, beside = tmp_path / "out.txt.gz", tmp_path / "out.relationships.tsv"
    arguments = ("data", "convert", source, target, "--to", "chemdisgene-pubtator")
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert str(beside) in out
    assert "relations (" not in out
    code, out, err = run(capsys, "data", "convert", target, tmp_path / "back.json",
                         "--relationships", beside)  # fmt: skip
    assert (code, err) == (0, "")
    (back,) = read_documents(tmp_path / "back.json")
    assert [label.relation for label in back.relations] == ["chem_gene:affects^binding"]
    assert "chemdisgene-pubtator" in run(capsys, "data", "convert", "--help")[1]


def test_tokens_are_counted_as_the_data_set_has_them(capsys, tmp_path):
    from docre.data.vocabulary import learn_word_pieces, save_tokenizer

    save_tokenizer(learn_word_pieces(toy(seed) for seed in range(30)), tmp_path / "tokenizer")
    source = abstracts(tmp_path / "own.json", [])
    for format, said in (("docre", "each word"), ("pubtator", "the text")):
        target = tmp_path / f"{format}.out"
        assert run(capsys, "data", "convert", source, target, "--to", format)[0] == 0
        code, out, _ = run(capsys, "data", "check", target, "--format", format, "--tokenizer",
                           tmp_path / "tokenizer")  # fmt: skip
        assert code == 0
        assert f"Tokens are of {said} cut" in out


def test_token_conventions_are_those_of_the_data_modules():
    from docre.data.modules.biomedical import CDR, GDA, ChemDisGene

    for module, format in (
        (ChemDisGene(), "chemdisgene"),
        (CDR(), "eog"),
        (CDR(form="pubtator"), "pubtator"),
        (GDA(), "eog"),
    ):
        expected = (module.features.source, module.features.markers)
        assert token_convention(format) == expected


def test_baseline_does_not_overwrite_what_it_reads(capsys, clean):
    before = clean.read_bytes()
    code, _, err = run(capsys, "baseline", clean, clean, clean)
    assert code == 1
    assert "one of the files to read" in err
    assert clean.read_bytes() == before


# --- signals --------------------------------------------------------------------------------------


def terminated(monkeypatch, capsys, tmp_path, body):
    """Run a command that does something while it writes a file, and then gets SIGTERM."""

    def score_files(console: int | None = None):
        with atomic_file(tmp_path / "made") as file:
            file.write(b"half")
            body()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    monkeypatch.setattr("docre.score_command.score_files", score_files)
    before = signal.getsignal(signal.SIGTERM)
    code, _, _ = run(capsys, "score")
    assert signal.getsignal(signal.SIGTERM) is before
    return code


def test_termination_leaves_no_unfinished_file(monkeypatch, capsys, tmp_path):
    seen = []
    assert terminated(monkeypatch, capsys, tmp_path, lambda: seen.extend(tmp_path.iterdir())) == 143
    assert len(seen) == 1
    assert not list(tmp_path.iterdir())


def test_a_process_of_a_command_takes_no_files_of_it_along(monkeypatch, capsys, tmp_path):
    codes, seen = [], []

    def body():
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(10,))
        child.start()
        time.sleep(0.2)
        child.terminate()
        child.join(5)
        codes.append(child.exitcode)
        seen.extend(tmp_path.iterdir())

    assert terminated(monkeypatch, capsys, tmp_path, body) == 143
    assert codes == [143]
    assert len(seen) == 1


def test_a_chain_has_its_own_way_to_end(monkeypatch, capsys):
    found = []

    def chain(file: str):
        found.append(signal.getsignal(signal.SIGTERM))

    monkeypatch.setattr("docre.chain.command.chain", chain)
    before = signal.getsignal(signal.SIGTERM)
    assert run(capsys, "chain", "x")[0] == 0
    assert found == [before]


def test_help_of_a_name_that_python_keeps(capsys):
    _, out, _ = run(capsys, "chain", "--help")
    assert "--from FROM " in out.replace("\n", " ")
    assert "FROM_" not in out
