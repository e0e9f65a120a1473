"""``docre fit``, ``validate``, ``test`` and ``predict``, from the command line to the files."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import chdir
from pathlib import Path

import msgspec
import pytest
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from docre import Document, read_documents, score, write_documents
from docre.callbacks.checkpoint import WholeCheckpoints
from docre.cli import main
from docre.data.cache import file_hash
from docre.data.formats.official import read_predictions
from docre.data.modules import SyntheticDocRED
from docre.model import DocREModel
from docre.scoring import Facts, Gold
from docre.training import run
from tests.test_model import logits_of

ROOT = Path(__file__).resolve().parents[1]
TINY = """
# A tiny model on a few made-up documents.
seed_everything: 7
model:
  encoder:
    class_path: docre.encoder.Encoder
    init_args:
      config:
        model_type: bert
        vocab_size: 900
        hidden_size: 16
        num_hidden_layers: 1
        num_attention_heads: 2
        intermediate_size: 32
        max_position_embeddings: 512
  head:
    class_path: docre.heads.PairHead
    init_args:
      width: 16
      memory:
        class_path: docre.memory.TokenTuringReader
        init_args: {slots: 5, layers: 1, attention_heads: 2}
      classifier:
        class_path: docre.heads.GroupedBilinear
        init_args: {block_size: 4}
  loss:
    class_path: docre.losses.PositiveUnlabelledLoss
    init_args: {risk: s-pu, prior_multiple: 3.0}
  rates:
    encoder: {lr: 2.0e-3}
    head: {lr: 2.0e-3}
data:
  class_path: docre.data.modules.SyntheticDocRED
  init_args:
    data_dir: data
    train_documents: 24
    dev_documents: 8
    test_documents: 8
    vocabulary_size: 900
    reading: {cache_dir: cache}
dashboard: {drawings: 0}  # pictures take longer than the training
trainer:
  accelerator: cpu
  devices: 1
  max_epochs: 3
  log_every_n_steps: 2
"""


def quietly(*arguments):
    """Run a command here; it must not warn of anything."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run([str(argument) for argument in arguments])
    assert [str(warning.message) for warning in caught] == []


