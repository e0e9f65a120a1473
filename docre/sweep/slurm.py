"""A script for SLURM: one task a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from docre.sweep.cells import SweepRun

_SCRIPT = """\
#!/bin/bash
# Runs of a docre sweep, one task each. Submit it from the folder it was written in:
#
#   sbatch {file}
#
# and behind it, for the table and the comparison:
#
#   {compare}
#
# A task that failed or was cut short goes on where it was when it is submitted again; one that has
# finished ends at once. What a task may use stands below: change it to what your cluster has, and
# add what it asks for, such as --partition and --account.
#
{runs}
#
#SBATCH --job-name={name}
#SBATCH --array={array}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
{gpus}#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={output}

# each task is one process and starts what it needs by itself, also on several GPUs
export SLURM_JOB_NAME=bash

exec {task} --only "$SLURM_ARRAY_TASK_ID"
"""


def slurm_script(
    file: Path,
    folder: Path,
    runs: Sequence[SweepRun],
    command: Sequence[str],
    at_once: int,
    on_gpus: bool,
) -> str:
    """Return the text of a script.

    Args:
        file: Where it will stand.
        folder: Folder of the sweep; what tasks print goes there.
        runs: The runs, numbered from one.
        command: The command of the whole sweep.
        at_once: The most tasks at a time; all of them if 1.
        on_gpus: Ask for a GPU for each task.
    """
    limit = f"%{at_once}" if at_once > 1 else ""
    return _SCRIPT.format(
        file=shlex.quote(str(file)),
        compare=shlex.join([*command, "--jobs", "0"]),
        runs="\n".join(f"# {run.number:>4}  {run.name}" for run in runs),
        name=shlex.quote(folder.name),
        array=f"1-{len(runs)}{limit}",
        gpus="#SBATCH --gpus=1\n" if on_gpus else "",
        output=shlex.quote(f"{folder}/slurm_%a.txt"),
        task=shlex.join(command),
    )
