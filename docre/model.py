"""The pair model: entities are given, relations are predicted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import AdamW

from docre import __version__
from docre.batch import Batch
from docre.data.modules.base import DocREDataModule
from docre.decoding import Decoder, ThresholdDecoder
from docre.distillation.teacher import TeacherFactory
from docre.encoder import Encoder
from docre.errors import DocreError
from docre.heads.base import HeadFactory
from docre.heads.pair_head import PairHead
from docre.hyperparameters import drop_objects
from docre.losses.adaptive_threshold import AdaptiveThresholdLoss
from docre.losses.base import Loss, LossParts
from docre.losses.combined import CombinedLoss
from docre.metrics import DocREScore
from docre.optim import (
    LearningRates,
    LinearWarmup,
    OptimizerFactory,
    ScheduleFactory,
    parameter_groups,
    parts_of,
)
from docre.outputs import HeadOutput, Targets
from docre.parent import Parent, encoder_config_of, load_parent
from docre.scoring import DOCRED_FREQUENT, Gold
from docre.triples import PredictedTriple, triples_of

EncoderFactory = Callable[[str], nn.Module]
LossFactory = Callable[[Tensor], Loss]
DecoderFactory = Callable[[], Decoder]
_LOGGED = re.compile(r"^((ign_|macro_)?f1|precision|recall|predicted|(?!distance)\w+/f1)$")


class DocREModel(lightning.LightningModule):
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
        init_from: Run folder or checkpoint to begin from: its encoder and head, with a fresh
            optimizer. For training in stages.
        evidence_share: In predictions, a sentence is evidence if it gets more than this share of a
            pair's attention.
    """

    encoder: nn.Module
    head: nn.Module
    loss: Loss

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
        super().__init__()
        init_from = None if init_from is None else str(init_from)  # a path may be given in Python
        self.save_hyperparameters(logger=False)
        drop_objects(self.hparams)
        self._make_encoder, self._make_head = encoder, head
        self._make_losses = (loss, *(extra_losses or ()))
        self.teacher = None if teacher is None else teacher()
        self._make_optimizer, self._make_schedule = optimizer, schedule
        self.decoder = decoder()
        self.rates = rates or LearningRates()
        self.init_from = init_from
        self.evidence_share = evidence_share
        self.relations: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()
        self.tokenizer_name = ""
        # what predict makes of a batch, for whoever wants something else than triples
        self.reading: Callable[[HeadOutput, Batch], Any] | None = None
        self.parent: Parent | None = None
        # the checkpoint that the command line will load: no other weights have to be fetched then
        self.to_be_loaded: str | Path | None = None
        self.score: DocREScore | None = None
        # whether every document of the split that is scored is labelled; unknown without our data
        self.all_labelled: bool | None = None

    @property
    def is_built(self) -> bool:
        """Whether encoder, head and loss are there."""
        return bool(self.relations)

    def build(
        self,
        relations: Sequence[str],
        tokenizer: str,
        priors: Tensor | None = None,
        types: Sequence[str] = (),
        encoder_config: Mapping[str, Any] | None = None,
    ) -> None:
        """Make encoder, head and loss.

        Args:
            relations: Names in the order of the columns, without the threshold.
            tokenizer: Name of the tokenizer.
            priors: Share of the training pairs labelled with each relation; only training needs
                them.  # [R]
            types: Entity types in their order.
            encoder_config: Architecture to rebuild without fetching any weights.
        """
        rebuilt: dict[str, Any] = {}
        if encoder_config is not None:
            rebuilt = {"config": dict(encoder_config), "weights": None}
        # where none are known: small, so that no multiple of them is more than 1
        known = torch.full((len(relations),), 1e-4) if priors is None else priors.float()
        with _said_of("encoder"):
            make = cast("Callable[..., nn.Module]", self._make_encoder)
            # transformers gives pretrained weights in evaluation mode: without dropout
            self.encoder = make(tokenizer, **rebuilt).train(self.training)
        with _said_of("head"):
            self.head = self._make_head(int(cast(Any, self.encoder).width), len(relations))
        losses = []
        for number, make_loss in enumerate(self._make_losses):
            with _said_of(f"extra_losses[{number - 1}]" if number else "loss"):
                losses.append(make_loss(known))
        with _said_of("loss"):
            alone = len(losses) == 1 and not losses[0].training_only
            self.loss = losses[0] if alone else CombinedLoss(losses)
        self.relations, self.types = tuple(relations), tuple(types)
        self.tokenizer_name = tokenizer

    def configure_model(self) -> None:
        """Build from the trainer's data; called by Lightning, does nothing a second time."""
        if self.is_built or self._trainer is None:
            return
        data = self._data
        fitting = self.trainer.state.fn == "fit"
        priors = torch.from_numpy(np.asarray(data.priors())) if fitting else None
        config = encoder_config_of(self.to_be_loaded)
        self.build(tuple(data.relations), data.tokenizer_name, priors, data.types, config)
        self._check_vocabulary(data)
        if fitting and self.init_from is not None and self.to_be_loaded is None:
            self.parent = load_parent(self.init_from, self)
        for callback in cast(Any, self.trainer).callbacks:
            # modules exist from here on, and nobody has taken their parameters yet
            if hasattr(callback, "on_model_built"):
                callback.on_model_built(self.trainer, self)

    @property
    def _data(self) -> DocREDataModule:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, DocREDataModule):
            raise DocreError(
                "DocREModel takes its relations from a docre data module: trainer.fit(model, "
                "datamodule=...); with other batches call model.build(relations, tokenizer) first"
            )
        return data

    def _check_vocabulary(self, data: DocREDataModule) -> None:
        known = getattr(self.encoder, "vocab_size", None)
        tokens = data.featurizer.pieces.vocabulary_size
        if known is not None and tokens > known:
            raise DocreError(
                f"the tokenizer {data.tokenizer_name} has {tokens} tokens, the encoder knows "
                f"{known}: give model.encoder and data.tokenizer that belong together"
            )

    def setup(self, stage: str) -> None:
        """Compile the labels to score against, from the trainer's data."""
        split = {"fit": "dev", "validate": "dev", "test": "test"}.get(stage)
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, DocREDataModule):
            return
        if stage == "fit" and not data.table("train").labelled.all():
            count = int((~data.table("train").labelled).sum())
            raise DocreError(
                f"{count} of the training documents were never labelled; training would take every "
                "pair of theirs as unrelated: leave them out, or give them empty labels"
            )
        if split is None or split not in data.files:
            return
        facts = data.facts()
        gold = Gold.compile(data.documents(cast(Any, split)), () if facts is None else facts)
        if stage == "fit" and not gold.can_score:
            raise DocreError("the dev documents have no labels to select on: leave their file out")
        if stage != "fit" and not gold.can_score:
            raise DocreError(
                f"the {split} documents have no labels to score against: use docre predict, which "
                "also writes a submission"
            )
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
        with _said_of("head"):
            output: HeadOutput = self.head(encoded, batch)
        return output

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch; logs its parts and how many triples are predicted."""
        output = self(batch)
        parts = self._loss(output, batch)
        self._log_loss("train", parts, len(batch))
        predicted = self.decoder.mask(output.logits.detach()).sum().float()
        self.log(
            "train/predicted",
            predicted,
            on_step=False,
            on_epoch=True,
            reduce_fx="sum",
            sync_dist=True,
            batch_size=len(batch),
        )
        return parts.total()

    def _loss(self, output: HeadOutput, batch: Batch) -> LossParts:
        taught = None if self.teacher is None or not self.training else self.teacher.targets(batch)
        targets = Targets(batch.labels(len(self.relations)), batch, taught)
        with _said_of("loss"):
            parts: LossParts = self.loss(output, targets)
        return parts

    def _log_loss(self, stage: str, parts: LossParts, size: int) -> None:
        training = stage == "train"
        named = {f"{stage}/loss": parts.total().detach()}
        named |= {f"{stage}/loss/{name}": value for name, value in parts.scalars().items()}
        named |= {f"{stage}/{name}": value for name, value in parts.measures.items()}
        self.log_dict(
            named,
            on_step=training,
            on_epoch=not training,
            batch_size=size,
            sync_dist=not training,
        )
        if training:
            self.log("loss", named["train/loss"], prog_bar=True, logger=False, batch_size=size)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log the length of the gradient before it is clipped, and the learning rates."""
        grads = [p.grad for p in self.parameters() if p.grad is not None]
        self.log("train/grad_norm", nn.utils.get_total_norm(grads))
        for group in optimizer.param_groups:
            self.log(f"lr/{group['name']}", float(group["lr"]))

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
            self._log_loss(stage, self._loss(output, batch), len(batch))
        if self.score is not None:
            triples = self._triples(output, batch)
            self.score.update(batch.document_ids, [triple.prediction for triple in triples])

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the development split."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the test split."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        if self.score is None:
            return
        scores = self.score.compute()
        # counts and finer groups are in the score file; a dashboard of all of them is unreadable
        logged = {name: value for name, value in scores.items() if _LOGGED.search(name)}
        self.log_dict({f"{stage}/{name}": value.float() for name, value in logged.items()})
        self.log("f1", scores["f1"].float(), prog_bar=True, logger=False)

    def on_validation_epoch_start(self) -> None:
        """Forget the predictions of the last time."""
        if self.score is not None:
            self.score.reset()

    def on_test_epoch_start(self) -> None:
        """Forget the predictions of the last time."""
        if self.score is not None:
            self.score.reset()

    def predict_step(self, batch: Batch, batch_idx: int) -> Any:
        """Return the triples of a batch, with score, margin and evidence, or the ``reading``."""
        reading = self._triples if self.reading is None else self.reading
        return reading(self(batch), batch)

    def _triples(self, output: HeadOutput, batch: Batch) -> list[PredictedTriple]:
        return triples_of(output, batch, self.relations, self.decoder, self.evidence_share)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer over the groups and its schedule, which ticks with every update."""
        parts = parts_of(self.encoder, self.head, self.loss)
        settings = self.rates.by_part()
        optimizer = self._make_optimizer(parameter_groups(parts, settings))
        schedule = self._make_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return cast(
            OptimizerLRScheduler,
            {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}},
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is needed to rebuild the parts without data and without a model hub."""
        describe = getattr(self.encoder, "config_dict", None)
        checkpoint["docre"] = {
            "version": __version__,
            "relations": list(self.relations),
            "types": list(self.types),
            "tokenizer": self.tokenizer_name,
            "encoder_config": None if describe is None else describe(),
            "parent": None if self.parent is None else self.parent.to_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the parts as they were, unless they are there."""
        known = checkpoint.get("docre")
        if known is None:
            raise DocreError("this is not a checkpoint of docre: it does not name its relations")
        if known["parent"] is not None:
            self.parent = Parent(**known["parent"])
        if not self.is_built:
            self.build(
                known["relations"],
                known["tokenizer"],
                types=known["types"],
                encoder_config=known["encoder_config"],
            )
        elif list(self.relations) != known["relations"]:
            raise DocreError(
                f"the checkpoint knows {len(known['relations'])} relations, the data "
                f"{len(self.relations)}, or they are in another order"
            )


@contextmanager
def _said_of(part: str) -> Iterator[None]:
    """Name the part whose settings are wrong."""
    try:
        yield
    except ValueError as error:
        raise DocreError(f"model.{part}: {error}") from error
