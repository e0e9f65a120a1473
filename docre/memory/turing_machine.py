"""The Token Turing Machine: a recurrent network whose state is a memory of tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from docre.memory.summarizers import Summarizer
from docre.memory.writers import MemoryWriter


class TuringStep(NamedTuple):
    """What a step, or a run of steps, gives.

    Args:
        output: Processed tokens.  # [B, K, D], or of all steps [B, T, K, D]
        memory: The memory afterwards.  # [B, S, D], or after each step [B, T, S, D]
    """

    output: Tensor
    memory: Tensor


class TuringUnit(nn.Module, ABC):
    """One step of the machine."""

    @abstractmethod
    def forward(self, memory: Tensor, inputs: Tensor) -> TuringStep:
        """Return output and next memory.

        Args:
            memory: The memory.  # [B, S, D]
            inputs: Tokens of this step.  # [B, N, D]
        """


class ReadWriteUnit(TuringUnit):
    """Reads from memory and inputs, processes what it read, writes the memory.

    Args:
        reader: Makes the few tokens that are processed, from the memory and then the inputs.
        processor: Maps these tokens to as many, [B, K, D] to [B, K, D].
        writer: Makes the next memory.

    Reference: Token Turing Machines (Ryoo et al., 2023), equations 1 to 3.
    """

    def __init__(self, reader: Summarizer, processor: nn.Module, writer: MemoryWriter) -> None:
        super().__init__()
        self.reader = reader
        self.processor = processor
        self.writer = writer

    def forward(self, memory: Tensor, inputs: Tensor) -> TuringStep:
        """Return output and next memory; see the base class."""
        output = self.processor(self.reader(torch.cat((memory, inputs), dim=1)))  # [B, K, D]
        return TuringStep(output, self.writer(memory, inputs, output))


class SummarizeFirstUnit(TuringUnit):
    """Summarises the inputs alone and processes them together with the memory.

    The "simple" unit of the released code, for comparison with it: memory goes in first and comes
    out last, so with K output tokens and S slots a position changes its role.

    Args:
        summarizer: Makes K tokens of the inputs.
        processor: Maps the S + K tokens to as many.
    """

    def __init__(self, summarizer: Summarizer, processor: nn.Module) -> None:
        super().__init__()
        self.summarizer = summarizer
        self.processor = processor

    def forward(self, memory: Tensor, inputs: Tensor) -> TuringStep:
        """Return output and next memory; see the base class."""
        summary = self.summarizer(inputs)  # [B, K, D]
        processed = self.processor(torch.cat((memory, summary), dim=1))  # [B, S + K, D]
        count = summary.shape[1]
        return TuringStep(processed[:, :count], processed[:, count:])


class TokenTuringMachine(nn.Module):
    """Runs a unit over the steps of a sequence; the gradient flows through all of them.

    Args:
        unit: One step, with the same parameters each time.
        slots: Number of memory slots of a memory that starts with zeros, ``S``.

    Reference: Token Turing Machines (Ryoo et al., 2023).

    Example:
        >>> from docre.memory import MLPProcessor, SummaryWriter, TokenLearner
        >>> unit = ReadWriteUnit(
        ...     TokenLearner(16, 4), MLPProcessor(16), SummaryWriter(TokenLearner(16, 6))
        ... )
        >>> machine = TokenTuringMachine(unit, slots=6)
        >>> [values.shape for values in machine(torch.randn(2, 3, 5, 16))]
        [torch.Size([2, 3, 4, 16]), torch.Size([2, 3, 6, 16])]
    """

    def __init__(self, unit: TuringUnit, slots: int) -> None:
        super().__init__()
        if slots < 1:
            raise ValueError(f"slots: {slots}, but a memory needs at least one")
        self.unit = unit
        self.slots = slots

    def forward(self, inputs: Tensor, memory: Tensor | None = None) -> TuringStep:
        """Return output and memory of each step.

        Args:
            inputs: Tokens of each step; at least one step.  # [B, T, N, D]
            memory: The memory to begin with; zeros if left out.  # [B, S, D]
        """
        if memory is None:
            memory = inputs.new_zeros(inputs.shape[0], self.slots, inputs.shape[-1])
        outputs, memories = [], []
        for step in inputs.unbind(1):
            output, memory = self.unit(memory, step)
            outputs.append(output)
            memories.append(memory)
        return TuringStep(torch.stack(outputs, 1), torch.stack(memories, 1))
