"""How the memory of a Token Turing Machine changes in a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from docre.memory.perceptron import Gelu, TokenMLP, TokenScorer
from docre.memory.summarizers import Summarizer


def add_erase(memory: Tensor, address: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Return a memory after heads erased and added, each where it points.

    ``M prod_j (1 - s_j (x) sigmoid(e_j)) + sum_j s_j (x) a_j``, as Neural Turing Machines write.

    Args:
        memory: The memory before.  # [B, S, D]
        address: How much of each slot a head means.  # [B, S, K]
        erase: What a head erases, before the sigmoid.  # [B, K, D]
        add: What a head adds.  # [B, K, D]

    Returns:
        # [B, S, D]
    """
    return memory * _kept(address, erase.sigmoid()) + address @ add


def add_erase_published(memory: Tensor, address: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Return a memory after a write as published code has it; see :func:`add_erase`.

    ``M prod_j (1 - s_j (x) e_j) + mean_j (1 - s_j (x) a_j)``: what is erased has no bounds, and the
    second "1 -" adds about 1 to every entry.
    """
    return memory * _kept(address, erase) + 1 - address @ add / address.shape[-1]


def _kept(address: Tensor, erase: Tensor) -> Tensor:
    """Multiply what the heads keep, one after the other: there is no [B, S, K, D]."""
    kept = torch.ones_like(erase[:, :1])
    for head in range(address.shape[-1]):
        kept = kept * (1 - address[:, :, head, None] * erase[:, head, None])  # [B, S, D]
    return kept


_RULES = {"addfix": add_erase, "published": add_erase_published}


class MemoryWriter(nn.Module, ABC):
    """Makes the next memory."""

    @abstractmethod
    def forward(self, memory: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return the memory after the step.

        Args:
            memory: The memory before.  # [B, S, D]
            inputs: Tokens that came in.  # [B, N, D]
            outputs: Tokens that came out.  # [B, K, D]

        Returns:
            # [B, S, D]
        """


class SummaryWriter(MemoryWriter):
    """Makes the next memory as a summary of memory, inputs and outputs.

    Args:
        summarizer: Makes as many tokens as there are slots.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.3.
    """

    def __init__(self, summarizer: Summarizer) -> None:
        super().__init__()
        self.summarizer = summarizer

    def forward(self, memory: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return the memory after the step; see the base class."""
        written: Tensor = self.summarizer(torch.cat((memory, inputs, outputs), dim=1))
        return written


class AddEraseWriter(MemoryWriter):
    """Erases and adds, after Neural Turing Machines; the inputs are seen through the outputs.

    Args:
        width: Width of a token, ``D``.
        tokens: Number of output tokens.
        write_heads: Number of heads, each with its address.
        hidden_features: Hidden width of all networks.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norms.
        rule: ``addfix`` for :func:`add_erase`, ``published`` for :func:`add_erase_published`.

    Reference: Token Turing Machines (Ryoo et al., 2023), released code; Neural Turing Machines
    (Graves et al., 2014), section 3.2.
    """

    def __init__(
        self,
        width: int,
        tokens: int,
        write_heads: int = 8,
        hidden_features: int = 64,
        gelu: Gelu = "tanh",
        eps: float = 1e-6,
        rule: Literal["addfix", "published"] = "addfix",
    ) -> None:
        super().__init__()
        if rule not in _RULES:
            raise ValueError(f"rule: {rule!r} is none of {', '.join(map(repr, _RULES))}")
        self.rule = rule
        self.address = TokenScorer(width, write_heads, hidden_features, gelu, eps)
        self.erase_norm = nn.LayerNorm(width, eps=eps)
        self.erase_heads = TokenMLP(tokens, hidden_features, write_heads, gelu)
        self.erase_values = TokenMLP(width, hidden_features, width, gelu)
        self.add_norm = nn.LayerNorm(width, eps=eps)
        self.add_heads = TokenMLP(tokens, hidden_features, write_heads, gelu)
        self.add_values = TokenMLP(width, hidden_features, width, gelu)

    def forward(self, memory: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return the memory after the step; see the base class."""
        scores = self.address(memory)  # [B, S, K]
        wide = torch.promote_types(scores.dtype, torch.float32)
        address = scores.softmax(1, dtype=wide).to(scores.dtype)
        erase = self.erase_values(self.erase_heads(self.erase_norm(outputs).mT).mT)  # [B, K, D]
        add = self.add_values(self.add_heads(self.add_norm(outputs).mT).mT)  # [B, K, D]
        return _RULES[self.rule](memory, address, erase, add)
