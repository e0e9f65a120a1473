"""A stand-in for ``python -m docre``: a process that leaves what a run would leave, at once.

What is to happen in a run is in ``happens.json`` by its name: ``fail``, or ``wait`` for a file
``go``. A first training waits until as many others are under way as ``together`` says there.
What ``docre.fit_check`` answers for a command is in ``answers.json`` by a word of the command.
"""

import json
import os
import shutil
import sys
import time
from itertools import pairwise
from pathlib import Path


def main(words):
    if "docre.fit_check" in words:
        answer()
        return
    command, *rest = words[words.index("docre") + 1 :]
    given = dict(word.removeprefix("--").split("=", 1) for word in rest if "=" in word)
    pairs = dict(pairwise(rest))
    if command == "fit":
        logger = "trainer.logger.init_args."
        run = Path(*(given[f"{logger}{key}"] for key in ("save_dir", "name", "version")))
    else:
        run = Path(pairs["--run"])
    name = "/".join(run.parts[-2:])
    happens = json.loads(Path("happens.json").read_text())
    said = {key: os.environ.get(key) for key in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}
    with (run / "calls.jsonl").open("a") as file:
        file.write(json.dumps({"words": [command, *rest], "pid": os.getpid(), **said}) + "\n")
    if command == "fit":
        fit(run, happens.get(name, ""), happens.get("together", 0))
    else:
        (run / "scores").mkdir(exist_ok=True)
        split = "dev" if command == "validate" else "test"
        body = {"split": split, "scores": {"f1": 0.5, "ign_f1": 0.25}}
        (run / "scores" / f"{split}.json").write_text(json.dumps(body))


def answer():
    with Path("checks.txt").open("a") as file:
        file.write("checked\n")
    known = Path("answers.json")
    answers = json.loads(known.read_text()) if known.exists() else {}
    made = []
    for words in json.load(sys.stdin):
        found = [said for word, said in answers.items() if word in words]
        made.append({"digest": " ".join(words), "accelerator": "auto"} | dict(*found))
    json.dump(made, sys.stdout)


def fit(run, happens, together):
    Path("under_way").mkdir(exist_ok=True)
    mine = Path("under_way", "_".join(run.parts[-2:]))
    mine.touch()
    until(lambda: len(list(Path("under_way").iterdir())) >= together)
    (run / "config.yaml").touch()
    (run / "run.json").write_text('{"data": {"dev": {}}}')
    (run / "checkpoints").mkdir(exist_ok=True)
    if happens == "fail":
        print("half of a table", "docre: error: it does not work", "", sep="\n")
        sys.exit(3)
    copy("0.ckpt", run)
    if happens == "wait":
        until(Path("go").exists)
    copy("1.ckpt", run)


def copy(name, run):
    for kind in ("best", "last"):
        shutil.copy(name, run / "checkpoints" / f".{kind}")
        (run / "checkpoints" / f".{kind}").rename(run / "checkpoints" / f"{kind}.ckpt")


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            sys.exit("waited for nothing")
        time.sleep(0.02)


main(sys.argv)
