"""Makes a cache of toy documents with two processes: run it with the file they are in."""

import sys
from pathlib import Path

from docre.data.cache import Corpus, build_or_open
from docre.data.features import Featurizer
from docre.data.formats.docred import DocREDJson
from tests.toy import RELATIONS, TYPES, pieces


def cached(path, folder, num_proc=1):
    """Make a cache, or open it."""
    maker = Featurizer(pieces(), RELATIONS, TYPES)
    return build_or_open(Corpus(path, DocREDJson()), maker, folder, num_proc, progress=False)


if __name__ == "__main__":
    cached(Path(sys.argv[1]), Path("cache"), num_proc=2)
