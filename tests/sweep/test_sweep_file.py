"""What a sweep file may say, and what is said of one that is wrong."""

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.configs import config_names
from docre.errors import DocreError
from docre.sweep.cells import Choice, grid
from docre.sweep.sweep_file import check_extra, find_sweep, read_sweep

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sweeps.md"
TEXT = """
base: [a.yaml, b.yaml]
axes:
  memory:
    on:
    off: c.yaml
  slots:
    10: {options: {model.slots: 10}}
    2e2: {configs: [c.yaml, d.yaml], options: {model.slots: 200, x: [1, null]}}
seeds: [3, 5]
options: {trainer.max_epochs: 2, x: 0}
test: true
baseline: memory=off,slots=10
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abcd":
        Path(f"{name}.yaml").write_text(f"{name}: 1\n")


def read(text):
    Path("toy.yaml").write_text(text)
    return read_sweep(Path("toy.yaml"))


def test_a_grid():
    sweep = read(TEXT)
    assert [(cell.name, cell.configs, cell.options) for cell in sweep.cells] == [
        (
            "memory=on,slots=10",
            ("a.yaml", "b.yaml"),
            {"trainer.max_epochs": 2, "x": 0, "model.slots": 10},
        ),
        (
            "memory=on,slots=2e2",
            ("a.yaml", "b.yaml", "c.yaml", "d.yaml"),
            {"trainer.max_epochs": 2, "x": [1, None], "model.slots": 200},
        ),
        (
            "memory=off,slots=10",
            ("a.yaml", "b.yaml", "c.yaml"),
            {"trainer.max_epochs": 2, "x": 0, "model.slots": 10},
        ),
        (
            "memory=off,slots=2e2",
            ("a.yaml", "b.yaml", "c.yaml", "c.yaml", "d.yaml"),
            {"trainer.max_epochs": 2, "x": [1, None], "model.slots": 200},
        ),
    ]
    assert (sweep.name, sweep.seeds, sweep.test) == ("toy", [3, 5], True)
    assert sweep.baseline == "memory=off,slots=10"


def test_a_list():
    text = "{base: a.yaml, runs: {plain: , more: [b.yaml], own: {options: {x: 1}}}, seeds: [1]}"
    sweep = read(text)
    assert [(cell.name, cell.configs, cell.options) for cell in sweep.cells] == [
        ("plain", ("a.yaml",), {}),
        ("more", ("a.yaml", "b.yaml"), {}),
        ("own", ("a.yaml",), {"x": 1}),
    ]
    assert (sweep.baseline, sweep.test) == ("plain", False)
    own = read("{base: a.yaml, runs: {one: , two: {seeds: [5]}, three: }, seeds: [3, 5]}")
    assert [run.name for run in own.runs({})] == [
        "one/seed_3",
        "three/seed_3",
        "one/seed_5",
        "two/seed_5",
        "three/seed_5",
    ]
    without_base = read("{runs: {one: a.yaml, two: [b.yaml, c.yaml]}, seeds: [1]}")
    assert [cell.configs for cell in without_base.cells] == [("a.yaml",), ("b.yaml", "c.yaml")]


def test_values_of_an_option_are_labels():
    text = """
base: a.yaml
axes:
  memory: {on: , off: b.yaml}
  size: {option: model.x, values: [10, 0.5, 1.0e-5, word, true, null]}
