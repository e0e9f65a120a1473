"""The similarity memory of joint extraction: reads alone, and the whole model around our bricks.

What is not a memory (span pooling, JEREX's heads, losses) is written here in a few lines, so that
logits, losses and gradients of the published model can be compared from the encoder on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers import BertConfig, BertModel

from docre.memory import (
    BilinearSimilarity,
    FlatInputs,
    InverseRead,
    NormalRead,
    PaddedInputs,
    ReadingLevel,
    SimilarityClassifier,
    SimilarityMemory,
    inverse_gate,
    normal_weights,
    read_warmup_steps,
)
from tests.corpora import golden

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
SAME_LOSS = {"atol": 1e-6, "rtol": 1e-6}
SAME_SLOPE = {"atol": 1e-5, "rtol": 1e-4}
MEMORIES, LEVELS = ("entity", "relation"), ("tokens", "mentions")
CASES = ("a", "b", "c", "gap", "all_masked")
RUNS = [
    *((variant, "mrc") for variant in ("flow", "warmup", "entity_only", "relation_only")),
    *((variant, "mrc") for variant in ("no_memory", "tokens_only", "mentions_only")),
    *((f"small_{variant}", "mrc") for variant in ("flow", "read", "flow_read", "read_tokens")),
    ("small_warmup", "mrc"),
    ("flow", "grc"),
    ("warmup", "grc"),
]


@cache
def load(name):
    return load_file(golden(f"joint/memory/{name}.safetensors"))


@cache
def listed(name):
    return json.loads(golden(f"joint/memory/{name}.json").read_text())


def document(name, number):
    """Return the tensors of one document."""
    start = f"doc{number}."
    return {k.removeprefix(start): v for k, v in load(name).items() if k.startswith(start)}


def bilinear(weight):
    made = BilinearSimilarity(weight.shape[1], weight.shape[0])
    made.load_state_dict({"weight": weight})
    return made


# the reading module alone


@pytest.mark.parametrize("case", CASES)
def test_inverse_read(case):
    given = {k.removeprefix(f"{case}."): v for k, v in load("reads").items()}
    similarity = bilinear(given["w_inv"].T.contiguous())
    x, memory = (given[name].clone().requires_grad_() for name in ("x", "memory"))
    scores, inputs = similarity(x, memory), PaddedInputs(given["mask"])
    gate = inverse_gate(scores, inputs)
    torch.testing.assert_close(inputs.softmax(scores), given["inv_attention"], **CLOSE)
    torch.testing.assert_close(gate, given["inv_gate"], **CLOSE)
    torch.testing.assert_close(x * gate.unsqueeze(-1), given["inv_out"], **CLOSE)

    read = InverseRead(x.shape[-1], [memory.shape[1]])
    read.similarities[0] = similarity
    out = 2 * read(x, [memory], inputs) - x  # the mean of input and gated input
    torch.testing.assert_close(out, given["inv_out"], **CLOSE)
    check_slopes("inv", given, out, x, memory, similarity)


@pytest.mark.parametrize("case", CASES)
def test_normal_read(case):
    given = {k.removeprefix(f"{case}."): v for k, v in load("reads").items()}
    similarity = bilinear(given["w_norm"].T.contiguous())
    x, memory = (given[name].clone().requires_grad_() for name in ("x", "memory"))
    inputs = PaddedInputs(given["mask"])
    clean = inputs.clean(x)  # what makes the weights 1 / S at padding
    weights = normal_weights(similarity(clean, memory))
    torch.testing.assert_close(weights, given["norm_attention"], **CLOSE)

    width, slot_width = x.shape[-1], memory.shape[1]
    read = NormalRead(width, [slot_width])
    read.similarities[0] = similarity
    read.merge = torch.nn.Linear(width + slot_width, slot_width, bias=False)
    just_the_read = torch.cat((torch.zeros(slot_width, width), torch.eye(slot_width)), 1)
    read.merge.load_state_dict({"weight": just_the_read})
    out = read(clean, [memory], inputs)
    torch.testing.assert_close(out, given["norm_out"], **CLOSE)
    check_slopes("norm", given, out, x, memory, similarity)


def check_slopes(kind, given, out, x, memory, similarity):
    total = (out * given[f"{kind}_cotangent"] * given["mask"].unsqueeze(-1)).sum()
    slopes = torch.autograd.grad(total, (x, memory, similarity.weight))
    for name, slope in zip(("x", "memory", "w"), slopes, strict=True):
        slope = slope.T if name == "w" else slope
        torch.testing.assert_close(slope, given[f"{kind}_grad_{name}"], **SAME_SLOPE)


@pytest.mark.parametrize("row", range(11))
def test_warmup(row):
    said = listed("warmup")["rows"][row]
    first = read_warmup_steps(said["proportion"], said["total_steps"])
    assert first == said["warmup_steps"]
    assert all((step >= first) == on for step, on in said["reads_on_at_step"])


# the whole model


@dataclass
class Published:
    """Weights of one variant under their published names, our bricks made of them.

    ``taken`` has each parameter once, as a leaf: ours where a brick holds it.
    """

    variant: str
    kind: str
    read_gradient: bool = True
    taken: dict = field(default_factory=dict)

    def __post_init__(self):
        self.options = listed("config")["memory"]["variants"][self.variant]
        stored = load(f"weights_{self.kind}_{self.options['weights']}")
        self.taken = {name: value.clone().requires_grad_() for name, value in stored.items()}
        self.memories, self.classify = {}, {}
        features = self.taken["mention_localization.linear.bias"].shape[0]
        classifiers = (
            "_entity_classification.entity_clf_linear",
            "relation_classification._relation_clf_linear",
        )
        for name, classifier in zip(MEMORIES, classifiers, strict=True):
            matrix = self.taken[f"{name}_memory_module.memory_module._memory_matrix.weight"]
            self.memories[name] = SimilarityMemory(*matrix.shape)
            self.memories[name].matrix = self._hold(matrix)
            self.classify[name] = SimilarityClassifier(features, matrix.shape[1])
            self.classify[name].similarity.weight = self._hold(self.taken[f"{classifier}.weight"])
        self.used = [name for name in MEMORIES if self.options[f"use_{name}_memory"]]
        self.levels = {name: self._level(name, features) for name in LEVELS}

    def _hold(self, value, transposed=False):
        """Make a parameter of ours that is the published one."""
        name = next(name for name, taken in self.taken.items() if taken is value)
        held = torch.nn.Parameter(value.detach().T.contiguous() if transposed else value.detach())
        self.taken[name] = held
        return held

    def _level(self, level, features):
        widths = [self.memories[name].features for name in self.used]
        reads = []
        for kind, made, theirs in (("flow", InverseRead, "inverse"), ("read", NormalRead, "norm")):
            if level not in self.options[kind]:
                continue
            read = made(features, widths)
            for name, similarity in zip(self.used, read.similarities, strict=True):
                place = f"{name}_memory_module.reading_module._{theirs}_memory_weights.{level}"
                similarity.weight = self._hold(self.taken[f"{place}.weight"], transposed=True)
            if kind == "read":
                for part in ("weight", "bias"):
                    merge = self.taken[f"memory_read_linear_weights.{level}.{part}"]
                    setattr(read.merge, part, self._hold(merge))
            reads.append(read)
        made = ReadingLevel(reads, self.read_gradient)
        made.reading = self.options["use_memory"]
        return made

    def matrices(self):
        return [self.memories[name].matrix for name in self.used]

    def linear(self, name, values):
        return functional.linear(
            values, self.taken[f"{name}.weight"], self.taken.get(f"{name}.bias")
        )

    def row(self, table, index):
        return self.taken[f"{table}.weight"][index]

    def read_tokens(self, states):
        """Gate the tokens of documents, padded to the longest."""
        lengths = torch.tensor([len(of) for of in states])
        padded = torch.nn.utils.rnn.pad_sequence(states, batch_first=True, padding_value=7.0)
        inputs = PaddedInputs(torch.arange(padded.shape[1]) < lengths.unsqueeze(1))
        read = self.levels["tokens"](padded, self.matrices(), inputs)
        return [of[:length] for of, length in zip(read, lengths, strict=True)]

    def read_mentions(self, mentions):
        """Gate the mentions of documents, one document after another."""
        sizes = torch.tensor([len(of) for of in mentions])
        flat = FlatInputs(torch.arange(len(mentions)).repeat_interleave(sizes), len(mentions))
        read = self.levels["mentions"](torch.cat(mentions), self.matrices(), flat)
        return read.split(sizes.tolist())

    def mention_logits(self, mentions, sizes):
        sized = torch.cat((mentions, self.row("mention_localization.size_embeddings", sizes)), 1)
        hidden = self.linear("mention_localization.linear", sized).relu()
        return self.linear("mention_localization.mention_classifier", hidden).squeeze(1)

    def coref_logits(self, mentions, pairs, edit):
        distance = self.row("_coreference_resolution.coref_ed_embeddings", edit)
        joined = torch.cat((mentions[pairs[:, 0]], mentions[pairs[:, 1]], distance), 1)
        hidden = self.linear("_coreference_resolution.coref_linear", joined).relu()
        return self.linear("_coreference_resolution.coref_classifier", hidden).squeeze(1)

    def relations(self, states, mentions, entities, given):
        """Return type vectors, pooled mention pairs (none for GRC) and pair vectors."""
        heads, tails = given["rel_pairs"].unbind(1)
        types = self.memories["entity"].lookup(given["entity_types"][given["rel_pairs"]])
        types = types.flatten(1)
        place = "entity_pair_representation"
        if self.kind == "grc":
            joined = torch.cat((entities[heads], entities[tails], types), 1)
            return types, None, self.linear(f"{place}.entity_pair_linear", joined).relu()
        first, second = given["mp_pairs"].unbind(1)
        owner = given["mp_rel"]
        joined = torch.cat(
            (
                span_max(states, given["mp_context"]),
                *(mentions[first], mentions[second]),
                *(entities[heads[owner]], entities[tails[owner]]),
                self.row(f"{place}.token_distance_embeddings", given["mp_token_dist"]),
                self.row(f"{place}.sentence_distance_embeddings", given["mp_sent_dist"]),
            ),
            1,
        )
        pairs = self.linear(f"{place}.pair_linear", joined)
        pooled = [pairs[owner == pair].amax(0) for pair in range(len(heads))]
        pooled = torch.stack(pooled) if pooled else pairs.new_zeros(0, pairs.shape[1])
        typed = torch.cat((pooled, types), 1)
        return types, pooled, self.linear(f"{place}.rel_linear", typed).relu()

    def train_outputs(self, encoded, numbers):
        """Return everything that is stored about documents, for the fixed training samples."""
        read = self.read_tokens(encoded)
        samples = [sample(number) for number in numbers]
        pooled = [
            span_max(of, given["mention_spans"]) for of, given in zip(read, samples, strict=True)
        ]
        outputs = []
        for states, before, mentions, given in zip(
            read, pooled, self.read_mentions(pooled), samples, strict=True
        ):
            members = [
                mentions[given["entity_mentions"][start:end]].amax(0)
                for start, end in pairwise(given["entity_offsets"].tolist())
            ]
            entities = torch.stack(members) if members else mentions[:0]
            types, of_pairs, pairs = self.relations(states, mentions, entities, given)
            found = {
                "h_out": states,
                "mention_repr_in": before,
                "mention_repr_out": mentions,
                "mention_logits": self.mention_logits(mentions, given["mention_sizes"]),
                "coref_logits": self.coref_logits(
                    mentions, given["coref_pairs"], given["coref_edit"]
                ),
                "entity_repr": entities,
                "entity_logits": self.classify["entity"](entities, self.memories["entity"]),
                "type_lookup": types,
                "pair_repr": pairs,
                "rel_logits": self.classify["relation"](pairs, self.memories["relation"]),
            }
            outputs.append(found if of_pairs is None else found | {"pooled": of_pairs})
        return outputs

    def losses(self, outputs, numbers):
        """Return the parts and their sums, means taken over the rows of all documents."""
        samples = [sample(number) for number in numbers]

        def rows(name):
            return torch.cat([found[name] for found in outputs])

        def truth(name, dtype=torch.float32):
            return torch.cat([given[name] for given in samples]).to(dtype)

        binary = functional.binary_cross_entropy_with_logits
        mention = binary(rows("mention_logits"), truth("mention_types"))
        coref = binary(rows("coref_logits"), truth("coref_types"), reduction="none")
        entity = functional.cross_entropy(
            rows("entity_logits"), truth("entity_types", torch.long), reduction="none"
        )
        relation = binary(rows("rel_logits"), truth("rel_types"), reduction="none").sum(1)
        parts = [mention, *(part.sum() / max(len(part), 1) for part in (coref, entity, relation))]
        names = ["mention_loss", "coref_loss", "entity_loss", "rel_loss"]
        weights = listed("config")["loss_weights"]
        weighted = [
            weights[name] * part
            for name, part in zip(("mention", "coref", "entity", "relation"), parts, strict=True)
        ]
        return dict(zip(names, parts, strict=True)) | {
            "target_loss": sum(parts),
            "loss": sum(weighted),
        }


def sample(number):
    given = document("inputs", number)
    return {k.removeprefix("train."): v for k, v in given.items() if k.startswith("train.")}


def span_max(states, spans):
    """Return the element-wise maximum over spans, zero over empty ones."""
    found = [
        states[start:end].amax(0) if end > start else states.new_zeros(states.shape[1])
        for start, end in spans.tolist()
    ]
    return torch.stack(found) if found else states[:0]


def stored_states(numbers):
    return [document("out_flow_mrc", number)["h_in"] for number in numbers]


@pytest.mark.parametrize(("variant", "kind"), RUNS)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "batch"])
def test_outputs(variant, kind, together):
    model = Published(variant, kind)
    everything = range(5)
    groups = [everything] if together else [[number] for number in everything]
    compared = set()
    for numbers in groups:
        found = model.train_outputs(stored_states(numbers), numbers)
        for number, outputs in zip(numbers, found, strict=True):
            expected = document(f"out_{variant}_{kind}", number)
            for name in outputs.keys() & expected.keys():
                torch.testing.assert_close(outputs[name], expected[name], **CLOSE)
                compared.add(name)
    assert compared >= {"rel_logits"}
    assert kind == "grc" or compared >= {"h_out", "mention_repr_out", "entity_logits"}
    everything_stored = variant in ("flow", "small_flow_read") and kind == "mrc"
    assert not everything_stored or compared == set(found[0])


@pytest.mark.parametrize(
    ("variant", "number"),
    [*(("flow", number) for number in range(5)), ("small_flow_read", 0), ("small_flow_read", 4)],
)
@pytest.mark.parametrize("level", LEVELS)
def test_attention_and_gates(variant, number, level):
    """From stored inputs of each level, so that nothing before it can be to blame."""
    model, expected = Published(variant, "mrc"), document(f"out_{variant}_mrc", number)
    states = expected["h_in" if level == "tokens" else "mention_repr_in"]
    inputs = FlatInputs(torch.zeros(len(states), dtype=torch.long), 1)
    reads = list(model.levels[level].reads)
    assert len(reads) == (1 if variant == "flow" else 2)
    for name, scores in zip(MEMORIES, reads[0].scores(states, model.matrices()), strict=True):
        attention = inputs.softmax(scores)
        torch.testing.assert_close(attention, expected[f"{level}.flow.attention_{name}"], **CLOSE)
    gates = reads[0].gates(states, model.matrices(), inputs)
    for name, gate in zip(MEMORIES, gates, strict=True):
        torch.testing.assert_close(gate, expected[f"{level}.flow.gate_{name}"], **CLOSE)
    if len(reads) == 2:
        states = reads[0](states, model.matrices(), inputs)
        for name, scores in zip(MEMORIES, reads[1].scores(states, model.matrices()), strict=True):
            wanted = expected[f"{level}.read.attention_{name}"]
            torch.testing.assert_close(normal_weights(scores), wanted, **CLOSE)


@pytest.mark.parametrize("name", ["out_flow_mrc", "out_flow_grc", "out_small_flow_read_mrc"])
@pytest.mark.parametrize("number", range(5))
def test_classifiers_from_stored_vectors(name, number):
    variant, kind = name.removeprefix("out_").rsplit("_", 1)
    model, expected = Published(variant, kind), document(name, number)
    for vectors, memory, logits in (
        ("entity_repr", "entity", "entity_logits"),
        ("pair_repr", "relation", "rel_logits"),
    ):
        if vectors in expected:
            found = model.classify[memory](expected[vectors], model.memories[memory])
            torch.testing.assert_close(found, expected[logits], **CLOSE)


@pytest.mark.parametrize(("variant", "kind"), RUNS)
def test_losses_and_gradients(variant, kind):
    rows = rows_of(variant, kind)
    assert [row["docs"] for row in rows] == [[0], [2], [3], [0, 4], [0, 1, 2, 3, 4]]
    for row in rows:
        model = trained(variant, kind, row)
        check_memory_gradients(model, row)
    assert set(row["losses"]) == set(LOSSES)
    for letter, name in zip("ER", MEMORIES, strict=True):
        stored = load("grads_memory")[f"{variant}.{kind}.M_{letter}"]
        torch.testing.assert_close(model.memories[name].matrix.grad, stored, **SAME_SLOPE)


@pytest.mark.parametrize(("variant", "kind"), RUNS)
def test_gradients_without_those_of_reads(variant, kind):
    row = rows_of(variant, kind)[-1]
    model = trained(variant, kind, row, read_gradient=False)
    check_memory_gradients(model, row["read_grad_off"])
    for letter, name in zip("ER", MEMORIES, strict=True):
        stored = load("grads_memory")[f"{variant}.{kind}.read_grad_off.M_{letter}"]
        torch.testing.assert_close(model.memories[name].matrix.grad, stored, **SAME_SLOPE)


@pytest.mark.parametrize(
    ("variant", "kind"), [("flow", "mrc"), ("flow", "grc"), ("small_flow_read", "mrc")]
)
def test_gradients_of_all_parameters(variant, kind):
    """The encoder's, too."""
    row = rows_of(variant, kind)[-1]
    encoder = bert()
    states = encode(encoder, row["docs"])
    for found, stored in zip(states, stored_states(row["docs"]), strict=True):
        torch.testing.assert_close(found, stored, **CLOSE)
    model = trained(variant, kind, row, states=states)
    taken = model.taken | {f"bert.{name}": value for name, value in encoder.named_parameters()}
    assert row["grad_norms"].keys() == taken.keys()
    for name, value in row["grad_norms"].items():
        check_norm(taken[name].grad, value)


