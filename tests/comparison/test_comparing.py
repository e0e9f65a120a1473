"""Runs are compared only with runs that were scored on the same."""

import statistics
import time
from dataclasses import replace

import pytest

from docre.comparison import compare
from docre.errors import DocreError
from docre.scoring import Facts, paired_bootstrap
from tests.comparison.folders import (
    DOCUMENTS,
    config_of,
    joint_scores_of,
    scores_of,
    write_log,
    write_run,
    write_scores,
)

SLOTS = (50, 100, 200)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Three configurations, the second much better than the others, with three seeds each."""
    folder = tmp_path_factory.mktemp("runs") / "sweep"
    for slots, quality in zip(SLOTS, (0.4, 0.8, 0.45), strict=True):
        for seed in (1, 2, 3):
            config = config_of(model__head__memory__slots=slots)
            scores = scores_of(quality, seed)
            write_run(folder / f"slots_{slots}" / f"seed_{seed}", seed, config, scores)
    return folder


def notes(comparison):
    each = [(*table.notes, *table.remarks) for table in comparison.tables]
    return "\n".join([note for one in each for note in one] + list(comparison.notes))


def test_means_over_seeds_and_differences(sweep):
    found = compare([sweep], baseline="slots_100", samples=300)
    (table,) = found.tables
    # as people count, not as the alphabet does
    assert [row.name for row in table.rows] == ["slots_50", "slots_100", "slots_200"]
    good, other = found.row("slots_100"), found.row("slots_50")
    each = [scores_of(0.8, seed).to_dict() for seed in (1, 2, 3)]
    for score in ("f1", "ign_f1", "precision", "recall", "intra/f1", "inter/f1"):
        values = [one[score] for one in each]
        assert good.values(score) == pytest.approx(values)
        assert good.mean(score) == pytest.approx(statistics.mean(values))
        assert good.sd(score) == pytest.approx(statistics.stdev(values))
    assert table.baseline == "slots_100"
    tested = table.tested("slots_50", "f1")
    assert tested.difference == pytest.approx(other.mean("f1") - good.mean("f1"))
    assert tested.difference == table.difference("slots_50", "f1")
    assert tested.low < tested.difference < tested.high < 0
    assert tested.p_value < 0.01
    assert table.is_significant("slots_50", "f1")
    assert table.better_seeds("slots_50", "f1") == (0, 3)
    # no counts by document of these
    assert table.tested("slots_50", "intra/f1") is None
    assert found.factor == ("slots", {f"slots_{slots}": float(slots) for slots in SLOTS})


def test_only_what_is_better_than_every_other_row_stands_out(sweep):
    (table,) = compare([sweep], samples=300).tables
    best = {
        (row.name, score)
        for row in table.rows
        for score in table.scores
        if table.is_best(row.name, score)
    }
    assert {("slots_100", "f1"), ("slots_100", "ign_f1"), ("slots_100", "recall")} <= best
    assert {name for name, _ in best} == {"slots_100"}
    # without the clear winner nobody is best
    (rest,) = compare([sweep / "slots_50", sweep / "slots_200"], samples=300).tables
    assert not any(rest.is_best(row.name, s) for row in rest.rows for s in rest.scores)
    # nor is a row that stands alone
    (alone,) = compare([sweep / "slots_100"]).tables
    assert not alone.is_best("slots_100", "f1")


@pytest.mark.parametrize("given", ["slots_50", "{sweep}/slots_50", "{sweep}/slots_50/seed_2"])
def test_a_baseline_by_name_or_folder(sweep, given):
    (table,) = compare([sweep], baseline=given.format(sweep=sweep), samples=50).tables
    assert table.baseline == "slots_50"
    assert table.difference("slots_100", "f1") > 0
    assert table.difference("slots_50", "f1") is None


def test_one_run_each_is_the_paired_bootstrap_of_two_systems(sweep):
    paths = [sweep / "slots_50" / "seed_1", sweep / "slots_200" / "seed_1"]
    found = compare(paths, samples=200, seed=4)
    (table,) = found.tables
    mine, theirs = scores_of(0.45, 1), scores_of(0.4, 1)
    expected = paired_bootstrap(mine.counts, theirs.counts, 200, 4)
    assert table.tested("slots_200", "f1") == pytest.approx(expected["f1"], abs=1e-12)
    assert table.tested("slots_200", "ign_f1") == pytest.approx(
        expected["ign_f1/train.json"], abs=1e-12
    )
    assert found.row("slots_50").sd("f1") is None
    assert "one run only" in notes(found)
    assert "200 resamples of documents, seed 4" in notes(found)


def test_equal_seeds_give_equal_numbers(sweep):
    first, second, third = (compare([sweep], samples=50, seed=s).tables[0] for s in (1, 1, 2))
    assert first.differences == second.differences != third.differences


OTHER_FACTS = Facts.from_documents(DOCUMENTS[6:9], "other.json")
NARROW = config_of(model__head__width=8)
USUAL = {"scores": scores_of(0.5, 1)}


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ({**USUAL, "checksum": "bbbb"}, "other data: test.json #bbbb instead of test.json #aaaa"),
        (
            {"scores": scores_of(0.5, 1, documents=DOCUMENTS[:30])},
            "30 documents of the file instead of 40",
        ),
        ({**USUAL, "split": "dev"}, "the dev split instead of test"),
        ({"scores": joint_scores_of(0.5, 1)}, "joint extraction instead of triples"),
    ],
)
def test_other_data_labels_or_splits_stand_apart(tmp_path, run, reason):
    for seed in (1, 2):
        write_run(tmp_path / "usual" / f"seed_{seed}", seed, None, scores_of(0.5, seed))
    other = config_of(model__head__width=8)
    write_run(tmp_path / "strange" / "seed_1", 1, other, **run)
    found = compare([tmp_path / "strange", tmp_path / "usual"], samples=20)
    assert [[row.name for row in table.rows] for table in found.tables] == [["usual"], ["strange"]]
    assert found.tables[0].apart == ()
    assert reason in "; ".join(found.tables[1].apart)
    assert not any(table.differences for table in found.tables)
    assert ("--split dev compares all on dev" in notes(found)) == ("split" in run)


def test_other_labels_in_the_same_file_stand_apart(tmp_path):
    fewer = [replace(one, relations=one.relations[:1]) for one in DOCUMENTS]
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    write_run(tmp_path / "b", 2, None, scores_of(0.5, 1, documents=fewer))
    found = compare([tmp_path])
    assert len(found.tables) == 2
    assert "other labels" in found.tables[1].apart[0]


def test_a_baseline_that_is_in_another_table(tmp_path):
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    write_run(tmp_path / "b", 1, config_of(model__head__width=8), scores_of(0.5, 1))
    write_run(tmp_path / "c", 1, config_of(model__head__width=4), scores_of(0.5, 1), checksum="x")
    first, second = compare([tmp_path], baseline="c", samples=20).tables
    assert (first.baseline, second.baseline) == (None, "c")
    assert "the baseline c is not among these" in "\n".join(first.notes)
    assert first.difference("a", "f1") is None


def test_joint_extraction_is_compared_level_by_level(tmp_path):
    for width, quality in ((16, 0.7), (8, 0.9)):
        for seed in (1, 2):
            config, scores = config_of(model__head__width=width), joint_scores_of(quality, seed)
            write_run(tmp_path / f"w{width}" / f"seed_{seed}", seed, config, scores)
    (table,) = compare([tmp_path / "w16", tmp_path / "w8"], samples=100).tables
    assert table.on.task == "joint"
    assert next(iter(table.scores)) == "relation_strict_f1"
    for score in ("relation_strict_f1", "relation_relaxed_f1", "entity_f1", "mention_f1"):
        assert table.tested("w8", score).low > 0, score


def test_development_scores_come_from_the_log_where_there_is_nothing_else(tmp_path):
    curve = [(5, 0.25), (11, 0.5), (17, 0.375)]
    for seed in (1, 2):
        folder = write_run(tmp_path / f"seed_{seed}", seed)
        other = {"val/ign_f1": [(step, value / 2) for step, value in curve]}
        write_log(folder, {"val/f1": curve, **other, "train/loss": [(1, 3.0)]}, step=30.0)
    write_run(tmp_path / "unfinished", 3)
    found = compare([tmp_path])
    (table,) = found.tables
    assert (table.on.split, table.apart) == ("dev", ())
    (row,) = table.rows
    assert (row.mean("f1"), row.mean("ign_f1")) == (0.5, 0.25)
    for part in (
        "the epoch of each run was chosen on these documents",
        "from the log of the training: no counts by document, so nothing is tested: all runs",
        "does not say which facts",
        "unfinished has no scores: left out",
    ):
        assert part in notes(found)


def test_score_files_of_dev_come_before_the_log(tmp_path):
    folder = write_run(tmp_path / "a", scores=scores_of(0.5, 1), split="dev", checksum="dddd")
    write_log(folder, {"val/f1": [(5, 0.25)]})
    logged = write_run(tmp_path / "b", config=config_of(model__head__width=8))
    write_log(logged, {"val/f1": [(5, 0.25)]})
    (table,) = compare([tmp_path], split="dev").tables
    assert [row.mean("f1") for row in table.rows] == [scores_of(0.5, 1).f1, 0.25]
    assert "not tested, no counts by document: b" in "\n".join(table.notes)
    assert table.tested("b", "f1") is None


@pytest.mark.parametrize(
    ("selected", "mode", "f1"), [("ign_f1", "max", 0.5), (None, "max", 0.75), ("loss", "min", 0.25)]
)
def test_the_epoch_that_was_kept(tmp_path, selected, mode, f1):
    config = config_of(select_on=selected, checkpoint__mode=mode)
    folder = write_run(tmp_path / "a", config=config)
    steps = (5, 11, 17)
    curves = {"f1": (0.25, 0.5, 0.75), "ign_f1": (0.1, 0.4, 0.3), "loss": (1.0, 2.0, 3.0)}
    logged = {f"val/{name}": list(zip(steps, c, strict=True)) for name, c in curves.items()}
    write_log(folder, logged)
    assert compare([folder], split="dev").row("a").mean("f1") == f1


def test_the_checkpoint_says_which_epoch_was_kept(tmp_path):
    import torch

    folder = write_run(tmp_path / "a")
    write_log(folder, {"val/f1": [(5, 0.25), (11, 0.5)]})
    (folder / "checkpoints").mkdir()
    # the first epoch: the other one was still warming up, say
    torch.save({"global_step": 6}, folder / "checkpoints" / "best.ckpt")
    assert compare([folder], split="dev").row("a").mean("f1") == 0.25


def test_time_is_that_of_the_training_without_breaks(tmp_path):
    curve = {"val/f1": [(1, 0.1), (2, 0.2), (3, 0.2)]}
    folder = write_run(tmp_path / "a", scores=scores_of(0.5, 1))
    write_log(folder, curve, start=time.time(), step=500.0)
    assert compare([folder]).row("a").seconds == pytest.approx(1000, abs=60)
    # it went on later
    (path,) = folder.glob("events*")
    path.rename(path.with_name("events.out.tfevents.0.before"))
    write_log(folder, curve, start=time.time(), step=100.0)
    assert compare([folder]).row("a").seconds == pytest.approx(1200, abs=60)
    write_run(tmp_path / "b", seed=2, scores=scores_of(0.5, 2))
    assert compare([tmp_path], names={"both": tmp_path}).row("both").seconds is None


def test_counts_of_other_scores_are_not_used(tmp_path):
    for name, seed, width in (("a", 1, 16), ("b", 2, 8)):
        config = config_of(model__head__width=width)
        write_run(tmp_path / name, seed, config, scores_of(0.5, seed))
    # scored again by a docre that wrote no counts
    write_scores(tmp_path / "b", scores_of(0.6, 5), counts=False)
    found = compare([tmp_path])
    assert found.tables[0].tested("b", "f1") is None
    assert found.tables[0].difference("b", "f1") is not None
    assert "has the counts of other scores" in notes(found)


def test_without_counts_nothing_is_tested(tmp_path):
    for name, width in (("a", 16), ("b", 8)):
        config = config_of(model__head__width=width)
        write_run(tmp_path / name, 1, config, scores_of(0.5, width), counts=False)
    found = compare([tmp_path])
    assert not any(found.tables[0].differences.values())
    assert "nothing is tested" in notes(found)


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"versions": {"docre": "2.0"}}, "trained with different versions of docre: 1.0, 2.0"),
        (
            {"git": {"docre": {"commit": "d" * 40, "changed": True}}},
            "different commits of docre: cccccccccc, dddddddddd with changes",
        ),
        ({"devices": {"number": 2, "kind": "cuda:0"}}, "different devices"),
    ],
)
def test_what_else_is_to_be_known(tmp_path, more, note):
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    write_run(tmp_path / "b", 2, None, scores_of(0.5, 2), **more)
    assert note in notes(compare([tmp_path]))
    assert note not in notes(compare([tmp_path / "a"]))


def test_other_checkpoints_and_tuned_thresholds_are_told(tmp_path):
    folder = write_run(tmp_path / "a")
    checkpoint = {"file": "a/checkpoints/last.ckpt"}
    write_scores(folder, scores_of(0.5, 1), checkpoint=checkpoint, thresholds={"relation": 0.3})
    found = notes(compare([folder]))
    assert "scores of last.ckpt, not of the epoch that was kept" in found
    assert "thresholds tuned on the development split" in found


def test_rows_that_are_named_by_hand_may_mix_but_not_silently(tmp_path):
    write_run(tmp_path / "x" / "a", 1, None, scores_of(0.5, 1))
    write_run(tmp_path / "x" / "b", 2, config_of(model__head__width=8), scores_of(0.5, 2))
    found = compare([tmp_path], names={"both": tmp_path / "x"})
    assert [len(row.runs) for row in found.tables[0].rows] == [2]
    assert "both: its runs are of different configurations" in notes(found)
    assert "model.head.width" in notes(found)


def test_rows_say_in_what_they_differ(sweep):
    found = compare([sweep], samples=10)
    assert "rows differ in model.head.memory.slots (50, 100, 200)" in notes(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "--samples must be at least 1, it is 0"),
        ({"seed": -1}, "--seed must not be negative"),
        ({"baseline": "none"}, "--baseline none is no row; there are: slots_50, slots_100"),
        ({"names": {"a": "nowhere"}}, "no such run: nowhere"),
    ],
)
def test_settings_that_make_no_sense(sweep, options, message):
    with pytest.raises(DocreError, match=message):
        compare([sweep], **options)


def test_no_scores_at_all(tmp_path):
    write_run(tmp_path / "a")
    with pytest.raises(DocreError, match="none of the 1 runs has scores: docre test --run FOLDER"):
        compare([tmp_path])


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ((OTHER_FACTS,), "it leaves out other facts, other.json"),
        ((), "scored without facts, not with train.json"),
    ],
)
def test_other_facts_leave_one_table_without_their_ign_f1(tmp_path, facts, why):
    write_run(tmp_path / "strange" / "seed_1", 1, NARROW, scores_of(0.5, 9, facts=facts))
    for name, config in {"usual": config_of(), "wide": config_of(model__head__width=99)}.items():
        for seed in (1, 2):
            write_run(tmp_path / name / f"seed_{seed}", seed, config, scores_of(0.5, seed))
    found = compare([tmp_path], samples=20)
    (table,) = found.tables
    strange = found.row("strange")
    assert (strange.mean("f1"), strange.mean("ign_f1")) == (scores_of(0.5, 9).f1, None)
    assert table.tested("wide", "f1") is not None
    assert table.differences["usual", "wide"].keys() >= {"f1", "ign_f1"}
    assert "f1" in table.differences["strange", "usual"]
    assert "ign_f1" not in table.differences["strange", "usual"]
    assert f"no Ign F1 of strange: {why}" in notes(found)
    assert "Ign F1 without train.json" in str(table.on)


def test_a_joint_log_has_f1_as_another_name_of_a_level(tmp_path):
    levels = ("mention", "entity", "relation_strict")
    curves = {f"val/{level}_f1": [(5, 0.25), (11, 0.5)] for level in levels}
    write_log(write_run(tmp_path / "a"), {**curves, "val/f1": curves["val/relation_strict_f1"]})
    (table,) = compare([tmp_path], split="dev").tables
    assert table.on.task == "joint"
    assert list(table.scores) == [f"{level}_f1" for level in reversed(levels)]


def test_steps_of_other_scalars_are_no_epochs(tmp_path):
    folder = write_run(tmp_path / "a", config=config_of(select_on=None))
    write_log(folder, {"val/f1": [(5, 0.25), (11, 0.5)], "val/gold": [(6, 9.0), (12, 9.0)]})
    found = compare([folder], split="dev")
    assert found.row("a").mean("f1") == 0.5
    # nothing was chosen on these documents
    assert "was chosen on these documents" not in notes(found)


def test_scores_that_are_asked_for(sweep):
    first = scores_of(0.4, 1).to_record()["scores"]
    relation = next(n for n in first if n.startswith("relation/") and n.endswith("/recall"))
    wanted = ["macro_f1", "intra/f1", "f1", relation]
    found = compare([sweep], samples=20, scores=wanted)
    (table,) = found.tables
    assert list(table.scores) == wanted
    assert list(table.scores.values())[:3] == ["macro F1", "intra F1", "F1"]
    assert found.row("slots_50").values("macro_f1")[0] == first["macro_f1"]
    assert table.tested("slots_100", "f1") is not None
    assert table.tested("slots_100", "macro_f1") is None
    assert table.difference("slots_100", "macro_f1") > 0
    assert "their counts by document are not kept: macro F1, intra F1" in notes(found)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (["gold"], "--scores gold is no F1, precision or recall"),
        (["macro_f"], "near it: .*macro_f1"),
        (["f1", "f1"], "f1 is there twice"),
    ],
)
def test_scores_that_there_are_not(sweep, scores, message):
    with pytest.raises(DocreError, match=message):
        compare([sweep], samples=1, scores=scores)


def test_the_dashboard_makes_no_row(tmp_path):
    for seed in (1, 2, 3, 4):
        board = {"dashboard": {"hparams": True, "images": [1, 2]}} if seed > 2 else {}
        config = {**config_of(trainer__num_sanity_val_steps=seed), **board}
        write_run(tmp_path / f"r/version_{seed}", seed, config, scores_of(0.5, seed))
    (table,) = compare([tmp_path]).tables
    assert [row.seeds for row in table.rows] == [(1, 2, 3, 4)]


def test_what_weighs_most_is_said_first(tmp_path):
    other = config_of(
        trainer__max_epochs=9,
        data__noise=1,
        model__head__width=8,
        model__head__memory=None,
    )
    for name, config in {"a": config_of(), "b": other}.items():
        write_run(tmp_path / name, 1, config, scores_of(0.5, name), "dev", "dddd")
    third = config_of(model__head__width=77)
    write_run(tmp_path / "c", 1, third, scores_of(0.5, 1), "test")
    found = compare([tmp_path / "a", tmp_path / "b", tmp_path / "c"], samples=5)
    (_, table) = found.tables
    assert "the epoch of each run was chosen on these documents" in table.notes[0]
    (line,) = [one for one in table.remarks if one.startswith("rows differ in")]
    places = [line.index(name) for name in ("memory (", "width", "data.noise", "max_epochs")]
    assert places == sorted(places)
    assert "77" not in line  # that of the other table


def test_equal_cells_of_a_sweep_are_one_row_and_that_is_said(tmp_path):
    cells = {"equal": (config_of(), 0.2), "other": (NARROW, 0.5), "base": (config_of(), 0.8)}
    for name, (config, quality) in cells.items():
        for seed in (1, 2):
            scores = scores_of(quality, seed)
            # the newer ones are one seed of each
            time = f"2026-01-0{seed if name == 'base' else 3 - seed}T00:00:00+00:00"
            write_run(tmp_path / f"s/{name}/seed_{seed}", seed, config, scores, time=time)
    folders = [tmp_path / "s" / name for name in cells]
    found = compare(folders, samples=5, baseline=tmp_path / "s" / "base")
    (table,) = found.tables
    assert [row.name for row in table.rows] == ["equal", "other"]
    assert table.baseline == "equal"
    assert found.row("equal").values("f1") == tuple(scores_of(0.2, seed).f1 for seed in (1, 2))
    assert "equal and base of s have EQUAL configurations" in notes(found)
    assert "is newer" not in notes(found)
