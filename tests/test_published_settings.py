"""Every packaged configuration says what stands in the published scripts, read as plain YAML."""

import re
from functools import cache
from importlib import import_module
from inspect import signature

import pytest
import yaml

from docre.configs import config_folder, config_names, find_config
from docre.data.modules import ChemDisGene
from docre.data.modules.base import BatchSettings

PUBLISHED = [name for name in config_names() if "/" not in name and name != "quickstart.yaml"]
JOINT = {name.removesuffix(".yaml") for name in PUBLISHED if "jerex" in name}  # a test of its own

# What stands in the published scripts, by name: rate of encoder and head, weight decay, epochs,
# documents of a batch and outside of training, seed.
TRAINING = {
    "docred_atlop_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_atlop": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "redocred_atlop": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "cdr_atlop": (2e-5, 1e-4, 0, 30, 4, 4, 66),
    "gda_atlop": (2e-5, 1e-4, 0, 10, 4, 8, 66),
    "docred_s_pu_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_s_pu": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_ssr_pu_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_ssr_pu": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_ext_ssr_pu_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_ext_ssr_pu": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "redocred_ssr_pu_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "redocred_ssr_pu": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "chemdisgene_s_pu": (2e-5, 1e-4, 0, 30, 8, 8, 66),
    "chemdisgene_ssr_pu": (2e-5, 1e-4, 0, 30, 8, 8, 66),
    "redocred_ttm": (3e-5, 1e-5, 0.01, 30, 4, 4, 74),
    "redocred_ttm_pu": (3e-5, 1e-5, 0.01, 30, 4, 4, 74),
    "redocred_ttm_distant": (3e-5, 5e-5, 0.01, 2, 4, 4, 74),
    "redocred_ttm_finetune": (3e-5, 1e-5, 0.01, 30, 4, 4, 74),
    "redocred_ttm_deberta": (3e-5, 1e-5, 0.01, 30, 4, 4, 70),
    "redocred_ttm_deberta_distant": (3e-5, 5e-5, 0.01, 2, 4, 4, 70),
    "redocred_ttm_deberta_finetune": (3e-5, 1e-5, 0.01, 30, 4, 4, 70),
    "docred_ext_ttm": (3e-5, 1e-5, 0.01, 30, 4, 4, 66),
    "docred_ext_ttm_finetune": (3e-5, 1e-5, 0.01, 30, 4, 4, 66),
    "docred_ext_atlop": (3e-5, 1e-4, 0.01, 2, 8, 8, 67),
    "chemdisgene_ttm": (2e-5, 1e-4, 0.01, 2, 8, 8, 0),
    "docred_docunet_bert": (3e-5, 1e-4, 0, 30, 4, 4, 66),
    "docred_docunet": (3e-5, 1e-4, 0, 30, 2, 2, 111),
    "redocred_docunet": (3e-5, 1e-4, 0, 30, 2, 2, 111),
    "cdr_docunet": (3e-5, 1e-4, 0, 30, 4, 4, 111),
    "gda_docunet": (3e-5, 1e-4, 0, 10, 4, 4, 66),
    "docred_kd_docre_teacher_bert": (3e-5, 1e-4, 0, 50, 8, 8, 66),
    "docred_kd_docre_student_bert": (3e-5, 1e-4, 0, 50, 2, 2, 66),
    "docred_kd_docre_finetune_bert": (1e-6, 3e-6, 0, 10, 1, 1, 66),
    "docred_kd_docre_teacher": (3e-5, 1e-4, 0, 30, 4, 2, 9900),
    "docred_kd_docre_student": (1e-5, 5e-5, 0, 20, 1, 1, 73),
    "docred_kd_docre_finetune": (1e-6, 3e-6, 0, 20, 1, 1, 998),
    "redocred_kd_docre_teacher": (3e-5, 1e-4, 0, 30, 4, 2, 9900),
    "redocred_kd_docre_student": (1e-5, 5e-5, 0, 20, 1, 1, 73),
    "redocred_kd_docre_finetune": (1e-6, 3e-6, 0, 20, 1, 1, 998),
    "docred_dreeam_teacher_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_dreeam_student_bert": (3e-5, 1e-4, 0, 2, 4, 8, 66),
    "docred_dreeam_finetune_bert": (1e-6, 3e-6, 0, 10, 4, 8, 66),
    "docred_dreeam_teacher": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_dreeam_student": (1e-5, 5e-5, 0, 5, 4, 8, 66),
    "docred_dreeam_finetune": (1e-6, 3e-6, 0, 10, 4, 8, 66),
    "redocred_dreeam_teacher": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "redocred_dreeam_student": (1e-5, 5e-5, 0, 5, 4, 8, 66),
    "redocred_dreeam_finetune": (1e-6, 3e-6, 0, 10, 4, 8, 66),
    # COMM: those of the system that it is put on
    "redocred_comm_atlop": (3e-5, 1e-4, 0, 30, 4, 8, 66),
    "redocred_comm_atlop_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_comm_atlop_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_mixed_comm_atlop_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "docred_mixed_atlop_bert": (5e-5, 1e-4, 0, 30, 4, 8, 66),
    "cdr_comm_atlop": (2e-5, 1e-4, 0, 30, 4, 4, 66),
    "chemdisgene_comm_atlop": (2e-5, 1e-4, 0, 30, 8, 8, 66),
    "redocred_comm_docunet_bert": (3e-5, 1e-4, 0, 30, 4, 4, 66),
    "redocred_comm_kd_docre_bert": (3e-5, 1e-4, 0, 50, 8, 8, 66),
}
# Batches of an update, gradient clip, share of warm-up, where they are not 1, 1 and 0.06.
UPDATES = {
    "gda_atlop": (4, 1.0, 0.06),
    "docred_docunet": (2, 1.0, 0.06),
    "redocred_docunet": (2, 1.0, 0.06),
    "gda_docunet": (4, 1.0, 0.06),
    "docred_kd_docre_student_bert": (4, 5.0, 0.06),
    "docred_kd_docre_finetune_bert": (2, 2.0, 0.06),
    "docred_kd_docre_student": (4, 1.0, 0.06),
    "docred_kd_docre_finetune": (1, 1.0, 0.1),
    "redocred_kd_docre_student": (4, 1.0, 0.06),
    "redocred_kd_docre_finetune": (1, 1.0, 0.1),
    "docred_dreeam_student_bert": (2, 5.0, 0.06),
    "docred_dreeam_finetune_bert": (1, 2.0, 0.06),
    "docred_dreeam_student": (2, 5.0, 0.06),
    "docred_dreeam_finetune": (1, 2.0, 0.1),
    "redocred_dreeam_student": (2, 5.0, 0.06),
    "redocred_dreeam_finetune": (1, 2.0, 0.1),
}
# Loss: risk, margin, scale, prior multiple, floor; or nothing where the threshold is adaptive.
SSR, TTM = ("s-pu", 0.25, 0.25), ("s-pu", 1.0, 1.0, 1.0, 1e-9)
RISK = {
    "docred_s_pu_bert": ("s-pu", 1.0, 0.25, 3.0, 0.0),
    "docred_s_pu": ("s-pu", 1.0, 0.25, 3.0, 0.0),
    "docred_ssr_pu_bert": (*SSR, 3.0, 0.0),
    "docred_ssr_pu": (*SSR, 3.0, 0.0),
    "docred_ext_ssr_pu_bert": (*SSR, 12.0, 0.0),
    "docred_ext_ssr_pu": (*SSR, 12.0, 0.0),
    "redocred_ssr_pu_bert": (*SSR, 1.0, 0.0),
    "redocred_ssr_pu": (*SSR, 1.0, 0.0),
    "chemdisgene_s_pu": ("s-pu", 1.0, 0.25, 3.0, 0.0),
    "chemdisgene_ssr_pu": (*SSR, 3.0, 0.0),
    "redocred_ttm": TTM,
    "redocred_ttm_pu": ("pu", *TTM[1:]),
    "redocred_ttm_distant": TTM,
    "redocred_ttm_finetune": TTM,
    "redocred_ttm_deberta": TTM,
    "redocred_ttm_deberta_distant": TTM,
    "redocred_ttm_deberta_finetune": TTM,
    "docred_ext_ttm": ("s-pu", 1.0, 1.0, 36.0, 1e-9),
    "docred_ext_ttm_finetune": ("s-pu", 1.0, 1.0, 36.0, 1e-9),
    "chemdisgene_ttm": ("s-pu", 0.25, 1.0, 3.0, 1e-9),
}
# Most relations of a pair, by the first pattern that fits.
TOP_K = {
    "pu|ttm|docred_ext|chemdisgene": 0,
    "cdr|gda": 1,
    "docunet_bert": 3,
    "kd_docre_finetune$": 3,
    "": 4,
}
# Loss of each system, by the first pattern that fits; a risk has a table of its own.
LOSSES = {
    "comm": (
        "ConcentratedMarginLoss",
        {"form": "A", "optimal_margin": 0.2, "concentration": 1.4},
    ),  # our choice
    "docunet": ("BalancedSoftmaxLoss", {}),
    "kd_docre": ("AdaptiveFocalLoss", {"gamma": 1.0}),
    "atlop|dreeam": ("AdaptiveThresholdLoss", {}),
}
EXTRA_LOSSES = {
    "dreeam_student_bert": [("AttentionDistillation", 0.1)],
    "dreeam_student": [("AttentionDistillation", 0.05)],
    "dreeam.*bert": [("EvidenceLoss", 0.1)],
    "dreeam": [("EvidenceLoss", 0.05)],
    "kd_docre_student": [("LogitDistillation", 1.0)],
    "": [],
}
TEACHERS = {"kd_docre_student": "StoredScores", "dreeam_student": "OnlineTeacher", "": None}
# What is done to features of pairs, each with its layers and attention heads.
AXIAL, ONE_AXIAL, TOKENS = ("AxialTransformer", 6, 8), ("AxialTransformer", 1, 8), None
REFINEMENTS = {
    "comm_atlop": [TOKENS, ONE_AXIAL],
    "comm_docunet": [TOKENS],
    "comm_kd_docre": [AXIAL, TOKENS],
    "kd_docre": [AXIAL],
}
# Width of head and tail, and of the features of a pair.
WIDTHS = {
    "comm_(atlop|docunet)": (768, 768),
    "kd_docre.*bert": (1024, 768),
    "kd_docre": (1024, 1024),
    "": (768, None),
}
LAYERS = {name: 4 for name in RISK if "redocred_ttm" in name and "deberta" not in name}
LAYERS |= {name: 2 for name in RISK if "ttm" in name and name not in LAYERS}
LAST_EPOCH = {name for name in TRAINING if "ext" in name or "s_pu" in name or "ssr_pu" in name}
LAST_EPOCH -= {"redocred_ssr_pu", "redocred_ssr_pu_bert"}
LAST_EPOCH |= {"chemdisgene_comm_atlop"}  # as SSR-PU there
SELECTED_ON = {"chemdisgene_ttm": "loss"}
SELECTED_ON |= {name: "ign_f1" for name in TRAINING if "dreeam" in name}
ENCODERS = {
    "chemdisgene_ttm": "microsoft/BiomedNLP-BiomedBERT-large-uncased-abstract",
    "chemdisgene": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract",
    "cdr|gda": "allenai/scibert_scivocab_cased",
    "deberta": "microsoft/deberta-v3-large",
    "_bert": "bert-base-cased",
    "": "roberta-large",
}


