"""Bands over seeds, as TensorBoard reads them."""

import statistics

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from docre.comparison import compare
from docre.comparison.bands import band, write_bands
from docre.errors import DocreError
from tests.comparison.folders import scores_of, write_log, write_run

CURVES = {1: (0.1, 0.3, 0.2), 2: (0.2, 0.4, 0.25)}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed, curve in CURVES.items():
        run = write_run(folder / "cell" / f"seed_{seed}", seed, None, scores_of(0.5, seed))
        write_log(run, {"val/f1": list(zip((5, 11, 17), curve, strict=True))})
    return compare([folder])


def test_mean_and_spread_at_each_step(found, tmp_path):
    for _ in range(2):  # the second time in place of the first
        (written,) = write_bands(found, tmp_path / "bands")
    assert written.name == "cell"
    events = EventAccumulator(str(written))
    events.Reload()
    got = {
        end: [(e.step, e.value) for e in events.Scalars(f"band/f1/{end}")]
        for end in ("mean", "low", "high")
    }
    assert [step for step, _ in got["mean"]] == [5, 11, 17]
    for number, values in enumerate(zip(*CURVES.values(), strict=True)):
        mean, sd = statistics.mean(values), statistics.stdev(values)
        for end, expected in {"mean": mean, "low": mean - sd, "high": mean + sd}.items():
            assert got[end][number][1] == pytest.approx(expected, abs=1e-6)
    stored = events.Tensors("custom_scalars__config__")[-1].tensor_proto
    layout = layout_pb2.Layout.FromString(stored.string_val[0])
    (series,) = layout.category[0].chart[0].margin.series
    assert (series.value, series.lower, series.upper) == (
        "band/f1/mean",
        "band/f1/low",
        "band/f1/high",
    )


def test_the_band_ends_with_the_shortest_curve():
    made = band([{10: 0.5, 20: 0.25, 30: 1.0}, {11: 0.25, 22: 0.75}])
    # other steps, so that scores are counted
    assert list(made) == [1, 2]
    assert made[1][0] == 0.375
    assert made[2] == pytest.approx((0.5, 0.5 - statistics.stdev([0.25, 0.75]), 0.5 + 0.125**0.5))


def test_one_run_has_no_band(found, tmp_path):
    folder = found.tables[0].rows[0].runs[0].run.folder
    assert write_bands(compare([folder]), tmp_path / "bands") == []
    assert not (tmp_path / "bands").exists()


def test_the_log_of_a_run_is_not_written_over(found, tmp_path):
    write_run(tmp_path / "cell")
    with pytest.raises(DocreError, match="cell is a run"):
        write_bands(found, tmp_path)
