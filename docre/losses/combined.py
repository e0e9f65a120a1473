"""The sum of several losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from docre.losses.base import Loss, LossPart, LossParts
from docre.outputs import HeadOutput, Targets


class CombinedLoss(Loss):
    """Adds up all parts of several losses, each with the weight and reduction it has there.

    In evaluation it leaves out the losses that are ``training_only``. However many losses there
    are, their parts are reduced over the ranks together.

    Args:
        losses: Losses whose parts have different names; at least one that is not
            ``training_only``. This is the one loss that takes no priors: those that it is made of
            have them already.

    Raises:
        ValueError: If in evaluation nothing would be left.
    """

    def __init__(self, losses: Sequence[Loss]) -> None:
        super().__init__()
        if all(loss.training_only for loss in losses):
            names = ", ".join(type(loss).__name__ for loss in losses) or "nothing"
            raise ValueError(f"a sum of {names} has no part in evaluation: add another loss")
        self.losses = nn.ModuleList(losses)

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the parts and measures of all losses.

        Raises:
            ValueError: If two have the same name.
        """
        parts: dict[str, LossPart] = {}
        measured: dict[str, LossPart] = {}
        for loss in self._active():
            made: LossParts = loss(output, targets)
            for name in (*made.parts, *made.measured):
                if name in parts or name in measured:
                    raise ValueError(
                        f"{type(loss).__name__} gives {name!r}, as a loss before it does: "
                        "combine losses whose parts have different names"
                    )
            parts |= made.parts
            measured |= made.measured
        return LossParts(parts, measured)

    def _active(self) -> Iterator[Loss]:
        for loss in self.losses:
            assert isinstance(loss, Loss)
            if self.training or not loss.training_only:
                yield loss
