"""The scores of joint extraction as a torchmetrics metric: exact on any number of processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import torch
from torch import Tensor
from torchmetrics import Metric

from docre.documents import Document
from docre.scoring.extraction import Annotation, extractions
from docre.scoring.joint import JointScores, score_extractions

# numbers of numpy are welcome in documents
_ENCODER = msgspec.json.Encoder(enc_hook=int)
_DECODER = msgspec.json.Decoder(tuple[str, Annotation])


class JointScore(Metric):
    """Scores of the documents that a joint system was run on.

    Only documents passed to :meth:`update` are scored, also those in which nothing was found, so a
    run over part of the data is judged on that part. A document that comes twice, as padding of a
    distributed sampler makes it, counts once, as it came first.

    Args:
        gold: Documents with the labels. Held, not a state: every process is given its own.
        kwargs: Arguments of :class:`torchmetrics.Metric`.

    Raises:
        DataError: If the gold has an id twice, an entity has no mention, or a label names an entity
            that is not there.

    Example:
        >>> names = {"ada": [(0, 3)], "london": [(16, 22)]}
        >>> document = Document.from_text("demo", "Ada was born in London.", names)
        >>> metric = JointScore([document])
        >>> metric.update([document])
        >>> float(metric.compute()["entity_f1"])
        1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    lines: list[Tensor]

    def __init__(self, gold: Iterable[Document], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gold = extractions(gold)
        self._scores: JointScores | None = None
        # bytes of text, because a prediction may have a type that no other process has heard of
        self.add_state("lines", default=[], dist_reduce_fx="cat")

    def update(self, predicted: Iterable[Document]) -> None:
        """Take documents with their predicted entities and relations.

        Raises:
            DataError: If an id comes twice among them, an entity has no mention, or a relation
                names an entity that is not there.
        """
        text = bytearray(_ENCODER.encode_lines(extractions(predicted).items()))
        if text:
            self.lines.append(torch.frombuffer(text, dtype=torch.uint8).to(self.device))

    def scores(self) -> JointScores:
        """Return all scores; like :meth:`compute` it gathers, so every process has to call it."""
        self.compute()
        assert self._scores is not None
        return self._scores

    def compute(self) -> dict[str, Tensor]:
        """Return all scores under flat names, as float64 scalars.

        Raises:
            DataError: If the words of a document are cut otherwise than in the gold.
        """
        kept = self.lines if isinstance(self.lines, list) else [self.lines]
        text = b"".join(piece.cpu().numpy().tobytes() for piece in kept)
        seen: dict[str, Annotation] = {}
        for name, found in _DECODER.decode_lines(text):
            seen.setdefault(name, found)
        gold = {name: true for name, true in self.gold.items() if name in seen}
        self._scores = score_extractions(gold, seen)
        flat = self._scores.to_dict()
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in flat.items()}

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather from all processes; one that saw nothing gives an empty piece of the right type.

        Left to itself torchmetrics makes up a float32 piece, which cannot be gathered with bytes.
        """
        if isinstance(self.lines, list) and not self.lines:
            self.lines.append(torch.empty(0, dtype=torch.uint8, device=self.device))
        super().sync(*args, **kwargs)
