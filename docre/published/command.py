"""``docre convert``: a model folder from the published weights of a system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from docre.errors import DocreError

SystemName = Literal["atlop", "docunet", "dreeam", "jerex", "kd_docre", "ssr_pu", "ttm_re"]


def convert(
    system: SystemName,
    weights: Path,
    output: Path,
    encoder: str | None = None,
    relations: Path | None = None,
    types: Sequence[str] | None = None,
    dataset: Literal["docred", "cdr", "gda", "chemdisgene"] = "docred",
    exact: bool = True,
    top_k: int | None = None,
    offline: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> None:
    """Convert published weights to a folder that docre reads as its own models.

    Args:
        system: Whose weights they are.
        weights: Their file: .pt, .pth, .bin, .ckpt or .safetensors. No code in it is run.
        output: The folder to write.
        encoder: Hub name or folder of the encoder the system was trained from, such as
            bert-base-cased; only its configuration and its tokenizer are read.
        relations: JSON of relations and their numbers, such as DocRED's rel2id.json, or JEREX's
            types.json; those of the data set if left out.
        types: Entity types in the order of training; those of the data set if left out.
        dataset: What the system was trained on: its relations, types and markers.
        exact: Compute as the released code does, its slips and limits included; false takes the
            same weights in the form docre trains.
        top_k: Most relations of a pair; the system's own number if left out, 0 for no cap.
        offline: Never use the network.
        overwrite: Replace a model that is there.
        console: Where to print; standard output if left out.

    Raises:
        DocreError: If the weights are not of that system, an option has no such value, or the
            folder cannot be written.
    """
    if encoder is None:
        raise DocreError("docre convert needs --encoder NAME, what the system was trained from")

    from docre.console import say_line
    from docre.hub.saving import require_place, save_pretrained
    from docre.published.converting import convert_weights
    from docre.published.label_names import label_names
    from docre.published.systems import SYSTEMS
    from docre.quiet import be_quiet

    be_quiet()
    if system not in SYSTEMS:
        raise DocreError(f"system: {system!r} is none of {', '.join(SYSTEMS)}")
    require_place(output, overwrite)
    names = label_names(relations, types, dataset)
    found = convert_weights(
        SYSTEMS[system], weights, encoder, names, dataset, exact, top_k, offline
    )
    save_pretrained(found.contents, output, overwrite=overwrite)
    console = console or Console()
    if found.dead:
        parts = sorted({_part(name) for name in found.dead})
        say_line(console, f"left out, as it is never used: {', '.join(parts)}")
    for note in found.notes:
        say_line(console, f"note: {note}")
    say_line(console, f"written to {output}")


def _part(name: str) -> str:
    """Return the module that a parameter is of."""
    return name.rpartition(".")[0]
