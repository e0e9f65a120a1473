"""The joint split of DocRED: the published files if they are there, else one of our own."""

import json
import logging
import random
from dataclasses import replace

import jsonargparse
import pytest

from docre.data.joint_split import has_mixed_types, split_documents
from docre.data.modules import DocREDataModule, DocREDJoint, ReadSettings, docred_joint
from docre.data.reading import read_documents
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.documents import Relation
from docre.errors import DocreError
from docre.scoring import Facts
from tests.corpora import corpus
from tests.toy import document as toy


def made(seed):
    """Return a document with a relation of DocRED, and entities of one type each."""
    document = toy(seed, entities=3)
    entities = (
        replace(entity, mentions=tuple(replace(m, type=entity.type) for m in entity.mentions))
        for entity in document.entities
    )
    return replace(document, entities=tuple(entities), relations=(Relation(0, 1, "P17", ()),))


def mixed(seed):
    """Return a document with an entity of two types."""
    document = made(seed)
    first = document.entities[0]
    mentions = (replace(first.mentions[0], type="X"), replace(first.mentions[0], type="Y"))
    return replace(document, entities=(replace(first, mentions=mentions), *document.entities[1:]))


DOCUMENTS = [(mixed if seed % 10 == 3 else made)(seed) for seed in range(40)]
FIT = [document for seed, document in enumerate(DOCUMENTS) if seed % 10 != 3]


@pytest.fixture
def folder(tmp_path):
    write_documents(tmp_path / "train_annotated.json", DOCUMENTS[:25], "docred")
    write_documents(tmp_path / "dev.json", DOCUMENTS[25:], "docred")
    return tmp_path


def module(folder, sizes=(20, 6, 8), **options):
    return DocREDJoint(
        data_dir=str(folder),
        sizes=None if sizes is None else list(sizes),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(folder / "cache"), **options),
    )


def ids(documents):
    return [document.id for document in documents]


def test_a_split_has_every_fit_document_once():
    cut = split_documents([*DOCUMENTS, DOCUMENTS[0]], (20, 6, 8), seed=1)
    assert (len(cut.train), len(cut.dev), len(cut.test)) == (20, 6, 8)
    placed = ids([*cut.train, *cut.dev, *cut.test])
    assert sorted(placed + cut.unused) == sorted(ids(FIT))
    assert cut.mixed == ["toy 3", "toy 13", "toy 23", "toy 33"]
    assert cut.repeated == ["toy 0"]
    assert len(cut.unused) == 2


def test_the_order_is_a_shuffle_that_depends_on_titles_and_seed_alone():
    cut = split_documents(DOCUMENTS, (20, 6, 8), seed=1)
    other = random.Random(0).sample(DOCUMENTS, 40)
    assert split_documents(other, (20, 6, 8), seed=1).train == cut.train
    assert split_documents(other, (20, 6, 8), seed=2).train != cut.train
    assert ids(cut.train) != sorted(ids(cut.train), key=ids(FIT).index)
    # one document less: the others keep their order
    fewer = split_documents([d for d in DOCUMENTS if d != cut.train[4]], (20, 6, 8), seed=1)
    assert ids(fewer.train) == ids([*cut.train[:4], *cut.train[5:], cut.dev[0]])


def test_without_sizes_dev_and_test_are_as_large_as_published():
    many = [replace(DOCUMENTS[0], id=f"d{number}") for number in range(1_050)]
    cut = split_documents(many, None, seed=1)
    assert (len(cut.train), len(cut.dev), len(cut.test)) == (50, 300, 700)
    assert cut.unused == []
    for count, sizes in ((1_000, None), (40, (39, 1, 1))):
        with pytest.raises(DocreError, match=f"{count:,} fit|{count:,} of them fit.*too few"):
            split_documents(many[:count], sizes, seed=1)


def test_our_own_split_is_made_once_and_says_so(folder, caplog):
    first = module(folder)
    first.fetch()
    assert "docre's own split" in caplog.text
    assert "20, 6 and 8 documents. Left out: 4 with" in caplog.text
    titles = json.loads((folder / "joint_docre_20_6_8.json").read_text())
    placed = {split: ids(first.documents(split)) for split in ("train", "dev", "test")}
    assert {split: titles[split] for split in placed} == placed
    assert titles["mixed"] == ["toy 3", "toy 13", "toy 23", "toy 33"]
    by_id = {document.id: document for document in FIT}
    for split in placed:
        for document in first.documents(split):
            assert (document.sentences, document.relations) == (
                by_id[document.id].sentences,
                by_id[document.id].relations,
            )
    assert first.facts().triples == Facts.from_documents(first.documents("train"), "").triples
    before = {path: path.stat().st_mtime_ns for path in first.files.values()}
    caplog.clear()
    module(folder).fetch()
    assert {path: path.stat().st_mtime_ns for path in first.files.values()} == before
    # other sizes are other files, and whoever has the split needs the sources no more
    module(folder, (5, 5, 5)).fetch()
    (folder / "train_annotated.json").unlink()
    (folder / "dev.json").unlink()
    module(folder).fetch()
    assert {path: path.stat().st_mtime_ns for path in first.files.values()} == before
    assert len(module(folder, (5, 5, 5)).documents("train")) == 5


