"""Which sequences are read together, so that little of what is read is padding."""

from __future__ import annotations

from collections.abc import Sequence

# A group's shortest sequence lacks at most this share of its longest one, or so many tokens: less
# padding than that costs less than another call.
_SHARE = 1 / 8
_TOKENS = 16


def similar_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """Divide sequences into groups of similar length.

    Args:
        lengths: How long each is.

    Returns:
        Groups of their numbers, the longest first.
    """
    groups: list[list[int]] = []
    longest = 0
    for number in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        length = lengths[number]
        if not groups or longest - length > max(_TOKENS, longest * _SHARE):
            groups.append([])
            longest = length
        groups[-1].append(number)
    return groups
