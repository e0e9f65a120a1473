"""Equal to the published similarity memory: its reads alone, and the whole model with it."""

from __future__ import annotations

from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from docre.joint import (
    JointLoss,
    JointNetwork,
    JointTargets,
    JointThresholds,
    SimilarityMemories,
)
from docre.memory import (
    BilinearSimilarity,
    FlatInputs,
    InverseRead,
    NormalRead,
    PaddedInputs,
    inverse_gate,
    normal_weights,
    read_warmup_steps,
    switch_reads,
)
from tests.corpora import golden
from tests.golden.joint_documents import (
    DOCUMENTS,
    bert,
    candidate_batch,
    check_found,
    listed,
    network_settings,
    ours,
    recorded,
    stored,
    texts,
    theirs_with_scores,
    training_batch,
    word_spans,
)

FOLDER = "memory"

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


def config():
    return listed(FOLDER, "config.json")


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
    said = listed(FOLDER, "warmup.json")["rows"][row]
    first = read_warmup_steps(said["proportion"], said["total_steps"])
    assert first == said["warmup_steps"]
    assert all((step >= first) == on for step, on in said["reads_on_at_step"])


# the whole model

# our name -> published name; what is not here is made by renamed()
NAMES = {
    "mention.size_embedding.": "mention_localization.size_embeddings.",
    "mention.hidden.": "mention_localization.linear.",
    "mention.output.": "mention_localization.mention_classifier.",
    "coreference.edit_embedding.": "_coreference_resolution.coref_ed_embeddings.",
    "coreference.hidden.": "_coreference_resolution.coref_linear.",
    "coreference.output.": "_coreference_resolution.coref_classifier.",
    "entity.similarity.": "_entity_classification.entity_clf_linear.",
    "relation.output.similarity.": "relation_classification._relation_clf_linear.",
    "relation.token_distance.": "entity_pair_representation.token_distance_embeddings.",
    "relation.sentence_distance.": "entity_pair_representation.sentence_distance_embeddings.",
    "relation.instance.": "entity_pair_representation.pair_linear.",
    "memory.entity.matrix": "entity_memory_module.memory_module._memory_matrix.weight",
    "memory.relation.matrix": "relation_memory_module.memory_module._memory_matrix.weight",
}
HIDDEN = {"mrc": "rel_linear", "grc": "entity_pair_linear"}
UNUSED = "entity_pair_representation.entity_type_embeddings.weight"


