"""What the site makes of pages and docstrings: loaded by ``mkdocs.yml``, no part of the package.

Roles such as ``:class:`` become links, notes of shapes become code, and a ``NamedTuple`` gets the
signature that its fields are.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`(~?)([\w.]+)`")
_SHAPE = re.compile(r"^(?! *(?:>>>|\.\.\. ))(.*?) *# (\[.+\])$", re.MULTILINE)
_EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)  # the parser knows the plural
_NOT_RUN = re.compile(r"^( *```\w+) notest$", re.MULTILINE)


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Take out what tests are told about excerpts: that they cannot be run."""
    return _NOT_RUN.sub(r"\1", markdown)


class Docstrings(griffe.Extension):
    """Rewrites all docstrings once the package is loaded, when names can be resolved."""

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Give a named tuple its signature."""
        if not any(str(base) == "NamedTuple" for base in cls.bases):
            return
        kind = griffe.ParameterKind.positional_or_keyword
        parameters = griffe.Parameters(
            *(
                griffe.Parameter(
                    field.name, annotation=field.annotation, kind=kind, default=field.value
                )
                for field in cls.attributes.values()
                if field.annotation is not None
            )
        )
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters, parent=cls))

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is None:
            return
        text = _ROLE.sub(lambda found: link(found[2], found[1] == "~", obj), obj.docstring.value)
        text = _SHAPE.sub(r"\1 `\2`", text)
        obj.docstring.value = _EXAMPLE.sub(r"\1Examples:", text)


def link(name: str, short: bool, obj: griffe.Object) -> str:
    """Return a link to what ``name`` means in the docstring of ``obj``.

    What has no place in the reference stays what it was, a name.
    """
    shown = name.rpartition(".")[2] if short else name
    first, _, rest = name.partition(".")
    try:
        target = obj.resolve(first)
    except griffe.NameResolutionError:
        target = first
    path = f"{target}.{rest}" if rest else target
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