seeds: [1]
"""
    labels = {"10": 10, "0.5": 0.5, "1e-05": 1e-5, "word": "word", "true": True, "null": None}
    cells = read(text).cells
    assert [(cell.name, cell.configs, cell.options) for cell in cells] == [
        (f"memory={memory},size={label}", configs, {"model.x": value})
        for memory, configs in (("on", ("a.yaml",)), ("off", ("a.yaml", "b.yaml")))
        for label, value in labels.items()
    ]


@pytest.mark.parametrize(
    ("axis", "told"),
    [
        ("[1, 2]", "axes.x: expected a choice by label, or option and values, got [1, 2]"),
        ("{option: y}", "axes.x.values: expected a list of values, got None"),
        ("{option: y, values: []}", "axes.x.values: expected a list of values, got []"),
        ("{option: y, values: {a: 1}}", "axes.x.values: expected a list of values"),
        ("{values: [1]}", "axes.x.option: expected the name of an option, got None"),
        ("{option: y, value: [1]}", "axes.x.value: no such key; did you mean values?; known: opt"),
        ("{option: y, values: [1, [2]]}", "axes.x.values.1: [2] needs a label, to be called by"),
        ("{option: y, values: [1, {a: 2}]}", "axes.x.values.1: {'a': 2} needs a label"),
        ("{option: y, values: [1, 2, 1]}", "axes.x.values.2: 1 stands there twice"),
        ("{option: y, values: [a/b]}", "axes.x.a/b: a name here has letters, digits"),
        ("{option: --y, values: [1]}", "axes.x.1.options: '--y' is no option"),
        ("{option: config, values: [1]}", "axes.x.1.options.config: the sweep itself says"),
        ("{option: y, values: [1]}, z: {option: y, values: [2]}",
         "axes.z.2.options.y: axes.x.1 has it too"),
    ],
)  # fmt: skip
def test_values_that_are_wrong(axis, told):
    with pytest.raises(DocreError) as caught:
        read(f"{{base: a.yaml, seeds: [1], axes: {{x: {axis}}}}}")
    assert str(caught.value).startswith(f"toy.yaml: {told}")


def test_the_commands_of_a_run():
    runs = read(TEXT).runs({"trainer.devices": "2"})
    assert [(run.number, run.name) for run in runs][:5] == [
        (1, "memory=on,slots=10/seed_3"),
        (2, "memory=on,slots=2e2/seed_3"),
        (3, "memory=off,slots=10/seed_3"),
        (4, "memory=off,slots=2e2/seed_3"),
        (5, "memory=on,slots=10/seed_5"),
    ]
    fit, validate, test = runs[5].steps(Path("runs/toy"))
    folder = "runs/toy/memory=on,slots=2e2/seed_5"
    assert fit.arguments == (
        "fit",
        *(f"--config={name}.yaml" for name in "abcd"),
        "--trainer.logger.init_args.save_dir=runs/toy",
        "--trainer.logger.init_args.name=memory=on,slots=2e2",
        "--trainer.logger.init_args.version=seed_5",
        "--seed_everything=5",
        "--trainer.max_epochs=2",
        "--x=[1, null]",
        "--model.slots=200",
        "--trainer.devices=2",
    )
    assert validate.arguments == ("validate", "--run", folder)
    assert test.arguments == ("test", "--run", folder)
    assert {step.run for step in (fit, validate, test)} == {Path(folder)}
    assert [step.name for step in read(TEXT.replace("test: true", "")).runs({})[0].steps(
        Path("r"))] == ["fit", "validate"]  # fmt: skip


def test_a_seed_that_is_added_changes_no_number():
    def numbers(text):
        return {run.name: run.number for run in read(text).runs({})}

    before, after = numbers(TEXT), numbers(TEXT.replace("[3, 5]", "[3, 5, 8]"))
    assert before.items() < after.items()


labels = st.sampled_from("abcdef")
choices = st.builds(
    Choice,
    st.lists(labels, max_size=2).map(tuple),
    st.dictionaries(labels, st.integers(0, 3), max_size=2),
)


@given(
    base=choices,
    axes=st.dictionaries(labels, st.dictionaries(labels, choices, min_size=1, max_size=3),
                         min_size=1, max_size=3),
)  # fmt: skip
def test_a_grid_is_the_product_of_its_axes(base, axes):
    cells = list(grid(base, axes))
    expected = list(product(*(labels.items() for labels in axes.values())))
    assert len(cells) == len(expected) == len({cell.name for cell in cells})
    for cell, chosen in zip(cells, expected, strict=True):
        assert dict(part.split("=") for part in cell.name.split(",")) == dict(
            zip(axes, (label for label, _ in chosen), strict=True)
        )
        parts = [base, *(choice for _, choice in chosen)]
        assert cell.configs == sum((part.configs for part in parts), ())
        for key in {key for part in parts for key in part.options}:
            said = [part.options[key] for part in parts if key in part.options]
            assert cell.options[key] == said[-1]


WRONG = [
    ("base: [a.yaml, b.yaml]", "", "base: memory=on,slots=10 has no configuration"),
    ("[a.yaml, b.yaml]", "e.yaml", "base: no such config: e.yaml"),
    ("[a.yaml, b.yaml]", "[a.yaml, 3]", "base: expected a configuration or a list of them"),
    ("[a.yaml, b.yaml]", "{a: b}", "base: expected a configuration or a list"),
    ("seeds: [3, 5]", "", "seeds: expected a list of whole numbers, got None"),
    ("[3, 5]", "3", "seeds: expected a list of whole numbers, got 3"),
    ("[3, 5]", "[]", "seeds: expected a list"),
    ("[3, 5]", "[3, true]", "seeds.1: expected a number from 0 to 2^32 - 1, got True"),
    ("[3, 5]", "[-3]", "seeds.0: expected a number from 0"),
    ("[3, 5]", "[4294967296]", "seeds.0: expected a number from 0"),
    ("[3, 5]", "[3, 1.5]", "seeds.1: expected a number"),
    ("[3, 5]", "[3, 5, 3]", "seeds.2: 3 stands there twice"),
    ("test: true", "test: 1", "test: expected true or false, got 1"),
    ("slots=10\n", "slots=11\n", "baseline: memory=off,slots=11 is no cell; did you mean mem"),
    ("test: true", "tests: true", "tests: no such key; did you mean test?; known: base, axes"),
    ("test: true", "runs: {x: a.yaml}", "axes or runs: one of them says what is compared; both"),
    ("axes:", "base2:", "base2: no such key; did you mean base?"),
    ("off: c.yaml", "off: e.yaml", "axes.memory.off: no such config: e.yaml"),
    ("off: c.yaml", "off: 3", "axes.memory.off: expected a configuration or a list of them, got 3"),
    ("off: c.yaml", "off: [[]]", "axes.memory.off: expected a configuration"),
    ("off: c.yaml", "off: ''", "axes.memory.off: expected a configuration"),
    ("off: c.yaml", "off: {config: c.yaml}", "axes.memory.off.config: no such key; did you mean"),
    ("off: c.yaml", "off: {configs: e.yaml}", "axes.memory.off.configs: no such config: e.yaml"),
    ("off: c.yaml", "of/f: c.yaml", "axes.memory.of/f: a name here has letters, digits"),
    ("off: c.yaml", "'': c.yaml", "axes.memory.: a name here has letters"),
    ("off: c.yaml", "[1]: c.yaml", "axes.memory.: a key is a word here"),
    ("    off: c.yaml", "    on: c.yaml", "axes.memory.on stands there twice"),
    ("  slots:", "  memory:", "axes.memory stands there twice"),
    ("  slots:", "  sl=ots:", "axes.sl=ots: a name here has letters"),
    ("    on:\n    off: c.yaml\n", "", "axes.memory: expected a choice by label, or "),
    ("{model.slots: 10}", "{--model.slots: 10}", "axes.slots.10.options: '--model.slots' is no o"),
    ("{model.slots: 10}", "{config: x}", "axes.slots.10.options.config: the sweep itself says"),
    ("{model.slots: 10}", "[1]", "axes.slots.10.options: expected values by name, got [1]"),
    ("{model.slots: 10}", "{x: 2020-01-01}", "axes.slots.10.options.x: no value of an option"),
    ("{model.slots: 10}", "{seed_everything: 1}", "options.seed_everything: the sweep itself says"),
    ("x: 0}", "trainer.logger.save_dir: r}", "toy.yaml: options.trainer.logger.save_dir: the swe"),
    ("off: c.yaml", "off: {options: {model.slots: 3}}",
     "axes.slots.10.options.model.slots: axes.memory.off has it too"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), WRONG)
def test_what_is_wrong_is_said_with_its_key(old, new, told):
    assert TEXT.count(old) == 1
    with pytest.raises(DocreError) as caught:
        read(TEXT.replace(old, new))
    assert str(caught.value).startswith("toy.yaml: ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "toy.yaml: expected keys with values, got None"),
        ("- a.yaml", "toy.yaml: expected keys with values, got ['a.yaml']"),
        ("a: [", "toy.yaml: this is no YAML: "),
        ("{base: a.yaml, seeds: [1]}", "toy.yaml: axes or runs: one of them says what is compared; "
         "neither is here"),
        ("{base: a.yaml, seeds: [1], axes: {}}", "axes: expected labels by axis, got {}"),
        ("{base: a.yaml, seeds: [1], axes: [b]}", "axes: expected labels by axis, got ['b']"),
        ("{base: a.yaml, seeds: [1], runs: {}}", "runs: expected what to run by name, got {}"),
        ("{base: a.yaml, seeds: [1], runs: {on: }}", "runs.on: a run has a name of letters"),
        ("{base: a.yaml, seeds: [1], runs: {version_1: }}", "runs.version_1: a run has a name"),
        ("{base: a.yaml, seeds: [1], runs: {a/b: }}", "runs.a/b: a run has a name of letters"),
        ("{base: a.yaml, seeds: [1], runs: {x: e.yaml}}", "runs.x: no such config: e.yaml"),
        ("{seeds: [1], runs: {x: a.yaml, y: }}", "base: y has no configuration"),
        ("{base: a.yaml, seeds: [1], runs: {x: {seeds: [2]}}}", "runs.x.seeds: 2 is none of the"),
        ("{base: a.yaml, seeds: [1], runs: {x: {seeds: 1}}}", "runs.x.seeds: expected a list of"),
        ("{base: a.yaml, seeds: [1], runs: {x: {seeds: [1, 1]}}}", "runs.x.seeds.1: 1 stands"),
    ],
)  # fmt: skip
def test_what_is_no_sweep(text, told):
    with pytest.raises(DocreError) as caught:
        read(text)
    assert told in str(caught.value)


def test_what_cannot_be_read():
    Path("toy.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocreError, match=r"^toy\.yaml: "):
        read_sweep(Path("toy.yaml"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "no such sweep: nothing is neither a file here nor a packaged sweep (docre"),
        ("sweeps/slots", "no such sweep: slots is neither a file here nor a packaged sweep"),
        ("redocred_slot", "a packaged sweep; did you mean redocred_slots or"),
    ],
)
def test_a_sweep_that_is_not_there(name, told):
    with pytest.raises(DocreError) as caught:
        find_sweep(name)
    assert told in str(caught.value)


def test_only_sweeps_are_near():
    with pytest.raises(DocreError) as caught:
        find_sweep("redocred_atlop")  # a system
    _, _, hint = str(caught.value).partition("did you mean ")
    known = {Path(name).stem for name in config_names("sweeps")}
    near = hint.partition("?")[0].split(" or ")
    assert near
    assert {name.removesuffix(".yaml") for name in near} <= known


def test_anchors_and_merges():
    text = """
