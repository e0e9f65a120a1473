"""Numbers as tables for people have them; what is not known is a dash."""

from __future__ import annotations

UNKNOWN = "-"


def duration(seconds: float | None) -> str:
    """Return hours, minutes and seconds."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def percent(fraction: float | None) -> str:
    """Return a fraction in percent, with two decimals."""
    return UNKNOWN if fraction is None else f"{100 * fraction:.2f}"


def epochs(trained: int | None, best: int | None) -> str:
    """Return how many epochs there were, and in brackets the one that was kept."""
    if trained is None:
        return UNKNOWN
    return str(trained) if best is None else f"{trained} ({best})"
