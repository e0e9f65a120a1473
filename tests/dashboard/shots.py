"""Pictures for the documentation: python -m tests.dashboard.shots LOG_FOLDER PICTURE_FOLDER."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.dashboard.server import see, tensorboard, visit
from tests.report.browser import browser

# what is shown (a tab, and which runs and names of it), what to wait for, and how large the page is
_ONE = "regexInput=ttm_200_slots%2Fversion_0%24"
PAGES = {
    "hparams": ("hparams", "hp/dev_f1", (1900, 420)),
    "custom-scalars": ("custom_scalars", "F1 and Ign F1", (1250, 760)),
    "images": (
        f"images&{_ONE}&tagFilter=attention%2F1%7Cmemory%7Crelations",
        "memory/map",
        (1250, 1000),
    ),
    "pr-curves": ("pr_curves", "triples", (1000, 700)),
    "text": (f"text&{_ONE}&tagFilter=examples%2F1", "margin", (1250, 780)),
    "projector": ("projector", "memory", (1300, 800)),
}


def main(log_folder: str, pictures: str) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        tensorboard(Path(log_folder)) as address,
        browser(Path(folder)) as tab,
    ):
        for name, (shown, word, size) in PAGES.items():
            visit(tab, f"{address}/#{shown}", *size)
            see(tab, word)
            time.sleep(6)  # charts move to their place
            tab.shoot(Path(pictures) / f"tensorboard-{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
