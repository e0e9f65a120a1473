"""The small network that scores tokens, in a reader as in a whole Token Turing Machine."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Gelu = Literal["none", "tanh"]


class TokenMLP(nn.Module):
    """Two linear layers with a GELU between them.

    Args:
        in_features: Width of the input.
        hidden_features: Width between the layers.
        out_features: Width of the output.
        gelu: ``none`` for the exact GELU, ``tanh`` for its approximation (the default of flax).
    """

    def __init__(
        self, in_features: int, hidden_features: int, out_features: int, gelu: Gelu = "none"
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_features, hidden_features)
        self.output = nn.Linear(hidden_features, out_features)
        self.gelu = gelu
        for linear in (self.hidden, self.output):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.normal_(linear.bias, std=1e-6)

    def forward(self, values: Tensor) -> Tensor:
        """Return the output [..., out_features] of vectors [..., in_features]."""
        output: Tensor = self.output(functional.gelu(self.hidden(values), approximate=self.gelu))
        return output


class TokenScorer(nn.Module):
    """Scores each token, by itself, for each of some outputs.

    A softmax of these scores over the tokens weighs them in a summary. The score sees the
    normalised token; the summary averages the token as it is.

    Args:
        width: Width of a token, ``D``.
        outputs: Number of scores of a token.
        hidden_features: Width of the hidden layer.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norm.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.1; TokenLearner 1.1.
    """

    def __init__(
        self,
        width: int,
        outputs: int,
        hidden_features: int,
        gelu: Gelu = "none",
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=eps)
        self.mlp = TokenMLP(width, hidden_features, outputs, gelu)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores [..., outputs] of tokens [..., D]."""
        scores: Tensor = self.mlp(self.norm(tokens))
        return scores
