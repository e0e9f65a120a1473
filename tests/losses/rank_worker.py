"""One of two processes that share a batch: run by the tests of losses across ranks."""

from __future__ import annotations

import os
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from docre.context.cell_normalisation import normalise
from docre.losses import sum_over_ranks
from tests.losses.cases import LOSSES, NUM_RELATIONS, PRIORS, parts_of, random_pairs
from tests.losses.scenes import DOCUMENTS, SCENE_LOSSES, Student, scene_step

# how many of the pairs the first rank has; the other one has the rest
SPLITS = (7, 20, 0, 31)
NUM_PAIRS = 31
# how many of the documents it has: first it has no pair, last the other one has no label
SCENE_SPLITS = (1, 2, 3)
# how many cells there are and how many of them the first rank has: none, all, a single one at all
NORM_SPLITS = ((31, 7), (31, 0), (31, 31), (2, 1), (1, 0), (0, 0))
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
        **parts.measures,
        **{name.removeprefix("module."): p.grad.clone() for name, p in head.named_parameters()},
    }


def normalised(norm, layer, features, sums=lambda values: values):
    """Return gradients and running statistics of a step through batch normalisation."""
    cells = normalise(norm, layer(features))
    # something whose gradient depends on all others, which a plain sum of normalised cells does not
    weight = torch.arange(1.0, 1 + NUM_RELATIONS, dtype=torch.float64)
    sums((cells.sigmoid() * weight).sum()).backward()
    return {
        **{name: p.grad.clone() for name, p in layer.named_parameters()},
        **{f"norm.{name}": p.grad.clone() for name, p in norm.named_parameters()},
        **{name: buffer.clone() for name, buffer in norm.named_buffers()},
    }


def make_norm():
    """Batch normalisation that has seen something, and the layer before it."""
    norm, layer = nn.BatchNorm1d(NUM_RELATIONS).double(), nn.Linear(FEATURES, NUM_RELATIONS)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        norm.running_mean.copy_(torch.randn(NUM_RELATIONS, generator=generator))
        for parameter in layer.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return norm, layer


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
    found = {}
    for count, split in NORM_SPLITS:
        mine = slice(split) if rank == 0 else slice(split, count)
        made = normalised(*make_norm(), features[mine], sum_over_ranks)
        for name, value in made.items():
            if "weight" in name or "bias" in name:  # as DDP does
                all_reduce(value)
                value /= 2
        found[count, split] = made
    torch.save(found, f"{results}/norm{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    # DDP holds on to the process group's threads after it is destroyed, and a process that ends in
    # the ordinary way now and then meets them while it tears itself down, and aborts
    sys.stderr.flush()
    os._exit(0)
