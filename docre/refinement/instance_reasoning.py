"""Instance-aware reasoning: a pair looks at the tokens once more, now that it knows what it is.

COMM (2025) publishes the idea and its place between the features of a base encoder and the
classes, not the equations within our reach. What follows is our reading of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from docre.outputs import Scene
from docre.refinement.base import Refinement

# What is added to a pair's attention before the logarithm: no token is out of reach.
_FLOOR = 1e-6


class InstanceReasoning(Refinement):
    """Adds to each pair what it finds in the tokens of its document.

    With the features ``t`` of a pair, the token states ``H`` and the attention ``A`` that the
    pair's context was made with::

        r = softmax( (W_q t) (W_k H)' / sqrt(F) + log(A + 1e-6) ) W_v H
        g = sigmoid( W_g [t; r] + b )
        t' = LayerNorm( t + g * r )

    ``W_v`` begins at zero, so that training starts from what the base encoder says. This alone is
    the setting "token"; followed by :class:`~docre.refinement.AxialTransformer` with one layer,
    through which pairs see each other, it is "full".

    Args:
        width: Of a pair's features.
        in_features: Width of the token states.
    """

    def __init__(self, width: int, in_features: int) -> None:
        super().__init__(width, in_features)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(in_features, width, bias=False)
        self.value = nn.Linear(in_features, width, bias=False)
        self.gate = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.value.weight)

    def forward(self, features: Tensor, scene: Scene, blank: Tensor | None = None) -> Tensor:
        """Return refined features; see the base class."""
        attention = scene.context.attention
        if attention is None:
            raise ValueError("instance reasoning needs a context that comes from tokens")
        tokens, sizes = scene.encoded.token_states, scene.batch.sizes
        query = self.query(features) * self.width**-0.5  # [P, F]
        key, value = self.key(tokens), self.value(tokens)  # [B, T, F]
        maps = torch.split(attention.per_pair(), list(sizes.pairs))
        found = [
            _look(of_pairs, key[d, :length], value[d, :length], prior[:, :length])
            for d, (of_pairs, prior, length) in enumerate(
                zip(torch.split(query, list(sizes.pairs)), maps, sizes.tokens, strict=True)
            )
        ]
        seen = torch.cat(found).to(features.dtype)  # [P, F]
        gate = self.gate(torch.cat([features, seen], 1)).sigmoid()
        result: Tensor = self.norm(features + gate * seen)
        return result


def _look(query: Tensor, key: Tensor, value: Tensor, prior: Tensor) -> Tensor:
    """Return the mixture of a document's values that each of its pairs looks at, [p, F]."""
    scores = query @ key.t()  # [p, t]
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    weights = (scores + (prior + _FLOOR).log()).softmax(1)
    return weights.to(value.dtype) @ value
