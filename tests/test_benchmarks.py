"""Benchmarks that compare two systems refuse to measure any that do not find the same."""

import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_joint_extraction_finds_and_learns_the_same_with_masks_and_loops():
    """The script asserts that; a small document will do, and how fast it was is not looked at."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "joint.py", "--quick", "--threads", "1"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, *rows = done.stdout.splitlines()
    assert "found: 7 mentions, 6 entities, 12 relations" in first
    assert len(rows) == 5
    assert all(" / " in row for row in rows)