def failing(capsys, *arguments):
    """Run a command that fails and return its exit code and message."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code, capsys.readouterr().err


def process(*arguments, cwd, timeout=200):
    """Run a command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "docre", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def scalars(folder):
    """What TensorBoard shows of a run: (step, value) by name."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def weights(checkpoint):
    return torch.load(checkpoint, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a configuration, its data and a trained run."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "tiny.yaml").write_text(TINY)
    with chdir(folder):
        quietly("fit", "--config", "tiny.yaml")
    return folder


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace


@pytest.fixture(scope="module")
def trained(workplace):
    return workplace / "runs" / "tiny" / "version_0"


@pytest.fixture(scope="module")
def data(workplace):
    with chdir(workplace):
        config = msgspec.yaml.decode(TINY)["data"]["init_args"] | {"reading": None}
        made = SyntheticDocRED(**config)
        made.fetch()
        made.files = {split: path.absolute() for split, path in made.files.items()}
    return made


@pytest.fixture
def fresh(here, tmp_path):
    """Arguments for a short run in a folder of its own."""
    logger = f"--trainer.logger.init_args.save_dir={tmp_path / 'runs'}"
    return ["fit", "--config", "tiny.yaml", logger], tmp_path / "runs" / "tiny" / "version_0"


# --- what a run leaves behind ---------------------------------------------------------------------


def test_files_of_a_run(workplace, trained, data):
    left = {p.relative_to(trained).as_posix() for p in trained.rglob("*") if p.is_file()}
    events = {name for name in left if name.startswith("events.out.tfevents")}
    assert len(events) == 1
    checkpoints = {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    config = {"config.yaml", "run.json", "relations.json"}
    drawn = ("scores", "hparams/events.out.tfevents", "projector")
    assert {name for name in left - events if not name.startswith(drawn)} == (
        checkpoints | config | {"hparams.yaml"}
    )
    others = {path.name for path in workplace.iterdir()}
    assert others == {"tiny.yaml", "data", "cache", "runs"}
    relations = json.loads((trained / "relations.json").read_text())
    assert list(relations) == list(data.relations)
    assert all(relations.values())
    written = msgspec.yaml.decode((trained / "config.yaml").read_bytes())
    assert written["seed_everything"] == 7
    assert written["model"]["head"]["init_args"]["memory"]["init_args"]["slots"] == 5


def test_run_record(trained, data):
    known = json.loads((trained / "run.json").read_text())
    assert known["seed"] == 7
    assert known["parent"] is None
    assert known["checkpoint"] is None
    assert known["types"] == list(data.types)
    assert known["features"]["markers"] == "entity"
    assert {"docre", "torch", "lightning", "transformers", "python"} <= set(known["versions"])
    assert known["git"].keys() == {"docre", "folder"}
    for split in ("train", "dev"):
        assert known["data"][split]["xxh3_128"] == file_hash(data.files[split])
    assert known["data"]["train"]["documents"] == 24


def test_what_tensorboard_shows(trained):
    shown = scalars(trained)
    for name in ("train/loss", "train/loss/positive", "train/loss/negative", "train/grad_norm"):
        assert [step for step, _ in shown[name]] == [1, 3, 5, 7, 9, 11, 13, 15, 17]
    assert {"lr/encoder", "lr/memory", "lr/head"} <= set(shown)
    assert {"throughput/documents", "throughput/tokens", "throughput/pairs"} <= set(shown)
    for name in ("val/f1", "val/ign_f1", "val/loss", "train/predicted"):
        assert len(shown[name]) == 3
    rates = [value for _, value in shown["lr/head"]]
    assert rates == pytest.approx([2e-3 * (18 - step) / 17 for step in range(1, 18, 2)])


def test_the_score_of_the_best_checkpoint_is_the_logged_one(here, trained):
    quietly("validate", "--run", trained)
    found = json.loads((trained / "scores" / "dev.json").read_text())
    best = max(value for _, value in scalars(trained)["val/f1"])
    assert best > 0
    assert found["scores"]["f1"] == pytest.approx(best, rel=1e-6)
    assert found["split"] == "dev"


def test_a_score_says_all_about_itself(here, trained, data, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    quietly("test", "--run", trained, "--seed_everything", "3")
    found = json.loads((trained / "scores" / "test.json").read_text())
    best = trained / "checkpoints" / "best.ckpt"
    assert found["checkpoint"]["file"] == str(best)
    assert found["checkpoint"]["sha256"] == hashlib.sha256(best.read_bytes()).hexdigest()
    assert found["data"]["module"] == "SyntheticDocRED"
    assert found["data"]["test"]["xxh3_128"] == file_hash(data.files["test"])
    assert found["data"]["test"]["documents"] == 8
    facts = Facts.from_documents(read_documents(data.files["train"]), "train.json").label
    assert found["facts"] == [
        {"name": facts.name, "count": facts.count, "checksum": facts.checksum}
    ]
    assert found["seed"] == 7  # that of the training
    assert found["parent"] is None
    assert found["versions"]["torch"] == torch.__version__
    assert found["split"] == "test"
    assert "relation/works_for/f1" in found["scores"]
    # nothing is left outside of the run
    assert {p.name for p in here.iterdir()} == {"tiny.yaml", "data", "cache", "runs"}
    assert [p.name for p in (here / "runs" / "tiny").iterdir()] == ["version_0"]


def test_predictions_in_all_formats_and_their_score(here, trained, data, tmp_path):
    for name in ("p.json", "p.zip", "p.jsonl"):
        quietly("predict", "--run", trained, "--output", tmp_path / name)
    predictions = read_predictions(tmp_path / "p.json")
    assert predictions == read_predictions(tmp_path / "p.zip")
    documents = read_documents(data.files["test"])
    facts = Facts.from_documents(read_documents(data.files["train"]), "train.json")
    scores = score(predictions, Gold.compile(documents, facts))
    quietly("test", "--run", trained)
    found = json.loads((trained / "scores" / "test.json").read_text())["scores"]
    assert found["f1"] == scores.f1
    assert found["predicted"] == len(predictions)
    assert found["f1"] > 0
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [made.id for made in documents]
    listed = {(x["id"], t["head"], t["tail"], t["relation"]) for x in lines for t in x["triples"]}
    assert listed == {p[:4] for p in predictions}
    for line, made in zip(lines, documents, strict=True):
        for triple in line["triples"]:
            assert triple["head_name"] == made.surface(made.entities[triple["head"]].mentions[0])
            assert triple["relation_name"] == data.relations.descriptions[triple["relation"]]
            assert triple["margin"] >= 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.json", "p.jsonl", "p.zip"]


def test_predictions_lie_in_the_run_folder_unless_told(here, trained):
    quietly("predict", "--run", trained)
    found = trained / "predictions.jsonl"
    assert len(found.read_text().splitlines()) == 8
    found.unlink()


def test_documents_of_ones_own(here, trained, data, tmp_path):
    text = "Mona Lind works for the Harbour Office. It lies in Tarn."
    spans = {"mona": [(0, 9)], "office": [(24, 38), (40, 42)], "tarn": [(51, 55)]}
    made = Document.from_text("mine", text, spans, types=["PER", "ORG", "PLANET"])
    lonely = Document.from_text("lonely", "Nobody is here.", {})
    file, output = tmp_path / "mine.jsonl", tmp_path / "out.jsonl"
    write_documents(file, [made, lonely])
    quietly("predict", "--run", trained, "--documents", file, "--output", output)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["mine", "lonely"]
    assert lines[1]["triples"] == []
    known = set(data.relations)
    assert all(triple["relation"] in known for triple in lines[0]["triples"])
    names = {triple["head_name"] for triple in lines[0]["triples"]}
    assert names <= {"Mona Lind", "Harbour Office", "Tarn"}
    # as the model says when it is asked directly
    model = DocREModel.load_from_checkpoint(trained / "checkpoints" / "best.ckpt").eval()
    data.featurizer  # noqa: B018 - the tokenizer of the run
    from docre.data.collate import Collate
    from docre.data.columns import to_record_batch
    from docre.data.feature_table import FeatureTable

    with chdir(here):
        rows = data.featurizer([made])
    batch = Collate()(FeatureTable.from_batches([to_record_batch(rows)])[[0]])
    logits = logits_of(model, batch)
    expected = int((logits[:, 1:] > logits[:, :1]).sum())
    assert len(lines[0]["triples"]) == expected


def test_the_command_line_counts_more_than_the_checkpoint(here, trained):
    quietly("test", "--run", trained)
    usual = json.loads((trained / "scores" / "test.json").read_text())["scores"]["predicted"]
    few = ["--model.decoder", "docre.decoding.ThresholdDecoder"]
    quietly("test", "--run", trained, *few, "--model.decoder.init_args.top_k", "2")
    narrow = json.loads((trained / "scores" / "test.json").read_text())["scores"]["predicted"]
    assert 0 < narrow < usual


def test_a_run_needs_neither_data_nor_arguments_to_be_loaded(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = trained / "checkpoints" / "best.ckpt"
    torch.load(path, weights_only=True)
    model = DocREModel.load_from_checkpoint(path)
    found = model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in weights(path).items())
    assert not list(tmp_path.iterdir())


# --- settings -------------------------------------------------------------------------------------


def best_of(folder):
    known = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    (state,) = (s for name, s in known["callbacks"].items() if name.startswith("RunCheckpoint"))
    return known["epoch"], state


def test_selection_by_another_score(fresh):
    arguments, folder = fresh
    quietly(*arguments, "--select_on", "ign_f1")
    epoch, state = best_of(folder)
    assert state["monitor"] == "val/ign_f1"
    values = [value for _, value in scalars(folder)["val/ign_f1"]]
    assert float(state["best_model_score"]) == pytest.approx(max(values))
    assert epoch == values.index(max(values))


def test_no_selection_keeps_the_last_epoch(fresh):
    arguments, folder = fresh
    quietly(*arguments, "--select_on", "null", "--trainer.max_epochs", "2")
    epoch, state = best_of(folder)
    assert (epoch, state["monitor"]) == (1, None)
    best, last = (weights(folder / "checkpoints" / f"{name}.ckpt") for name in ("best", "last"))
    assert all(torch.equal(best[name], last[name]) for name in best)


STILL = ["--model.rates.encoder.lr", "0", "--model.rates.head.lr", "0"]


@pytest.mark.parametrize(("patience", "epochs"), [(None, 5), ("2", 3)])
def test_early_stopping_is_off_until_asked_for(fresh, patience, epochs):
    arguments, folder = fresh
    chosen = [] if patience is None else ["--stop_early.patience", patience]
    quietly(*arguments, *STILL, "--trainer.max_epochs", "5", *chosen)
    assert len(scalars(folder)["val/f1"]) == epochs


def test_training_without_a_development_split(fresh, data, capsys):
    arguments, folder = fresh
    own = [
        *("--data", "docre.data.modules.DocREDFormat"),
        *("--data.init_args.train_file", data.files["train"]),
        *("--data.init_args.tokenizer", data.vocabulary.absolute()),
        "--data.init_args.reading.cache_dir=cache",
        *("--trainer.max_epochs", "1"),
    ]
    quietly(*arguments, *own)
    assert (folder / "checkpoints" / "best.ckpt").exists()
    assert "val/f1" not in scalars(folder)
    for command, split in (("validate", "dev"), ("test", "test"), ("predict", "test")):
        code, message = failing(capsys, command, "--run", folder)
        assert (code, message.count("\n")) == (1, 1)
        assert f"has no {split} file (it has: train)" in message
    capsys.readouterr()
    code, message = failing(capsys, *arguments, *own, "--stop_early.patience", "2")
    assert (code, message.count("\n")) == (1, 1)
    assert "stop_early.patience: the data have no dev file" in message


def test_resuming_a_run(fresh):
    arguments, folder = fresh
    quietly(*arguments, "--trainer.max_epochs", "1")
    last = folder / "checkpoints" / "last.ckpt"
    again = ["fit", "--config", folder / "config.yaml", "--ckpt_path", last]
    quietly(*again, "--trainer.max_epochs", "3")
    second = folder.with_name("version_1")
    assert [step for step, _ in scalars(second)["train/loss"]] == [7, 9, 11, 13, 15, 17]
    known = torch.load(second / "checkpoints" / "last.ckpt", weights_only=True)
    assert (known["epoch"], known["global_step"]) == (2, 18)


FREEZE = """
model:
  init_from: PARENT
