"""What passes from a cache to attention: segments of keys and values, and the metadata of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Int, Int32, Real
from torch import Tensor

from tinyllm.attention.mask import alibi_bias, causal_bias, prompt_positions, token_positions
from tinyllm.config import DecoderConfig
from tinyllm.kernels.int8 import dequantize
from tinyllm.kernels.kernel_set import BeamMask, KernelSet, Workspace
from tinyllm.kernels.torch_attention import align_rows, bias_of_mask
from tinyllm.kernels.torch_kernels import store_quantized

Bias = Float[Tensor, "#b #h #rows n"]


@dataclass(frozen=True, eq=False)
class Segment:
    """Keys and values in one piece of memory; the metadata has the number of valid ones.

    In int8 each has a scale for every token and head; see `tinyllm.kernels.int8`. `k, v = segment` takes the two alone.
    """

    k: Real[Tensor, "b g n d"]
    v: Real[Tensor, "b g n d"]
    k_scale: Float32[Tensor, "b g n"] | None = None
    v_scale: Float32[Tensor, "b g n"] | None = None

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.k, self.v))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Keys, values, and scales where there are any."""
        if self.k_scale is None:
            return self.k, self.v
        return self.k, self.v, self.k_scale, self.v_scale

    def map(self, function: Callable[[Tensor], Tensor]) -> Segment:
        """The same with every tensor replaced."""
        return Segment(*map(function, self.tensors))

    def part(self, start: int, end: int) -> Segment:
        """Those from `start` to `end`, in place."""
        if start == 0 and end == self.capacity:
            return self
        return self.map(lambda x: x[:, :, start:end])

    def of_requests(self, requests: slice) -> Segment:
        """Those of some requests, in place."""
        return self.map(lambda x: x[requests])

    @property
    def capacity(self) -> int:
        """Keys that there is memory for."""
        return self.k.shape[2]

    def fill(self, k: Float[Tensor, "b g n d"], v: Float[Tensor, "b g n d"]) -> None:
        """Copy keys and values into this memory; into int8 they are rounded."""
        if self.k_scale is None:
            self.k.copy_(k)
            self.v.copy_(v)
            return
        for x, codes, scale in ((k, self.k, self.k_scale), (v, self.v, self.v_scale)):
            store_quantized(x, codes, scale, slice(None))

    def copy_(self, other: Segment) -> None:
        """Copy what another segment of as many tokens holds, as it is stored."""
        for x, y in zip(self.tensors, other.tensors, strict=True):
            x.copy_(y)

    def dequantize(self, dtype: torch.dtype) -> Segment:
        """Keys and values in `dtype`, a copy where they are int8."""
        if self.k_scale is None:
            return self
        k = dequantize(self.k, self.k_scale, dtype)
        v = dequantize(self.v, self.v_scale, dtype)
        return Segment(k, v)


Segments = tuple[Segment, ...]


class AttentionOptions(NamedTuple):
    """How a layer makes scores of q k: a scale (None: 1 / sqrt(d)), a soft cap, a sliding window in tokens."""

    scale: float | None = None
    softcap: float | None = None
    window: int | None = None


def attention_options(config: DecoderConfig, kind: int) -> AttentionOptions:
    """Those of a kind of layer."""
    return AttentionOptions(config.score_scale, config.score_softcap, config.kinds[kind].window)


class VisibleRange(NamedTuple):
    """The first token of the prompt and the first step of the response that a sliding window leaves visible."""

    first_token: int
    first_step: int


def visible_range(prompt_tokens: int, steps: int, window: int | None) -> VisibleRange:
    """What the newest token sees of a prompt and of the steps after it."""
    hidden = 0 if window is None else max(0, prompt_tokens + steps - window)
    return VisibleRange(min(hidden, prompt_tokens), max(0, hidden - prompt_tokens))


@dataclass(frozen=True)
class PrefillMetadata:
    """The last `tokens` of `length` tokens of every prompt attend to themselves and to all before them.

    `mask` [b, length] is 0 for padding, None without; `slopes` are ALiBi's (arXiv 2108.12409).
    """

    length: int
    tokens: int
    mask: Int[Tensor, "b length"] | None
    slopes: Float[Tensor, " h"] | None
    kernels: KernelSet
    _biases: dict[int | None, Bias | None] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def positions(self) -> Int32[Tensor, "b length"] | None:
        """Of every token, for kernels that mask by themselves: negative for padding; None without."""
        return None if self.mask is None else prompt_positions(self.mask)

    def from_key(self, start: int) -> PrefillMetadata:
        """The same without the tokens of every prompt before `start`."""
        if start == 0:
            return self
        mask = None if self.mask is None else self.mask[:, start:]
        return PrefillMetadata(
            self.length - start, self.tokens, mask, self.slopes, kernels=self.kernels
        )

    def bias(self, like: Float[Tensor, ...], options: AttentionOptions) -> Bias | None:
        """What is added to scores in torch's attention; made by the first layer with this window, kept for all."""
        if options.window not in self._biases:
            self._biases[options.window] = causal_bias(
                self.mask,
                self.length - self.tokens,
                self.tokens,
                like,
                window=options.window,
                slopes=self.slopes,
                always=options.softcap is not None,
            )
        return self._biases[options.window]


