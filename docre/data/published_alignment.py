"""ChemDisGene's published alignment of characters and pieces, faults included, for parity only.

Title and abstract are joined without a blank, lower-cased and transliterated, and mention offsets
are looked up one character early. Both slips cancel in the abstract and do not in the title. A
mention is read at the first piece behind its opening marker, not at the marker.
"""

from __future__ import annotations

from collections.abc import Sequence

from docre.data.layout import TokenLayout
from docre.data.markers import MARKER
from docre.data.pieces import Pieces
from docre.documents import Document

Span = tuple[int, int]
_OPEN, _CLOSE = "[CLS]", "[SEP]"


def published_layout(document: Document, pieces: Pieces) -> TokenLayout:
    """Lay a ChemDisGene document out as the published code does.

    Positions leave the opening special token out, like those of :func:`docre.data.layout.lay_out`.
    There are no sentences in this form.
    """
    if document.text is None or document.offsets is None:
        raise ValueError(f"{document.id}: the published alignment needs a raw text")
    text = _plain(_joined(document))
    tokens = [_OPEN, *pieces.tokens_of(text), _CLOSE]
    token_at = align(f"{_OPEN} {text} {_CLOSE}", tokens)
    spans = sorted(
        (document.char_span(mention) or (0, 0), entity)
        for entity, held in enumerate(document.entities)
        for mention in held.mentions
    )
    marked, read = insert_markers(tokens, token_at, [span for span, _ in spans])
    mentions: list[list[Span]] = [[] for _ in document.entities]
    for (_, entity), found in zip(spans, read, strict=True):
        if found is not None:
            opening, behind = found
            mentions[entity].append((opening, behind - 1))
    return TokenLayout(pieces.ids_of(marked[1:-1], unknown=True), mentions, [])


def align(text: str, tokens: Sequence[str]) -> dict[int, int]:
    """Return the token of every character, greedily.

    A blank belongs to the token behind it. A token that equals the next characters takes them all,
    any other, such as an unknown one, takes a single character.
    """
    token_at: dict[int, int] = {}
    position = 0
    for index, token in enumerate(tokens):
        while position < len(text) and text[position].isspace():
            token_at[position] = index
            position += 1
        piece = token.replace("##", "").replace("Ġ", "")
        length = len(piece) if text.startswith(piece, position) else 1
        for character in range(position, min(position + length, len(text))):
            token_at[character] = index
        position += length
    return token_at


def insert_markers(
    tokens: Sequence[str], token_at: dict[int, int], spans: Sequence[Span]
) -> tuple[list[str], list[Span | None]]:
    """Insert markers one mention after another, looking offsets up one character early.

    Returns:
        The tokens with markers, and for each mention where its opening marker and one past its
        closing marker are, or ``None`` where the published code loses it.
    """
    marked = list(tokens)
    read: list[Span | None] = []
    shift = 0
    for start, end in spans:
        first, behind = token_at.get(start + len(_OPEN)), token_at.get(end + len(_OPEN))
        if first is None:
            read.append(None)
            continue
        opening = first + shift
        marked.insert(opening, MARKER)
        shift += 1
        if behind is None:  # the opening marker stays behind, an orphan
            read.append(None)
            continue
        closing = behind + shift + (first >= behind)
        marked.insert(closing, MARKER)
        shift += 1
        read.append((opening, max(closing + 1, opening + 1)))
    return marked, read


def _joined(document: Document) -> str:
    """Return title and abstract without the blank between them."""
    text = document.text or ""
    title = document.extra.get("title")
    if isinstance(title, str) and text.startswith(f"{title} "):
        return title + text[len(title) + 1 :]
    return text


def _plain(text: str) -> str:
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    try:
        from unidecode import unidecode
    except ImportError:
        raise ImportError(
            "the published alignment transliterates text outside ASCII: pip install "
            "'docre[published]', or use alignment='corrected'"
        ) from None
    plain: str = unidecode(lowered)
    return plain
