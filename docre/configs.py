"""The configurations that travel with the package, found by bare name from any folder."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from docre.errors import DocreError
from docre.yaml_text import plain_yaml


def config_folder() -> Path:
    """Return the folder of the packaged configurations."""
    package = Path(__file__).parent
    inside = package / "cli_configs"  # where the wheel puts them
    return inside if inside.is_dir() else package.parent / "cli_configs"


# What lies in which folder, and what it is for; what lies in none is a system.
KINDS = {
    "": "docre fit --config NAME",
    "chains": "docre chain NAME",
    "sweeps": "docre sweep NAME",
    "overlays": "docre fit --config SYSTEM --config NAME",
    "results": "make results TABLE=NAME",
}


def config_names(kind: str | None = None) -> list[str]:
    """Return the names of all packaged configurations, or of those of a kind.

    Those for ``docre fit`` come first, then chains, sweeps and overlays, those of the results page
    last.
    """
    root = config_folder()
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.yaml")]
    kinds = list(KINDS) if kind is None else [kind]
    return sorted(
        (name for name in names if kind_of(name) in kinds),
        key=lambda name: (kinds.index(kind_of(name)), name),
    )


def kind_of(name: str) -> str:
    """Return the folder a packaged configuration lies in, a key of ``KINDS``."""
    return name.partition("/")[0] if "/" in name else ""


def find_config(name: str, kind: str | None = None) -> Path:
    """Return the file a name means: one that exists, or a packaged configuration.

    What is too deep or too large for its readers is refused here, see :mod:`docre.yaml_text`.

    Args:
        name: A path, or the name of a packaged configuration with or without ``.yaml``.
        kind: The folder it lies in, a key of ``KINDS``; a name may leave it out.

    Raises:
        DocreError: If there is none, with names that are close.
    """
    given = Path(name)
    if given.is_file():
        plain_yaml(given)
        return given
    root = config_folder()
    folder, short, long = root, "config", "configuration"
    if kind:  # of sweeps/, a sweep
        folder, short, long = root / kind, *(2 * [kind.removesuffix("s")])
        name = name.removeprefix(f"{kind}/")
    for candidate in (folder / name, folder / f"{name}.yaml"):
        if candidate.is_file() and candidate.resolve().is_relative_to(folder.resolve()):
            return candidate
    known = [(root / one).relative_to(folder).as_posix() for one in config_names(kind)]
    close = get_close_matches(name, known + [n.removesuffix(".yaml") for n in known], n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise DocreError(
        f"no such {short}: {name} is neither a file here nor a packaged {long}{hint} "
        "(docre configs lists them)"
    )


def summary(path: Path) -> str:
    """Return the first line of a configuration's header."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.lstrip("# ").strip()
        if line.startswith("#") and text:
            return text
    return ""