def of(table, name):
    """Return what a table has for the first pattern that a name fits."""
    return next((value for pattern, value in table.items() if re.search(pattern, name)), None)


@cache
def read(name):
    return yaml.safe_load((config_folder() / f"{name}.yaml").read_text(encoding="utf-8"))


def class_of(part):
    """Return the name of a part's class."""
    return part["class_path"].rpartition(".")[2]


def argument(part, key):
    """Return what a part is given, or its own default."""
    module, _, name = part["class_path"].rpartition(".")
    own = signature(getattr(import_module(module), name)).parameters[key].default
    return part.get("init_args", {}).get(key, own)


PAIR_HEAD = {"class_path": "docre.heads.PairHead"}
LOCALIZED = {"class_path": "docre.context.LocalizedContext"}
BILINEAR = {"class_path": "docre.heads.GroupedBilinear"}
ATL = {"class_path": "docre.losses.AdaptiveThresholdLoss"}
BY_THRESHOLD = {"class_path": "docre.decoding.ThresholdDecoder"}
WARMUP = {"class_path": "docre.optim.LinearWarmup"}
ENCODER = {"class_path": "docre.encoder.Encoder"}


@pytest.fixture(params=TRAINING)
def name(request):
    return request.param


@pytest.fixture
def config(name):
    return read(name)


