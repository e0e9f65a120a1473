"""The synthetic corpus: valid, deterministic, complete, disjoint, not solved by types alone."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise, product

import msgspec
import pytest

from docre.data.formats.own import encode
from docre.data.synthetic import (
    SYNTHETIC_RELATIONS,
    SyntheticConfig,
    SyntheticConfigError,
    clean_labels,
    generate,
    generate_splits,
)
from docre.data.synthetic.command import synth
from docre.data.synthetic.names import _ENDINGS, _MIDDLES, MEN, WOMEN, Namer, capacity
from docre.data.synthetic.relations import SIGNATURES, close
from docre.data.synthetic.templates import Templates
from docre.documents import check

TYPES = ("PER", "LOC", "ORG", "MISC", "TIME")
SHARED = {"she", "he", "it", "the"}


@pytest.fixture(scope="module")
def corpus():
    return list(generate(SyntheticConfig(documents=600)))


@pytest.fixture(scope="module")
def splits():
    made = generate_splits(SyntheticConfig(), {"train": 800, "dev": 150, "test": 150})
    return {name: list(split) for name, split in made.items()}


def triples(labels):
    return {(label.head, label.tail, label.relation) for label in labels}


def mentioned(document):
    return [{mention.sentence for mention in entity.mentions} for entity in document.entities]


def test_every_document_is_valid(corpus):
    for document in corpus:
        assert check(document, SYNTHETIC_RELATIONS, TYPES) == []
        assert 5 <= len(document.sentences) <= 12
        spots = [(m.sentence, w) for e in document.entities for m in e.mentions
                 for w in range(m.start, m.end)]  # fmt: skip
        assert len(spots) == len(set(spots)), "mentions overlap"
        for entity in document.entities:
            assert all(m.surface == document.surface(m) for m in entity.mentions)
        for label in document.relations:
            kinds = document.entities[label.head].type, document.entities[label.tail].type
            assert kinds in SIGNATURES[label.relation]


def test_sentences_are_tidy(corpus):
    for document in corpus:
        for words in document.sentences:
            assert words[-1] == "."
            assert words[0][0].isupper()
            assert words[-2] != ","
            assert all(
                word and " " not in word and "{" not in word and "!" not in word for word in words
            )
            assert (",", ",") not in set(pairwise(words))


def test_documents_differ_in_size_like_real_ones(corpus):
    words = [document.num_words for document in corpus]
    entities = [len(document.entities) for document in corpus]
    assert 80 <= sum(words) / len(words) <= 180
    assert 8 <= sum(entities) / len(entities) <= 14
    assert min(entities) <= 6
    assert max(entities) >= 16
    positive = sum(len({r[:2] for r in triples(d.relations)}) for d in corpus)
    assert 0.03 <= positive / sum(document.num_pairs for document in corpus) <= 0.12


def test_relations_are_many_and_each_is_frequent(corpus):
    counts = Counter(label.relation for document in corpus for label in document.relations)
    assert set(counts) == set(SYNTHETIC_RELATIONS) == set(SIGNATURES)
    assert len(counts) >= 14
    assert min(counts.values()) >= len(corpus) * 0.1


def test_share_of_inter_sentence_labels(corpus):
    apart = total = 0
    for document in corpus:
        where = mentioned(document)
        total += len(document.relations)
        apart += sum(not where[r.head] & where[r.tail] for r in document.relations)
    assert 0.40 <= apart / total <= 0.75


def test_some_pairs_have_several_relations(corpus):
    pairs = Counter((d.id, r.head, r.tail) for d in corpus for r in d.relations)
    assert sum(count > 1 for count in pairs.values()) / len(pairs) >= 0.05


def test_pairs_that_stand_together_are_mostly_unrelated(corpus):
    together = related = 0
    for document in corpus:
        where, labels = mentioned(document), {t[:2] for t in triples(document.relations)}
        kinds = {kinds for allowed in SIGNATURES.values() for kinds in allowed}
        for head, tail in document.pairs():
            pair = document.entities[head].type, document.entities[tail].type
            if pair in kinds and where[head] & where[tail]:
                together += 1
                related += (head, tail) in labels
    assert 0.15 <= related / together <= 0.6


def test_entities_have_aliases_and_annotated_pronouns(corpus):
    aliases = pronouns = entities = 0
    for document in corpus:
        for entity in document.entities:
            names = {mention.surface for mention in entity.mentions}
            entities += 1
            aliases += len(names) > 1
            pronouns += any(name.split()[0].lower() in SHARED for name in names
                            if entity.type != "MISC")  # fmt: skip
    assert aliases / entities > 0.1
    assert pronouns > 20
    for document in generate(SyntheticConfig(documents=100, annotated_pronouns=0.0)):
        for entity in document.entities:
            if entity.type != "MISC":
                assert all(m.surface.split()[0].lower() not in SHARED for m in entity.mentions)


def test_evidence_names_head_and_tail(corpus):
    intra = exact = 0
    for document in corpus:
        where = mentioned(document)
        for label in document.relations:
            evidence = set(label.evidence)
            assert evidence
            assert list(label.evidence) == sorted(evidence)
            assert evidence & where[label.head]
            assert evidence & where[label.tail]
            if where[label.head] & where[label.tail]:
                intra += 1
                exact += bool(evidence & where[label.head] & where[label.tail])
    assert exact / intra > 0.85  # the rest meet in a sentence that says something else


def test_labels_are_closed_under_the_rules(corpus):
    for document in corpus:
        facts = {(r.relation, r.head, r.tail): r.evidence for r in document.relations}
        assert set(close(facts)) == set(facts)


def test_closure():
    facts = {
        ("spouse", 0, 1): (0,),
        ("parent_of", 0, 2): (1,),
        ("headquartered_in", 3, 4): (2,),
        ("capital_of", 4, 5): (4,),
        ("born_in", 0, 4): (3,),
    }
    assert {t: s for t, s in close(facts).items() if t not in facts} == {
        ("spouse", 1, 0): (0,),
        ("child_of", 2, 0): (1,),
        ("located_in", 3, 4): (2,),
        ("located_in", 4, 5): (4,),
        ("located_in", 3, 5): (2, 4),
        ("citizen_of", 0, 5): (3, 4),
    }


def type_pairs(documents):
    pairs, labels = Counter(), Counter()
    for document in documents:
        kinds = [entity.type for entity in document.entities]
        pairs.update((kinds[head], kinds[tail]) for head, tail in document.pairs())
        labels.update((kinds[r.head], kinds[r.tail], r.relation) for r in document.relations)
    return pairs, labels


def test_types_alone_do_not_solve_it(splits):
    pairs, labels = type_pairs(splits["train"])
    ranked = sorted(labels, key=lambda key: -labels[key] / pairs[key[:2]])
    best, chosen, right, guessed = 0.0, [], 0, 0
    for rank, key in enumerate(ranked):
        right, guessed = right + labels[key], guessed + pairs[key[:2]]
        f1 = 2 * right / (guessed + labels.total())
        if f1 > best:
            best, chosen = f1, ranked[: rank + 1]
    pairs, labels = type_pairs(splits["dev"] + splits["test"])
    right, guessed = sum(labels[key] for key in chosen), sum(pairs[key[:2]] for key in chosen)
    assert 2 * right / (guessed + labels.total()) <= 0.40


def facts_by_name(documents):
    for document in documents:
        names = [{m.surface for m in entity.mentions} for entity in document.entities]
        for label in clean_labels(document):
            for head, tail in product(names[label.head], names[label.tail]):
                yield head.lower(), tail.lower(), label.relation


def test_no_fact_of_one_split_occurs_in_another(splits):
    facts = {name: set(facts_by_name(split)) for name, split in splits.items()}
    assert not facts["train"] & (facts["dev"] | facts["test"])
    assert not facts["dev"] & facts["test"]


def test_no_name_comes_in_two_documents(splits):
    seen = {}
    for document in (d for split in splits.values() for d in split):
        for entity in document.entities:
            if entity.type == "TIME":
                continue
            for mention in entity.mentions:
                name = mention.surface
                if name.isupper() or name.split()[0].lower() in SHARED - {"the"}:
                    continue
                if entity.type != "MISC" and name.split()[0].lower() == "the":
                    continue
                assert seen.setdefault(name, document.id) == document.id


def test_names_are_a_bijection():
    namer = Namer(5)
    for kind in _ENDINGS:
        assert capacity(kind) >= 100_000
        some = [*range(3000), *range(capacity(kind), capacity(kind) + 3000), 10**7, 10**9]
        assert len({namer.word(kind, document, 0) for document in some}) == len(some)
    assert capacity("work") >= 100_000
    endings = [ending for listed in _ENDINGS.values() for ending in listed]
    assert len(endings) == len(set(endings))
    longer = {middle + ending for middle in _MIDDLES for ending in endings}
    assert not longer & set(endings), "a longer name could equal a shorter one"
    assert all(ending[0] not in "aeiou" for ending in endings)
    for listed in (WOMEN, MEN, _MIDDLES):
        assert len(listed) == len(set(listed))
    assert not set(WOMEN) & set(MEN)


def test_every_relation_has_several_wordings():
    templates = Templates()
    counts = Counter()
    for role, wordings in templates.single.items():
        assert len(wordings) >= 2
        counts[role[:-1]] += len(wordings)
    assert all(counts[name] >= 3 for name in SYNTHETIC_RELATIONS if name != "child_of")


def test_vocabulary_is_small(corpus):
    letters = {c for d in corpus for words in d.sentences for w in words for c in w}
    assert max(map(ord, letters)) < 128
    names = {m.surface for d in corpus for e in d.entities for m in e.mentions}
    parts = {word for name in names for word in name.split()}
    others = {w for d in corpus for words in d.sentences for w in words} - parts
    assert len(others) < 600


def digest(documents):
    sums = hashlib.sha256()
    for document in documents:
        sums.update(encode(document))
    return sums.hexdigest()


def test_shards_equal_the_whole(corpus):
    config = SyntheticConfig(documents=60)
    whole = list(generate(config))
    assert whole == list(generate(config)) == corpus[:60]
    assert whole == [*generate(config, 0, 25), *generate(config, 25, 60)]
    assert whole[::-1] == [next(generate(config, i, i + 1)) for i in reversed(range(60))]
    assert digest(whole) != digest(generate(SyntheticConfig(documents=60, seed=14)))


def test_hash_seed_does_not_matter():
    code = (
        "from tests.data.test_synthetic import *\n"
        "c = SyntheticConfig(documents=40, unlabelled_fraction=.2, distant=True)\n"
        "print(digest(generate(c)))"
    )
    sums = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(sums) == 1


def test_evaluation_splits_stay_when_train_grows():
    few = generate_splits(SyntheticConfig(), {"train": 5, "dev": 10, "test": 10})
    many = generate_splits(SyntheticConfig(distant=True), {"train": 50, "dev": 10, "test": 10})
    assert list(few) == ["train", "dev", "test"]
    assert digest(few["dev"]) == digest(many["dev"])
    assert digest(few["test"]) == digest(many["test"])


def noise(**settings):
    """Return the missing and the wrong labels of 400 documents as shares of the true ones."""
    documents = list(generate(SyntheticConfig(documents=400, **settings)))
    plain = list(generate(SyntheticConfig(documents=400)))
    total = missing = wrong = 0
    for document, original in zip(documents, plain, strict=True):
        assert check(document, SYNTHETIC_RELATIONS, TYPES) == []
        assert (document.sentences, document.entities) == (original.sentences, original.entities)
        assert clean_labels(document) == original.relations == clean_labels(original)
        assert msgspec.json.decode(msgspec.json.encode(document.extra)) == document.extra
        clean, noisy = triples(clean_labels(document)), triples(document.relations)
        total += len(clean)
        missing += len(clean - noisy)
        wrong += len(noisy - clean)
    return missing / total, wrong / total


def test_unlabelled_fraction():
    missing, wrong = noise(unlabelled_fraction=0.4)
    assert missing == pytest.approx(0.4, abs=0.03)
    assert wrong == 0


def test_wrong_fraction():
    missing, wrong = noise(wrong_fraction=0.3)
    assert missing == 0
    assert wrong == pytest.approx(0.3, abs=0.02)


def test_distant_labels_miss_facts_and_claim_others():
    missing, wrong = noise(distant=True)
    assert 0.15 <= missing <= 0.45
    assert 0.1 <= wrong <= 0.6
    for document in generate(SyntheticConfig(documents=20, distant=True)):
        assert all(label.evidence is None for label in document.relations)


@pytest.mark.parametrize(
    "settings",
    [
        {"documents": -1},
        {"sentences": (9, 4)},
        {"sentences": (0, 4)},
        {"unlabelled_fraction": 1.2},
        {"wrong_fraction": -0.1},
        {"annotated_pronouns": float("nan")},
        {"kb_missing": 7},
    ],
)
def test_impossible_settings_are_named(settings):
    with pytest.raises(SyntheticConfigError, match=next(iter(settings))):
        SyntheticConfig(**settings)


def test_odd_sizes():
    assert list(generate(SyntheticConfig(documents=0))) == []
    short = list(generate(SyntheticConfig(documents=30, sentences=[2, 2])))
    assert {len(document.sentences) for document in short} == {2}
    long = list(generate(SyntheticConfig(documents=30, sentences=(40, 40))))
    assert all(check(document) == [] for document in [*short, *long])
    assert {len(document.sentences) for document in long} == {40}
    with pytest.raises(SyntheticConfigError):
        list(generate(SyntheticConfig(), -3, 2))
    with pytest.raises(SyntheticConfigError, match="dev"):
        generate_splits(SyntheticConfig(), {"train": 3, "dev": -1})


@pytest.mark.parametrize(("format", "suffix"), [("docred", "json"), ("docre", "jsonl")])
def test_command_writes_files_that_read_back(tmp_path, capsys, format, suffix):
    from docre.data.reading import read_documents

    synth(tmp_path, documents=12, dev=5, test=4, format=format, wrong_fraction=0.5)
    made = generate_splits(SyntheticConfig(wrong_fraction=0.5), {"train": 12, "dev": 5, "test": 4})
    for name, split in made.items():
        read = read_documents(tmp_path / f"{name}.{suffix}", relations=SYNTHETIC_RELATIONS)
        for document, original in zip(read, split, strict=True):
            assert document.sentences == original.sentences
            assert document.entities == original.entities
            assert document.relations == original.relations
            assert clean_labels(document) == clean_labels(original)
    described = msgspec.json.decode((tmp_path / "relations.json").read_bytes())
    assert described == dict(SYNTHETIC_RELATIONS)
    shown = capsys.readouterr().out
    assert "train" in shown
    assert "21 relations" in shown


def test_command_names_a_wrong_format(tmp_path):
    with pytest.raises(SyntheticConfigError, match="format"):
        synth(tmp_path, format="xml")
