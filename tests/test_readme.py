"""The README's code and commands work as they stand."""

import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
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


def test_training_commands_are_understood(tmp_path, monkeypatch, capsys):
    """Every ``docre fit`` parses; the others find what they name in a run folder."""
    from docre.cli import build_parser, main
    from docre.run_arguments import expand

    monkeypatch.chdir(tmp_path)
    for name, data in (("redocred_ttm", "ReDocRED"), ("cdr_jerex_mrc", "CDR")):
        run_folder = tmp_path / "runs" / name / "version_0"
        (run_folder / "checkpoints").mkdir(parents=True)
        (run_folder / "checkpoints" / "best.ckpt").touch()
        (run_folder / "config.yaml").write_text(f"data: {{class_path: docre.data.modules.{data}}}")
        (run_folder / "run.json").write_text('{"types": [], "tokenizer": "t", "features": {}}')
    for name in ("mine", "texts"):
        (tmp_path / f"{name}.jsonl").touch()
    text = [b for b in blocks("README.md", "sh") if "docre " in b and "docre data" not in b]
    lines = [line.split("#")[0].strip() for b in text for line in b.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("docre ")]
    others = {"configs", "chain", "distil", "fuse", "report", "tune", "predict"}
    others |= {"calibrate", "compare", "export", "sweep"}
    assert {c[0] for c in commands} == {"fit", "test", *others}
    for command in commands:

        def shown(option, command=command):
            with pytest.raises(SystemExit) as ended:
                main([*command, option])
            return ended

        if command[0] == "fit":
            assert shown("--print_config").value.code == 0
            head = "MultiInstanceRelationHead" if "jerex" in command[-1] else "PairHead"
            printed = capsys.readouterr().out
            assert re.search(rf"class_path: docre\.(heads|joint)\.{head}$", printed, re.M)
        elif command[0] == "chain":
            assert shown("--dry_run").value.code == 0
            assert capsys.readouterr().out.count("docre fit") == 3
        elif command[0] in others:  # as long as the options are there
            assert build_parser().parse_args(command).subcommand == command[0]
        else:
            assert "--ckpt_path" in expand(command).arguments


def test_configs_that_the_readme_names_are_there():
    from docre.configs import config_names

    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`((?:overlays/)?[\w/]+\.yaml)`", text))
    assert len(named) > 10
    assert named <= set(config_names())


def test_quickstart_ends_with_its_files_and_a_weak_baseline(tmp_path):
    """The script as it stands, on a smaller corpus and for one epoch."""
    out = tmp_path / "out"
    small = ["--data.train_documents", "40", "--data.dev_documents", "10"]
    small += ["--data.test_documents", "10", "--trainer.max_epochs", "1"]
    # a model that has learnt nothing predicts something by chance, so that it can be calibrated
    small += ["--model.decoder", "docre.decoding.ZeroDecoder", "--dashboard.drawings", "0"]
    script = str(ROOT / "examples" / "quickstart.sh")
    done = run(
        ["env", f"BIN={Path(sys.executable).parent}", f"OUT={out}", "sh", script, *small], tmp_path
    )
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr
    baseline = json.loads((out / "baseline_scores.json").read_text())
    assert 0.05 < baseline["scores"]["f1"] <= 0.40
    scores = json.loads((out / "run" / "last" / "scores" / "test.json").read_text())
    assert 0 <= scores["scores"]["f1"] <= 1
    named = re.findall(r"^(\w[\w ]+?) {2,}(\S+)", done.stdout.split("corpus  ")[-1], re.M)
    assert {"checkpoint", "predictions", "test scores"} <= {name for name, _ in named}
    for name, path in named:
        assert name == "TensorBoard" or Path(path).exists(), name
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 10


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *(
    str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").glob("*.md"))
)])  # fmt: skip
def test_files_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:docs|docre|tests|benchmarks|examples|\.ci)/[\w./-]+)`", text)
    for name in named:
        assert (ROOT / name).exists(), f"{page} names {name}"
    for module, attribute in re.findall(r"`(docre(?:\.[a-z_]+)+)\.([A-Za-z_]+)`", text):
        assert hasattr(import_module(module), attribute), f"{page} names {module}.{attribute}"


def test_data_page_example_runs(tmp_path):
    code = blocks("docs/data.md", "python")
    run([sys.executable, "-c", code[0]], tmp_path)
