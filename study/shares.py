"""How much of what a memory hands to a pair comes from the memory, and how much from the pair.

A read of TTM-RE mixes slots with head and tail of the pair. Slots are the same for all pairs, so
where they make up the whole read, all pairs are handed the same two vectors.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import Tensor

from docre.batch import Batch
from docre.markdown_text import table as markdown_table
from docre.outputs import HeadOutput
from study.prepare import write_json

FILE = "share.json"


def write_share(run: Path) -> None:
    """Write the share of the memory in what pairs of the scored documents read, if there is one."""
    target = run / "scores" / FILE
    if target.exists() or "class_path: docre.memory." not in (run / "config.yaml").read_text():
        return  # a model without a memory need not be opened
    from docre.opened_run import open_run

    opened = open_run(run)
    memory: Any = opened.model.head.memory
    given: list[tuple[Tensor, ...]] = []
    memory.register_forward_pre_hook(lambda _, arguments: given.append(arguments))

    def reading(_: HeadOutput, batch: Batch) -> tuple[float, int]:
        head, tail, *_rest = given.pop()
        usage = memory.slot_usage(head, tail)  # [2, S]
        return float(usage.sum(1).mean()), batch.num_pairs

    shares = list(opened.read("test", reading))
    pairs = sum(count for _, count in shares)
    write_json(target, {"memory": sum(share * count for share, count in shares) / pairs})


def share_table(rows: dict[str, Path]) -> str:
    """Return a table of the kept cells whose memory was looked at.

    Args:
        rows: Folder of each cell, by what it is called.
    """
    written = []
    for label, folder in rows.items():
        files = sorted(folder.glob(f"*/scores/{FILE}"))
        each = [json.loads(path.read_text())["memory"] for path in files]
        if each:
            written.append([label, f"{100 * fmean(each):.3f} %", str(len(each))])
    titles = ["", "of a read from the memory", "runs"]
    return markdown_table(titles, written, numbers=True) + "\n" if written else ""