class Published(nn.Module):
    """An encoder and our network, with the weights of one variant.

    Args:
        variant: Its name.
        kind: Of the relation head.
        read_gradient: Whether memories learn from being read.
    """

    def __init__(self, variant, kind, read_gradient=True):
        super().__init__()
        self.kind, self.options = kind, config()["memory"]["variants"][variant]
        widths = config()["memory"]["sets"][self.options["weights"]]
        self.used = [name for name in MEMORIES if self.options[f"use_{name}_memory"]]
        reads = {
            level: [
                made
                for name, made in (("flow", InverseRead), ("read", NormalRead))
                if level in self.options[name]
            ]
            for level in LEVELS
        }
        memories = partial(
            SimilarityMemories,
            slot_features=(widths["entity_memory_dim"], widths["relation_memory_dim"]),
            **reads,
            read_gradient=read_gradient,
            **{name: name in self.used for name in MEMORIES},
        )
        self.network = JointNetwork(**network_settings(FOLDER, kind), memory=memories)
        self.network.load_state_dict(self._weights())
        switch_reads(self.network, self.options["use_memory"])
        self.encoder = bert(FOLDER)
        weights = {k.removeprefix("bert."): v for k, v in load("weights_bert").items()}
        self.encoder.model.load_state_dict(weights)
        self.eval()
        self.seen = {}
        recorded(self.network, self.seen)
        for level in LEVELS:
            getattr(self.network.memory, level).register_forward_hook(self._keep(level))

    def renamed(self, name):
        """The published name of a parameter of ours, and whether it is transposed there."""
        if name.startswith("relation.hidden."):
            place = f"entity_pair_representation.{HIDDEN[self.kind]}."
            return place + name.removeprefix("relation.hidden."), False
        if ".reads." in name:
            _, level, _, number, *rest = name.split(".")
            if rest[0] == "merge":
                return f"memory_read_linear_weights.{level}.{rest[1]}", False
            read = getattr(self.network.memory, level).reads[int(number)]
            way = "inverse" if isinstance(read, InverseRead) else "norm"
            module = f"{self.used[int(rest[1])]}_memory_module.reading_module"
            return f"{module}._{way}_memory_weights.{level}.weight", True
        prefix = next(ours for ours in NAMES if name.startswith(ours))
        return NAMES[prefix] + name.removeprefix(prefix), False

    def _weights(self):
        given = load(f"weights_{self.kind}_{self.options['weights']}")
        names = {name: self.renamed(name) for name in self.network.state_dict()}
        left = set(given) - {name for name, _ in names.values()} - {UNUSED}
        # reads of levels and memories that the variant does not use
        assert all("reading_module" in name or "read_linear" in name for name in left)
        return {k: given[name].T if turned else given[name] for k, (name, turned) in names.items()}

    def _keep(self, level):
        def hook(_module, given, output):
            self.seen[level] = given[0], output

        return hook

    def gradients(self):
        """The gradient of each parameter under its published name; of those unused, none."""
        found = dict.fromkeys(load(f"weights_{self.kind}_{self.options['weights']}"))
        for name, parameter in self.network.named_parameters():
            published, turned = self.renamed(name)
            found[published] = parameter.grad.T if turned else parameter.grad
        for name, parameter in self.encoder.model.named_parameters():
            found[f"bert.{name}"] = parameter.grad
        return found

    def outputs(self, numbers, states=None):
        """Everything that is stored about documents, for the fixed training samples."""
        batch, seen = training_batch(FOLDER, numbers), self.seen
        self.network(stored_states(numbers) if states is None else states, batch)
        sample, relation = batch.sample, self.network.relation
        flat = dict(zip(("mention_repr_in", "mention_repr_out"), seen["mentions"], strict=True))
        flat |= {k: seen[k] for k in ("mention_logits", "coref_logits", "entity_repr")}
        flat |= {k: seen[k] for k in ("entity_logits", "pair_repr", "rel_logits")}
        types = relation.type_embedding(sample.entity_type)
        ends = types[sample.pair_head], types[sample.pair_tail]
        flat["type_lookup"] = torch.cat(ends, 1)
        if self.kind == "mrc":
            flat["pooled"] = relation.pooled_instances(seen["given"])
        spans = sample.spans.document
        pairs = sample.pair_doc
        documents = {
            **dict.fromkeys(("mention_repr_in", "mention_repr_out", "mention_logits"), spans),
            **dict.fromkeys(("type_lookup", "pooled", "pair_repr", "rel_logits"), pairs),
            "coref_logits": spans[sample.first],
            **dict.fromkeys(
                ("entity_repr", "entity_logits"),
                spans[sample.member[sample.entity_offset[:-1]]],
            ),
        }
        lengths = batch.documents.token_mask.sum(1).tolist()
        return [
            {name: value[documents[name] == row] for name, value in flat.items()}
            | {"h_out": seen["tokens"][1][row, :length]}
            for row, length in enumerate(lengths)
        ]


def stored_states(numbers):
    """States of all tokens; what stands at padding must not matter."""
    each = [stored(FOLDER, "out_flow_mrc")[number]["h_in"] for number in numbers]
    return nn.utils.rnn.pad_sequence(each, batch_first=True, padding_value=7.0)


@pytest.mark.parametrize(("variant", "kind"), RUNS)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "batch"])
def test_outputs(variant, kind, together):
    model = Published(variant, kind)
    groups = [list(DOCUMENTS)] if together else [[number] for number in DOCUMENTS]
    compared = set()
    for numbers in groups:
        with torch.no_grad():
            found = model.outputs(numbers)
        for number, outputs in zip(numbers, found, strict=True):
            expected = stored(FOLDER, f"out_{variant}_{kind}")[number]
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
    memory = Published(variant, "mrc").network.memory
    expected = stored(FOLDER, f"out_{variant}_mrc")[number]
    matrices = [one.matrix for one in memory.read_memories()]
    states = expected["h_in" if level == "tokens" else "mention_repr_in"]
    inputs = FlatInputs(torch.zeros(len(states), dtype=torch.long), 1)
    reads = list(getattr(memory, level).reads)
    assert len(reads) == (1 if variant == "flow" else 2)
    for name, scores in zip(MEMORIES, reads[0].scores(states, matrices), strict=True):
        attention = inputs.softmax(scores)
        torch.testing.assert_close(attention, expected[f"{level}.flow.attention_{name}"], **CLOSE)
    for name, gate in zip(MEMORIES, reads[0].gates(states, matrices, inputs), strict=True):
        torch.testing.assert_close(gate, expected[f"{level}.flow.gate_{name}"], **CLOSE)
    if len(reads) == 2:
        states = reads[0](states, matrices, inputs)
        for name, scores in zip(MEMORIES, reads[1].scores(states, matrices), strict=True):
            wanted = expected[f"{level}.read.attention_{name}"]
            torch.testing.assert_close(normal_weights(scores), wanted, **CLOSE)


