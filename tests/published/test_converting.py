"""What does not fit is said: names, numbers, shapes, the encoder."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from docre.errors import DocreError
from docre.hub import read_model
from docre.published.chassis import features
from docre.published.command import convert
from docre.published.converting import convert_weights
from docre.published.label_names import label_names
from docre.published.system import Setting
from docre.published.systems import SYSTEMS
from tests.published.files import (
    SPECIAL,
    bert_weights,
    config_of,
    encoder_folder,
    relations_file,
)

HIDDEN, WIDTH, BLOCK, RELATIONS = 16, 8, 4, 5


def atlop_weights(config):
    made = {
        "head_extractor": (WIDTH, 2 * HIDDEN),
        "tail_extractor": (WIDTH, 2 * HIDDEN),
        "bilinear": (RELATIONS + 1, WIDTH * BLOCK),
    }
    head = {f"{name}.weight": torch.randn(*shape) for name, shape in made.items()}
    head |= {f"{name}.bias": torch.randn(shape[0]) for name, shape in made.items()}
    return {**bert_weights(config, "model."), **head}


@pytest.fixture
def files(tmp_path):
    """An encoder's folder, a relation file and good weights."""
    config = config_of(HIDDEN, positions=64)
    encoder = encoder_folder(tmp_path / "encoder", config)
    relations = relations_file(tmp_path / "rel2id.json", RELATIONS)
    return encoder, relations, atlop_weights(config)


def converted(tmp_path, files, weights, system="atlop", **options):
    encoder, relations, _ = files
    torch.save(weights, tmp_path / "weights.pt")
    given = {"names": label_names(options.pop("relations", relations), None, "docred"), **options}
    return convert_weights(
        SYSTEMS[system], tmp_path / "weights.pt", given.pop("encoder", encoder), **given
    )


def test_what_is_left_out_is_told(tmp_path, files):
    found = converted(tmp_path, files, files[2])
    assert set(found.dead) == {
        "model.pooler.dense.weight",
        "model.pooler.dense.bias",
        "model.embeddings.position_ids",
    }
    assert set(found.contents.facts["converted"]["left_out"]) == set(found.dead)
    assert found.contents.facts["converted"]["encoder"] == "encoder"  # where it lay is nobody's


def test_unknown_parameter(tmp_path, files):
    weights = {**files[2], "extra.weight": torch.ones(1), "model.extra": torch.ones(1)}
    with pytest.raises(DocreError, match=r"no part of the system: (model\.)?extra") as refused:
        converted(tmp_path, files, weights)
    assert "extra.weight" in str(refused.value)
    assert "weights.pt as weights of ATLOP" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bilinear.weight", "there is no bilinear.weight"),  # which tells a size
        ("tail_extractor.bias", "missing in the file: tail_extractor.bias"),
        (
            "model.encoder.layer.0.output.dense.weight",
            "missing in the file: model.encoder.layer.0.output.dense.weight",
        ),
    ],
)
def test_missing_parameter(tmp_path, files, name, message):
    weights = {k: v for k, v in files[2].items() if k != name}
    with pytest.raises(DocreError, match=message):
        converted(tmp_path, files, weights)


def test_other_relations(tmp_path, files):
    other = relations_file(tmp_path / "other.json", RELATIONS + 1)
    with pytest.raises(DocreError, match="score 5 relations, and 6 are named: give --relations"):
        converted(tmp_path, files, files[2], relations=other)
    with pytest.raises(DocreError, match="score 5 relations, and 96 are named"):
        converted(tmp_path, files, files[2], relations=None)
    # of SSR-PU, six columns may be six relations without a threshold
    assert converted(tmp_path, files, files[2], "ssr_pu", relations=other)
    more = relations_file(tmp_path / "more.json", RELATIONS + 2)
    with pytest.raises(DocreError, match="score 5 relations, and 7 are named"):
        converted(tmp_path, files, files[2], "ssr_pu", relations=more)


def test_another_encoder(tmp_path, files):
    for config, message in (
        (config_of(HIDDEN, layers=2), r"missing in the file: model\.encoder\.layer\.1\."),
        (config_of(2 * HIDDEN), r"another encoder or other settings: .*, of shape \["),
    ):
        other = encoder_folder(tmp_path / f"other_{config['num_hidden_layers']}", config)
        with pytest.raises(DocreError, match=message):
            converted(tmp_path, files, files[2], encoder=other)
    with pytest.raises(DocreError, match="nowhere"):
        converted(tmp_path, files, files[2], encoder=str(tmp_path / "nowhere"))


def test_a_larger_tokenizer(tmp_path, files):
    config = config_of(HIDDEN, positions=64)
    other = encoder_folder(tmp_path / "more", config_of(HIDDEN, vocab=70))
    (tmp_path / "more" / "config.json").write_text(
        (tmp_path / "encoder" / "config.json").read_text()
    )
    with pytest.raises(DocreError, match=f"has 70 tokens, .* knows {config['vocab_size']}"):
        converted(tmp_path, files, files[2], encoder=other)


