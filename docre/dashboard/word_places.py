"""Where the words of a document stand among its tokens, found again from the tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Span = tuple[int, int]


def word_places(
    input_ids: Sequence[int], words: Sequence[str], pieces: Mapping[str, Sequence[int]]
) -> list[Span] | None:
    """Return the tokens of each word; markers and special tokens between words are passed over.

    Args:
        input_ids: Tokens of the document.  # [T]
        words: Its words, in order.
        pieces: What each word is cut into.

    Returns:
        First token and one past the last one of each word, those that were cut off left out at the
        end; ``None`` if the tokens were not made word by word.

    Example:
        >>> word_places([0, 9, 5, 6, 9, 7, 1], ["ab", "c"], {"ab": [5, 6], "c": [7]})
        [(2, 4), (5, 6)]
    """
    ids = list(input_ids)
    places: list[Span] = []
    at = 0
    for word in words:
        cut = list(pieces[word])
        found = at
        while ids[found : found + len(cut)] != cut:
            found += 1
            if found + len(cut) > len(ids):
                # the end was cut off, or nothing fits
                return places if 2 * len(places) >= len(words) else None
        places.append((found, found + len(cut)))
        at = found + len(cut)
    return places
