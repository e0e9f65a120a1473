"""Many tokens to a few: the ways a Token Turing Machine reads and writes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.memory.perceptron import Gelu, TokenScorer


def weighted_tokens(tokens: Tensor, scores: Tensor) -> Tensor:
    """Return averages of tokens, weighed by a softmax of their scores over the tokens.

    Args:
        tokens: Tokens.  # [B, N, D]
        scores: Score of each token for each average.  # [B, N, K]

    Returns:
        # [B, K, D]
    """
    wide = torch.promote_types(scores.dtype, torch.float32)
    weights = scores.softmax(1, dtype=wide).to(tokens.dtype)
    return weights.transpose(1, 2) @ tokens  # [B, K, D]


class Summarizer(nn.Module, ABC):
    """Makes a fixed number of tokens from any number of them."""

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Return the summary [B, K, D] of tokens [B, N, D]."""


class TokenLearner(Summarizer):
    """Averages tokens with weights from a small network that sees one token at a time.

    Args:
        width: Width of a token, ``D``.
        tokens: Number of tokens of the summary, ``K``.
        hidden_features: Width of the network's hidden layer.
        gelu: ``tanh`` for the approximate GELU, ``none`` for the exact one.
        eps: Of the layer norm.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.1; TokenLearner 1.1.
    """

    def __init__(
        self,
        width: int,
        tokens: int,
        hidden_features: int = 64,
        gelu: Gelu = "tanh",
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.scorer = TokenScorer(width, tokens, hidden_features, gelu, eps)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the summary; see the base class."""
        return weighted_tokens(tokens, self.scorer(tokens))


class LearnedQueries(Summarizer):
    """Lets learned queries attend to the tokens: no residual, no layer norm.

    Args:
        width: Width of a token, ``D``.
        tokens: Number of queries, ``K``.
        attention_heads: Number of heads.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.1.
    """

    def __init__(self, width: int, tokens: int, attention_heads: int = 8) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.empty(tokens, width))
        self.attention = nn.MultiheadAttention(width, attention_heads, batch_first=True)
        nn.init.normal_(self.queries, std=0.02)
        for weight in (self.attention.in_proj_weight, self.attention.out_proj.weight):
            nn.init.normal_(weight, std=width**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the summary; see the base class."""
        queries = self.queries.expand(len(tokens), -1, -1)
        summary: Tensor = self.attention(queries, tokens, tokens, need_weights=False)[0]
        return summary


class MeanGroups(Summarizer):
    """Averages consecutive tokens in groups of about equal size; nothing is learned.

    Named by the paper, not in its code.

    Args:
        tokens: Number of groups, ``K``.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the summary; see the base class."""
        return functional.adaptive_avg_pool1d(tokens.mT, self.tokens).mT  # [B, K, D]


class PositionedSummarizer(Summarizer):
    """Adds a learned position to each token before another summarizer sees it.

    The number of tokens is fixed with it: what stands where is what it is about.

    Args:
        summarizer: Makes the summary.
        width: Width of a token, ``D``.
        positions: Number of tokens that are summarised, ``N``.
    """

    def __init__(self, summarizer: Summarizer, width: int, positions: int) -> None:
        super().__init__()
        self.summarizer = summarizer
        self.positions = nn.Parameter(torch.empty(positions, width))
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the summary; see the base class."""
        summary: Tensor = self.summarizer(tokens + self.positions)
        return summary