trainer:
  max_epochs: 2
  callbacks:
    - class_path: docre.callbacks.FreezeModules
      init_args: {modules: [head.memory]}
data:
  init_args:
    noise: {keep_labels: 0.5}
"""


def test_two_stages(here, trained, tmp_path, monkeypatch):
    parent = tmp_path / "parent"
    shutil.copytree(trained / "checkpoints", parent / "checkpoints")
    (tmp_path / "second.yaml").write_text(FREEZE.replace("PARENT", str(parent)))
    logger = f"--trainer.logger.init_args.save_dir={tmp_path / 'runs'}"
    quietly("fit", "-c", "tiny.yaml", "-c", tmp_path / "second.yaml", logger)
    child = tmp_path / "runs" / "tiny" / "version_0"
    best = parent / "checkpoints" / "best.ckpt"
    known = json.loads((child / "run.json").read_text())["parent"]
    assert known["path"] == str(best)
    assert known["xxh3_128"] == file_hash(best)
    before, after = weights(best), weights(child / "checkpoints" / "last.ckpt")
    same = {name for name in before if torch.equal(before[name], after[name])}
    memory = {name for name in before if name.startswith("head.memory.")}
    assert memory
    assert memory <= same
    assert {"encoder.model.embeddings.word_embeddings.weight", "head.classifier.weight"}.isdisjoint(
        same
    )
    ratio = after["loss.priors"].sum() / before["loss.priors"].sum()
    assert float(ratio) == pytest.approx(0.5, abs=0.05)
    shutil.rmtree(parent)
    quietly("test", "--run", child)
    found = json.loads((child / "scores" / "test.json").read_text())
    assert found["parent"] == known
    # and training goes on without it, too
    resumed = ["--ckpt_path", child / "checkpoints" / "last.ckpt", "--trainer.max_epochs", "3"]
    quietly("fit", "-c", child / "config.yaml", *resumed)
    again = json.loads((child.with_name("version_1") / "run.json").read_text())
    assert again["parent"] == known


BRICKS = '''
"""Parts of one's own."""
import torch
from torch import nn
from docre.heads import Head
from docre.losses import Loss, LossPart, LossParts
from docre.memory import MemoryReader
from docre.outputs import HeadOutput


