"""The pair model: entities are given, relations are predicted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from docre.base_model import DocumentModel, EncoderFactory, said_of
from docre.batch import Batch
from docre.data.modules.base import DocREDataModule
from docre.data.sampling import distributed_place
from docre.decoding import Decoder, PairThresholds, ThresholdDecoder
from docre.distillation.teacher import TeacherFactory
from docre.encoder import Encoder
from docre.heads.base import HeadFactory
from docre.heads.pair_head import PairHead
from docre.hyperparameters import drop_objects
from docre.losses.adaptive_threshold import AdaptiveThresholdLoss
from docre.losses.base import Loss, LossParts
from docre.losses.combined import CombinedLoss
from docre.losses.ranks import sum_over_ranks
from docre.metrics import DocREScore
from docre.optim import (
    LearningRates,
    LinearWarmup,
    OptimizerFactory,
    ScheduleFactory,
    parts_of,
)
from docre.outputs import HeadOutput, Targets
from docre.scoring import DOCRED_FREQUENT, Gold
from docre.triples import PredictedTriple, triples_of

LossFactory = Callable[[Tensor], Loss]
DecoderFactory = Callable[[], Decoder]
_LOGGED = re.compile(r"^((ign_|macro_)?f1|precision|recall|predicted|(?!distance)\w+/f1)$")


class DocREModel(DocumentModel):
    """Encoder, head and loss, trained and scored.

    The parts are given as factories: what nobody can know beforehand (the width of the encoder, the
    relations, how often each is labelled) comes from the data when training begins, or from the
    checkpoint.

    Args:
        encoder: Reads documents. Called with the name of the data's tokenizer.
        head: Scores pairs. Called with the encoder's width and the number of relations.
        loss: Compares scores with labels. Called with the share of the training pairs that is
            labelled with each relation.
        extra_losses: Losses to add to that one, of evidence or of what a teacher says; in YAML,
            ``extra_losses+:`` adds to those of the configurations before.
        teacher: What losses that learn from a teacher compare with; asked in training only.
        decoder: Says which scores make a triple.
        rates: Learning rate and weight decay of the parts: encoder, head, memory and others.
        optimizer: Called with the parameter groups.
        schedule: Called with the optimizer and the number of updates.
        init_from: Run folder, checkpoint or exported folder to begin from: its encoder and head,
            with a fresh optimizer. For training in stages.
        evidence_share: In predictions, a sentence is evidence if it gets more than this share of a
            pair's attention.
    """

    head: nn.Module
    loss: Loss
    score: DocREScore | None
    inherited = ("encoder.", "head.")
    family = "DocREModel"
    unscored_hint = ", which also writes a submission"

    def __init__(
        self,
        encoder: EncoderFactory = Encoder,
        head: HeadFactory = PairHead,
        loss: LossFactory = AdaptiveThresholdLoss,
        decoder: DecoderFactory = ThresholdDecoder,
        rates: LearningRates | None = None,
        optimizer: OptimizerFactory = lambda groups: AdamW(groups, eps=1e-6),
        schedule: ScheduleFactory = LinearWarmup,
        init_from: str | None = None,
        evidence_share: float = 0.2,
        extra_losses: list[LossFactory] | None = None,
        teacher: TeacherFactory | None = None,
    ) -> None:
        super().__init__(encoder, rates, optimizer, schedule, init_from)
        init_from = self.init_from  # a path may be given in Python; it is kept as a string
        self.save_hyperparameters(logger=False)
        drop_objects(self.hparams)
        self._make_head = head
        self._make_losses = (loss, *(extra_losses or ()))
        self.teacher = None if teacher is None else teacher()
        self.decoder = decoder()
        self.evidence_share = evidence_share
        # what predict makes of a batch, for whoever wants something else than triples
        self.reading: Callable[[HeadOutput, Batch], Any] | None = None
        self._predicted = torch.zeros(())  # triples, in this epoch of training so far
        # whether every document of the split that is scored is labelled; unknown without our data
        self.all_labelled: bool | None = None

    @property
    def thresholds(self) -> PairThresholds | None:
        """What moves the learned thresholds; ``None`` where nothing does."""
        return PairThresholds(self.decoder.shift) if self.decoder.shift else None

    def make_parts(self, width: int, priors: Tensor) -> None:
        """Make head and loss; see the base class."""
        with said_of("head"):
            self.head = self._make_head(width, len(self.relations))
        losses = []
        for number, make_loss in enumerate(self._make_losses):
            with said_of(f"extra_losses[{number - 1}]" if number else "loss"):
                losses.append(make_loss(priors))
        with said_of("loss"):
            alone = len(losses) == 1 and not losses[0].training_only
            self.loss = losses[0] if alone else CombinedLoss(losses)

    def parts(self) -> dict[str, list[nn.Module | None]]:
        """Return the parts that may learn differently; see the base class."""
        return parts_of(self.encoder, self.head, self.loss)

    def setup(self, stage: str) -> None:
        """Compile the labels to score against, from the trainer's data."""
        split = self.scored_split(stage)
        if split is None:
            return
        data = self.data
        facts = data.facts()
        gold = Gold.compile(data.documents(cast(Any, split)), () if facts is None else facts)
        self.require_gold(stage, split, gold.can_score)
        groups = [DOCRED_FREQUENT, DOCRED_FREQUENT.others("long_tail")]
        known = set(DOCRED_FREQUENT.relations) <= set(data.relations)
        self.score = DocREScore(gold, groups if known else ())
        self.all_labelled = bool(data.table(cast(Any, split)).labelled.all())

    def on_fit_start(self) -> None:
        """Check that the teacher goes with what it is to teach."""
        if self.teacher is None:
            return
        data = getattr(self.trainer, "datamodule", None)
        known = data.describe_training() if isinstance(data, DocREDataModule) else None
        self.teacher.prepare(self.relations, self.tokenizer_name, known)

    def forward(self, batch: Batch) -> HeadOutput:
        """Return what the head makes of a batch."""
        encoded = self.encoder(batch)
        with said_of("head"):
            output: HeadOutput = self.head(encoded, batch)
        return output

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch; logs its parts and how many triples are predicted."""
        output = self(batch)
        parts = self._loss(output, batch)
        self.log_loss("train", parts, len(batch))
        self._predicted = self._predicted + self.decoder.mask(output.logits.detach()).sum()
        return parts.total()

    def on_train_epoch_end(self) -> None:
        """Log how many triples were predicted over the epoch."""
        self.log("train/predicted", float(self._predicted), reduce_fx="sum", sync_dist=True)
        self._predicted = torch.zeros(())

    def _loss(self, output: HeadOutput, batch: Batch) -> LossParts:
        taught = None if self.teacher is None or not self.training else self.teacher.targets(batch)
        targets = Targets(batch.labels(len(self.relations)), batch, taught)
        with said_of("loss"):
            parts: LossParts = self.loss(output, targets)
        return parts

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take the predictions for a batch of the development split."""
        self._judge("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Take the predictions for a batch of the test split."""
        self._judge("test", batch)

    def _judge(self, stage: str, batch: Batch) -> None:
        output = self(batch)
        # the same on all ranks, which wait for one another in a loss
        if self.all_labelled or (self.all_labelled is None and bool(batch.labelled.all())):
            self.log_loss(stage, self._loss(output, batch), len(batch))
        if self.score is not None:
            triples = self._triples(output, batch)
            self.score.update(batch.document_ids, [triple.prediction for triple in triples])

    def log_scores(self, stage: str) -> None:
        """Log the scores of everything that was predicted since the last time."""
        if self.score is None:
            return
        scores = self.score.compute()
        # counts and finer groups are in the score file; a dashboard of all of them is unreadable
        logged = {name: value for name, value in scores.items() if _LOGGED.search(name)}
        self.log_dict({f"{stage}/{name}": value.float() for name, value in logged.items()})
        self.log("f1", scores["f1"].float(), prog_bar=True, logger=False)

    def predict_step(self, batch: Batch, batch_idx: int) -> Any:
        """Return the triples of a batch, with score, margin and evidence, or the ``reading``."""
        reading = self._triples if self.reading is None else self.reading
        return reading(self(batch), batch)

    def _triples(self, output: HeadOutput, batch: Batch) -> list[PredictedTriple]:
        return triples_of(output, batch, self.relations, self.decoder, self.evidence_share)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what was counted in this epoch too; see the base class."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["docre"]["predicted"] = float(sum_over_ranks(self._predicted.to(self.device)))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting, on one rank; see the base class."""
        super().on_load_checkpoint(checkpoint)
        counted = checkpoint["docre"].get("predicted", 0.0) if distributed_place()[0] == 0 else 0.0
        self._predicted = torch.tensor(counted)

    def describe(self) -> dict[str, Any]:
        """Return what ``run.json`` says of the model; see the base class."""
        return {"teacher": None if self.teacher is None else self.teacher.describe()}
