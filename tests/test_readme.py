"""The README's code and commands work as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


def run(command, folder):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DOCRE_CACHE": str(folder / "cache")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done


def test_python_blocks_run_one_after_another(tmp_path):
    code = "\n".join(blocks("README.md", "python"))
    assert code.count("import") >= 4
    done = run([sys.executable, "-c", code], tmp_path)
    expected = "span 0-9 is not inside the 3 words of sentence 0"
    assert expected in done.stdout
    assert (tmp_path / "demo.jsonl").exists()


def test_shell_commands_run_one_after_another(tmp_path):
    shell = next(b for b in blocks("README.md", "sh") if "docre data synth" in b)
    commands = [line.split("#")[0].strip() for line in shell.splitlines() if line.strip()]
    assert len(commands) >= 5
    for command in commands:
        done = run(shlex.split(command), tmp_path)
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr
    assert (tmp_path / "result.json").exists()


def test_quickstart_ends_with_its_files_and_a_weak_baseline(tmp_path):
    import json

    run(["env", f"BIN={Path(sys.executable).parent}", f"OUT={tmp_path / 'out'}", "sh",
         str(ROOT / "examples" / "quickstart.sh")], tmp_path)  # fmt: skip
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    found = re.search(r'"f1": ([0-9.]+)', json.dumps(scores))
    assert 0.05 < float(found.group(1)) <= 0.40
    assert (tmp_path / "out" / "submission.zip").exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *(
    str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").glob("*.md"))
)])  # fmt: skip
def test_files_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:docs|docre|tests|benchmarks|examples|\.ci)/[\w./-]+)`", text)
    for name in named:
        assert (ROOT / name).exists(), f"{page} names {name}"
    for module, attribute in re.findall(r"`(docre(?:\.[a-z_]+)+)\.([A-Za-z_]+)`", text):
        code = f"import importlib; getattr(importlib.import_module({module!r}), {attribute!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, f"{page} names {module}.{attribute}: {done.stderr[-300:]}"


def test_data_page_example_runs(tmp_path):
    code = blocks("docs/data.md", "python")
    run([sys.executable, "-c", code[0]], tmp_path)
