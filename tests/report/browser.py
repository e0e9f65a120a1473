"""Chromium at the end of two pipes: open a page, ask it something, press keys."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path

import pytest

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


@contextmanager
def browser(folder: Path):
    """Start chromium, or skip the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    there, out = os.pipe()
    back, here = os.pipe()

    def as_three_and_four():  # where --remote-debugging-pipe reads and writes
        kept = os.dup(here)
        os.dup2(there, 3)
        os.dup2(kept, 4)

    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            preexec_fn=as_three_and_four,
            pass_fds=(3, 4),
            stdout=log,
            stderr=log,
        )
    os.close(there)
    os.close(here)
    try:
        yield Tab(out, back)
    finally:
        os.close(out)
        os.close(back)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Tab:
    """One page of the browser; ``events`` has everything it said unasked."""

    def __init__(self, out: int, back: int) -> None:
        self._out, self._back, self._rest = out, back, b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.events: list[dict] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.bringToFront")  # one in the background is not drawn

    def call(self, method: str, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path, state: str = "", width: int = 1200, dark: bool = False) -> None:
        """Open a file anew and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=f"{path.as_uri()}{state}")
        while self.ask("document.readyState") != "complete" or self.ask("location.href").startswith(
            "about:"
        ):
            pass

    def ask(self, expression: str):
        """Return the value of an expression in the page; a promise is waited for."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
                **(text if kind == "keyDown" else {}),
            )

    def click(self, selector: str, index: int = 0) -> None:
        """Click on one of the elements that a selector finds."""
        self.ask(f"document.querySelectorAll({selector!r})[{index}].click()")

    def scrolled(self, expression: str):
        """Scroll the list of documents to its end, then answer."""
        self.ask(
            "new Promise(done => { const box = document.getElementById('list');"
            " const step = () => { box.scrollTop = 0; box.scrollTop = box.scrollHeight;"
            " if (box.querySelector('li.hint')) setTimeout(step, 50); else done(); }; step(); })"
        )
        return self.ask(expression)

    def shoot(self, path: Path) -> None:
        """Write a picture of what is seen."""
        path.write_bytes(b64decode(self.call("Page.captureScreenshot")["data"]))

    def said(self, *methods: str) -> list[dict]:
        return [event["params"] for event in self.events if event.get("method") in methods]

    def _read(self) -> dict:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], 30)
            assert ready, "chromium says nothing"
            piece = os.read(self._back, 1 << 16)
            assert piece, "chromium has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