LOSSES = ("mention_loss", "coref_loss", "entity_loss", "rel_loss", "target_loss", "loss")


def rows_of(variant, kind):
    return [row for row in listed("losses") if (row["variant"], row["kind"]) == (variant, kind)]


def trained(variant, kind, row, read_gradient=True, states=None):
    """Return a model with gradients, after its losses were found right."""
    model = Published(variant, kind, read_gradient)
    states = stored_states(row["docs"]) if states is None else states
    losses = model.losses(model.train_outputs(states, row["docs"]), row["docs"])
    for name, value in row["losses"].items():
        torch.testing.assert_close(losses[name].detach(), torch.tensor(value), **SAME_LOSS)
    losses["loss"].backward()
    return model


def check_memory_gradients(model, row):
    for letter, name in zip("ER", MEMORIES, strict=True):
        check_norm(model.memories[name].matrix.grad, row[f"grad_norm_M_{letter}"])


def check_norm(gradient, value):
    norm = torch.tensor(0.0) if gradient is None else gradient.norm()
    torch.testing.assert_close(norm, torch.tensor(value), **SAME_SLOPE)


def bert():
    made = BertModel(BertConfig(**listed("config")["bert"]), add_pooling_layer=False).eval()
    weights = {k.removeprefix("bert."): v for k, v in load("weights_bert").items()}
    made.load_state_dict(weights)
    return made