@pytest.mark.parametrize("name", ["out_flow_mrc", "out_flow_grc", "out_small_flow_read_mrc"])
@pytest.mark.parametrize("number", DOCUMENTS)
def test_classifiers_from_stored_vectors(name, number):
    variant, kind = name.removeprefix("out_").rsplit("_", 1)
    network, expected = Published(variant, kind).network, stored(FOLDER, name)[number]
    for vectors, classify, logits in (
        ("entity_repr", network.entity, "entity_logits"),
        ("pair_repr", network.relation.output, "rel_logits"),
    ):
        if vectors in expected:
            torch.testing.assert_close(classify(expected[vectors]), expected[logits], **CLOSE)


@pytest.mark.parametrize(("variant", "kind"), RUNS)
def test_losses_and_gradients(variant, kind):
    rows = rows_of(variant, kind)
    assert [row["docs"] for row in rows] == [[0], [2], [3], [0, 4], [0, 1, 2, 3, 4]]
    for row in rows:
        model = trained(variant, kind, row)
        check_memory_gradients(model, row)
    check_stored_gradients(model, f"{variant}.{kind}")


@pytest.mark.parametrize(("variant", "kind"), RUNS)
def test_gradients_without_those_of_reads(variant, kind):
    row = rows_of(variant, kind)[-1]
    model = trained(variant, kind, row, read_gradient=False)
    check_memory_gradients(model, row["read_grad_off"])
    check_stored_gradients(model, f"{variant}.{kind}.read_grad_off")


@pytest.mark.parametrize(
    ("variant", "kind"), [("flow", "mrc"), ("flow", "grc"), ("small_flow_read", "mrc")]
)
@pytest.mark.parametrize("train", [False, True])
def test_gradients_of_all_parameters(variant, kind, train):
    """The encoder's, too; dropout is 0, so training is the same."""
    row = rows_of(variant, kind)[-1]
    model = trained(variant, kind, row, train=train, encode=True)
    found = model.gradients()
    assert row["grad_norms"].keys() == found.keys()
    for name, value in row["grad_norms"].items():
        check_norm(found[name], value)


PARTS = {
    "mention_loss": "mention",
    "coref_loss": "coreference",
    "entity_loss": "entity",
    "rel_loss": "relation",
}


def rows_of(variant, kind):
    rows = listed(FOLDER, "losses.json")
    return [row for row in rows if (row["variant"], row["kind"]) == (variant, kind)]


def trained(variant, kind, row, read_gradient=True, train=False, encode=False):
    """Return a model with gradients, after its losses were found right."""
    model, numbers = Published(variant, kind, read_gradient).train(train), row["docs"]
    states = model.encoder(texts(FOLDER, numbers)).token_states if encode else None
    if encode:
        for found, number in zip(states, numbers, strict=True):
            known = stored(FOLDER, "out_flow_mrc")[number]["h_in"]
            torch.testing.assert_close(found[: len(known)], known, **CLOSE)
    batch = training_batch(FOLDER, numbers)
    logits = model.network(stored_states(numbers) if states is None else states, batch)
    given = config()["loss_weights"]
    weights = {
        "mention_weight": given["mention"],
        "coreference_weight": given["coref"],
        "entity_weight": given["entity"],
        "relation_weight": given["relation"],
    }
    targets = JointTargets.of(batch.sample, config()["n_relation_types"])
    parts = JointLoss(**weights)(logits, targets)
    found = {name: parts.scalars()[ours] for name, ours in PARTS.items()}
    found |= {"loss": parts.total().detach(), "target_loss": sum(found.values())}
    assert set(found) == set(row["losses"])
    for name, value in row["losses"].items():
        torch.testing.assert_close(found[name], torch.tensor(value), **SAME_LOSS)
    parts.total().backward()
    return model


def check_memory_gradients(model, row):
    for letter, name in zip("ER", MEMORIES, strict=True):
        check_norm(getattr(model.network.memory, name).matrix.grad, row[f"grad_norm_M_{letter}"])