class SegmentBias(NamedTuple):
    """What is added to the scores of a decode step in each segment; None where every key is visible."""

    prompt: Float[Tensor, "#b #g #rows t"] | None
    response: Float[Tensor, "#b #g rows slots"] | None


@dataclass(frozen=True)
class DecodeMetadata:
    """One new token of each of `w` sequences attends to its prompt and its path through the response.

    `prompt_tokens` and `steps`, this one among them, are numbers of the host; `lengths` are the same numbers on the
    device, which a captured graph reads. `copies` sequences share a prompt. `beam_index` has the slot that holds
    each step of a sequence's path, `beam_mask` is the same in the form that the kernels of the cache read; both are
    None where every sequence reads its own slots. A cache of one segment has no steps.
    """

    prompt_tokens: int
    steps: int
    group: int  # query heads that share a key/value head
    mask: Int[Tensor, "b t"] | None
    slopes: Float[Tensor, " h"] | None
    kernels: KernelSet
    copies: int = 1
    device_lengths: Int32[Tensor, " 2"] | None = None
    device_positions: Int32[Tensor, "b capacity"] | None = None
    beam_index: Int32[Tensor, "b w steps"] | None = None
    beam_mask: BeamMask | None = None
    workspace: Workspace | None = None
    _biases: list[SegmentBias] = field(default_factory=list, repr=False, compare=False)

    def lengths(self, device: torch.device) -> Int32[Tensor, " 2"]:
        """Tokens of the prompt and steps after it, on the device."""
        if self.device_lengths is not None:
            return self.device_lengths
        return torch.tensor([self.prompt_tokens, self.steps], dtype=torch.int32, device=device)

    @cached_property
    def positions(self) -> Int32[Tensor, "b n"] | None:
        """Of the prompt's tokens, in memory for at least as many: negative for padding; None without."""
        if self.device_positions is not None or self.mask is None:
            return self.device_positions
        return prompt_positions(self.mask)

    def bias(self, like: Float[Tensor, ...]) -> SegmentBias:
        """What is added to scores in torch's attention, made by the first layer and kept for all.

        The response's is of all slots where there is a beam index, else of the steps of one sequence. A sliding window
        is no part of it: attention does not read what lies outside.
        """
        if not self._biases:
            self._biases.append(self._make_bias(like))
        return self._biases[0]

    def _make_bias(self, like: Float[Tensor, ...]) -> SegmentBias:
        prompt = response = None
        if self.mask is not None:
            prompt = bias_of_mask(self.mask[:, None, None, :].bool(), like.dtype)
        w = 1 if self.beam_index is None else self.copies  # sequences whose slots a row finds
        if w > 1 and self.steps:
            visible = self.visible_slots(like.device, self.group)
            rows = visible.view(-1, 1, self.group * w, self.steps * w)
            response = bias_of_mask(rows, like.dtype)
        if self.slopes is None:
            return SegmentBias(prompt, response)
        positions = token_positions(self.mask, 0, self.prompt_tokens, like.device)
        distances = positions - (positions[:, -1:] + self.steps)
        prompt = self._add_alibi(prompt, distances, self.copies, like.dtype)
        if self.steps:
            slot = torch.arange(self.steps * w, dtype=torch.int64, device=like.device)
            response = self._add_alibi(
                response, (slot // w - (self.steps - 1))[None], w, like.dtype
            )
        return SegmentBias(prompt, response)

    def visible_slots(
        self, device: torch.device, group: int = 1
    ) -> Bool[Tensor, "#b group w steps w"]:
        """Whether each sequence sees each slot of the response: of every step one, whichever sequence wrote it.

        The same for each of `group` heads.
        """
        own = torch.arange(self.copies, dtype=torch.int32, device=device)
        if self.beam_index is None:
            index = own[None, :, None].expand(-1, -1, self.steps)
        else:
            index = self.beam_index[:, :, : self.steps].to(device)
        return index[:, None, ..., None].expand(-1, group, -1, -1, -1) == own

    def _add_alibi(
        self, bias: Tensor | None, distances: Tensor, w: int, dtype: torch.dtype
    ) -> Tensor:
        alibi = alibi_bias(self.slopes, distances, self.group, w, dtype)
        return align_rows(alibi if bias is None else bias + alibi)


Metadata = PrefillMetadata | DecodeMetadata
Attention = Callable[[Tensor, Segments, Metadata, AttentionOptions], Tensor]
