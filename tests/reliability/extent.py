"""How much of the reliability suite is run: a part in minutes, or everything."""

import os

LONG = os.environ.get("DOCRE_RELIABILITY") == "long"


def by_extent(short, long):
    """Return the number for this run."""
    return long if LONG else short
