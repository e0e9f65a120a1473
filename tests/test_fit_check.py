"""What commands of ``docre fit`` come to."""

import json
import sys
from io import StringIO
from pathlib import Path

import pytest

from docre import fit_check
from docre.fit_check import parsed
from tests.test_training import TINY


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)


def test_what_is_equal_and_what_is_not():
    base = ["fit", "--config", "tiny.yaml"]
    first = parsed(base)
    assert first.keys() == {"digest", "accelerator"}
    Path("other.yaml").write_text(f"# The same.\n{TINY}")
    logged = "--trainer.logger.init_args.name=other"
    assert parsed(["fit", "--config=other.yaml", logged]) == first
    assert parsed([*base, "--trainer.max_epochs=77"])["digest"] != first["digest"]


def test_what_is_wrong(monkeypatch, capsys):
    asked = [
        ["fit", "--config=tiny.yaml", "--model.nonsense=1"],
        ["fit", "--config=nowhere.yaml"],
        ["fit", "--config=tiny.yaml", "--trainer.accelerator=tpu"],
    ]
    monkeypatch.setattr(sys, "stdin", StringIO(json.dumps(asked)))
    fit_check.main()
    unknown, missing, right = json.loads(capsys.readouterr().out)
    assert unknown == {
        "error": "unrecognized arguments: --model.nonsense=1\nmodel_class is docre.model.DocREModel"
    }
    assert missing["error"].startswith("no such config: nowhere.yaml")
    assert right["accelerator"] == "tpu"  # that there is none is not asked
