"""What every model has, whatever it predicts: an encoder, a loss, an optimizer, checkpoints."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, Self, cast

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import Metric

from docre import __version__
from docre.data.modules.base import DocREDataModule
from docre.differences import differing_names, differing_weights
from docre.errors import DocreError
from docre.losses.base import LossParts
from docre.optim import LearningRates, OptimizerFactory, ScheduleFactory, parameter_groups
from docre.parent import Parent, encoder_config_of, load_parent, read_checkpoint, require_family
from docre.precision import with_own_half_weights
from docre.sharding import shard, whole

EncoderFactory = Callable[[str], nn.Module]


class DocumentModel(lightning.LightningModule):
    """A model of documents, built when its data is known.

    Its parts are given as factories: what nobody can know beforehand (the width of the encoder, the
    relations, how often each is labelled) comes from the data when training begins, or from the
    checkpoint. A subclass makes its parts in :meth:`make_parts` and says how it is scored.

    Args:
        encoder: Reads documents. Called with the name of the data's tokenizer.
        rates: Learning rate and weight decay of the parts.
        optimizer: Called with the parameter groups.
        schedule: Called with the optimizer and the number of updates.
        init_from: Run folder, checkpoint or exported folder to begin from, with a fresh optimizer.

    Attributes:
        inherited: What names of weights begin with that a later stage takes over.
        family: What its checkpoints are of; a subclass of a model reads those of the model.
        types_matter: Whether weights go by the order of the entity types.
        needs_labels: Whether it learns from relations and is judged by them.
        next_command: What is done with a trained one first.
        unscored_hint: What to add where documents cannot be scored.
        score: Judges what is predicted for the split at hand; ``None`` without one.
        to_be_loaded: The checkpoint that the command line will load: no other weights have to be
            fetched then.
    """

    encoder: nn.Module
    inherited: ClassVar[tuple[str, ...]]
    family: ClassVar[str]
    types_matter: ClassVar[bool] = False
    needs_labels: bool = True
    next_command: ClassVar[str] = "test"
    unscored_hint: ClassVar[str] = ""
    score: Metric | None

    def __init__(
        self,
        encoder: EncoderFactory,
        rates: LearningRates | None,
        optimizer: OptimizerFactory,
        schedule: ScheduleFactory,
        init_from: str | Path | None,
    ) -> None:
        super().__init__()
        self._make_encoder = encoder
        self._make_optimizer, self._make_schedule = optimizer, schedule
        self.rates = rates or LearningRates()
        self.init_from = None if init_from is None else str(init_from)
        self.relations: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()
        self.tokenizer_name = ""
        self.parent: Parent | None = None
        self.to_be_loaded: str | Path | None = None
        self.score = None

    @abstractmethod
    def make_parts(self, width: int, priors: Tensor) -> None:
        """Make everything behind the encoder; ``relations`` and ``types`` are known by now.

        Args:
            width: Of the token states.
            priors: Share of the training pairs labelled with each relation.  # [R]
        """

    @abstractmethod
    def parts(self) -> dict[str, list[nn.Module | None]]:
        """Return the parts that may learn differently, under the names of ``rates``."""

    @property
    def is_built(self) -> bool:
        """Whether encoder and all other parts are there."""
        return bool(self.relations)

    def build(
        self,
        relations: Sequence[str],
        tokenizer: str,
        priors: Tensor | None = None,
        types: Sequence[str] = (),
        encoder_config: Mapping[str, Any] | None = None,
    ) -> None:
        """Make encoder and all other parts.

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
        with said_of("encoder"):
            make = cast("Callable[..., nn.Module]", self._make_encoder)
            # transformers gives pretrained weights in evaluation mode: without dropout
            self.encoder = make(tokenizer, **rebuilt).train(self.training)
        self.relations, self.types = tuple(relations), tuple(types)
        self.tokenizer_name = tokenizer
        try:
            self.make_parts(int(cast(Any, self.encoder).width), known)
        except Exception:
            self.relations = ()  # not built
            raise

    def configure_model(self) -> None:
        """Build from the trainer's data; called by Lightning, does nothing a second time."""
        if self._trainer is None:
            return
        with_own_half_weights(self.trainer.strategy)
        if self.is_built:
            self._check_names()
        else:
            self._build_for_trainer()
        if self.device_mesh is not None:
            shard(self, self.device_mesh["data_parallel"])

    def _build_for_trainer(self) -> None:
        data = self.data
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
    def data(self) -> DocREDataModule:
        """The trainer's data module."""
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, DocREDataModule):
            raise DocreError(
                f"{type(self).__name__} takes its relations from a docre data module: "
                "trainer.fit(model, datamodule=...); with other batches call "
                "model.build(relations, tokenizer) first"
            )
        return data

    def _check_names(self) -> None:
        """Refuse data in which other relations or types stand behind the same numbers."""
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, DocREDataModule):
            differing = self.differing(data.relations, data.types, "the data", "the model")
            if differing:
                raise DocreError(f"the model and the data know other {differing}")

    def differing(
        self,
        relations: Iterable[str],
        types: Iterable[str],
        theirs: str = "the checkpoint",  # what these are of, and what those of this model are of
        ours: str = "the data",
    ) -> str:
        """Return what is not as this model knows it, relations or entity types; empty if all is."""
        pairs = [("relations", tuple(relations), self.relations)]
        if self.types_matter:
            pairs.append(("entity types", tuple(types), self.types))
        for what, there, here in pairs:
            if there != here:
                found = differing_names(there, here, theirs, ours)
                return f"{what}, or in another order ({found})"
        return ""

    def _check_vocabulary(self, data: DocREDataModule) -> None:
        known = getattr(self.encoder, "vocab_size", None)
        tokens = data.featurizer.pieces.vocabulary_size
        if known is not None and tokens > known:
            raise DocreError(
                f"the tokenizer {data.tokenizer_name} has {tokens} tokens, the encoder knows "
                f"{known}: give model.encoder and data.tokenizer that belong together"
            )

    def scored_split(self, stage: str) -> str | None:
        """Return the split whose labels a stage is scored against, ``None`` if there is none.

        Raises:
            DocreError: If training documents were never labelled.
        """
        split = {"fit": "dev", "validate": "dev", "test": "test"}.get(stage)
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, DocREDataModule):
            return None
        if stage == "fit" and self.needs_labels and not data.table("train").labelled.all():
            count = int((~data.table("train").labelled).sum())
            raise DocreError(
                f"{count} of the training documents were never labelled; training would take every "
                "pair of theirs as unrelated: leave them out, or give them empty labels"
            )
        return split if split in data.files else None

    def require_gold(self, stage: str, split: str, labelled: bool) -> None:
        """Refuse to score where nothing is labelled.

        Raises:
            DocreError: If so.
        """
        what = "labels" if self.needs_labels else "entities"
        if stage == "fit" and not labelled:
            raise DocreError(f"the dev documents have no {what} to select on: leave their file out")
        if not labelled:
            raise DocreError(
                f"the {split} documents have no {what} to score against: use docre predict"
                f"{self.unscored_hint}"
            )

    def log_loss(self, stage: str, parts: LossParts, size: int) -> None:
        """Log a loss, its parts and what it measures by the way."""
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
        self.log("train/grad_norm", whole(nn.utils.get_total_norm(grads)))
        for group in optimizer.param_groups:
            self.log(f"lr/{group['name']}", float(group["lr"]))

    @abstractmethod
    def log_scores(self, stage: str) -> None:
        """Log the scores of everything that was predicted since the last time."""

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the development split."""
        self.log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the test split."""
        self.log_scores("test")

    def on_validation_epoch_start(self) -> None:
        """Forget the predictions of the last time."""
        if self.score is not None:
            self.score.reset()

    def on_test_epoch_start(self) -> None:
        """Forget the predictions of the last time."""
        if self.score is not None:
            self.score.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer over the groups and its schedule, which ticks with every update."""
        optimizer = self._make_optimizer(parameter_groups(self.parts(), self.rates.by_part()))
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
            "model": self.family,
            "model_class": f"{type(self).__module__}.{type(self).__qualname__}",
            "relations": list(self.relations),
            "types": list(self.types),
            "tokenizer": self.tokenizer_name,
            "encoder_config": None if describe is None else describe(),
            "parent": None if self.parent is None else self.parent.to_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the parts as they were, unless they are there."""
        known = require_family(checkpoint, self.family)
        if known["parent"] is not None:
            self.parent = Parent(**known["parent"])
        if not self.is_built:
            self.build(
                known["relations"],
                known["tokenizer"],
                types=known["types"],
                encoder_config=known["encoder_config"],
            )
            return
        differing = self.differing(known["relations"], known["types"])
        if differing:
            raise DocreError(
                f"the checkpoint knows {len(known['relations'])} relations, the data "
                f"{len(self.relations)}: they are other {differing}"
            )

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take over weights.

        Raises:
            DocreError: If they are those of other parts; the parts are named.
        """
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError:
            differing = differing_weights(state_dict, self.state_dict())
            if not differing:
                raise
        raise DocreError(f"these weights are of a model with other parts: {differing}")

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls,
        checkpoint_path: str | Path | IO[bytes],
        map_location: Any = None,
        *,
        allow: Sequence[str] = (),
        **options: Any,
    ) -> Self:
        """Read a model from a checkpoint as Lightning does, but never unpickle.

        Args:
            checkpoint_path: The file.
            map_location: Where to put the weights.
            allow: Packages beside docre that the classes it names may be from.
            options: Lightning's others, and arguments that count more than the checkpoint's.

        Raises:
            DocreError: If it is damaged, or would unpickle or import something else.
        """
        from docre.hub.trained_settings import check_loaded

        on_disk = isinstance(checkpoint_path, str | Path)
        known = read_checkpoint(checkpoint_path, mmap=on_disk)
        try:
            require_family(known, cls.family)
            check_loaded(known, allow, given=options)
        except DocreError as error:
            raise DocreError(f"{checkpoint_path}: {error}") from error
        if not on_disk:
            cast(IO[bytes], checkpoint_path).seek(0)
        options["weights_only"] = True
        return super().load_from_checkpoint(checkpoint_path, map_location, **options)

    def describe(self) -> dict[str, Any]:
        """Return what ``run.json`` says of the model, beside what its configuration says."""
        return {}


@contextmanager
def said_of(part: str) -> Iterator[None]:
    """Name the part whose settings are wrong."""
    try:
        yield
    except ValueError as error:
        raise DocreError(f"model.{part}: {error}") from error
