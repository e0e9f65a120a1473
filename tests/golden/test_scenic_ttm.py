"""Equal to the published Token Turing Machine, in all its variants."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.memory import (
    AddEraseWriter,
    LearnedQueries,
    MixerProcessor,
    MLPProcessor,
    PositionedSummarizer,
    ReadWriteUnit,
    SummarizeFirstUnit,
    SummaryWriter,
    TokenLearner,
    TokenTuringMachine,
    TransformerProcessor,
)
from tests.corpora import golden

VARIANTS = ("tl", "tl_pos", "tl_mlp", "tl_mixer", "mha", "adderase", "simple")
LEARNER = "TokenLearnerModuleV11_{}"
QUERIES = "TokenLearnerMHA_{}"


@cache
def load(variant):
    return load_file(golden(f"joint/scenic_ttm/{variant}.safetensors"))


@cache
def sizes():
    return json.loads(golden("joint/scenic_ttm/config.json").read_text())


class Flax:
    """Parameters of one variant, found by flax name, given out under ours."""

    def __init__(self, variant):
        self.tensors = {
            name.removeprefix("p/"): tensor
            for name, tensor in load(variant).items()
            if name.startswith("p/")
        }
        self.unused = set(self.tensors)

    def take(self, name):
        self.unused.discard(name)
        return self.tensors[name]

    def norm(self, ours, theirs):
        return {
            f"{ours}.weight": self.take(f"{theirs}/scale"),
            f"{ours}.bias": self.take(f"{theirs}/bias"),
        }

    def mlp(self, ours, theirs):
        return {
            f"{ours}.{layer}.{kind}": tensor
            for layer, dense in (("hidden", "Dense_0"), ("output", "Dense_1"))
            for kind, tensor in (
                ("weight", self.take(f"{theirs}/{dense}/kernel").T),
                ("bias", self.take(f"{theirs}/{dense}/bias")),
            )
        }

    def attention(self, ours, theirs):
        parts = [f"{theirs}/{part}" for part in ("query", "key", "value")]
        weights = [self.take(f"{part}/kernel").flatten(1).T for part in parts]
        return {
            f"{ours}.in_proj_weight": torch.cat(weights),
            f"{ours}.in_proj_bias": torch.cat(
                [self.take(f"{part}/bias").flatten() for part in parts]
            ),
            f"{ours}.out_proj.weight": self.take(f"{theirs}/out/kernel").flatten(0, 1).T,
            f"{ours}.out_proj.bias": self.take(f"{theirs}/out/bias"),
        }

    def scorer(self, ours, theirs):
        return self.norm(f"{ours}.norm", f"{theirs}/LayerNorm_0") | self.mlp(
            f"{ours}.mlp", f"{theirs}/token_masking"
        )

    def queries(self, ours, theirs):
        tokens = {f"{ours}.queries": self.take(f"{theirs}/tokens")[0]}
        return tokens | self.attention(f"{ours}.attention", f"{theirs}/attn")

    def transformer(self, ours):
        found = {f"{ours}.positions": self.take("Encoder_0/posembed_input/pos_embedding")[0]}
        for layer in range(sizes()["layers"]):
            block, mine = f"Encoder_0/encoderblock_{layer}", f"{ours}.layers.{layer}"
            found |= self.norm(f"{mine}.norm1", f"{block}/LayerNorm_0")
            found |= self.norm(f"{mine}.norm2", f"{block}/LayerNorm_1")
            found |= self.attention(f"{mine}.attention", f"{block}/MultiHeadDotProductAttention_0")
            found |= self.mlp(f"{mine}.mlp", f"{block}/MlpBlock_0")
        return found | self.norm(f"{ours}.norm", "Encoder_0/encoder_norm")

    def mixer(self, ours):
        found = self.norm(f"{ours}.norm", "LayerNorm_0")
        for layer in range(sizes()["layers"]):
            block, mine = f"MixerBlock_{layer}", f"{ours}.layers.{layer}"
            found |= self.norm(f"{mine}.norm1", f"{block}/LayerNorm_0")
            found |= self.norm(f"{mine}.norm2", f"{block}/LayerNorm_1")
            found |= self.mlp(f"{mine}.along_tokens", f"{block}/token_mixing")
            found |= self.mlp(f"{mine}.along_features", f"{block}/channel_mixing")
        return found

    def mlps(self, ours):
        layers = sizes()["layers"]
        found = {}
        for layer in range(layers + 1):
            found |= self.norm(f"{ours}.norms.{layer}", f"LayerNorm_{layer}")
        for layer in range(layers):
            found |= self.mlp(f"{ours}.layers.{layer}", f"MlpBlock_{layer}")
        return found

    def add_erase(self, ours):
        theirs = "TokenAddEraseWrite_0"
        norms = ("address.norm", "erase_norm", "add_norm")
        mlps = ("address.mlp", "erase_heads", "erase_values", "add_heads", "add_values")
        found = {}
        for number, name in enumerate(norms):
            found |= self.norm(f"{ours}.{name}", f"{theirs}/LayerNorm_{number}")
        for number, name in enumerate(mlps):
            found |= self.mlp(f"{ours}.{name}", f"{theirs}/MlpBlock_{number}")
        return found


def transformer(tokens):
    s = sizes()
    return TransformerProcessor(s["C"], tokens, s["layers"], s["heads"], s["mlp"])


def learner(tokens):
    return TokenLearner(sizes()["C"], tokens, sizes()["summariser_bottleneck"])


def build(variant):
    """The machine of a variant, and its weights under our names."""
    s, flax = sizes(), Flax(variant)
    width, inputs, slots, tokens = s["C"], s["n"], s["m"], s["r"]
    weights = {}
    if variant == "simple":
        unit = SummarizeFirstUnit(learner(tokens), transformer(slots + tokens))
        weights |= flax.scorer("summarizer.scorer", LEARNER.format(0))
        return unit, weights | flax.transformer("processor"), flax
    if variant == "tl_mixer":
        processor = MixerProcessor(width, tokens, s["layers"], s["mixer_token_hidden"], s["mlp"])
        weights |= flax.mixer("processor")
    elif variant == "tl_mlp":
        processor = MLPProcessor(width, s["layers"], s["mlp"])
        weights |= flax.mlps("processor")
    else:
        processor = transformer(tokens)
        weights |= flax.transformer("processor")
    reader, writer = learner(tokens), SummaryWriter(learner(slots))
    reads, writes = "reader.scorer", "writer.summarizer.scorer"
    if variant == "mha":
        heads = s["mha_summariser_heads"]
        reader = LearnedQueries(width, tokens, heads)
        writer = SummaryWriter(LearnedQueries(width, slots, heads))
        weights |= flax.queries("reader", QUERIES.format(0))
        weights |= flax.queries("writer.summarizer", QUERIES.format(1))
        return ReadWriteUnit(reader, processor, writer), weights, flax
    if variant == "tl_pos":
        rows = slots + inputs
        reader = PositionedSummarizer(reader, width, rows)
        writer = SummaryWriter(PositionedSummarizer(learner(slots), width, rows + tokens))
        reads, writes = "reader.summarizer.scorer", "writer.summarizer.summarizer.scorer"
        weights["reader.positions"] = flax.take("read_pos_embed/pos_embedding")[0]
        weights["writer.summarizer.positions"] = flax.take("write_pos_embed/pos_embedding")[0]
    weights |= flax.scorer(reads, LEARNER.format(0))
    if variant == "adderase":
        a = s["adderase"]
        writer = AddEraseWriter(width, tokens, a["k"], a["bottleneck"], rule="published")
        weights |= flax.add_erase("writer")
    else:
        weights |= flax.scorer(writes, LEARNER.format(1))
    return ReadWriteUnit(reader, processor, writer), weights, flax


@cache
def machine(variant):
    unit, weights, flax = build(variant)
    assert not flax.unused
    unit.load_state_dict(weights)
    return TokenTuringMachine(unit, sizes()["m"]).eval()


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_scenic_variants_are_all_here():
    folder = golden("joint/scenic_ttm")
    assert {path.stem for path in folder.glob("*.safetensors")} == set(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("start", ["zero", "random"])
def test_scenic_sequence(variant, start):
    numbers = load(variant)
    memory = numbers["random_memory"] if start == "random" else None
    with torch.no_grad():
        found = machine(variant)(numbers["input"], memory)
    close(found.output, numbers[f"{start}.output"])
    close(found.memory, numbers[f"{start}.memory"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_scenic_gradient(variant):
    numbers = load(variant)
    inputs = numbers["input"].clone().requires_grad_()
    output = machine(variant)(inputs).output
    (found,) = torch.autograd.grad((output * numbers["cotangent"]).sum(), inputs)
    close(found, numbers["zero.grad_input"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_scenic_first_step(variant):
    """What the parts gave on the way: summaries, their scores, the written memory."""
    numbers, module = load(variant), machine(variant)
    expected = {
        name.removeprefix("step0."): tensor
        for name, tensor in numbers.items()
        if name.startswith("step0.")
    }
    seen = {}

    def keep(name):
        def hook(_module, _arguments, output):
            seen[name] = output

        return hook

    simple = variant == "simple"
    kind = QUERIES if variant == "mha" else LEARNER
    watched = {kind.format(0): module.unit.summarizer if simple else module.unit.reader}
    if variant == "adderase":
        watched["TokenAddEraseWrite_0"] = module.unit.writer
    elif not simple:
        watched[kind.format(1)] = module.unit.writer.summarizer
    if variant != "mha":
        for name, part in list(watched.items()):
            if name != "TokenAddEraseWrite_0":
                inner = getattr(part, "summarizer", part)
                watched[f"{name}.logits"] = inner.scorer
    assert set(watched) == set(expected)
    handles = [part.register_forward_hook(keep(name)) for name, part in watched.items()]
    with torch.no_grad():
        module.unit(numbers["random_memory"], numbers["input"][:, 0])
    for handle in handles:
        handle.remove()
    for name, tensor in expected.items():
        close(seen[name], tensor)
