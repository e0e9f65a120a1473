"""Early stopping, off until a patience is given."""

import lightning
import pytest
import torch

from docre.callbacks import StopEarly
from tests.test_model import trainer


class Scores(lightning.LightningModule):
    """Logs given scores, one an epoch."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, _):
        return self.weight * 0

    def validation_step(self, batch, _):
        self.log("val/f1", self.scores[self.current_epoch])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize(
    ("scores", "options", "epochs"),
    [
        ([0.3, 0.2, 0.1, 0.1, 0.1], {}, 5),
        ([0.3, 0.2, 0.1, 0.1, 0.1], {"patience": 1}, 2),
        ([0.3, 0.2, 0.4, 0.1, 0.1], {"patience": 2}, 5),
        ([0.3, 0.31, 0.32, 0.33, 0.34], {"patience": 2, "min_delta": 0.05}, 3),
    ],
)
def test_how_many_epochs(scores, options, epochs):
    loader = torch.utils.data.DataLoader(range(1))
    made = trainer(StopEarly(**options), max_epochs=5, num_sanity_val_steps=0)
    made.fit(Scores(scores), loader, loader)
    assert made.current_epoch == epochs


def test_nothing_is_asked_for_while_it_is_off():
    """A run without a development split logs no score."""
    made = trainer(StopEarly(), max_epochs=2, limit_val_batches=0)
    loader = torch.utils.data.DataLoader(range(1))
    made.fit(Scores([]), loader)
    assert made.current_epoch == 2
