"""Finders by what people type."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from docre.errors import DocreError
from docre.pipeline.finders.base import EntityFinder

FORMS = (
    "joint:RUN (a joint model of docre), spacy:PIPELINE, gliner:MODEL (with labels), or "
    "package.module:function, which returns a finder"
)


def finder_named(
    name: str,
    labels: Sequence[str] = (),
    types: Sequence[str] = (),
    device: str | None = None,
    offline: bool = False,
) -> EntityFinder:
    """Return the finder that a text names.

    Args:
        name: ``joint:RUN``, ``spacy:PIPELINE``, ``gliner:MODEL``, ``package.module:function`` or
            the folder of a joint model.
        labels: What GLiNER is to look for, such as ``person``, or ``person=PER`` where the model
            calls it otherwise.
        types: Entity types of the model that relates what is found: spaCy's labels are translated
            for one that was trained on DocRED.
        device: Where a model of the finder runs.
        offline: Never use the network.

    Raises:
        DocreError: If there is no such finder, or its package is not installed.
    """
    from docre.pipeline.devices import device_named

    kind, colon, rest = name.partition(":")
    if labels and kind != "gliner":
        raise DocreError("labels: only gliner:MODEL takes labels to look for")
    if not colon or (kind == "joint" and rest) or Path(name).exists():
        from docre.hub.contents import read_model
        from docre.pipeline.finders.joint import JointFinder

        source = rest if kind == "joint" and colon else name
        return JointFinder(read_model(source, offline=offline), device_named(device))
    if kind == "spacy" and rest:
        from docre.pipeline.finders.spacy import DOCRED_TYPES, SpacyFinder

        is_docreds = {*types} == {*DOCRED_TYPES.values()}
        return SpacyFinder(rest, DOCRED_TYPES if is_docreds else None)
    if kind == "gliner" and rest:
        from docre.pipeline.finders.gliner import GlinerFinder

        if not labels:
            raise DocreError("labels: gliner looks for what it is told; for example person place")
        pairs = (label.partition("=") for label in labels)
        meant = {label: kind or label for label, _, kind in pairs}
        return GlinerFinder(rest, meant, device=str(device_named(device)))
    return _own(name, kind, rest)


def _own(name: str, module: str, attribute: str) -> EntityFinder:
    try:
        made: EntityFinder = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise DocreError(f"finder: {name} is none of {FORMS}: {error}") from error
    if not callable(getattr(made, "find", None)):
        raise DocreError(f"finder: what {name} returns has no method find(documents)")
    return made