@pytest.mark.parametrize("name", ["dev_joint_docre_20_6_8.json", "joint_docre_20_6_8.json"])
@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_split_is_made_again(folder, name, damage):
    module(folder).fetch()
    whole = {path.name: path.read_bytes() for path in folder.glob("*joint_docre*")}
    if damage == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(whole[name][:-20])
    module(folder).fetch()
    assert {path.name: path.read_bytes() for path in folder.glob("*joint_docre*")} == whole


def test_other_sources_are_another_split(folder, caplog):
    module(folder).fetch()
    before = module(folder).documents("train")
    write_documents(folder / "dev.json", [made(seed) for seed in range(50, 65)], "docred")
    caplog.clear()
    module(folder).fetch()
    assert "changed: made again" in caplog.text
    after = ids(module(folder).documents("train"))
    assert set(after) - set(ids(DOCUMENTS))
    assert after != ids(before)


def test_official_files_alone_make_the_split_without_sizes(folder, monkeypatch):
    fetched = []
    monkeypatch.setattr(docred_joint, "fetch", lambda remote, *_, **__: fetched.append(remote.name))
    with pytest.raises(DocreError, match="too few for a split of 1, 300 and 700"):
        module(folder, None).fetch()
    assert fetched == ["train_annotated.json", "dev.json"]
    monkeypatch.undo()
    # files of that name with other content are not taken for the official ones
    with pytest.raises(DocreError, match=r"train_annotated\.json"):
        module(folder, None, offline=True).fetch()
    assert not list(folder.glob("*joint_docre.json"))


def test_missing_sources_are_fetched(tmp_path, monkeypatch):
    def bring(remote, target, **_):
        part = DOCUMENTS[:25] if remote.name == "train_annotated.json" else DOCUMENTS[25:]
        write_documents(target / remote.name, part, "docred")

    monkeypatch.setattr(docred_joint, "fetch", bring)
    made_here = module(tmp_path / "new")
    made_here.fetch()
    assert sorted(path.name for path in (tmp_path / "new").glob("*_joint*")) == [
        f"{split}_joint_docre_20_6_8.json" for split in ("dev", "test", "train")
    ]


def test_published_files_are_used_and_counted(folder, monkeypatch, caplog):
    for split, count in (("train", 12), ("dev", 4), ("test", 5)):
        write_documents(folder / f"{split}_joint.json", FIT[:count], "docred")
    published = module(folder, None)
    with pytest.raises(DocreError, match=r"train_joint\.json has 12 documents.*one has 3,008"):
        published.fetch()
    monkeypatch.setattr(docred_joint, "_PUBLISHED", {"train": 12, "dev": 4, "test": 5})
    published.fetch()
    assert "has 36 entities and 12 relations, not 58708 and 37486" in caplog.text
    assert ids(published.documents("dev")) == ids(FIT[:4])
    assert published.provenance()["origin"] == {"published": True}
    assert not list(folder.glob("*joint_docre*"))
    # with sizes it is a split of our own all the same
    assert not module(folder).published
    (folder / "dev_joint.json").unlink()
    with pytest.raises(DocreError, match=r"(?s)but no dev_joint\.json.*none of them"):
        module(folder, None).fetch()


def test_a_score_says_whose_split_it_is_of(folder):
    save_tokenizer(learn_word_pieces(FIT, 300), folder / "tokenizer")
    own = module(folder)
    own.prepare_data()
    own.setup("fit")
    told = own.provenance()
    assert json.loads(json.dumps(told)) == told
    assert told["origin"]["published"] is False
    assert "not the published one" in told["origin"]["split"]
    assert sorted(told["origin"]["sources"]) == ["dev.json", "train_annotated.json"]
    assert told["dev"]["documents"] == 6


@pytest.mark.parametrize("sizes", [[1, 2], [1, 2, 0], []])
def test_sizes_are_three_numbers(tmp_path, sizes):
    with pytest.raises(DocreError, match="sizes must be"):
        DocREDJoint(data_dir=str(tmp_path), sizes=sizes)


def test_configured_from_yaml(tmp_path):
    parser = jsonargparse.ArgumentParser()
    parser.add_subclass_arguments(DocREDataModule, "data")
    options = {"data_dir": str(tmp_path), "sizes": [20, 6, 8], "batches": {"batch_size": 1}}
    config = {"class_path": "docre.data.modules.DocREDJoint", "init_args": options}
    made_here = parser.instantiate_classes(parser.parse_object({"data": config})).data
    assert made_here.files["dev"] == tmp_path / "dev_joint_docre_20_6_8.json"


def test_real_documents(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    (tmp_path / "train_annotated.json").symlink_to(corpus("docred/train_annotated_446.json"))
    own = module(tmp_path, (330, 33, 76))
    own.fetch()
    assert "Left out: 7 with an entity of several types, 0 with" in caplog.text
    whole = {d.id: d for d in read_documents(corpus("docred/train_annotated_446.json"))}
    parts = [document for split in own.files for document in own.documents(split)]
    assert len(parts) == 439
    assert all(whole[document.id] == document for document in parts)
    assert not any(map(has_mixed_types, parts))
