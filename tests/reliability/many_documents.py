"""Many small documents through one part of docre, and the memory that took, for ``test_long_runs``.

Run as a process of its own: ``python -m tests.reliability.many_documents PART OUTPUT ARGUMENT...``.
Memory is what the process has for itself at its most, looked up all the time. Files that are mapped
into memory do not count: the system takes their pages back when it needs them.
"""

import json
import sys
import threading
import time
from pathlib import Path

from docre.cli import main
from docre.data.formats.own import encode
from docre.documents import Document, Entity, Mention, Relation

NAMES = ["Ada", "Bela", "Cora", "Dina", "Edda", "Fela", "Gina", "Hela"]
PLACES = ["Arle", "Brun", "Corl", "Dorn", "Esk", "Fenn", "Gorl", "Hund"]
PERIOD = 0.01


def write(path, count, relation="born_in"):
    """Write documents of two sentences, in docre's own lines."""
    with path.open("wb") as file:
        for number in range(count):
            who, where = NAMES[number % 8], PLACES[number // 8 % 8]
            one = Document(
                id=f"document {number}",
                sentences=((who, "left", where, "."), ("She", "liked", where, str(number), ".")),
                entities=(
                    Entity((Mention(0, 0, 1), Mention(1, 0, 1)), "PER"),
                    Entity((Mention(0, 2, 3), Mention(1, 2, 3)), "LOC"),
                ),
                relations=(Relation(0, 1, relation),),
            )
            file.write(encode(one) + b"\n")


def own_memory():
    """Return the bytes that this process has for itself now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


class Peak(threading.Thread):
    """Looks up the memory of this process until it is asked."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(PERIOD):
            self.most = max(self.most, own_memory())

    def end(self):
        self._over.set()
        self.join()
        return max(self.most, own_memory())


def prepare(file, vocabulary, workers="0"):
    """Build the cache of a file and go through one epoch of batches."""
    from docre.data.modules import DocREDFormat
    from docre.data.modules.settings import BatchSettings, ReadSettings

    data = DocREDFormat(
        train_file=file,
        tokenizer=vocabulary,
        reading=ReadSettings(cache_dir="cache"),
        batches=BatchSettings(num_workers=int(workers)),
    )
    data.prepare_data()
    data.setup("fit")
    return sum(len(batch) for batch in data.train_dataloader())


def facts(file, vocabulary):
    """Collect the facts of a training file, as every training with a development split does."""
    from docre.data.modules import DocREDFormat

    return len(DocREDFormat(train_file=file, tokenizer=vocabulary).facts().triples)


def command(*words):
    """Run a command of docre."""
    try:
        main(list(words))
    except SystemExit as ended:
        return ended.code or 0
    return 0


if __name__ == "__main__":
    part, output, *arguments = sys.argv[1:]
    peak, began = Peak(), time.process_time()
    peak.start()
    answer = {"prepare": prepare, "facts": facts, "command": command}[part](*arguments)
    found = {"answer": answer, "peak": peak.end(), "seconds": time.process_time() - began}
    Path(output).write_text(json.dumps(found))
