"""Commands end with the process that has begun them, whatever that died of."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chain.test_process import wait_for

ROOT = Path(__file__).resolve().parents[2]
# stands for ``python -m docre``, without its imports
COMMAND = """
import os, signal, sys, time
from pathlib import Path
from docre.chain.lifeline import end_with_leader
if "DOCRE_LIFELINE" not in os.environ:
    sys.exit(3)
end_with_leader()
assert "DOCRE_LIFELINE" not in os.environ
def stop(number, frame):
    Path("ended").touch()
    sys.exit()
signal.signal(signal.SIGTERM, stop)
Path("begun").touch()
time.sleep(60)
"""
LEADER = """
import signal, sys
from pathlib import Path
from docre.chain.process import start
from docre.chain.state import locked
sys.executable = sys.argv[1]
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which tests may run, ignores it
with locked(Path("folder")) as lock:
    start([], lock).wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_command_ends_with_its_leader(tmp_path, number):
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{COMMAND}")
    script.chmod(0o755)
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    wait_for(lambda: (tmp_path / "begun").exists() or leader.poll() is not None)
    assert not (tmp_path / "ended").exists()
    leader.send_signal(number)
    assert leader.wait() == -number
    wait_for((tmp_path / "ended").exists)


def test_a_process_that_hangs_on_no_other_goes_on():
    code = "from docre.chain.lifeline import end_with_leader as e; e(); e({'DOCRE_LIFELINE': '77'})"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
