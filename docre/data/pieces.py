"""Word pieces: a tokenizer seen as the few things that features need of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import xxhash
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

# Distinct words whose pieces are kept; a word takes about 200 bytes.
_REMEMBERED = 1_000_000


class TextPieces(NamedTuple):
    """Pieces of a whole text and the characters each stands for."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class Pieces:
    """Cut words and texts into word pieces, never reading a special token out of a document.

    The tokenizer is copied, so its own padding and truncation are neither used nor changed. A text
    that happens to contain ``[SEP]`` is cut into pieces like any other; where the vocabulary itself
    has ``</s>`` as a piece, as that of SentencePiece does, the text is cut within it.

    Args:
        tokenizer: Any Hugging Face tokenizer; texts with character offsets need a fast one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.name = str(tokenizer.name_or_path)
        self.pad_id = int(tokenizer.pad_token_id or 0)
        self.unknown_id = tokenizer.unk_token_id
        self.vocabulary_size = len(cast(Any, tokenizer))
        self._tokenizer = tokenizer
        self._fast = _independent_copy(tokenizer)
        self.prefix, self.suffix = _around(tokenizer)
        self._special = _special_ids(tokenizer)
        self._known: dict[str, list[int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}  # a worker process learns its own words

    def of_words(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Return a table that has the pieces of all these words, each cut by itself.

        One word at a time and without a leading blank is how the published systems do it, so with
        RoBERTa no piece carries the mark of a word's beginning. Each distinct word is cut once.
        """
        if len(self._known) > _REMEMBERED:
            self._known = {}
        new = list({word for word in words if word not in self._known})
        if new:
            self._known.update(zip(new, self._encode(new), strict=True))
        return self._known

    def of_texts(self, texts: Sequence[str]) -> list[TextPieces]:
        """Return the pieces of whole texts with the characters each stands for."""
        if self._fast is None:
            raise ValueError(f"{self.name}: character offsets need a fast tokenizer")
        encoded = self._fast.encode_batch(list(texts), add_special_tokens=False)
        return [
            TextPieces(list(e.ids), list(e.offsets))
            if self._special.isdisjoint(e.ids)
            else self._divided(text)
            for text, e in zip(texts, encoded, strict=True)
        ]

    def tokens_of(self, text: str) -> list[str]:
        """Return the pieces of a text as strings."""
        ids = self._divided(text).ids
        return cast(list[str], self._tokenizer.convert_ids_to_tokens(ids))

    def ids_of(self, tokens: list[str], unknown: bool = False) -> list[int]:
        """Return the ids of tokens by name; a token the vocabulary lacks is an error.

        Args:
            tokens: Tokens of the vocabulary.
            unknown: Let the unknown token through, for tokens that come from a text.
        """
        ids = cast(list[int], self._tokenizer.convert_tokens_to_ids(tokens))
        for token, number in zip(tokens, ids, strict=True):
            if number is None or (number == self.unknown_id and not unknown):
                raise ValueError(
                    f"the tokenizer {self.name} has no token {token!r} for a marker; choose other "
                    "markers (features.markers) or another encoder"
                )
        return ids

    def fingerprint(self) -> str:
        """Return a hash of everything that decides how words are cut."""
        if self._fast is not None:
            described = self._fast.to_str()
        else:
            vocabulary = sorted(self._tokenizer.get_vocab().items())
            described = f"{type(self._tokenizer).__qualname__}{vocabulary}"
        whole = f"{described}{self.prefix}{self.suffix}{self.pad_id}{sorted(self._special)}"
        return xxhash.xxh3_128_hexdigest(whole.encode("utf-8", "surrogatepass"))

    def _encode(self, words: list[str]) -> list[list[int]]:
        ids: list[list[int]]
        if self._fast is not None:
            encoded = self._fast.encode_batch_fast(words, add_special_tokens=False)
            ids = [entry.ids for entry in encoded]
        else:
            ids = self._tokenizer(words, add_special_tokens=False)["input_ids"]
        return [
            pieces if self._special.isdisjoint(pieces) else self._divided(word).ids
            for word, pieces in zip(words, ids, strict=True)
        ]

    def _divided(self, text: str) -> TextPieces:
        """Return the pieces of a text, divided within whatever would be a special token."""
        ids, offsets = self._whole(text)
        found = [span for id, span in zip(ids, offsets, strict=True) if id in self._special]
        if not found:
            return TextPieces(ids, offsets)
        # behind its first character if it has several, else on both sides of it
        cuts = {cut for a, b in found for cut in ([a + 1] if b - a > 1 else [a, b])}
        inner = sorted(cut for cut in cuts if 0 < cut < len(text))
        if not inner:  # a special token of one character is as good as unknown
            known = [self.unknown_id if id in self._special else id for id in ids]
            kept = [(id, span) for id, span in zip(known, offsets, strict=True) if id is not None]
            return TextPieces([id for id, _ in kept], [span for _, span in kept])
        whole = TextPieces([], [])
        for start, end in pairwise([0, *inner, len(text)]):
            part = self._divided(text[start:end])
            whole.ids.extend(part.ids)
            whole.offsets.extend((start + a, start + b) for a, b in part.offsets)
        return whole

    def _whole(self, text: str) -> TextPieces:
        if self._fast is not None:
            encoded = self._fast.encode(text, add_special_tokens=False)
            return TextPieces(list(encoded.ids), list(encoded.offsets))
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        # nobody knows where its pieces are: a text is then divided in the middle
        middle = len(text) // 2
        return TextPieces(ids, [(middle, middle)] * len(ids))


def _independent_copy(tokenizer: PreTrainedTokenizerBase) -> Tokenizer | None:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        return None
    copy: Tokenizer = Tokenizer.from_str(backend.to_str())
    copy.no_padding()
    copy.no_truncation()
    copy.encode_special_tokens = True  # "[SEP]" in a document is text
    return copy


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Return the ids that no text may have; the unknown token is not one of them."""
    added = tokenizer.added_tokens_decoder.items()
    special = {*tokenizer.all_special_ids, *(id for id, token in added if token.special)}
    return frozenset(special - {tokenizer.unk_token_id})


def _around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Find out what the tokenizer puts before and behind one sequence."""
    bare: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    full: list[int] = tokenizer("a", add_special_tokens=True)["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    raise ValueError(f"{tokenizer.name_or_path}: cannot tell its special tokens from text")
