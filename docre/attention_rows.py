"""Attention of a few tokens to all others, without ever keeping a whole attention map.

The localized context of a pair needs the attention probabilities of the mention tokens in the last
layers and nothing else. :func:`attend`, known to transformers as ``docre_rows``, computes every
layer's output by PyTorch's fused attention, and, in a module that carries a :class:`RowRequest`,
also the probabilities of the requested rows. For a document of 512 tokens with 30 mentions these
are 6 % of one map, where the published code keeps the maps of all layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from docre.dropout_attention import dropout_attention

ATTENTION = "docre_rows"
_REQUEST = "row_request"


class RowRequest:
    """What a module is asked for, and where it leaves it.

    Args:
        index: Positions whose attention is wanted, in each sequence.  # [N, r]
    """

    def __init__(self, index: Tensor) -> None:
        self.index = index
        self.rows: list[Tensor] = []

    def take(self, module: nn.Module, rows: Tensor) -> None:
        """Keep the rows that a module computed; ``[N, H, r, L]``."""
        self.rows.append(rows)


class CallOrder(RowRequest):
    """A request that only notes which modules answer, one after another."""

    def __init__(self, index: Tensor) -> None:
        super().__init__(index)
        self.modules: list[nn.Module] = []

    def take(self, module: nn.Module, rows: Tensor) -> None:
        """Note the module."""
        self.modules.append(module)


class Asking(AbstractContextManager[None]):
    """Within it the modules carry a request. It can be entered again and again.

    Args:
        modules: Attention modules.
        request: What they are asked for; ``None`` for nothing.
    """

    def __init__(self, modules: Iterable[nn.Module], request: RowRequest | None) -> None:
        self._modules = tuple(modules)
        self._request = request

    def __enter__(self) -> None:
        for module in self._modules:
            setattr(module, _REQUEST, self._request)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for module in self._modules:
            setattr(module, _REQUEST, None)


class RowCapture:
    """The attention modules of the last layers of a transformer that uses :func:`attend`.

    Args:
        calls: Attention modules in the order in which they are called; one that serves several
            layers is there several times.
        layers: How many of the last calls are wanted.
    """

    def __init__(self, calls: Iterable[nn.Module], layers: int) -> None:
        self.layers = layers
        self._modules = tuple(dict.fromkeys(tuple(calls)[-layers:]))

    def ask(self, request: RowRequest | None) -> Asking:
        """Return a context in which the modules answer a request."""
        return Asking(self._modules, request)

    def checkpoint_contexts(
        self,
    ) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Return what surrounds a checkpointed layer now, and when it is computed again.

        A layer that is computed again in the backward pass must do all that it did at first, so it
        is asked once more, even if other documents went through the model in between.
        """
        request: RowRequest | None = getattr(self._modules[0], _REQUEST, None)
        again = None if request is None else RowRequest(request.index)
        return nullcontext(), Asking(self._modules, again)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Compute attention as transformers' ``sdpa`` does, and the rows the module is asked for.

    Args:
        module: The attention module that calls.
        query: ``[N, H, L, d]``.
        key: ``[N, G, L, d]``; ``G`` is less than ``H`` where heads share their keys.
        value: ``[N, G, L, d]``.
        attention_mask: True where a token may look, or numbers to add; ``[N, 1, L, L]``.
        dropout: Probability that an attention weight is dropped.
        scaling: Factor of the scores; ``None`` for one over the root of the width.
        kwargs: What else transformers hands on.

    Returns:
        The output ``[N, L, H, d]``, and nothing in place of the whole map.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if _drops_on_cpu(module, query, key, dropout, kwargs):
        factor = query.shape[-1] ** -0.5 if scaling is None else scaling
        mixed = dropout_attention(query, key, value, attention_mask, dropout, factor)
        output = mixed.transpose(1, 2)  # [N, L, H, d]
    else:
        output = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )[0]
    request: RowRequest | None = getattr(module, _REQUEST, None)
    if request is not None:
        bias: Tensor | None = kwargs.get("position_bias")
        rows = attention_rows(
            query, key, request.index, attention_mask, dropout, scaling, bias
        )  # [N, H, r, L]
        request.take(module, rows)
    return output, None