def check_stored_gradients(model, place):
    for letter, name in zip("ER", MEMORIES, strict=True):
        gradient = getattr(model.network.memory, name).matrix.grad
        torch.testing.assert_close(
            gradient, load("grads_memory")[f"{place}.M_{letter}"], **SAME_SLOPE
        )


def check_norm(gradient, value):
    norm = torch.tensor(0.0) if gradient is None else gradient.norm()
    torch.testing.assert_close(norm, torch.tensor(value), **SAME_SLOPE)


# whole documents


def found_in(variant, kind, numbers, **budgets):
    """Return what is found in some documents, the published tensors of each, and the model."""
    model = Published(variant, kind)
    for name, budget in budgets.items():
        setattr(model.network, name, budget)
    expected = [stored(FOLDER, f"inference_{variant}_{kind}")[number] for number in numbers]

    def edit(row, mentions):
        assert word_spans(mentions) == expected[row]["accepted_word_spans"].tolist()
        return expected[row]["edit"]

    given = listed(FOLDER, "inference.json")[f"{variant}_{kind}"]["thresholds"]
    thresholds = JointThresholds(given["mention"], given["coref"], given["relation"])
    with torch.no_grad():
        states = model.encoder(texts(FOLDER, numbers)).token_states
    batch = candidate_batch(FOLDER, numbers)
    return model.network.extract(states, batch, edit, thresholds), expected, model


@pytest.mark.parametrize("kind", ["mrc", "grc"])
@pytest.mark.parametrize("variant", ["flow", "warmup"])
@pytest.mark.parametrize("together", [False, True], ids=["alone", "batch"])
def test_inference(variant, kind, together):
    known = listed(FOLDER, "inference.json")[f"{variant}_{kind}"]
    margins, thresholds = {"mention": 9.0, "relation": 9.0}, known["thresholds"]
    for numbers in [list(DOCUMENTS)] if together else [[number] for number in DOCUMENTS]:
        found, expected, model = found_in(variant, kind, numbers)
        seen = model.seen
        check_found(found, expected, seen)
        of_documents = seen["mention_logits"].split([len(e["mention_logits"]) for e in expected])
        for number, each, logits, wanted in zip(
            numbers, found, of_documents, expected, strict=True
        ):
            torch.testing.assert_close(logits, wanted["mention_logits"], **CLOSE)
            accepted = (logits.sigmoid() >= thresholds["mention"]).nonzero().flatten()
            assert torch.equal(accepted, wanted["accepted"])
            mentions, entities, relations = ours(FOLDER, each)
            canonical = theirs_with_scores(known["canonical"][number])
            assert (mentions, entities) == canonical[:2]
            assert relations == pytest.approx(canonical[2], abs=1e-5)
        for name, logits in (("mention", "mention_logits"), ("relation", "rel_logits")):
            distance = (seen[logits].sigmoid() - thresholds[name]).abs().flatten().tolist()
            margins[name] = min(margins[name], *distance, 9.0)
    assert margins == pytest.approx({name: known["margins"][name] for name in margins}, abs=1e-5)


@pytest.mark.parametrize("number", DOCUMENTS)
def test_gates_over_all_candidates(number):
    _, (expected,), model = found_in("flow", "mrc", [number])
    memory = model.network.memory
    matrices = [one.matrix for one in memory.read_memories()]
    for level in LEVELS:
        states = model.seen[level][0].view(-1, matrices[0].shape[1])
        inputs = FlatInputs(torch.zeros(len(states), dtype=torch.long), 1)
        gates = getattr(memory, level).reads[0].gates(states, matrices, inputs)
        for name, gate in zip(MEMORIES, gates, strict=True):
            torch.testing.assert_close(gate, expected[f"{level}.flow.gate_{name}"], **CLOSE)


@pytest.mark.parametrize("kind", ["mrc", "grc"])
def test_inference_in_parts(kind):
    """However little is looked at together, documents read as a whole."""
    numbers = list(DOCUMENTS)
    found, _, model = found_in("flow", kind, numbers, mention_pair_budget=5, span_budget=20)
    assert len(model.seen["mention_logits"]) < 300  # those of the last document
    known = listed(FOLDER, "inference.json")[f"flow_{kind}"]["canonical"]
    for each, canonical in zip(found, known, strict=True):
        mentions, entities, relations = ours(FOLDER, each)
        wanted = theirs_with_scores(canonical)
        assert (mentions, entities) == wanted[:2]
        assert relations == pytest.approx(wanted[2], abs=1e-5)
