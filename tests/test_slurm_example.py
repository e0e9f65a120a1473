"""``examples/slurm/train.sh``: what it asks SLURM for, and what it starts."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "slurm" / "train.sh"
SLURM = {"SLURM_JOB_ID": "17", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "1"}
# starts each task where it is, as if it were on machines of its own
SRUN = """#!/bin/bash
export SLURM_NTASKS=$((SLURM_NNODES * SLURM_NTASKS_PER_NODE)) SLURM_JOB_NAME=docre
export SLURM_NODELIST=127.0.0.1 SLURM_LOCALID=0
for ((task = 0; task < SLURM_NTASKS; task++)); do
    SLURM_PROCID=$task SLURM_NODEID=$task "$@" > "task_$task.txt" 2>&1 &
    tasks+=($!)
done
for task in "${tasks[@]}"; do
    wait "$task" || exit $?
done
"""
SCONTROL = """#!/bin/bash
echo "$@" > requeued.txt
"""


def cluster(folder):
    """Make commands of a cluster of one machine; return an environment with them."""
    commands = folder / "commands"
    commands.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    return os.environ | SLURM | {"PATH": f"{commands}:{os.environ['PATH']}"}


def command(folder, text):
    """Make something to run in place of docre."""
    file = folder / "docre"
    file.write_text(f"#!/bin/bash\n{text}\n")
    file.chmod(0o755)
    return {"DOCRE": str(file)}


def test_it_is_bash():
    subprocess.run(["bash", "-n", SCRIPT], check=True)


def test_a_task_is_a_gpu():
    asked = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", SCRIPT.read_text(), re.MULTILINE))
    assert asked["ntasks-per-node"] == asked["gpus-per-node"]
    assert "requeue" in asked
    assert asked["signal"].startswith("B:")  # to the script alone


@pytest.fixture
def begin(tmp_path):
    environment = cluster(tmp_path)

    def begin(text, *options):
        return subprocess.Popen(
            ["bash", SCRIPT, "quickstart.yaml", *options],
            cwd=tmp_path,
            env=environment | command(tmp_path, text),
        )

    return begin


def test_begins_and_goes_on(begin, tmp_path):
    """Resuming is not asked for before there is something to resume."""
    assert begin('echo "$@"', "--trainer.strategy", "fsdp").wait(20) == 0
    (words,) = {(tmp_path / f"task_{task}.txt").read_text() for task in range(2)}
    options = "--trainer.accelerator gpu --trainer.strategy ddp --trainer.strategy fsdp"
    places = "--trainer.devices 1 --trainer.num_nodes 2 --trainer.logger.version job_17"
    assert words == f"fit --config quickstart.yaml {options} {places}\n"
    last = tmp_path / "runs" / "quickstart" / "job_17" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    assert begin('echo "$@"').wait(20) == 0
    words = (tmp_path / "task_1.txt").read_text()
    assert words == "fit --resume runs/quickstart/job_17\n"


def test_says_how_the_training_ended(begin):
    assert begin("exit 3").wait(20) == 3


def test_goes_into_the_queue_again(begin, tmp_path):
    """And the training goes on until SLURM ends it."""
    job = begin("touch began; sleep 2; touch ended")
    while not (tmp_path / "began").exists():
        time.sleep(0.02)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(20) == 0
    assert (tmp_path / "requeued.txt").read_text() == "requeue 17\n"
    assert (tmp_path / "ended").exists()