def test_weights_of_another_system(tmp_path, files):
    for system in ("ttm_re", "kd_docre", "docunet", "jerex"):
        with pytest.raises(DocreError, match=r"weights\.pt as weights of .*: there is no "):
            converted(tmp_path, files, files[2], system)


def test_top_k(tmp_path, files):
    assert converted(tmp_path, files, files[2]).contents.model.decoder.top_k == 4
    assert converted(tmp_path, files, files[2], dataset="cdr").contents.model.decoder.top_k == 1
    assert converted(tmp_path, files, files[2], top_k=0).contents.model.decoder.top_k == 0


@pytest.mark.parametrize("exact", [True, False])
def test_how_documents_are_read(exact):
    def of(dataset):
        return features(Setting({"model_type": "bert"}, 1, dataset, exact), "typed")

    assert of("docred").markers == "typed"
    assert (of("cdr").markers, of("gda").source) == ("mention", "words")
    assert of("chemdisgene").alignment == ("published" if exact else "corrected")
    assert all(
        of(dataset).max_tokens == (1024 if exact else None)
        for dataset in ("docred", "cdr", "gda", "chemdisgene")
    )


def test_roberta_ends_windows_twice():
    from docre.published.chassis import encoder

    for kind, ends in (("bert", 1), ("roberta", 2), ("deberta-v2", 2)):
        assert encoder(Setting({"model_type": kind}, 1))["init_args"]["end_tokens"] == ends
    assert "end_tokens" not in encoder(Setting({"model_type": "roberta"}, 1, exact=False))


def test_docunet_without_its_markers():
    weights = {
        "head_extractor.weight": torch.zeros(8, 4),
        "bilinear.weight": torch.zeros(3, 32),
        "bilinear.bias": torch.zeros(3),
        "liner.weight": torch.zeros(3, 4),
        "segmentation_net.inc.conv.double_conv.0.weight": torch.zeros(6, 3, 3, 3),
        "segmentation_net.outc.conv.weight": torch.zeros(5, 3, 1, 1),
    }
    convert_docunet = SYSTEMS["docunet"].convert
    known = convert_docunet(weights, Setting({"model_type": "bert"}, 2))
    lacking = convert_docunet(weights, Setting({"model_type": "roberta"}, 2, typed_markers=False))
    assert (known.features.markers, known.notes) == ("typed", ())
    assert lacking.features.markers == "entity"
    assert "[unused1]" in lacking.notes[0]


def test_values_that_there_are_not(tmp_path, files):
    with pytest.raises(DocreError, match="dataset: 'foo' is none of docred, cdr"):
        converted(tmp_path, files, files[2], dataset="foo")
    with pytest.raises(DocreError, match="top_k: at least 1, or 0 for no cap, not -3"):
        converted(tmp_path, files, files[2], top_k=-3)
    with pytest.raises(DocreError, match="system: 'foo' is none of atlop, "):
        convert("foo", tmp_path / "weights.pt", tmp_path / "model", encoder=files[0])


def test_the_place_is_looked_at_first(tmp_path, files):
    """Before weights are read, which takes a while."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    with pytest.raises(DocreError, match="it is kept"):
        convert("atlop", tmp_path / "none.pt", tmp_path / "model", encoder=files[0])


def test_command(tmp_path, files):
    encoder, relations, weights = files
    torch.save(weights, tmp_path / "weights.bin")
    told = Console(file=io.StringIO(), width=300)
    given = {"encoder": encoder, "relations": relations, "console": told}
    convert("atlop", tmp_path / "weights.bin", tmp_path / "model", **given)
    shown = told.file.getvalue()
    assert "left out, as it is never used: model.embeddings, model.pooler.dense" in shown
    assert str(tmp_path / "model") in shown
    card = (tmp_path / "model" / "README.md").read_text()
    assert "published weights of ATLOP (Zhou et al., 2021): `weights.bin`" in card
    assert read_model(tmp_path / "model").relations.names == tuple(f"P{k}" for k in range(1, 6))
    with pytest.raises(DocreError, match="there already"):
        convert("atlop", tmp_path / "weights.bin", tmp_path / "model", **given)
    convert("atlop", tmp_path / "weights.bin", tmp_path / "model", **given, overwrite=True)
    with pytest.raises(DocreError, match="--encoder NAME"):
        convert("atlop", tmp_path / "weights.bin", tmp_path / "other")


def test_names_on_the_shell():
    from typing import get_args

    from docre.published.command import SystemName

    assert get_args(SystemName) == tuple(SYSTEMS)
    assert "[unused1]" in SPECIAL
