"""How far apart the texts of mentions are, in characters.

The text of a mention has two forms. In training it is the words of the document; a model that
reads token ids alone has only what the tokenizer makes of them. The two differ at punctuation and
at words the vocabulary lacks, so who compares mentions says which form it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class TokenDecoder(Protocol):
    """What is needed of a Hugging Face tokenizer."""

    def decode(self, token_ids: list[int], **settings: Any) -> Any:
        """Return the text of token ids."""


def phrases_of_words(words: Sequence[str], spans: Iterable[tuple[int, int]]) -> list[str]:
    """Return the words of each span, joined by blanks.

    Args:
        words: Words of a document.
        spans: First word and one past the last.
    """
    return [" ".join(words[start:end]) for start, end in spans]


def phrases_of_tokens(
    tokenizer: TokenDecoder, token_ids: Sequence[int], spans: Iterable[tuple[int, int]]
) -> list[str]:
    """Return what the tokenizer makes of the tokens of each span.

    Blanks before punctuation and at the ends are taken away. Words that the vocabulary lacks look
    all alike.

    Args:
        tokenizer: Of the encoder.
        token_ids: Tokens of a document.
        spans: First token and one past the last.
    """
    ids = list(token_ids)
    return [
        # said explicitly, as the default is not the same in all versions of transformers
        str(tokenizer.decode(ids[start:end], clean_up_tokenization_spaces=True)).strip()
        for start, end in spans
    ]


def edit_distances(phrases: Sequence[str]) -> NDArray[np.int64]:
    """Return the Levenshtein distance of all pairs of phrases.

    Distances are not limited: a table of embeddings that is shorter limits them itself.

    Args:
        phrases: Texts of the mentions of a document.  # [M]

    Returns:
        Symmetric, 0 on the diagonal.  # [M, M]
    """
    # the heads do without this package, so it is not asked for where they are imported
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    # mentions often share their text
    distinct, place = np.unique(np.array(phrases, dtype=object), return_inverse=True)
    texts = distinct.tolist()
    found: NDArray[np.int64] = cdist(texts, texts, scorer=Levenshtein.distance, dtype=np.int64)
    return found.reshape(len(texts), len(texts))[np.ix_(place, place)]
