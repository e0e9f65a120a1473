"""The joint model: mentions, entities, their types and relations, from nothing but a text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from docre.base_model import DocumentModel, EncoderFactory, said_of
from docre.data.modules.base import DocREDataModule
from docre.documents import Document
from docre.encoder import Encoder
from docre.errors import DocreError
from docre.hyperparameters import drop_objects
from docre.joint import (
    CoreferenceHead,
    EntityTypeHead,
    GlobalRelationHead,
    JointBatch,
    JointLoss,
    JointNetwork,
    JointTargets,
    JointThresholds,
    MentionHead,
    NegativeCounts,
    RelationHead,
    SimilarityMemories,
    Spans,
    edit_distances,
    phrases_of_tokens,
    phrases_of_words,
    to_document,
)
from docre.joint.finding import EditDistances
from docre.joint_data import JointExamples
from docre.joint_metrics import JointScore
from docre.losses.base import LossParts
from docre.memory.base import MemoryReader
from docre.optim import LearningRates, LinearWarmup, OptimizerFactory, ScheduleFactory
from docre.prediction_forms import DocumentForm, FoundDocuments
from docre.pretrained import load_tokenizer

MentionHeadFactory = Callable[[int], MentionHead]
CoreferenceHeadFactory = Callable[[int], CoreferenceHead]
EntityHeadFactory = Callable[[int, int], EntityTypeHead]
RelationHeadFactory = Callable[[int, int, int], RelationHead]
MemoriesFactory = Callable[[int, int, int], SimilarityMemories]
ReaderFactory = Callable[[int], MemoryReader]
ExamplesFactory = Callable[[], JointExamples]
JointLossFactory = Callable[[Tensor], JointLoss]
_log = logging.getLogger(__name__)
# which scores the answer of each head is judged by
_LEVELS = {
    "mention": ("mention",),
    "coreference": ("coreference",),
    "entity": ("entity",),
    "relation": ("relation_relaxed", "relation_strict"),
}


class JointModel(DocumentModel):
    """Encoder and four heads, each fed by those before it, trained together and scored.

    A head that is left out (``null``) makes a model of fewer tasks: for heads before the first one
    that is there the annotations of the documents are taken, after the last one nothing is
    predicted.

    Args:
        encoder: Reads documents. Called with the name of the data's tokenizer.
        mention: Says which spans are mentions. Called with the encoder's width.
        coreference: Says which mentions are one entity. Called with the width.
        entity: Says which type an entity has. Called with the width and the number of types.
        relation: Says which relations hold. Called with the width and the numbers of types and
            relations.
        memory: Memory of types and relations that is written by classifying and read by earlier
            stages. Called as ``relation``.
        readers: Memories that head and tail of each pair read from, one after another. Each is
            called with the width.
        examples: What is made of documents: how long a mention may be, and how much is drawn of
            what is not true.
        loss: Compares scores with annotations. Called with the share of the training pairs that is
            labelled with each relation.
        thresholds: How sure the heads have to be; ``docre tune`` finds better ones.
        phrases: What of two mentions is compared by edit distance once mentions are predicted:
            their words, or what the tokenizer makes of their tokens, as in published code. Training
            always compares words.
        dropout: Of entity states.
        rates: Learning rate and weight decay of encoder, head and memory.
        optimizer: Called with the parameter groups.
        schedule: Called with the optimizer and the number of updates.
        init_from: Run folder, checkpoint or exported folder of a joint model to begin from, with a
            fresh optimizer.
    """

    network: JointNetwork
    loss: JointLoss
    score: JointScore | None
    inherited = ("encoder.", "network.")
    family = "JointModel"
    types_matter = True
    next_command = "tune"
    prediction_form = DocumentForm()

    def __init__(
        self,
        encoder: EncoderFactory = Encoder,
        mention: MentionHeadFactory | None = MentionHead,
        coreference: CoreferenceHeadFactory | None = CoreferenceHead,
        entity: EntityHeadFactory | None = EntityTypeHead,
        relation: RelationHeadFactory | None = GlobalRelationHead,
        memory: MemoriesFactory | None = None,
        readers: list[ReaderFactory] | None = None,
        examples: ExamplesFactory = JointExamples,
        loss: JointLossFactory = JointLoss,
        thresholds: JointThresholds | None = None,
        phrases: Literal["words", "tokens"] = "words",
        dropout: float = 0.1,
        rates: LearningRates | None = None,
        optimizer: OptimizerFactory = lambda groups: AdamW(groups, eps=1e-6),
        schedule: ScheduleFactory = LinearWarmup,
        init_from: str | None = None,
    ) -> None:
        super().__init__(encoder, rates, optimizer, schedule, init_from)
        init_from = self.init_from  # a path may be given in Python; it is kept as a string
        self.save_hyperparameters(logger=False)
        drop_objects(self.hparams)
        heads = {
            "mention": mention,
            "coreference": coreference,
            "entity": entity,
            "relation": relation,
        }
        self._make_heads: dict[str, Any] = heads
        self._make_memory, self._make_readers = memory, tuple(readers or ())
        self._make_loss = loss
        self.examples = _fitting(examples(), mention, entity, relation)
        self.needs_labels = relation is not None
        # documents of the split at hand, for those that are given out
        self._documents: dict[str, Document] = {}
        self.thresholds = thresholds or JointThresholds()
        self.phrases = phrases
        self.dropout = dropout
        self.levels = tuple(
            level for name, head in heads.items() if head is not None for level in _LEVELS[name]
        )
        if not self.levels:
            raise DocreError("model: give at least one of mention, coreference, entity, relation")

    def make_parts(self, width: int, priors: Tensor) -> None:
        """Make the heads and the loss; see the base class."""
        with said_of("loss"):
            self.loss = self._make_loss(priors)
        if self.loss.needs_threshold and self._make_heads["relation"] is None:
            raise DocreError("model.loss.relation: there is no relation head to learn by it")
        if self._make_heads["entity"] is not None and not self.types:
            raise DocreError(
                "the data names no entity types for the entity head to choose from: give "
                "data.types, or leave the head out with model.entity: null"
            )
        try:
            self.network = JointNetwork(
                width,
                len(self.types),
                len(self.relations),
                **self._make_heads,
                memory=self._make_memory,
                readers=self._make_readers,
                threshold=self.loss.needs_threshold,
                dropout=self.dropout,
            )
        except ValueError as error:
            raise DocreError(f"model: {error}") from error

    def parts(self) -> dict[str, list[nn.Module | None]]:
        """Return the parts that may learn differently; see the base class."""
        return {
            "encoder": [self.encoder],
            "memory": self.network.memory_parts(),
            "head": [self.network, self.loss],
        }

    def setup(self, stage: str) -> None:
        """Take the annotations to score against, from the trainer's data."""
        self._documents, self.score = {}, None
        split = self.scored_split(stage)
        if stage == "predict" and isinstance(self._data_module, DocREDataModule):
            split = "predict" if "predict" in self.data.files else "test"
        if split is None:
            return
        documents = self.data.documents(cast(Any, split))
        self._documents = {one.id: one for one in documents}
        if stage == "predict":
            self._require_annotations(documents)
        else:
            labelled = (
                one.relations is not None if self.needs_labels else bool(one.entities)
                for one in documents
            )
            self.require_gold(stage, split, any(labelled))
            self.score = JointScore(documents)

    @property
    def _data_module(self) -> Any:
        return getattr(self.trainer, "datamodule", None)

    def _require_annotations(self, documents: Sequence[Document]) -> None:
        """Say which documents nothing can be found in, as the first heads are not there."""
        bare = sum(not one.entities for one in documents)
        if bare and self._make_heads["mention"] is None:
            _log.warning(
                "%d of %d documents have no entities: this model has no mention head and takes "
                "them from the annotations, so nothing is found there",
                bare,
                len(documents),
            )

    def forward(self, batch: JointBatch) -> Tensor:
        """Return the token states of a batch."""
        states: Tensor = self.encoder(batch.documents).token_states
        return states

    def training_step(self, batch: JointBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch and log its parts."""
        sample = batch.sample
        assert sample is not None
        logits = self.network(self(batch), batch)
        with said_of("loss"):
            parts: LossParts = self.loss(logits, JointTargets.of(sample, len(self.relations)))
        self.log_loss("train", parts, len(batch))
        return parts.total()

    def validation_step(self, batch: JointBatch, batch_idx: int) -> None:
        """Take what is found in a batch of the development split."""
        self._judge(batch)

    def test_step(self, batch: JointBatch, batch_idx: int) -> None:
        """Take what is found in a batch of the test split."""
        self._judge(batch)

    def _judge(self, batch: JointBatch) -> None:
        if self.score is not None:
            self.score.update(self.extract(batch))

    def predict_step(self, batch: JointBatch, batch_idx: int) -> FoundDocuments:
        """Return the documents of a batch with what was found in them."""
        return FoundDocuments(self.extract(batch))

    @torch.no_grad()
    def extract(
        self, batch: JointBatch, documents: Mapping[str, Document] | None = None
    ) -> list[Document]:
        """Return the documents of a batch with what is found in them.

        Args:
            batch: The batch.
            documents: Those it was made of, by id; left out, those of the trainer's split.
        """
        known = self._documents if documents is None else documents
        distances = self.edit_distances(batch)
        found = self.network.extract(self(batch), batch, distances, self.thresholds)
        return [
            to_document(self._source(batch, row, known), one, self.types, self.relations)
            for row, one in enumerate(found)
        ]

    def edit_distances(self, batch: JointBatch) -> EditDistances:
        """Return what says how far apart the texts of mentions of a batch are."""

        def distances(row: int, mentions: Spans) -> Tensor:
            return torch.from_numpy(edit_distances(self._phrases(batch, row, mentions)))

        return distances

    def _source(self, batch: JointBatch, row: int, documents: Mapping[str, Document]) -> Document:
        """Return the document that a prediction is about, on the words it was read in."""
        name = batch.document_ids[row]
        known = documents.get(name)
        if known is not None:
            return self.examples.document(known)
        # a batch of one's own, outside of a trainer
        ends = batch.truth[row].sentence_words.cumsum().tolist()
        sentences = (batch.words[row][a:b] for a, b in pairwise([0, *ends]))
        return Document(name, tuple(sentences))

    def _phrases(self, batch: JointBatch, row: int, mentions: Spans) -> list[str]:
        """Return the texts of mentions of a document."""
        if self.phrases == "words":
            words = zip(mentions.word_start.tolist(), mentions.word_end.tolist(), strict=True)
            return phrases_of_words(batch.words[row], words)
        tokens = zip(mentions.start.tolist(), mentions.end.tolist(), strict=True)
        ids = batch.documents.input_ids[row].tolist()
        return phrases_of_tokens(self._tokenizer, ids, tokens)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self.tokenizer_name)

    def log_scores(self, stage: str) -> None:
        """Log the scores of everything that was predicted since the last time."""
        if self.score is None:
            return
        scores = self.score.compute()
        # a level is not there where none of the documents that were seen is labelled
        for level in self.levels:
            for number in ("f1", "precision", "recall"):
                if f"{level}_{number}" in scores:
                    self.log(f"{stage}/{level}_{number}", scores[f"{level}_{number}"].float())
        last = scores.get(f"{self.levels[-1]}_f1", torch.zeros(())).float()
        self.log(f"{stage}/f1", last)
        self.log("f1", last, prog_bar=True, logger=False)


def _fitting(examples: JointExamples, *heads: object | None) -> JointExamples:
    """Return examples without what no head of the model looks at.

    Args:
        examples: What was asked for.
        heads: Of mentions, types and relations.
    """
    mention, entity, relation = heads
    if mention is None:
        # they would read from a memory beside the mentions, and inference has mentions alone
        negatives = examples.negatives or NegativeCounts()
        examples = replace(examples, negatives=replace(negatives, spans=0))
    return replace(
        examples,
        types=examples.types and entity is not None,
        mention_pairs=examples.mention_pairs and relation is not None,
    )
