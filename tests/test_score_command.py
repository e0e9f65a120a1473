"""``score_files`` prints what it scored, against what, and why something is missing."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

import docre
from docre.data.formats.official import read_predictions
from docre.data.reading import read_documents
from docre.data.writing import write_documents
from docre.documents import Document
from docre.errors import DocreError
from docre.score_command import score_files
from docre.scoring import JointScores, UnlabelledError, score_joint
from tests.toy import document as toy

MENTION = {"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}


def document(title, labels):
    raw = {
        "title": title,
        "sents": [["Ada", "met", "Bob"], ["He", "left"]],
        "vertexSet": [
            [MENTION],
            [{**MENTION, "name": "Bob", "pos": [2, 3]}],
            [{**MENTION, "name": "He", "sent_id": 1}],
        ],
    }
    return raw if labels is None else {**raw, "labels": labels}


@pytest.fixture
def files(tmp_path):
    labels = [
        {"h": 0, "t": 1, "r": "P1", "evidence": [0]},
        {"h": 0, "t": 2, "r": "P2", "evidence": [0, 1]},
    ]
    entries = [
        {"title": "one", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": [0]},
        {"title": "one", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": [1]},
        {"title": "else", "h_idx": 0, "t_idx": 1, "r": "P1"},
    ]
    contents = {
        "pred": entries,
        "gold": [document("one", labels), document("two", None)],
        "blind": [document("one", None)],
        "facts": [["Ada", "Bob", "P1"]],
    }
    paths = {name: tmp_path / f"{name}.json" for name in contents}
    for name, content in contents.items():
        paths[name].write_text(json.dumps(content))
    return paths


def run(files, **options):
    console = Console(file=io.StringIO(), width=140)
    scores = score_files(files["pred"], files["gold"], console=console, **options)
    return scores, console.file.getvalue()


def test_table(files):
    scores, text = run(files, facts=files["facts"], bootstrap=50, seed=3)
    assert scores.overall.correct == 1
    assert scores.ign["facts.json"].seen_correct == 1
    for word in ("Ign (facts.json)", "evidence", "intra", "long_tail", "95 % of F1"):
        assert word in text
    for name in ("pred", "gold", "facts"):
        checksum = hashlib.sha256(files[name].read_bytes()).hexdigest()[:12]
        assert f"(sha256 {checksum})" in text
    assert "1 facts" in text
    assert f"docre {docre.__version__}" in text
    assert "1 documents without labels were left out" in text
    assert "1 predictions are for documents the gold does not have" in text
    assert "1 repeated predictions were dropped" in text
    assert "50 resamples of documents, seed 3" in text


def test_without_facts_there_is_no_ign_f1_and_a_reason(files):
    scores, text = run(files)
    assert not scores.ign
    assert "Ign (" not in text
    assert "Ign F1 is not shown" in text
    assert "--facts" in text


def test_unlabelled_gold(files):
    console = Console(file=io.StringIO())
    with pytest.raises(UnlabelledError, match="labels") as raised:
        score_files(files["pred"], files["blind"], console=console)
    assert isinstance(raised.value, DocreError)
    assert console.file.getvalue() == ""
    submission = files["pred"].with_suffix(".zip")
    assert str(submission) in str(raised.value)
    assert read_predictions(submission) == read_predictions(files["pred"])


def test_json_and_output_are_equal(files, tmp_path):
    output = tmp_path / "new" / "scores.json"
    scores, text = run(files, facts=files["facts"], json=True, output=output, bootstrap=20)
    body = json.loads(text)
    assert body == json.loads(output.read_text())
    assert body["scores"]["f1"] == scores.f1
    assert body["scores"]["relation/P1/f1"] == scores.relations["P1"].f1
    assert len(body["intervals"]["f1"]) == 2
    assert body["gold"]["sha256"] == hashlib.sha256(files["gold"].read_bytes()).hexdigest()


def test_frequent_relations_as_asked(files):
    scores, text = run(files, frequent=["P2"])
    assert (scores.groups["frequent"].gold, scores.groups["long_tail"].gold) == (1, 1)
    assert "frequent: P2" in text


@pytest.mark.parametrize("option", ["facts", "frequent"])
def test_documents_as_triples_of_given_entities(files, option):
    given = {"facts": files["facts"]} if option == "facts" else {"frequent": ["P2"]}
    scores, _ = run({**files, "pred": files["gold"]}, **given)
    assert scores.f1 == 1
    assert scores.evidence.f1 == 1


def test_documents_are_no_submission(files):
    before = sorted(files["pred"].parent.iterdir())
    with pytest.raises(UnlabelledError):
        run({"pred": files["gold"], "gold": files["blind"]}, frequent=["P2"])
    scores, text = run({"pred": files["gold"], "gold": files["blind"]})
    assert isinstance(scores, JointScores)
    assert scores.entity.overall.correct == 3
    assert "1 documents without labels are judged up to the entities" in text
    assert sorted(files["pred"].parent.iterdir()) == before


@pytest.mark.parametrize("setting", ["bootstrap", "seed"])
def test_negative_settings_are_refused(files, setting):
    with pytest.raises(DocreError, match=f"{setting} must not be negative, it is -3"):
        run(files, **{setting: -3})


def test_numbers_beyond_all_bounds_are_wrong_and_no_more(files):
    usual, _ = run(files)
    entries = json.loads(files["pred"].read_text())
    far = [
        {**entries[0], "h_idx": 10**30},
        {**entries[0], "t_idx": -(10**30)},
        {**entries[0], "t_idx": 2**63},
        {"title": "one", "h_idx": 0, "t_idx": 2, "r": "P2", "evidence": [0, 10**30]},
    ]
    files["pred"].write_text(json.dumps([*entries, *far]))
    scores, _ = run(files)
    assert scores.overall.predicted == usual.overall.predicted + 4
    assert scores.overall.correct == usual.overall.correct + 1
    assert scores.evidence.predicted == usual.evidence.predicted + 5
    assert scores.duplicates == usual.duplicates


def test_predictions_where_documents_belong(files):
    with pytest.raises(DocreError, match="are the arguments swapped"):
        run({**files, "pred": files["gold"], "gold": files["pred"]})
    with pytest.raises(DocreError, match="are the arguments swapped"):
        run(files, facts=files["pred"])


def test_lines_of_triples(files, tmp_path):
    """What docre predict writes gives the scores of result.json."""
    lines = tmp_path / "predictions.jsonl"
    triples = [
        {"head": 0, "tail": 1, "relation": "P1", "score": 2.0, "margin": 1.5, "evidence": [0]},
        {"head": 1, "tail": 0, "relation": "P1", "score": 2.0, "margin": 0.5, "evidence": []},
    ]
    lines.write_text(json.dumps({"id": "one", "triples": triples}) + "\n")
    scores, _ = run({**files, "pred": lines})
    assert (scores.overall.correct, scores.overall.predicted, scores.overall.gold) == (1, 2, 2)
    with pytest.raises(UnlabelledError):
        run({"pred": lines, "gold": files["blind"]})
    written = read_predictions(lines.with_suffix(".zip"))
    assert [one.score for one in written] == [1.5, 0.5]


# --- joint extraction -----------------------------------------------------------------------------


def retyped(one):
    """Entities in another order, the first of another type."""
    entities = [replace(e, type="NEW" if n == 0 else e.type) for n, e in enumerate(one.entities)]
    last = len(entities) - 1
    relations = tuple(replace(r, head=last - r.head, tail=last - r.tail) for r in one.relations)
    return replace(one, entities=tuple(entities[::-1]), relations=relations)


@pytest.fixture
def joint(tmp_path):
    gold = [toy(seed, 4) for seed in range(9)]
    made = [*(retyped(one) for one in gold[:6]), replace(gold[6], id="else")]
    paths = {"gold": tmp_path / "gold.json", "pred": tmp_path / "predictions.jsonl"}
    write_documents(paths["gold"], gold, "docred")
    write_documents(paths["pred"], made)
    return paths


def scores_of(paths):
    return score_joint(*(read_documents(paths[name]) for name in ("gold", "pred")))


def test_documents_are_joint_predictions(joint):
    scores, text = run(joint, bootstrap=30, seed=4)
    expected = scores_of(joint)
    assert isinstance(scores, JointScores)
    assert scores == expected
    assert 0 < expected.relation_strict.overall.f1 < expected.relation_relaxed.overall.f1
    intervals = expected.intervals(30, 4)
    for level in ("mention", "coreference", "entity", "relation_relaxed", "relation_strict"):
        rates = getattr(expected, level).overall
        row = level.replace("_", " ")
        (line,) = (line for line in text.splitlines() if line.strip().startswith(f"{row} "))
        low, high = intervals[f"{level}_f1"]
        assert line.split()[-7:] == [
            *(f"{100 * value:.2f}" for value in (rates.f1, rates.precision, rates.recall)),
            *map(str, (rates.gold, rates.predicted, rates.correct)),
            f"{100 * low:.2f}-{100 * high:.2f}",
        ]
    assert "30 resamples of documents, seed 4" in text
    assert "3 documents have no prediction at all" in text
    assert "1 documents are not in the gold: all in them wrong" in text
    assert f"(sha256 {hashlib.sha256(joint['pred'].read_bytes()).hexdigest()[:12]})" in text
    assert "Ign F1" not in text


def test_a_table_of_joint_scores_fits_a_terminal(joint):
    console = Console(file=io.StringIO(), width=80)
    score_files(joint["pred"], joint["gold"], bootstrap=20, console=console)
    table = console.file.getvalue().partition("predictions:")[0]
    assert "95 % of F1" in table
    assert "\u2026" not in table


def test_joint_json_and_output_are_equal(joint, tmp_path):
    output = tmp_path / "scores.json"
    scores, text = run(joint, json=True, output=output, bootstrap=20)
    body = json.loads(text)
    assert body == json.loads(output.read_text())
    assert body["scores"] == scores.to_dict(labels=True)
    assert body["intervals"] == {name: list(ends) for name, ends in scores.intervals(20, 0).items()}
    assert body["bootstrap"]["samples"] == 20


def test_documents_with_the_entities_of_the_gold_are_joint_too(joint):
    gold = read_documents(joint["gold"])
    write_documents(joint["pred"], [replace(one, relations=()) for one in gold])
    scores, text = run(joint)
    assert isinstance(scores, JointScores)
    assert (scores.entity.overall.f1, scores.relation_strict.overall.predicted) == (1, 0)
    assert "relation strict" in text


def test_predictions_that_say_nothing_of_relations(joint):
    gold = read_documents(joint["gold"])
    write_documents(joint["pred"], [replace(one, relations=None) for one in gold[1:]])
    scores, text = run(joint, bootstrap=5)
    assert scores.relation_strict is None
    assert scores.entity.overall.precision == 1
    assert "relation strict" not in text
    assert "relations are not scored: the predictions say nothing of them" in text
    with pytest.raises(DocreError, match=r"--frequent is for triples; .* nothing of relations"):
        run(joint, frequent=["born_in"])
    _, text = run(joint, json=True)
    assert not [name for name in json.loads(text)["scores"] if name.startswith("relation")]


def test_a_gold_without_entities_is_refused(joint, tmp_path):
    output = tmp_path / "scores.json"
    bare = [replace(one, entities=(), relations=()) for one in read_documents(joint["gold"])]
    write_documents(joint["gold"], bare, "docred")
    with pytest.raises(DocreError, match=r"not scored: no document of .*gold\.json has an entity"):
        run(joint, output=output)
    assert not output.exists()


def test_repeated_gold_is_said_below_the_table(joint):
    gold = read_documents(joint["gold"])
    again = [tuple(replace(r, head=4) for r in d.relations if r.head == 0) for d in gold]
    twice = [
        replace(d, entities=(*d.entities, d.entities[0]), relations=d.relations + more)
        for d, more in zip(gold, again, strict=True)
    ]
    write_documents(joint["gold"], twice)
    scores, text = run(joint)
    count = len(gold) + sum(map(len, again))
    assert scores.gold_duplicates == count > len(gold)
    assert f"{count} repeated entities and relations of the gold count once" in text


@pytest.mark.parametrize("option", [{"facts": "gold"}, {"frequent": ["born_in"]}])
def test_options_of_triples_are_refused(joint, option):
    (name,) = option
    given = {"facts": joint["gold"]} if name == "facts" else option
    with pytest.raises(DocreError, match=f"--{name} is for triples of given entities"):
        run(joint, **given)


def test_without_labels_entities_are_judged(joint):
    write_documents(joint["gold"], [replace(toy(n, 4), relations=None) for n in range(9)])
    scores, text = run(joint, bootstrap=5)
    assert scores.relation_strict is None
    assert scores == scores_of(joint)
    assert "relation strict" not in text
    assert "9 documents without labels are judged up to the entities" in text


def test_words_of_a_raw_text_may_be_cut_otherwise(tmp_path):
    text = "Anti-TNFalpha drugs fell. He met Bob."
    gold = Document.from_text("d", text, [[(5, 8)], [(33, 36)]], [(0, 1, "r")], ["A", "B"])
    made = Document.from_text("d", text, [[(33, 36)], [(5, 13)]], [(0, 1, "r")], ["B", "A"])
    assert gold.sentences != made.sentences
    paths = {"gold": tmp_path / "gold.jsonl", "pred": tmp_path / "pred.jsonl"}
    for name, one in (("gold", gold), ("pred", made)):
        write_documents(paths[name], [one])
    scores, _ = run(paths)
    assert (scores.entity.overall.correct, scores.relation_relaxed.overall.correct) == (1, 0)
    write_documents(paths["pred"], [replace(made, text=None, offsets=None)])
    with pytest.raises(DocreError, match=r"'d', sentences: the text differs from that"):
        run(paths)


@pytest.mark.parametrize("first", ["triples", "documents"])
def test_a_file_is_of_one_kind(joint, first):
    line = json.dumps({"id": "toy 8", "triples": []}) + "\n"
    documents = joint["pred"].read_text()
    joint["pred"].write_text(line + documents if first == "triples" else documents + line)
    with pytest.raises(DocreError) as caught:
        run(joint)
    assert "'toy 8': 1 lines of triples and 7 documents" in str(caught.value)
    assert "on_error" not in str(caught.value)


def test_documents_without_ids_are_explained(joint):
    joint["pred"].write_text(json.dumps([{"tokens": [], "mentions": [], "entities": []}]))
    with pytest.raises(DocreError, match=r"do not say which documents.*\.jsonl"):
        run(joint)