@pytest.fixture
def model(config):
    return config["model"]


@pytest.fixture
def head(model):
    return model.get("head", PAIR_HEAD).get("init_args", {})


def test_there_are_configurations():
    assert set(PUBLISHED) == {f"{name}.yaml" for name in (*TRAINING, *JOINT)}


def test_training_is_as_published(name, config):
    rates, trainer = config["model"]["rates"], config["trainer"]
    given = config["data"]["init_args"].get("batches", {})
    usual = 8 if config["data"]["class_path"].endswith(f".{ChemDisGene.__name__}") else 4
    batches = BatchSettings(**given).or_else(usual)
    assert TRAINING[name] == (
        rates["encoder"]["lr"],
        rates["head"]["lr"],
        rates["head"].get("weight_decay", 0),
        trainer["max_epochs"],
        batches.batch_size,
        batches.eval_batch_size,
        config["seed_everything"],
    )
    assert len({rate.get("weight_decay", 0) for rate in rates.values()}) == 1
    schedule = config["model"].get("schedule", WARMUP)
    assert UPDATES.get(name, (1, 1.0, 0.06)) == (
        trainer.get("accumulate_grad_batches", 1),
        trainer.get("gradient_clip_val", 1.0),
        argument(schedule, "warmup"),
    )
    assert config["data"]["init_args"]["tokenizer"] == of(ENCODERS, name)
    chosen = None if name in LAST_EPOCH else SELECTED_ON.get(name, "f1")
    assert config.get("select_on", "f1") == chosen
    mode = config.get("checkpoint", {}).get("mode", "max")
    assert mode == ("min" if chosen == "loss" else "max")


