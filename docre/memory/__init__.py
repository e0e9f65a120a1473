"""Memories that a pair reads before it is classified."""

from docre.memory.base import MemoryFactory, MemoryReader
from docre.memory.pair_transformer import PairTransformer
from docre.memory.perceptron import TokenMLP, TokenScorer
from docre.memory.processors import MixerProcessor, MLPProcessor, TransformerProcessor
from docre.memory.prototypes import Prototypes, collapse, read_tokens, read_weights
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
    "LearnedQueries",
    "MLPProcessor",
    "MeanGroups",
    "MemoryFactory",
    "MemoryReader",
    "MemoryWriter",
    "MixerProcessor",
    "PairTransformer",
    "PositionedSummarizer",
    "Prototypes",
    "ReadWriteUnit",
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
    "read_tokens",
    "read_weights",
    "weighted_tokens",
]
