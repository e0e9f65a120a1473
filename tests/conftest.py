"""What holds for all tests."""

import json
import os

import pytest
from hypothesis import settings

from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from tests.toy import RELATIONS, document

# The default suite says the same of the same code; `make test-slow` looks for new examples.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile("explore" if os.environ.get("DOCRE_EXPLORE") else "fixed")


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Toy documents in files, and a tokenizer."""
    folder = tmp_path_factory.mktemp("toy")
    documents = [document(seed, entities=4) for seed in range(30)]
    write_documents(folder / "train.json", documents[:18], "docred")
    write_documents(folder / "dev.json", documents[18:24], "docred")
    unlabelled = [document(seed, entities=3, labelled=False) for seed in range(40, 44)]
    write_documents(folder / "unlabelled.jsonl", unlabelled)
    few = [document(50 + n, entities=n % 3) for n in range(8)]
    write_documents(folder / "few.jsonl", few)
    write_documents(folder / "none.jsonl", [document(70 + n, entities=n % 2) for n in range(8)])
    save_tokenizer(learn_word_pieces(documents, 500), folder / "tokenizer")
    (folder / "relations.json").write_text(json.dumps(list(RELATIONS)))
    return folder
