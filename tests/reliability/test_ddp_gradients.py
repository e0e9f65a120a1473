"""Two processes take the steps of one, in every packaged configuration.

Each configuration is built as ``docre fit`` builds it, but small, in float64 and without dropout.
Two ranks of DistributedDataParallel share the documents unevenly (three and one that has no pair,
then one that has no label and two), and loss, what is logged and every gradient are those of one
process with all documents. ``find_unused_parameters`` is off, as with ``trainer.strategy=ddp``:
a parameter that the first step does not reach on some rank would end the second one.
"""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import lightning
import pytest
import torch

from docre import training
from docre.data.writing import write_documents
from docre.documents import Document, Entity, Mention
from tests.reliability.ddp_worker import Case
from tests.reliability.extent import LONG
from tests.test_configs import (
    FAST,
    OVERLAYS,
    TRAINED,
    WORDS,
    command_of,
    content,
    labelled_everywhere,
    shape,
    taught,  # noqa: F401 - a fixture
    tiny,
    without_fetching,
    without_parent,
)
from tests.test_configs import workplace as toy_files  # noqa: F401 - a fixture

pytestmark = pytest.mark.reliability
ROOT = Path(__file__).resolve().parents[2]
EXACT = 1e-12
# what is said of training without changing what is computed
BESIDE = ("rates", "optimizer", "schedule", "init_from", "encoder", "decoder", "thresholds")


def of_other_kinds(names, parts_of):
    """Leave out the names that have the same parts and options as another, with other numbers."""
    kinds = {}
    for name in sorted(names, key=lambda name: "docred" not in name):
        kinds.setdefault(parts_of(name), name)
    return names if LONG else list(kinds.values())


def kind(name):
    """Return classes, options and words of a configuration's model, and what freezes it."""
    said = content(name)
    model = {key: value for key, value in said.get("model", {}).items() if key not in BESIDE}
    words = {(path, str(value)) for path, value in texts(model)}
    frozen = "FreezeModules" in str(said.get("trainer"))
    return frozenset(shape(model)) | words | {said.get("model_class"), frozen}


