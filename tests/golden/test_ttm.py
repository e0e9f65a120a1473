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
from tests.corpora import golden

CASES = ("m5_L1", "m5_L2", "m5_L4", "m40_L1", "m40_L2", "m40_L4")
AXES = {"paper": "slots", "released": "chunks"}
UNIT = "token_turing_machine_unit."
SCORER = {
    "layernorm": "norm",
    "mlp1.linear_1": "mlp.hidden",
    "mlp1.linear_2": "mlp.output",
}
WRITER = {
    "layernorm1": "address.norm",
    "mlp1.linear_1": "address.mlp.hidden",
    "mlp1.linear_2": "address.mlp.output",
    "layernorm2": "erase_norm",
    "mlp2.linear_1": "erase_heads.hidden",
    "mlp2.linear_2": "erase_heads.output",
    "mlp3.linear_1": "erase_values.hidden",
    "mlp3.linear_2": "erase_values.output",
    "layernorm3": "add_norm",
    "mlp4.linear_1": "add_heads.hidden",
    "mlp4.linear_2": "add_heads.output",
    "mlp5.linear_1": "add_values.hidden",
    "mlp5.linear_2": "add_values.output",
}


@cache
def load(name):
    return load_file(golden(f"ttm/{name}.safetensors"))


@cache
def meta():
    return json.loads(golden("ttm/meta.json").read_text())


def named(prefix, names, target=""):
    """Weights of one part under our names."""
    weights = load("weights")
    return {
        f"{target}{ours}.{kind}": weights[f"{UNIT}{prefix}.{theirs}.{kind}"]
        for theirs, ours in names.items()
        for kind in ("weight", "bias")
    }


def transformer_weights(layers, target=""):
    prefix = f"{UNIT}vit_encoder."
    return {
        target + name.removeprefix(prefix): tensor
        for name, tensor in load("weights").items()
        if name.startswith(prefix) and int(name.removeprefix(prefix).split(".")[1]) < layers
    }


def case_sizes(name):
    (found,) = (case for case in meta()["cases"] if case["prefix"] == name)
    return found["memory_size"], found["num_layers"]


def rows(linear):
    return len(load("weights")[f"{UNIT}{linear}.weight"])


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
    built.load_state_dict(
        {"memory": load("weights")[f"{name.split('_')[0]}.memory_tokens"]}
        | named("token_learner_model", SCORER, "summarizer.")
        | transformer_weights(layers, "processor.")
    )
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
    built.load_state_dict(named("token_add_erase_write", WRITER))
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
    learner.load_state_dict(named("token_learner_model", SCORER, "scorer."))
    feed_forward = rows("vit_encoder.layers.0.linear1")
    transformer = PairTransformer(sizes["dim"], layers, sizes["heads"], feed_forward)
    transformer.load_state_dict(transformer_weights(layers))
    processor = PairProcessor(transformer, across=variant == "released")
    machine = TokenTuringMachine(ReadWriteUnit(learner, processor, writer()), slots).eval()
    inputs = load("inputs")["m5_L1.x_two_steps"]
    memory = load("weights")["m5.memory_tokens"].expand(len(inputs), -1, -1)
    with torch.no_grad():
        found = machine(inputs, memory).output
    close(found, load("outputs")[f"m5_L1.out_{variant}_two_steps"])
