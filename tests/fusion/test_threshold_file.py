"""The tuned threshold of a run, and when it is tuned anew."""

import json
import math
from types import SimpleNamespace

import pytest

from docre.decoding import ThresholdDecoder, ZeroDecoder
from docre.errors import DocreError
from docre.fusion.threshold_file import settings_of, store_threshold, stored_threshold


@pytest.fixture
def opened(tmp_path):
    checkpoint, dev = tmp_path / "best.ckpt", tmp_path / "dev.json"
    checkpoint.write_bytes(b"weights")
    dev.write_bytes(b"documents")
    return SimpleNamespace(
        checkpoint=checkpoint,
        data=SimpleNamespace(files={"dev": dev}, reading=SimpleNamespace(limit=None)),
        model=SimpleNamespace(evidence_share=0.2, decoder=ThresholdDecoder()),
    )


def test_it_holds_as_long_as_all_is_the_same(opened, tmp_path):
    path = tmp_path / "fusion.json"
    settings = settings_of(opened, 4, math.inf)
    assert stored_threshold(path, settings) == (None, f"there is no {path} yet")
    store_threshold(path, -10.388438252042452, settings)
    assert stored_threshold(path, settings) == (
        -10.388438252042452,
        f"threshold -10.3884 from {path}",
    )
    opened.checkpoint.write_bytes(b"other weights")
    opened.data.files["dev"].write_bytes(b"other documents")
    opened.data.reading.limit = 3
    opened.model.evidence_share = 0.3
    opened.model.decoder = ZeroDecoder()
    changed = settings_of(opened, 2, 10.0)
    names = "checkpoint_xxh3_128, dev_xxh3_128, dev_limit, top_k, reach, evidence_share, decoder"
    assert stored_threshold(path, changed) == (None, f"{path} was made with another {names}")
    for name, value in changed.items():
        one = settings | {name: value}
        assert stored_threshold(path, one) == (None, f"{path} was made with another {name}")


@pytest.mark.parametrize("content", ['{"threshold": ', "[]", "{}", '{"threshold": null}', "3"])
def test_a_file_that_cannot_be_read_is_none(opened, tmp_path, content):
    path = tmp_path / "fusion.json"
    path.write_text(content)
    settings = settings_of(opened, 4, 10.0)
    assert stored_threshold(path, settings) == (None, f"{path} cannot be read")
    path.write_text(json.dumps({"threshold": -1.0}))
    assert stored_threshold(path, settings)[0] is None


def test_a_run_without_dev(opened):
    opened.data.files = {}
    with pytest.raises(DocreError, match="no dev file to tune the fusion on: give --threshold"):
        settings_of(opened, 4, 10.0)