def encode(encoder, numbers):
    ids = [document("inputs", number)["input_ids"] for number in numbers]
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.tensor([len(of) for of in ids]).unsqueeze(1)
    states = encoder(padded, attention_mask=mask.long()).last_hidden_state
    return [of[: len(known)] for of, known in zip(states, ids, strict=True)]


@pytest.mark.parametrize("variant", ["flow", "warmup"])
@pytest.mark.parametrize("kind", ["mrc", "grc"])
@pytest.mark.parametrize("number", range(5))
def test_inference_over_all_candidates(variant, kind, number):
    """Gates and logits up to the clusters, which are JEREX's."""
    model, expected = Published(variant, kind), document(f"inference_{variant}_{kind}", number)
    given, (states,) = document("inputs", number), stored_states([number])
    tokens = model.read_tokens([states])[0]
    spans = span_max(tokens, given["cand.spans"])
    for level, inputs in (("tokens", states), ("mentions", spans)):
        flat = FlatInputs(torch.zeros(len(inputs), dtype=torch.long), 1)
        gates = model.levels[level].reads[0].gates(inputs, model.matrices(), flat)
        for name, gate in zip(MEMORIES, gates, strict=True):
            assert (variant == "flow") == (f"{level}.flow.gate_{name}" in expected)
            if variant == "flow":
                wanted = expected[f"{level}.flow.gate_{name}"]
                torch.testing.assert_close(gate, wanted, **CLOSE)
    mentions = model.read_mentions([spans])[0]
    logits = model.mention_logits(mentions, given["cand.sizes"])
    torch.testing.assert_close(logits, expected["mention_logits"], **CLOSE)
    thresholds = listed("inference")[f"{variant}_{kind}"]["thresholds"]
    accepted = (logits.sigmoid() >= thresholds["mention"]).nonzero().flatten()
    assert torch.equal(accepted, expected["accepted"])
    chosen = mentions[expected["accepted"]]
    probability = logits.sigmoid()[expected["accepted"]]
    torch.testing.assert_close(probability, expected["accepted_prob"], **CLOSE)
    cluster = expected["cluster_of"]
    if len(chosen) > 1:
        pairs = torch.cartesian_prod(*[torch.arange(len(chosen))] * 2)
        coref = model.coref_logits(chosen, pairs, expected["edit"].flatten())
        coref = coref.view_as(expected["coref_logits"]).fill_diagonal_(0)
        torch.testing.assert_close(coref, expected["coref_logits"], **CLOSE)
        similarity = coref.sigmoid().fill_diagonal_(1)
        torch.testing.assert_close(similarity, expected["similarity"], **CLOSE)
    if "entity_logits" in expected:
        entities = torch.stack([chosen[cluster == of].amax(0) for of in cluster.unique()])
        found = model.classify["entity"](entities, model.memories["entity"])
        torch.testing.assert_close(found, expected["entity_logits"], **CLOSE)
        assert torch.equal(found.argmax(1), expected["entity_types"])
        if kind == "grc" and "rel_logits" in expected:
            _, _, pair = model.relations(
                tokens,
                mentions,
                entities,
                {"rel_pairs": expected["rel_pairs"], "entity_types": expected["entity_types"]},
            )
            scores = model.classify["relation"](pair, model.memories["relation"])
            torch.testing.assert_close(scores, expected["rel_logits"], **CLOSE)
