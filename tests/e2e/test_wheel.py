"""What users get: a wheel in an empty environment, used in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command, cwd, timeout=900):
    # neither the checkout nor the environment of the tests may help
    known = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**known, "DOCRE_CACHE": str(cwd / "cache")},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_works_in_an_empty_environment(tmp_path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    bin = tmp_path / "env" / "bin"
    constraints = ROOT / "constraints.txt"
    run(bin / "python", "-m", "pip", "install", "-q", "-c", constraints, wheel, cwd=tmp_path)
    place = run(bin / "python", "-c", "import docre; print(docre.__file__)", cwd=tmp_path)
    assert str(tmp_path / "env") in place
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    small = ["--data.train_documents=40", "--data.dev_documents=10", "--data.test_documents=10"]
    small += ["--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
    told = run(bin / "docre", "fit", "--config", "quickstart.yaml", *small, cwd=elsewhere)
    assert "runs/quickstart/version_0" in told
    folder = elsewhere / "runs" / "quickstart" / "version_0"
    assert (folder / "checkpoints" / "best.ckpt").is_file()
    run(bin / "docre", "test", "--run", folder, cwd=elsewhere)
    run(bin / "docre", "export", folder, "model", cwd=elsewhere)
    (corpus,) = (elsewhere / "data").glob("*/*/test.json")
    outputs = ["--output", "found.jsonl", "found.html"]
    run(bin / "docre", "predict", "model", corpus, *outputs, cwd=elsewhere)
    assert len((elsewhere / "found.jsonl").read_text().splitlines()) == 10
    assert "docre" in run(bin / "docre", "configs", "--name", "redocred_ttm.yaml", cwd=elsewhere)
