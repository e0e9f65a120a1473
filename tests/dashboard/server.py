"""A TensorBoard server of one's own, and what a browser shows of it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

# All text and pictures of a page, within shadow roots and frames.
_DEEP = """
(() => {
  const texts = [], pictures = [];
  const walk = node => {
    if (node.nodeType === 3) { const t = node.textContent.trim(); if (t) texts.push(t); return; }
    if (['STYLE', 'SCRIPT', 'TEMPLATE'].includes(node.nodeName)) return;
    if (node.nodeName === 'IMG' && node.naturalWidth) pictures.push(node.naturalWidth);
    if (node.nodeName === 'IFRAME' && node.contentDocument) walk(node.contentDocument);
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  if (document.body) walk(document.body);
  return {text: texts.join('\\n'), pictures};
})()
"""


@contextmanager
def tensorboard(log_folder: Path):
    """Serve a log folder on a free port and give its address."""
    command = [
        *(sys.executable, "-m", "tensorboard.main", "--logdir", str(log_folder)),
        *("--host", "127.0.0.1", "--port", "0", "--reload_interval", "1"),
    ]
    output = log_folder.parent / "tensorboard.log"
    with output.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"at (http://\S+)", output.read_text())):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, "TensorBoard does not start"
            time.sleep(0.2)
        yield found[1].rstrip("/")
    finally:
        process.terminate()
        process.wait(20)


def visit(tab, url: str, width: int = 1300, height: int = 850) -> None:
    """Open a page anew."""
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )
    tab.call("Page.navigate", url="about:blank")
    tab.call("Page.navigate", url=url)


def see(tab, *words: str, pictures: int = 0, seconds: float = 90) -> str:
    """Wait until a page shows some words and pictures, and return all of its text."""
    deadline = time.monotonic() + seconds
    while True:
        shown = tab.ask(_DEEP)
        missing = [word for word in words if word not in shown["text"]]
        if not missing and len(shown["pictures"]) >= pictures:
            return shown["text"]
        assert time.monotonic() < deadline, (missing, shown["pictures"], shown["text"][-3000:])
        time.sleep(0.3)
