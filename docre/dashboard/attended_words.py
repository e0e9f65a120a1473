"""Where the context of a pair comes from, for one pair of each example."""

from __future__ import annotations

from typing import Any

from docre.batch import Batch
from docre.dashboard.attended_pair import AttendedPair, attended_pair
from docre.dashboard.attention_figure import attention_figure
from docre.dashboard.drawing import show_figure
from docre.dashboard.part import Board, DashboardPart
from docre.outputs import HeadOutput


class AttendedWords(DashboardPart):
    """Draws the attention of one pair of each example, for heads that make contexts of tokens.

    The pair of a document is always the same: its first label that has evidence, else its first.
    """

    def __init__(self) -> None:
        self._pairs: dict[str, AttendedPair] = {}

    def forget(self) -> None:
        """Forget all pairs."""
        self._pairs = {}

    def see(self, board: Board, batch: Any, output: Any) -> None:
        """Take the attention of the examples in a batch."""
        if not isinstance(batch, Batch) or not isinstance(output, HeadOutput):
            return
        for row, name in enumerate(batch.document_ids):
            if name in board.examples.names and board.pieces is not None:
                document = board.examples.documents[name]
                found = attended_pair(document, batch, output, row, board.pieces)
                if found is not None:
                    self._pairs[name] = found
        self._pairs = board.examples.only(self._pairs)

    def draw(self, board: Board) -> None:
        """Draw the pairs."""
        for number, name in enumerate(board.examples.names, 1):
            if name in self._pairs:
                pair = self._pairs[name]
                named = pair._replace(relation=board.relation_name(pair.relation))
                figure = attention_figure(board.examples.documents[name], named)
                show_figure(board, f"attention/{number}", figure)