def texts(tree, path=()):
    """Yield the words and switches of a configuration, with their places."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from texts(value, (*path, key))
    elif isinstance(tree, str | bool):
        yield path, tree


def kind_over(name):
    """Return the same of an overlay, whose base counts too; no layer is another kind than some."""
    return kind(name) | {("base", command_of(name)[2]), ("layers_0" in name)}


SYSTEMS = of_other_kinds(TRAINED, kind)
LAID_OVER = of_other_kinds(
    [name for name in OVERLAYS if "model" in content(name) and "/encoder/" not in name], kind_over
)
# without the sums over ranks behind these names, ranks that differ must be found
OWN = {
    "own means": ("docred_atlop.yaml", "docre.losses.base.world_size"),
    "own statistics": ("docred_docunet_bert.yaml", "docre.context.cell_normalisation.world_size"),
}


class Stopped(Exception):
    """Training would begin now."""


class Stop(lightning.Callback):
    """Takes a model and its documents when training begins."""

    def on_train_start(self, trainer, pl_module):
        data = trainer.datamodule
        table, collate = data.table("train"), data.train_dataloader().collate_fn
        steps = [
            [collate(table[rows]) for rows in ((*first, *second), first, second)]
            for first, second in uneven(table)
        ]
        raise Stopped(pl_module, steps)


def uneven(table):
    """Return the rows that both ranks have in two steps."""
    labels = table.lists("label_relation")
    plain = [row for row in range(len(table)) if len(labels[row])]
    bare = [row for row in range(len(table)) if not len(labels[row])]
    bare.sort(key=lambda row: table.num_pairs[row])
    nothing, *others, silent = bare if len(bare) > 1 else plain[-2:]
    return [(plain[:3], [nothing]), ([silent], [plain[3], *others, plain[4]])]


class Stopping(training.DocRECLI):
    @staticmethod
    def subcommands():
        return {"fit": training.LightningCLI.subcommands()["fit"]}

    def before_fit(self):
        super().before_fit()
        self.trainer.callbacks.append(Stop())


def built(arguments, patch):
    """Return the model and the batches of a command, made by the command itself."""

    patch.setattr(training, "SUMMARIES", {"fit": training.SUMMARIES["fit"]})
    with pytest.raises(Stopped) as caught:
        training.run(arguments, Stopping)
    model, steps = caught.value.args
    # factories are functions and trainers are large: neither goes to another process
    for name in [name for name in vars(model) if name.startswith("_make_")]:
        setattr(model, name, None)
    for module in model.modules():
        for name in [name for name, value in vars(module).items() if isinstance(value, partial)]:
            setattr(module, name, None)
    model._trainer, model._hparams, model._hparams_initial = None, {}, {}
    return model, steps


@pytest.fixture(scope="session")
def workplace(toy_files):  # noqa: F811
    """The toy data sets; each has documents without a pair and without a label, too."""
    folder = toy_files
    words = (tuple(WORDS),)
    one = Entity((Mention(0, 0, 1, "PER"),), "PER")
    train = [
        *labelled_everywhere(range(16), count()),
        Document("bare", words, (one,), ()),
        Document("empty", words, (), ()),
        Document("silent", words, (one, replace(one, mentions=(Mention(0, 3, 5, "PER"),))), ()),
    ]
    for name in ("annotated", "distant", "ext", "revised"):
        write_documents(folder / f"data/docred/train_{name}.json", train, "docred")
    write_documents(folder / "data/docred/train_joint.json", train, "docred")
    return folder


@pytest.fixture(scope="module")
def cases(workplace, taught, tmp_path_factory):  # noqa: F811
    """Names of all cases, and what both ranks found, by name."""
    folder = tmp_path_factory.mktemp("ranks")
    names = []

    def add(name, made, own=""):
        torch.save(Case(name, *made, own), folder / f"{len(names):03}.case")
        names.append(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        without_fetching(patch)
        torch.manual_seed(0)
        plain = {}
        for name in SYSTEMS:
            teacher = next((said for words, said in taught.items() if words in name), [])
            arguments = ["fit", "--config", name, *tiny(name), *FAST, *without_parent(name)]
            plain[name] = built([*arguments, *teacher], patch)
            add(name, plain[name])
        for name in LAID_OVER:
            _, _, base, *rest = command_of(name)
            if "RUN" in rest:
                rest[rest.index("RUN")] = taught["dreeam_student"][-1]
            options = [*tiny(base), *rest, *without_parent(base), *FAST]
            add(name, built(["fit", "-c", base, *options], patch))
        (_, _, none), (_, unlabelled, _) = plain["docred_atlop.yaml"][1]
        assert (none.num_pairs, len(unlabelled.label_pair)) == (0, 0) < (unlabelled.num_pairs,)
        for name, (base, own) in OWN.items():
            add(name, plain[base], own)
    return dict(zip(names, zip(*examined(folder, len(names)), strict=True), strict=True))


def examined(folder, number):
    """Run both ranks; returns what each found, in the order of the cases."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.ddp_worker", str(rank), str(folder)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in started:
            _, errors = process.communicate(timeout=900)
            assert process.returncode == 0, errors
    finally:
        for process in started:
            process.kill()
    return [
        [json.loads((folder / f"{case:03}.{rank}.json").read_text()) for case in range(number)]
        for rank in range(2)
    ]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [*SYSTEMS, *LAID_OVER])
def test_two_ranks_are_one(name, cases, figures):
    ranks = cases[name]
    assert not [rank["error"] for rank in ranks if "error" in rank]
    assert all(rank["certain"] for rank in ranks)
    for step, both in enumerate(zip(*(rank["steps"] for rank in ranks), strict=True)):
        assert both[0]["parameters"] > 10
        assert both[0]["length"] > 1e-3  # or nothing was learned from
        for found in both:
            assert not found["unreached"], step
            figures.worst("DDP difference", found["gradient"])
            assert found["gradient"] <= EXACT, (step, found["of"])
            assert found["statistics"] <= EXACT, step
            assert found["loss"][1] == pytest.approx(found["loss"][0], rel=EXACT, abs=EXACT)
        summed = {"train/predicted"}
        for logged in both[0]["logged"].keys() - summed:
            for found in both:
                alone, mine = found["logged"][logged]
                assert mine == pytest.approx(alone, rel=EXACT, abs=EXACT), (step, logged)
        for logged in both[0]["logged"].keys() & summed:  # by the trainer, at the end of an epoch
            assert sum(f["logged"][logged][1] for f in both) == both[0]["logged"][logged][0]


@pytest.mark.parametrize("name", OWN)
def test_ranks_on_their_own_are_found_out(name, cases):
    for rank in cases[name]:  # in a step where both have something
        assert max(step["gradient"] for step in rank["steps"]) > 1e-6
