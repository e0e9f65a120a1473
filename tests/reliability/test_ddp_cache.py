"""The cache is built once, whoever wants it at the same moment."""

import os
import subprocess
import sys

import pytest

from tests.test_ddp import TWO
from tests.test_training import ROOT, TINY

pytestmark = pytest.mark.reliability
# the command, with a line in a file for every cache that is built
COUNTED = """
import sys
from pathlib import Path
from docre.data import cache
from docre.cli import main

build = cache._build

def counted(corpus, *rest):
    with Path("built.txt").open("a") as file:
        file.write(f"{corpus.path.name}\\n")
    return build(corpus, *rest)

cache._build = counted
main(sys.argv[1:])
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["two ranks", "two processes"])
def test_the_cache_is_built_once(how, tmp_path):
    """Of each file, by ranks of one training as by trainings that know nothing of each other."""
    for name in ("counted.py", "tiny.yaml"):
        (tmp_path / name).write_text(COUNTED if name.endswith("py") else TINY)
    command = [sys.executable, "counted.py", "fit", "-c", "tiny.yaml", "--trainer.max_epochs=1"]
    runs = [command + TWO]
    if how == "two processes":
        runs = [[*command, f"--trainer.logger.init_args.save_dir=runs{n}"] for n in range(2)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        for command in runs
    ]
    for one in started:
        _, errors = one.communicate(timeout=200)
        assert one.returncode == 0, errors
    built = (tmp_path / "built.txt").read_text().split()
    assert sorted(built) == ["dev.json", "test.json", "train.json"]
    assert not list((tmp_path / "cache").glob("*.part-*"))
