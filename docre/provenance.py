"""What a score has to say about itself: data, code, versions, seed."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from docre import __version__

_PACKAGES = (
    "torch",
    "lightning",
    "transformers",
    "tokenizers",
    "datasets",
    "torchmetrics",
    "jsonargparse",
    "numpy",
)


def versions() -> dict[str, str]:
    """Return the versions of everything a number may depend on."""
    found = {"docre": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return commit and cleanliness of the checkout a folder is in, ``None`` outside of one."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": changed}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def provenance() -> dict[str, Any]:
    """Return time, command, code and versions."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        # the code that runs, and the project it was started in
        "git": {
            "docre": git_state(Path(__file__).parent),
            "folder": git_state(Path.cwd()),
        },
        "versions": versions(),
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }
