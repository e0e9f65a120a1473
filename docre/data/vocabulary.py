"""A small word-piece vocabulary made from documents, for encoders that are trained from scratch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from docre.documents import Document

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Room for typed markers: an opening and a closing one for up to 25 entity types.
_UNUSED = tuple(f"[unused{number}]" for number in range(1, 101))


def learn_word_pieces(
    documents: Iterable[Document], size: int = 4000, sample: int = 2000
) -> list[str]:
    """Return a vocabulary: special tokens, characters, frequent words and frequent endings.

    Words are cut greedily, longest piece first, so any set of pieces with all single characters
    covers all text. Pieces are chosen by how many characters of the text they cover; ties are
    broken by the alphabet, so the same documents always give the same vocabulary.

    Args:
        documents: Documents to learn from.
        size: Number of tokens.
        sample: Use only so many documents.
    """
    words: Counter[str] = Counter()
    for number, document in enumerate(documents):
        if number >= sample:
            break
        words.update(w.lower() for sentence in document.sentences for w in sentence)
    letters = {letter for word in words for letter in word} | {"*"}
    base = [*SPECIAL, *_UNUSED, *sorted(letters), *(f"##{letter}" for letter in sorted(letters))]
    gain: Counter[str] = Counter()
    for word, count in words.items():
        for end in range(2, len(word) + 1):
            gain[word[:end]] += count * (end - 1)
        for start in range(1, len(word) - 1):
            gain[f"##{word[start:]}"] += count * (len(word) - start - 1)
    chosen = sorted(gain, key=lambda piece: (-gain[piece], piece))[: max(size - len(base), 0)]
    return base + chosen


def save_tokenizer(vocabulary: list[str], folder: Path) -> PreTrainedTokenizerBase:
    """Write a tokenizer with this vocabulary into a folder and return it.

    Args:
        vocabulary: Tokens in the order of their ids.
        folder: Made if it is missing.
    """
    from transformers import BertTokenizer

    tokenizer: PreTrainedTokenizerBase = BertTokenizer(
        vocab={token: number for number, token in enumerate(vocabulary)}, do_lower_case=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(folder))
    return tokenizer
