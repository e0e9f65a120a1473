"""One of two processes that share a batch: run by the tests of losses across ranks."""

from __future__ import annotations

import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.losses.cases import LOSSES, NUM_RELATIONS, PRIORS, parts_of, random_pairs
from tests.losses.scenes import DOCUMENTS, SCENE_LOSSES, Student, scene_step

# how many of the pairs the first rank has; the other one has the rest
SPLITS = (7, 20, 0, 31)
NUM_PAIRS = 31
# how many of the documents it has: first it has no pair, last the other one has no label
SCENE_SPLITS = (1, 2, 3)
FEATURES = 4


def whole_batch():
    """Features and labels of all pairs."""
    logits, labels = random_pairs(NUM_PAIRS)
    generator = torch.Generator().manual_seed(2)
    mix = torch.randn(1 + NUM_RELATIONS, FEATURES, generator=generator, dtype=torch.float64)
    return logits @ mix, labels


def make_head():
    """The same start in every process."""
    head = nn.Linear(FEATURES, 1 + NUM_RELATIONS).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return head


def step(head, loss, features, labels):
    """Return the total, the parts and the gradients of one step."""
    head.zero_grad()
    parts = parts_of(loss, head(features), labels)
    parts.total().backward()
    return {
        "total": parts.total().detach(),
        **parts.scalars(),
        **{name.removeprefix("module."): p.grad.clone() for name, p in head.named_parameters()},
    }


def main(rank, rendezvous, results):
    """Take one step with every loss and split, and write down what came out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    calls = 0
    all_reduce = dist.all_reduce

    def counted(*args, **kwargs):
        nonlocal calls
        calls += 1
        return all_reduce(*args, **kwargs)

    dist.all_reduce = counted
    features, labels = whole_batch()
    head = DistributedDataParallel(make_head())
    found = {}
    for name, build in LOSSES.items():
        for split in SPLITS:
            mine = slice(split) if rank == 0 else slice(split, None)
            for across in (True, False):
                calls = 0
                loss = build(PRIORS, across_ranks=across)
                found[name, split, across] = step(head, loss, features[mine], labels[mine])
                found[name, split, across]["calls"] = calls
    student = DistributedDataParallel(Student())
    for name, build in SCENE_LOSSES.items():
        for split in SCENE_SPLITS:
            mine = DOCUMENTS[:split] if rank == 0 else DOCUMENTS[split:]
            for across in (True, False):
                calls = 0
                loss = build(across_ranks=across)
                found[name, split, across] = scene_step(student, loss, mine)
                found[name, split, across]["calls"] = calls
    torch.save(found, f"{results}/{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
