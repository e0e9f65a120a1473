"""The page as one HTML file that needs nothing from outside and runs nothing from its data."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import msgspec

# In the order they are put together: each may use what stands before it.
SCRIPTS = ("elements.js", "state.js", "text.js", "document.js", "lists.js", "page.js")
# None of these may stand in a script element as it is: they end it, or end a line of JSON's.
_ESCAPED = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def render_page(content: Mapping[str, Any], title: str) -> str:
    """Return the page.

    Its policy lets the browser run the scripts and styles that are docre's own, known by their
    checksums, and load nothing at all.

    Args:
        content: What :func:`docre.report.content.page_content` made.
        title: Title of the page.
    """
    style = _read("page.css")
    script = "\n".join(map(_read, SCRIPTS))
    return Template(_read("page.html")).substitute(
        title=escape(title),
        policy=f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        data=embedded_json(content),
    )


def embedded_json(value: Any) -> str:
    """Write JSON that may stand inside a script element, whatever texts are in it."""
    return msgspec.json.encode(value).decode().translate(_ESCAPED)


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
