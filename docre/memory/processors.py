"""What happens to tokens between reading and writing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from docre.memory.perceptron import Gelu, TokenMLP


class TokenTransformerLayer(nn.Module):
    """Self-attention and a small network, each normalised first and then added.

    Args:
        width: Width of a token, ``D``.
        attention_heads: Number of heads.
        hidden_features: Hidden width of the network.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norms.
    """

    def __init__(
        self, width: int, attention_heads: int, hidden_features: int, gelu: Gelu, eps: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attention = nn.MultiheadAttention(width, attention_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = TokenMLP(width, hidden_features, width, gelu)
        # query, key and value are three square matrices, not one tall one
        for weight in (*self.attention.in_proj_weight.chunk(3), self.attention.out_proj.weight):
            nn.init.xavier_uniform_(weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens [B, N, D] after the layer."""
        normed = self.norm1(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        output: Tensor = tokens + self.mlp(self.norm2(tokens))
        return output


class TransformerProcessor(nn.Module):
    """Learned positions, transformer layers with the norm in front, and a last norm.

    Args:
        width: Width of a token, ``D``.
        tokens: Number of tokens, ``N``.
        layers: Number of layers.
        attention_heads: Number of heads.
        hidden_features: Hidden width of a layer's network.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norms.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.2.
    """

    def __init__(
        self,
        width: int,
        tokens: int,
        layers: int = 1,
        attention_heads: int = 12,
        hidden_features: int = 512,
        gelu: Gelu = "tanh",
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.empty(tokens, width))
        self.layers = nn.ModuleList(
            TokenTransformerLayer(width, attention_heads, hidden_features, gelu, eps)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width, eps=eps)
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the processed tokens [B, N, D]."""
        tokens = tokens + self.positions
        for layer in self.layers:
            tokens = layer(tokens)
        output: Tensor = self.norm(tokens)
        return output


class TokenMixerLayer(nn.Module):
    """Two small networks, one along the tokens and one along the features, both added.

    Args:
        width: Width of a token, ``D``.
        tokens: Number of tokens, ``N``.
        hidden_tokens: Hidden width of the network along the tokens.
        hidden_features: Hidden width of the network along the features.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norms.
    """

    def __init__(
        self,
        width: int,
        tokens: int,
        hidden_tokens: int,
        hidden_features: int,
        gelu: Gelu,
        eps: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.along_tokens = TokenMLP(tokens, hidden_tokens, tokens, gelu)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.along_features = TokenMLP(width, hidden_features, width, gelu)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens [B, N, D] after the layer."""
        tokens = tokens + self.along_tokens(self.norm1(tokens).mT).mT
        output: Tensor = tokens + self.along_features(self.norm2(tokens))
        return output


class MixerProcessor(nn.Module):
    """Mixer layers and a last norm.

    Args:
        width: Width of a token, ``D``.
        tokens: Number of tokens, ``N``.
        layers: Number of layers.
        hidden_tokens: Hidden width of the networks along the tokens.
        hidden_features: Hidden width of the networks along the features.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norms.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.2.
    """

    def __init__(
        self,
        width: int,
        tokens: int,
        layers: int = 1,
        hidden_tokens: int = 128,
        hidden_features: int = 512,
        gelu: Gelu = "tanh",
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                TokenMixerLayer(width, tokens, hidden_tokens, hidden_features, gelu, eps)
                for _ in range(layers)
            )
        )
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the processed tokens [B, N, D]."""
        output: Tensor = self.norm(self.layers(tokens))
        return output


class MLPProcessor(nn.Module):
    """Small networks one after the other, each token by itself, without a residual.

    Args:
        width: Width of a token, ``D``.
        layers: Number of networks.
        hidden_features: Their hidden width.
        gelu: See :class:`TokenMLP`.
        eps: Of the layer norms.

    Reference: Token Turing Machines (Ryoo et al., 2023), section 3.2.
    """

    def __init__(
        self,
        width: int,
        layers: int = 1,
        hidden_features: int = 512,
        gelu: Gelu = "tanh",
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TokenMLP(width, hidden_features, width, gelu) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=eps) for _ in range(layers + 1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the processed tokens [B, N, D]."""
        for norm, layer in zip(self.norms, self.layers, strict=False):  # the last norm is left over
            tokens = layer(norm(tokens))
        output: Tensor = self.norms[-1](tokens)
        return output