def _drops_on_cpu(
    module: nn.Module, query: Tensor, key: Tensor, dropout: float, others: dict[str, Any]
) -> bool:
    """Say whether fused attention would keep whole maps, and ours can stand in for it."""
    causal = others.get("is_causal", getattr(module, "is_causal", False))
    plain = key.shape[1] == query.shape[1] and others.get("position_bias") is None and not causal
    return dropout > 0 and query.device.type == "cpu" and plain


def attention_rows(
    query: Tensor,
    key: Tensor,
    index: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Return the attention probabilities of some rows, after dropout.

    The softmax is computed in float32 at least. Dropout draws its own numbers, with the same
    distribution as that of the attention which makes the output.

    Args:
        query: ``[N, H, L, d]``.
        key: ``[N, G, L, d]``, ``G`` a divisor of ``H``.
        index: Positions of the rows.  # [N, r]
        mask: True where a token may look, or numbers to add; ``[N, 1, L, L]``, or 1 for any size.
        dropout: Probability that a weight is dropped.
        scaling: Factor of the scores; ``None`` for one over the root of the width.
        bias: Numbers to add; like the mask.

    Returns:
        ``[N, H, r, L]``
    """
    if scaling is None:
        scaling = query.shape[-1] ** -0.5
    if key.shape[1] != query.shape[1]:
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    asking = pick_rows(query, index)  # [N, H, r, d]
    scores = torch.matmul(asking * scaling, key.transpose(2, 3))  # [N, H, r, L]
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if bias is not None:
        scores = scores + pick_rows(bias, index)
    if mask is not None:
        seen = pick_rows(mask, index)  # [N, 1, r, L]
        if seen.dtype == torch.bool:
            scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        else:
            scores = scores + seen
    rows = scores.softmax(-1).to(query.dtype)
    return nn.functional.dropout(rows, dropout) if dropout else rows


def pick_rows(values: Tensor, index: Tensor) -> Tensor:
    """Return some rows of each sequence.

    Args:
        values: ``[N, H, L, d]``; ``N``, ``H`` and ``L`` may be 1 for "the same for all".
        index: Positions.  # [N, r]

    Returns:
        ``[N, H, r, d]``, or ``[., H, 1, d]`` where all rows are the same.
    """
    if values.shape[2] == 1:
        return values
    count, asked = index.shape
    heads, width = values.shape[1], values.shape[3]
    where = index[:, None, :, None].expand(count, heads, asked, width)
    return values.expand(count, -1, -1, -1).gather(2, where)


def attention_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """Return the mask for :func:`attend`, as for ``sdpa`` but without asking the device.

    transformers would look into the padding mask and leave it out if nothing is padded, for which
    the host has to wait. The encoder knows, and gives no padding mask then.
    """
    from transformers.masking_utils import sdpa_mask

    if kwargs.get("attention_mask") is not None:
        kwargs["allow_is_bidirectional_skip"] = False
    kwargs["allow_is_causal_skip"] = False  # the rows need the mask that "is_causal" stands for
    return sdpa_mask(*args, **kwargs)


def register() -> None:
    """Make ``docre_rows`` known to transformers; doing so again does no harm."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(ATTENTION, attend)
    AttentionMaskInterface.register(ATTENTION, attention_mask)


def attention_calls(model: nn.Module) -> list[nn.Module]:
    """Run a transformer on two tokens and return the modules that came to :func:`attend`."""
    device = next(model.parameters()).device
    order = CallOrder(torch.zeros(1, 1, dtype=torch.long, device=device))
    training = model.training
    try:
        with torch.no_grad(), Asking(model.modules(), order):
            model.eval()(input_ids=torch.ones(1, 2, dtype=torch.long, device=device))
    finally:
        model.train(training)
    return order.modules
