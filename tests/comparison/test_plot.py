"""The picture of a comparison has its numbers."""

from dataclasses import replace

import pytest

from docre.comparison import compare
from docre.comparison.plot import plot, write_plot
from docre.errors import DocreError
from tests.comparison.folders import config_of, scores_of, write_run


def sweep(folder, options, seeds=(1, 2)):
    for name, config in options.items():
        for seed in seeds:
            write_run(folder / name / f"seed_{seed}", seed, config, scores_of(0.5, f"{name}{seed}"))
    return compare([folder], samples=10)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    options = {
        "a_$name$ with many words in it, and more": config_of(),
        "none": config_of(model__head__memory=None),
        "wide": config_of(model__head__width=32),
    }
    return sweep(tmp_path_factory.mktemp("rows"), options)


@pytest.fixture(scope="module")
def slots(tmp_path_factory):
    options = {f"s{n}": config_of(model__head__memory__slots=n) for n in (10, 100, 1000)}
    return sweep(tmp_path_factory.mktemp("slots"), options)


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_file_of_the_kind_its_name_says(rows, tmp_path, ending):
    path = tmp_path / f"new/picture{ending}"
    write_plot(rows, path)
    head = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(head)
    assert list(path.parent.iterdir()) == [path]


def test_a_name_that_says_no_format(rows, tmp_path):
    with pytest.raises(DocreError, match=r"--plot must end in one of \.png, \.svg, \.pdf"):
        write_plot(rows, tmp_path / "picture.gif")


def test_rows_have_a_mark_for_the_mean_and_a_point_for_each_seed(rows):
    (axes,) = plot(rows).axes
    means = sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "D")
    expected = [100 * row.mean(score) for row in rows.tables[0].rows for score in ("f1", "ign_f1")]
    assert means == pytest.approx(sorted(expected))
    points = sorted(float(x) for part in axes.collections for x, _ in part_points(part))
    each = [
        100 * value
        for row in rows.tables[0].rows
        for score in ("f1", "ign_f1")
        for value in row.values(score)
    ]
    assert points == pytest.approx(sorted(each))
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[0] == "a_\\$name\\$ with many words\nin it, and more"


def part_points(part):
    from matplotlib.collections import PathCollection

    return part.get_offsets() if isinstance(part, PathCollection) else []


def test_a_number_that_alone_differs_is_an_axis(slots):
    (axes,) = plot(slots).axes
    assert axes.get_xlabel() == "slots"
    assert axes.get_xscale() == "log"
    line = axes.lines[0]
    assert list(line.get_xdata()) == [10, 100, 1000]
    rows = [slots.row(f"s{n}") for n in (10, 100, 1000)]
    assert list(line.get_ydata()) == pytest.approx([100 * row.mean("f1") for row in rows])
    low, high = (extreme(axes.collections[0], pick) for pick in (min, max))
    assert low == pytest.approx(min(100 * (row.mean("f1") - row.sd("f1")) for row in rows))
    assert high == pytest.approx(max(100 * (row.mean("f1") + row.sd("f1")) for row in rows))


def extreme(band, pick):
    return pick(float(y) for path in band.get_paths() for _, y in path.vertices)


def test_two_values_or_two_options_are_no_axis(tmp_path):
    two = {f"s{n}": config_of(model__head__memory__slots=n) for n in (10, 100)}
    assert sweep(tmp_path / "two", two).factor is None
    mixed = {
        f"s{n}": config_of(model__head__memory__slots=n, model__head__width=n) for n in (1, 2, 3)
    }
    assert sweep(tmp_path / "mixed", mixed).factor is None


def test_scores_of_one_run_each(tmp_path):
    one = {"a": config_of(), "b": config_of(model__head__width=3)}
    figure = plot(sweep(tmp_path, one, seeds=(1,)))
    assert not any(len(part_points(part)) for part in figure.axes[0].collections)


def test_no_global_state_is_left(rows, tmp_path):
    import sys

    write_plot(rows, tmp_path / "a.png")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_the_legend_says_what_every_sign_is(rows, slots):
    for made in (rows, slots):
        (legend,) = plot(made).legends
        texts = [text.get_text() for text in legend.get_texts()]
        assert texts == ["F1", "Ign F1", "± one standard deviation over seeds", "a seed"]


def test_equal_lines_stay_visible(slots):
    (axes,) = plot(slots).axes
    assert [line.get_linestyle() for line in axes.lines[:2]] == ["-", "--"]


def test_scores_that_were_asked_for(slots):
    (table,) = slots.tables
    asked = ("macro_f1", "recall")
    made = replace(slots, tables=(replace(table, chosen=asked),), chosen=asked)
    (legend,) = plot(made).legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["macro F1", "R"]


@pytest.mark.parametrize("factor", [False, True])
def test_scores_that_are_almost_equal_do_not_look_far_apart(tmp_path, factor):
    for number in (1, 2, 3):
        options = {"head__width": number * 8} if factor else {"head__memory": None}
        config = config_of(**{f"model__{name}": value for name, value in options.items()})
        write_run(tmp_path / f"r{number}" / "seed_1", 1, config, scores_of(0.5, "same"))
    found = compare([tmp_path], samples=10)
    assert (found.factor is not None) == factor
    (axes,) = plot(found).axes
    low, high = axes.get_ylim() if factor else axes.get_xlim()
    assert high - low == pytest.approx(5)
    assert low < 100 * found.row("r1").mean("f1") < high
