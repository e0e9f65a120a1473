"""Memories that a pair reads before it is classified."""

from docre.memory.base import MemoryFactory, MemoryReader
from docre.memory.pair_transformer import PairTransformer
from docre.memory.perceptron import TokenMLP, TokenScorer
from docre.memory.processors import MixerProcessor, MLPProcessor, TransformerProcessor
from docre.memory.prototype_reader import PrototypeReader
from docre.memory.prototypes import (
    Prototypes,
    collapse,
    mean_slot_weights,
    read_tokens,
    read_weights,
)
from docre.memory.similarity import (
    BilinearSimilarity,
    CosineSimilarity,
    DotProductSimilarity,
    Similarity,
    SimilarityClassifier,
    SimilarityFactory,
    SimilarityMemory,
)
from docre.memory.similarity_reader import (
    ReadingLevel,
    ReadSwitch,
    SimilarityReader,
    read_warmup_steps,
    switch_reads,
)
from docre.memory.similarity_reads import (
    DocumentInputs,
    FlatInputs,
    InverseRead,
    MemoryRead,
    NormalRead,
    PaddedInputs,
    inverse_gate,
    merge_reads,
    normal_weights,
)
from docre.memory.summarizers import (
    LearnedQueries,
    MeanGroups,
    PositionedSummarizer,
    Summarizer,
    TokenLearner,
    weighted_tokens,
)
from docre.memory.token_turing import TokenTuringReader
from docre.memory.turing_machine import (
    ReadWriteUnit,
    SummarizeFirstUnit,
    TokenTuringMachine,
    TuringStep,
    TuringUnit,
)
from docre.memory.writers import (
    AddEraseWriter,
    MemoryWriter,
    SummaryWriter,
    add_erase,
    add_erase_published,
)

__all__ = [
    "AddEraseWriter",
    "BilinearSimilarity",
    "CosineSimilarity",
    "DocumentInputs",
    "DotProductSimilarity",
    "FlatInputs",
    "InverseRead",
    "LearnedQueries",
    "MLPProcessor",
    "MeanGroups",
    "MemoryFactory",
    "MemoryRead",
    "MemoryReader",
    "MemoryWriter",
    "MixerProcessor",
    "NormalRead",
    "PaddedInputs",
    "PairTransformer",
    "PositionedSummarizer",
    "PrototypeReader",
    "Prototypes",
    "ReadSwitch",
    "ReadWriteUnit",
    "ReadingLevel",
    "Similarity",
    "SimilarityClassifier",
    "SimilarityFactory",
    "SimilarityMemory",
    "SimilarityReader",
    "SummarizeFirstUnit",
    "Summarizer",
    "SummaryWriter",
    "TokenLearner",
    "TokenMLP",
    "TokenScorer",
    "TokenTuringMachine",
    "TokenTuringReader",
    "TransformerProcessor",
    "TuringStep",
    "TuringUnit",
    "add_erase",
    "add_erase_published",
    "collapse",
    "inverse_gate",
    "mean_slot_weights",
    "merge_reads",
    "normal_weights",
    "read_tokens",
    "read_warmup_steps",
    "read_weights",
    "switch_reads",
    "weighted_tokens",
]