def test_losses_and_decoder_are_as_published(name, model):
    loss = model.get("loss", ATL)
    if name in RISK:
        keys = ("risk", "margin", "scale", "prior_multiple", "prior_floor")
        assert RISK[name] == tuple(argument(loss, key) for key in keys)
        assert (argument(loss, "class_weight"), argument(loss, "correction")) == ("sqrt", "flip")
    else:
        known, settings = of(LOSSES, name)
        assert class_of(loss) == known
        assert {key: argument(loss, key) for key in settings} == settings
    extra = [(class_of(one), argument(one, "weight")) for one in model.get("extra_losses", [])]
    assert extra == of(EXTRA_LOSSES, name)
    decoder = model.get("decoder", BY_THRESHOLD)
    above_zero = "docunet" in name and "comm" not in name
    assert class_of(decoder) == ("ZeroDecoder" if above_zero else "ThresholdDecoder")
    assert argument(decoder, "top_k") == of(TOP_K, name)


def test_parts_are_as_published(name, model, head):
    encoder = model.get("encoder", ENCODER)
    assert argument(encoder, "layers") == (3 if "dreeam" in name else 1)
    width, features = of(WIDTHS, name)
    assert head.get("width", 768) == width
    rates = model["rates"]
    context = head.get("context", LOCALIZED)
    if "docunet" in name:
        assert class_of(context) == "UNetContext"
        assert [argument(context, key) for key in ("channels", "down", "out")] == [3, 256, 256]
        assert rates["context"]["lr"] == 4e-4
    else:
        assert class_of(context) == "LocalizedContext"
        assert argument(context, "eps") == pytest.approx(eps_of(name), rel=1e-3, abs=0)
        assert "context" not in rates
    classifier = head.get("classifier", BILINEAR)
    assert argument(classifier, "block_size") == 64
    refinements = of(REFINEMENTS, name)
    if refinements is None:
        assert class_of(classifier) == "GroupedBilinear"
        assert argument(classifier, "learned_threshold") == ("_s_pu" not in name)
    else:
        assert class_of(classifier) == "RefinedClassifier"
        assert argument(classifier, "features") == features
        assert [refinement_of(one) for one in argument(classifier, "refinements")] == refinements
    # KD-DocRE's axial layers are among the parameters of the encoder
    assert rates.get("refinement") == (rates["encoder"] if "kd_docre" in name else None)
    if name in LAYERS:
        memory = head["memory"]
        assert class_of(memory) == "TokenTuringReader"
        found = [argument(memory, key) for key in ("slots", "layers", "axis")]
        assert found == [200, LAYERS[name], "slots"]
        assert head["shared_extractor"]
        assert rates["memory"] == rates["encoder"]
    else:
        assert "memory" not in head
        assert not head.get("shared_extractor", False)


