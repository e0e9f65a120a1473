"""Equal to the reader of TTM-RE, as released and with attention where the paper has it."""

from __future__ import annotations

import json
import warnings
from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from docre.memory import (
    AddEraseWriter,
    PairTransformer,
    ReadWriteUnit,
    TokenLearner,
    TokenTuringMachine,
    TokenTuringReader,
    read_tokens,
    read_weights,
)
from docre.published.origins import by_prefix
from docre.published.ttm_re import NAMES, SCORER, UNIT
from tests.corpora import golden
from tests.golden.published_weights import load_published

CASES = ("m5_L1", "m5_L2", "m5_L4", "m40_L1", "m40_L2", "m40_L4")
AXES = {"paper": "slots", "released": "chunks"}
# names in our writer, which a converted model does without as the released code does
WRITER = {
    "address.norm.": "token_add_erase_write.layernorm1.",
    "address.mlp.hidden.": "token_add_erase_write.mlp1.linear_1.",
    "address.mlp.output.": "token_add_erase_write.mlp1.linear_2.",
    "erase_norm.": "token_add_erase_write.layernorm2.",
    "erase_heads.hidden.": "token_add_erase_write.mlp2.linear_1.",
    "erase_heads.output.": "token_add_erase_write.mlp2.linear_2.",
    "erase_values.hidden.": "token_add_erase_write.mlp3.linear_1.",
    "erase_values.output.": "token_add_erase_write.mlp3.linear_2.",
    "add_norm.": "token_add_erase_write.layernorm3.",
    "add_heads.hidden.": "token_add_erase_write.mlp4.linear_1.",
    "add_heads.output.": "token_add_erase_write.mlp4.linear_2.",
    "add_values.hidden.": "token_add_erase_write.mlp5.linear_1.",
    "add_values.output.": "token_add_erase_write.mlp5.linear_2.",
}


@cache
def load(name):
    return load_file(golden(f"ttm/{name}.safetensors"))


@cache
def meta():
    return json.loads(golden("ttm/meta.json").read_text())


@cache
def unit(memory="m5"):
    """Weights of one reader as a whole model names them."""
    weights = {f"mu_encoder.{name}": tensor for name, tensor in load("weights").items()}
    return weights | {"mu_encoder.memory_tokens": load("weights")[f"{memory}.memory_tokens"]}


def within_unit(names):
    return by_prefix({ours: UNIT + theirs for ours, theirs in names.items()})


def case_sizes(name):
    (found,) = (case for case in meta()["cases"] if case["prefix"] == name)
    return found["memory_size"], found["num_layers"]


def rows(linear):
    return len(unit()[f"{UNIT}{linear}.weight"])


def reader(name, variant):
    slots, layers = case_sizes(name)
    sizes = meta()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = TokenTuringReader(
            sizes["dim"],
            slots=slots,
            layers=layers,
            attention_heads=sizes["heads"],
            feed_forward=rows("vit_encoder.layers.0.linear1"),
            scorer_features=rows("token_learner_model.mlp1.linear_1"),
            axis=AXES[variant],
            chunk=10_000,
            residual_average=False,
        )
    load_published(built, "head.memory.", by_prefix(NAMES), unit(name.split("_")[0]))
    return built.eval()


def close(found, expected, **tolerance):
    torch.testing.assert_close(found, expected, **(tolerance or {"atol": 2e-5, "rtol": 1e-4}))


def processed(module, tokens):
    """Run pairs [P, 2, D] as if they were one document."""
    with torch.no_grad():
        pair_doc = torch.zeros(len(tokens), dtype=torch.long)
        return torch.stack(module(tokens[:, 0], tokens[:, 1], pair_doc), 1)


def test_ttm_cases_are_all_here():
    assert tuple(case["prefix"] for case in meta()["cases"]) == CASES


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("variant", AXES)
def test_ttm_reader(name, variant):
    tokens, outputs = load("inputs")[f"{name}.x"][:, 0], load("outputs")
    module = reader(name, variant)
    close(processed(module, tokens), outputs[f"{name}.out_{variant}"][:, 0])
    close(
        processed(module.double(), tokens.double()),
        outputs[f"{name}.out_{variant}_f64"][:, 0],
        atol=1e-9,
        rtol=1e-9,
    )


@pytest.mark.parametrize("variant", AXES)
def test_ttm_single_pair(variant):
    tokens = load("inputs")["m5_L2.x_single"][:, 0]
    expected = load("outputs")[f"m5_L2.out_{variant}_single"][:, 0]
    close(processed(reader("m5_L2", variant), tokens), expected)


@pytest.mark.parametrize("name", CASES)
def test_ttm_read(name):
    module, outputs = reader(name, "paper"), load("outputs")
    tokens = load("inputs")[f"{name}.x"][:, 0]
    with torch.no_grad():
        scores = module.summarizer(tokens)
        weights = read_weights(module.summarizer(module.memory), scores)
        read = read_tokens(tokens, scores, module.prototypes())
    close(weights, outputs[f"{name}.read_weights"])
    close(read, outputs[f"{name}.read_tokens"])


def writer():
    width, tokens = meta()["dim"], meta()["process_size"]
    built = AddEraseWriter(
        width,
        tokens,
        write_heads=tokens,
        hidden_features=rows("token_add_erase_write.mlp1.linear_1"),
        gelu="none",
        eps=1e-5,
        rule="published",
    )
    load_published(built, "", within_unit(WRITER), unit())
    return built.eval()


@pytest.mark.parametrize("name", CASES)
def test_ttm_write(name):
    module = reader(name, "released")
    tokens = load("inputs")[f"{name}.x"][:, 0]
    memory = module.memory.detach().expand(2, -1, -1)
    with torch.no_grad():
        written = writer()(memory, tokens[:2], processed(module, tokens)[:2])
    close(written, load("outputs")[f"{name}.memory_after_write_first2"])


class PairProcessor(nn.Module):
    """Gives the tokens [P, 2, D] of a machine to the transformer of the reader."""

    def __init__(self, transformer, across):
        super().__init__()
        self.transformer, self.across = transformer, across

    def forward(self, tokens):
        groups = [len(tokens)] if self.across else None
        return self.transformer(tokens, groups)


@pytest.mark.parametrize("variant", AXES)
def test_ttm_two_steps(variant):
    slots, layers = case_sizes("m5_L1")
    sizes = meta()
    hidden = rows("token_learner_model.mlp1.linear_1")
    learner = TokenLearner(sizes["dim"], sizes["process_size"], hidden, "none", 1e-5)
    load_published(learner.scorer, "", within_unit(SCORER), unit())
    feed_forward = rows("vit_encoder.layers.0.linear1")
    transformer = PairTransformer(sizes["dim"], layers, sizes["heads"], feed_forward)
    load_published(transformer, "head.memory.processor.", by_prefix(NAMES), unit())
    processor = PairProcessor(transformer, across=variant == "released")
    machine = TokenTuringMachine(ReadWriteUnit(learner, processor, writer()), slots).eval()
    inputs = load("inputs")["m5_L1.x_two_steps"]
    memory = load("weights")["m5.memory_tokens"].expand(len(inputs), -1, -1)
    with torch.no_grad():
        found = machine(inputs, memory).output
    close(found, load("outputs")[f"m5_L1.out_{variant}_two_steps"])
