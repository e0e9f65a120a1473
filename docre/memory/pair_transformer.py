"""A transformer over pairs of tokens: within a pair, or across the pairs of a group.

Parameters are named as in :class:`torch.nn.TransformerEncoder`, so its weights fit by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class _AttendInPairs(torch.autograd.Function):
    """Keeps and makes fewer arrays of the size of the tokens than autograd would."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor) -> Tensor:
        query, key, value = projected.unbind(2)  # each [P, 2, H, D/H]
        key_difference = key[:, :1] - key[:, 1:]
        value_difference = value[:, :1] - value[:, 1:]
        to_head = (_dot(query, key_difference) * query.shape[-1] ** -0.5).sigmoid()
        to_head = to_head.to(query.dtype)
        ctx.save_for_backward(projected, to_head)  # differences are cheaper to make than to keep
        return torch.addcmul(value[:, 1:], to_head, value_difference)  # [P, 2, H, D/H]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        projected, to_head = ctx.saved_tensors
        query, key, value = projected.unbind(2)
        key_difference = key[:, :1] - key[:, 1:]
        value_difference = value[:, :1] - value[:, 1:]
        slope = _dot(gradient, value_difference) * to_head * (1 - to_head)  # [P, 2, H, 1]
        slope = (slope * query.shape[-1] ** -0.5).to(query.dtype)
        result = torch.empty_like(projected)
        of_query, of_key, of_value = result.unbind(2)
        torch.mul(slope, key_difference, out=of_query)
        torch.mul(slope[:, 0], query[:, 0], out=of_key[:, 0])
        of_key[:, 0].addcmul_(slope[:, 1], query[:, 1])
        torch.neg(of_key[:, 0], out=of_key[:, 1])
        torch.mul(to_head[:, 0], gradient[:, 0], out=of_value[:, 0])
        of_value[:, 0].addcmul_(to_head[:, 1], gradient[:, 1])
        torch.add(gradient[:, 0], gradient[:, 1], out=of_value[:, 1])
        of_value[:, 1].sub_(of_value[:, 0])
        return result


def _dot(left: Tensor, right: Tensor) -> Tensor:
    """Multiply vectors, in at least float32."""
    wide = torch.promote_types(left.dtype, torch.float32)
    return (left * right).sum(-1, keepdim=True, dtype=wide)  # [..., 1]


def attend_in_pairs(projected: Tensor) -> Tensor:
    """Return attention among the two tokens of each pair.

    A softmax of two scores is a sigmoid of their difference, so there is no score matrix.

    Args:
        projected: Query, key and value of head and tail.  # [P, 2, 3, H, D/H]

    Returns:
        # [P, 2, H, D/H]
    """
    attended: Tensor = _AttendInPairs.apply(projected)  # type: ignore[no-untyped-call]
    return attended


def attend_in_groups(projected: Tensor, groups: Sequence[int]) -> Tensor:
    """Return attention among the pairs of a group, heads and tails apart.

    Group after group, so that no pair is padded and no map of all pairs is made.

    Args:
        projected: Query, key and value of head and tail.  # [P, 2, 3, H, D/H]
        groups: Number of consecutive pairs in each group.

    Returns:
        # [P, 2, H, D/H]
    """
    if not groups:
        return projected[:, :, 2]
    by_head = projected.permute(2, 1, 3, 0, 4)  # [3, 2, H, P, D/H]
    found = []
    for piece in torch.split(by_head, list(groups), dim=3):
        query, key, value = piece.unbind()
        found.append(functional.scaled_dot_product_attention(query, key, value))
    return torch.cat(found, dim=2).permute(2, 0, 1, 3)  # [P, 2, H, D/H]


class PairAttention(nn.Module):
    """Multi-head self-attention over heads and tails of pairs.

    Args:
        width: Width of a token, ``D``.
        attention_heads: Number of heads, ``H``.
    """

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__()
        self.split = (attention_heads, width // attention_heads)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, tokens: Tensor, groups: Sequence[int] | None) -> Tensor:
        """Return what each token attends to, [P, 2, D]; see :class:`PairTransformer`."""
        projected = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        projected = projected.view(*tokens.shape[:-1], 3, *self.split)  # [P, 2, 3, H, D/H]
        if groups is None:
            found = attend_in_pairs(projected)
        else:
            found = attend_in_groups(projected, groups)
        attended: Tensor = self.out_proj(found.flatten(-2))  # [P, 2, D]
        return attended


class PairTransformerLayer(nn.Module):
    """Attention, then a ReLU feed-forward layer; each is added, then normalised.

    Args:
        width: Width of a token, ``D``.
        attention_heads: Number of heads.
        feed_forward: Width of the feed-forward layer.
    """

    def __init__(self, width: int, attention_heads: int, feed_forward: int) -> None:
        super().__init__()
        self.self_attn = PairAttention(width, attention_heads)
        self.linear1 = nn.Linear(width, feed_forward)
        self.linear2 = nn.Linear(feed_forward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, groups: Sequence[int] | None) -> Tensor:
        """Return the tokens [P, 2, D] after the layer; see :class:`PairTransformer`."""
        tokens = self.norm1(tokens + self.self_attn(tokens, groups))
        output: Tensor = self.norm2(tokens + self.linear2(self.linear1(tokens).relu()))
        return output


class PairTransformer(nn.Module):
    """Layers of :class:`PairTransformerLayer`, each with an initialisation of its own.

    The released TTM-RE code starts all layers as copies of one; nothing is known to speak for it.

    Args:
        width: Width of a token, ``D``.
        layers: Number of layers; with none, tokens come back as they are.
        attention_heads: Number of heads.
        feed_forward: Width of the feed-forward layers.
    """

    def __init__(self, width: int, layers: int, attention_heads: int, feed_forward: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            PairTransformerLayer(width, attention_heads, feed_forward) for _ in range(layers)
        )

    def forward(self, tokens: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        """Return the processed tokens.

        Args:
            tokens: Head and tail of each pair.  # [P, 2, D]
            groups: Number of consecutive pairs in each group whose heads attend to one another,
                and tails likewise; ``None`` if the two tokens of each pair do.

        Returns:
            # [P, 2, D]
        """
        for layer in self.layers:
            tokens = layer(tokens, groups)
        return tokens