class MyMemory(MemoryReader):
    def __init__(self, width: int, size: int = 3) -> None:
        super().__init__(width)
        self.slots = nn.Parameter(torch.randn(size, width))

    def forward(self, head, tail, pair_doc):
        return head + self.slots.mean(0), tail


class MyHead(Head):
    def __init__(self, in_features: int, num_relations: int, hidden: int = 8) -> None:
        super().__init__(in_features, num_relations)
        self.inner = nn.Linear(in_features, hidden)
        self.outer = nn.Linear(hidden, 1 + num_relations)

    def forward(self, encoded, batch):
        states = encoded.token_states[batch.pair_doc, 0]
        return HeadOutput(self.outer(self.inner(states).relu()))


class MyLoss(Loss):
    def __init__(self, priors=None, *, power: float = 1.0) -> None:
        super().__init__(priors)
        self.power = power

    def forward(self, output, targets):
        wrong = (output.logits.sigmoid() - targets.labels).abs() ** self.power
        return LossParts({"mine": LossPart(wrong.mean(1))})
'''


def test_parts_of_ones_own(here, fresh, tmp_path, monkeypatch):
    package = tmp_path / "packages" / "mypkg"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BRICKS)
    monkeypatch.syspath_prepend(package.parent)
    arguments, folder = fresh
    short = ["--trainer.max_epochs", "1"]
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(
        "model:\n"
        "  head: {class_path: mypkg.MyHead, init_args: {hidden: 5}}\n"
        "  loss: {class_path: mypkg.MyLoss}\n"
    )
    quietly(*arguments, "-c", overlay, *short, "--model.loss.init_args.power", "2")
    assert weights(folder / "checkpoints" / "best.ckpt")["head.inner.weight"].shape == (5, 16)
    assert "train/loss/mine" in scalars(folder)
    quietly("test", "--run", folder)
    assert (folder / "scores" / "test.json").exists()
    quietly(*arguments, *short, "--model.head.init_args.memory", "mypkg.MyMemory")
    second = folder.with_name("version_1")
    assert "head.memory.slots" in weights(second / "checkpoints" / "best.ckpt")
    quietly("predict", "--run", second)


# --- errors and help ------------------------------------------------------------------------------


def one_line(capsys, *arguments):
    code, message = failing(capsys, *arguments)
    assert code == 1
    assert message.startswith("docre: error: ")
    assert "Traceback" not in message
    return message.removeprefix("docre: error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--config", "tyni.yaml"], "no such config: tyni.yaml"),
        (["test", "--run", "data"], "data is not a run folder"),
        (["test", "--run", "runs/tiny"], "the last is runs/tiny/version_0"),
        (["test", "--run", "runs"], "the last is runs/tiny/version_0"),
        (["test", "--config", "tiny.yaml"], "docre test needs a trained model: --run FOLDER"),
        (["validate", "--config", "tiny.yaml"], "docre validate needs a trained model"),
        (["predict", "--config", "tiny.yaml"], "docre predict needs a trained model"),
        (["test", "-c", "tiny.yaml", "--ckpt_path", "no.ckpt"], "--ckpt_path: no such file"),
        (["predict", "--run", "RUN", "--output", "p.txt"], "must end in one of .jsonl"),
        (
            ["fit", "-c", "tiny.yaml", "--model.head.init_args.classifier.init_args.block_size=5"],
            "model.head: block_size 5 does not divide the width 16",
        ),
        (
            ["fit", "-c", "tiny.yaml", "--data.init_args.batches={batch_size: 2, pair_budget: 9}"],
            "batches: give either batch_size or budgets, not both",
        ),
        (
            ["fit", "-c", "tiny.yaml", "--data=DocREDFormat", "--data.init_args.train_file=no"],
            "train_file: no such file no",
        ),
        (
            ["fit", "-c", "tiny.yaml", "--model.encoder.init_args.config.vocab_size=40"],
            "the encoder knows 40",
        ),
    ],
)
def test_errors_are_one_message(here, trained, capsys, arguments, message):
    typed = [word.replace("RUN", str(trained)) for word in arguments]
    before = {path for path in here.rglob("*") if "cache" not in path.parts}
    assert message in one_line(capsys, *typed)
    after = {path for path in here.rglob("*") if "cache" not in path.parts}
    for path in after - before:  # a log may have begun
        assert "runs" in path.parts
    for path in sorted((here / "runs" / "tiny").glob("version_[1-9]*")):
        shutil.rmtree(path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu(here, capsys):
    message = one_line(capsys, "fit", "-c", "tiny.yaml", "--trainer.accelerator", "gpu")
    assert "--trainer.accelerator cpu" in message


@pytest.mark.parametrize("key", ["model.haed", "data.init_args.batches.size", "trainer.epochs"])
def test_unknown_keys_are_named(here, tmp_path, capsys, key):
    *parents, last = key.split(".")
    text = f"{{{last}: 3}}"
    for parent in reversed(parents):
        text = f"{{{parent}: {text}}}"
    (tmp_path / "odd.yaml").write_text(text)
    code, message = failing(capsys, "fit", "-c", "tiny.yaml", "-c", tmp_path / "odd.yaml")
    assert code == 2
    assert last in message
    assert len(message.splitlines()) < 25
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("fit", ["--config NAME", "--model.head", "--select_on", "--stop_early.patience"]),
        ("validate", ["--run FOLDER", "--model.decoder"]),
        ("test", ["--run FOLDER", "--data"]),
        ("predict", ["--run FOLDER", "--documents FILE", "--output FILE", ".zip"]),
    ],
)
def test_help(trained, command, words, capsys):
    # docre predict alone is the one that takes a model and files
    run = ["--run", str(trained)] if command == "predict" else []
    with pytest.raises(SystemExit) as caught:
        main([command, *run, "--help"])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.err) == (0, "")
    flat = " ".join(shown.out.split())
    assert f"usage: docre {command}" in flat
    assert all(word in flat for word in words)


@pytest.mark.slow
def test_processes_say_nothing_but_progress(workplace, trained, tmp_path):
    shutil.copy(workplace / "tiny.yaml", tmp_path)
    done = process("fit", "-c", "tiny.yaml", "--trainer.max_epochs", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for expected in ("checkpoint", "tensorboard --logdir", "docre test --run"):
        assert expected in done.stdout
    next_command = done.stdout.split("docre test")[1].split()
    done = process("test", *next_command[:2], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Ign F1" in done.stdout
    assert "without train.json" in done.stdout


# --- checkpoints ----------------------------------------------------------------------------------


def test_how_checkpoints_are_written(here, trained):
    words = ["test", "--run", str(trained)]
    assert type(run(words).trainer.strategy.checkpoint_io) is WholeCheckpoints
    chosen = "--trainer.plugins=tests.test_training.Chosen"
    assert type(run([*words, chosen]).trainer.strategy.checkpoint_io) is Chosen


class Chosen(TorchCheckpointIO):
    """Somebody's own way."""


def test_a_damaged_checkpoint_is_one_line(here, trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    broken = tmp_path / "run" / "checkpoints" / "best.ckpt"
    broken.write_bytes(broken.read_bytes()[:5000])
    logger = f"--trainer.logger.init_args.save_dir={tmp_path / 'runs'}"
    for words in (
        ["fit", "--config", "tiny.yaml", logger, "--ckpt_path", broken],
        ["test", "--config", "tiny.yaml", "--trainer.logger=false", "--ckpt_path", broken],
        ["predict", "--run", broken.parents[1], "--output", tmp_path / "out.json"],
    ):
        code, said = failing(capsys, *words)
        assert code == 1
        assert f"docre: error: {broken} is no checkpoint that can be read" in said
        assert "Traceback" not in said
