"""Who may import whom, and that importing docre is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "docre"
# What a stranger's project takes with torch alone.
BRICKS = ("heads", "context", "memory", "losses", "refinement", "joint")
# Rooms that must not know the rooms listed behind them.
FORBIDDEN = {
    "errors.py": ("docre.",),
    "segmentation.py": ("docre.",),
    "documents.py": ("docre.data", "docre.scoring", "docre.batch", "torch", "lightning"),
    "neutral_words.py": ("docre.data", "docre.joint", "docre.scoring", "torch", "lightning"),
    "scoring": (
        "docre.data",
        "docre.batch",
        "docre.cli",
        "docre.metrics",
        "torch",
        "lightning",
        "transformers",
    ),
    "data/formats": ("docre.batch", "docre.data.modules", "docre.cli", "torch", "lightning"),
    "data": (
        *("docre.model", "docre.joint", "docre.joint_data", "docre.heads", "docre.memory"),
        "docre.losses",
    ),
    "joint_data": (
        *("docre.model", "docre.base_model", "docre.joint_model", "docre.metrics"),
        *("docre.joint_metrics", "docre.training", "docre.cli", "lightning"),
    ),
    "hub": ("docre.pipeline", "docre.published", "docre.training", "docre.cli", "docre.dashboard"),
    "calibration": (
        *("docre.hub", "docre.pipeline", "docre.published", "docre.cli", "lightning"),
        "docre.comparison",
    ),
    "published": ("docre.pipeline", "docre.training", "docre.cli", "docre.comparison"),
    "pipeline": ("docre.training", "docre.cli", "docre.dashboard", "docre.comparison", "lightning"),
    **dict.fromkeys(
        (
            f"pipeline/finders/{name}.py"
            for name in ("base", "gliner", "marked_spans", "same_name", "spacy")
        ),
        ("docre.data", "docre.model", "docre.hub", "docre.joint_model", "torch", "lightning"),
    ),
    "sweep": ("docre.training", "docre.cli", "lightning", "docre.pipeline"),
    "batch.py": ("docre.", "lightning"),
    **dict.fromkeys(
        ("outputs.py", "pooling.py", "grids.py", "decoding.py", "evidence.py", *BRICKS),
        (
            *("docre.data", "docre.joint_data", "docre.model", "docre.metrics", "docre.cli"),
            *("lightning", "transformers"),
        ),
    ),
    "encoder.py": ("docre.model", "docre.heads", "docre.data.modules", "docre.cli", "lightning"),
}
HEAVY = ("torch", "lightning", "transformers", "datasets", "torchmetrics", "pyarrow")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_do_not_know_what_comes_after_them(room):
    files = [PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        for name in imports_of(path):
            for forbidden in FORBIDDEN[room]:
                bare = forbidden.removesuffix(".")
                assert not f"{name}.".startswith(f"{bare}."), f"{path}: {name}"


@pytest.mark.parametrize(
    "statement",
    ["import docre", "import docre.cli; docre.cli.build_parser()", "import docre.scoring"],
)
def test_importing_is_light(statement):
    code = f"{statement}\nimport sys; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("brick", BRICKS)
def test_bricks_need_torch_alone(brick):
    forbidden = [name for name in HEAVY if name != "torch"]
    code = (
        f"import sys\nfor name in {forbidden!r}: sys.modules[name] = None\n"
        f"import docre.{brick}; print(*(m for m in sys.modules if m.startswith('docre.data')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_public_names_can_be_reached():
    import docre

    for name in docre.__all__:
        assert getattr(docre, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = docre.nothing


def test_class_names_are_unique():
    """A short class name in YAML must mean one class."""
    seen = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert node.name not in seen, f"{node.name}: {path} and {seen[node.name]}"
                seen[node.name] = path


def test_no_file_is_too_long():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
