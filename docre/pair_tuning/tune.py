"""The development documents of a pair model's run, and the shift that is best for them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from docre.errors import DocreError
from docre.pair_tuning.shift import TunedShift, best_shift

if TYPE_CHECKING:
    from docre.batch import Batch
    from docre.model import DocREModel
    from docre.opened_run import OpenedRun
    from docre.outputs import HeadOutput

Margins = tuple[NDArray[np.float32], NDArray[np.bool_]]


def tune_shift(opened: OpenedRun, batch_size: int | None = None) -> TunedShift:
    """Find the shift with the best F1 of triples, from where the model's thresholds are now.

    Args:
        opened: A run of a pair model.
        batch_size: Documents of a batch; that of the run outside of training if left out.

    Raises:
        DocreError: If the run has no labelled development documents.
    """
    if "dev" not in opened.data.files:
        raise DocreError("the run has no dev file to tune thresholds on")
    labelled = [one for one in opened.data.documents("dev") if one.relations is not None]
    if not labelled:
        raise DocreError("the thresholds are tuned on labels: no dev document has any")
    triples = {
        (place, known.head, known.tail, known.relation)
        for place, one in enumerate(labelled)
        for known in one.relations or ()
    }
    model = cast("DocREModel", opened.model)
    # the same cap on the relations of a pair, and no threshold
    open_decoder = copy.copy(model.decoder)
    open_decoder.shift = -torch.inf

    def reading(output: HeadOutput, batch: Batch) -> Margins:
        logits = output.logits.float()
        margins = logits[:, 1:] - model.decoder.threshold(logits)[:, None]  # [P, R]
        reachable = margins.masked_fill(~open_decoder.mask(logits), -torch.inf)
        known = batch.labelled[batch.pair_doc]
        gold = batch.labels(len(model.relations))[:, 1:] > 0
        return reachable[known].cpu().numpy().ravel(), gold[known].cpu().numpy().ravel()

    found: list[Any] = list(opened.read("dev", cast(Any, reading), batch_size))
    margins, gold = (np.concatenate(column) for column in zip(*found, strict=True))
    return best_shift(margins, gold, len(triples))