base: a.yaml
runs:
  one: &one {options: {x: 1}}
  two: *one
  three: {<<: *one, configs: b.yaml}
seeds: [1]
"""
    assert [(cell.configs, cell.options) for cell in read(text).cells] == [
        (("a.yaml",), {"x": 1}),
        (("a.yaml",), {"x": 1}),
        (("a.yaml", "b.yaml"), {"x": 1}),
    ]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("model.slots", "options.model.slots: it is one of the choices that the sweep compares"),
        ("x", "options.x: it is one of the choices"),
        ("seed_everything", "options.seed_everything: the sweep itself says"),
        ("-x", "options: '-x' is no option"),
    ],
)
def test_options_for_all_runs_do_not_undo_a_choice(key, told):
    sweep = read(TEXT)
    check_extra(["trainer.max_epochs", "trainer.devices"], sweep)
    with pytest.raises(ValueError, match=told):
        check_extra([key], sweep)


@pytest.mark.parametrize(("number", "cells"), [(0, 4), (1, 3), (2, 3)])
def test_the_sweeps_of_the_documentation(number, cells):
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    assert len(read(blocks[number]).cells) == cells


def test_the_documentation_lists_all_packaged_sweeps():
    named = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(f"sweeps/{name}.yaml" for name in named) == config_names("sweeps")