def eps_of(name):
    """Return what is added to the mean over attention heads; KD-DocRE adds them up instead."""
    if "kd_docre" in name:
        return 1e-10 / (12 if "bert" in name else 16)
    return 1e-30 if "dreeam" in name else 1e-5


def refinement_of(part):
    if class_of(part) == "InstanceReasoning":
        return TOKENS
    return class_of(part), argument(part, "layers"), argument(part, "attention_heads")


def test_data_are_as_published(name, config):
    data = config["data"]
    files = data["init_args"]
    features = files.get("features", {})
    markers = None
    if re.search("docred.*docunet", name):
        # [unused1] and so on are no tokens of RoBERTa
        markers = "typed" if "bert" in name else "entity"
    assert features.get("markers") == markers
    named = [files.get(split) for split in ("train", "dev", "test", "facts")]
    revised = ["dev_revised.json", "test_revised.json"]
    if re.search("redocred_(kd_docre|dreeam)_student", name):
        assert named == ["train_distant.json", *revised, "train_revised.json"]
        assert files["reading"]["on_error"] == "fix"
    elif "student" in name:
        assert class_of(data) == "DocREDDistant"
    elif "mixed" in name:
        assert named == ["train_annotated.json", *revised, None]
    elif "ext" not in name and "distant" not in name:
        known = {"redocred": "ReDocRED", "chemdisgene": "ChemDisGene", "cdr": "CDR", "gda": "GDA"}
        incomplete = "DocREDFiles" if re.search("docred_s(sr)?_pu", name) else "DocRED"
        expected = of(known, name) or incomplete
        assert class_of(data) == expected


def test_stages_build_on_one_another(name, model):
    teacher = model.get("teacher")
    assert (teacher and class_of(teacher)) == of(TEACHERS, name)
    if teacher is not None:
        (path,) = (v for v in teacher["init_args"].values() if isinstance(v, str))
        assert path.startswith(f"runs/{name.replace('student', 'teacher')}/version_0")
        assert name.replace("student", "teacher") in TRAINING
    if re.search("(kd_docre|dreeam)_finetune", name):
        before = name.replace("finetune", "student")
        assert model["init_from"] == f"runs/{before}/version_0"
        assert before in TRAINING
    elif "ttm" not in name:
        assert "init_from" not in model


@pytest.mark.parametrize("name", PUBLISHED)
def test_commands_in_headers_name_what_is_there(name):
    text = (config_folder() / name).read_text(encoding="utf-8")
    words = re.findall(r"(?:docre chain |first: |stage \d: |--config )(\S+?\.yaml)", text)
    assert name in words
    assert all(find_config(word) == config_folder() / word for word in words)
