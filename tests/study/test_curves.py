"""The picture of missing and wrong labels is of the runs that are there."""

import json

import pytest

from study.curves import LEFT_OUT, MISSING, WRONG, WRONG_TYPED, points, write_curves
from study.tables import TABLES


def keep(kept, cell, seed, f1):
    folder = kept / cell / f"seed_{seed}" / "scores"
    folder.mkdir(parents=True)
    (folder / "test.json").write_text(json.dumps({"scores": {"f1": f1}}))


def test_points_are_the_scores_of_all_seeds(tmp_path):
    keep(tmp_path, "curve/atl_10", 66, 0.25)
    keep(tmp_path, "curve/atl_10", 67, 0.5)
    keep(tmp_path, "noise/complete_atl", 66, 0.625)
    keep(tmp_path, "noise/complete_cmm", 66, 0.125)
    assert points(tmp_path, "atl", MISSING) == {10: [25.0, 50.0], 100: [62.5]}
    assert points(tmp_path, "cmm", WRONG) == {0: [12.5]}
    assert points(tmp_path, "cmm", LEFT_OUT) == {}
    assert points(tmp_path, "atl", MISSING, "crossed_f1") == {}
    ranking = tmp_path / "curve/atl_10/seed_67/scores/ranking.json"
    ranking.write_text(json.dumps({"crossed_f1": 0.75}))
    assert points(tmp_path, "atl", MISSING, "crossed_f1") == {10: [75.0]}


@pytest.mark.parametrize("cells", [MISSING, LEFT_OUT, WRONG, WRONG_TYPED])
def test_cells_are_those_of_the_tables(cells):
    known = {
        place if "/" in place else f"{name}/{place}"
        for name in ("noise", "curve", "wrong")
        for place in TABLES[name].labels
    }
    for cell in cells.values():
        assert {cell.format(loss) for loss in ("atl", "s_pu", "cmm")} <= known


def test_a_picture_only_of_what_was_run(tmp_path):
    picture = tmp_path / "noise.png"
    write_curves(tmp_path, picture)
    assert not picture.exists()
    keep(tmp_path, "noise/ext_s_pu", 66, 0.25)
    write_curves(tmp_path, picture)
    assert picture.read_bytes()[:4] == b"\x89PNG"
