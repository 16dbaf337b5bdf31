"""The interface of every set of kernels: each signature and its shapes, written once.

Shapes: `b` requests, `w` sequences of each, `t` tokens, `h` query heads, `g` key/value heads, `d`
head size, `n` outputs, `k` inputs. What each operation means is written in float64 in
`tinyllm.check.references`; every set is held against it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, Int, Int32, Int64, Real
from torch import Tensor

from .weights import PackedRows, Weight


@runtime_checkable
class NormWeights(Protocol):
    """One normalisation: a LayerNorm where there is a bias, else an RMSNorm."""

    weight: Float[Tensor, " m"]
    bias: Float[Tensor, " m"] | None
    eps: float


@runtime_checkable
class HeadNorms(Protocol):
    """The RMSNorms of every head of q and of k, in front of RoPE."""

    q: Float[Tensor, " d"]
    k: Float[Tensor, " d"]
    eps: float


class BeamMask(NamedTuple):
    """A beam index as attention kernels read it: a word of one bit a sequence for each response slot.

    A word has 64 sequences: bit j of word i of `mask` is set where sequence 64 * i + j reads the slot. `live_slots`
    lists the slots with a bit in the word, in order; of one slot for each of its sequences in every step, the word has
    `num_dead` fewer.
    """

    mask: Int64[Tensor, "b words slots"]
    live_slots: Int32[Tensor, "b words slots"]
    num_dead: Int32[Tensor, "b words"]


class KeyValueScales(NamedTuple):
    """The scales of keys and values in int8, one for each token and head; what is attended to is `code * scale`."""

    prompt_k: Float32[Tensor, "b g t"]
    prompt_v: Float32[Tensor, "b g t"]
    response_k: Float32[Tensor, "b g slots"]
    response_v: Float32[Tensor, "b g slots"]


class Workspace(NamedTuple):
    """Memory in which the splits of one attention launch leave their partial results; the counters rest at zero."""

    partials: Float[Tensor, " n"]
    counters: Int32[Tensor, " places"]


@runtime_checkable
class KernelSet(Protocol):
    """One implementation of every operation. A set inherits what it lacks from `TorchKernels`.

    `max_prologue_norm_rows`: up to so many rows, a norm is free as the prologue of `linear`. `fuses_qkv_and_rope`:
    `qkv_rope_and_store` is one launch. `native_step`: a runner may replace a complete decode step by native code.
    `planar_blocks`: how the blocks of packed weights have to be arranged, None where either will do.
    """

    name: str
    max_prologue_norm_rows: int
    fuses_qkv_and_rope: bool
    native_step: bool
    planar_blocks: bool | None

    def rms_norm(
        self, x: Float[Tensor, "*rows m"], weight: Float[Tensor, " m"], eps: float
    ) -> Float[Tensor, "*rows m"]:
        """Every row scaled to a root mean square of one, times the weight. Moves 2*m*s bytes a row."""

    def layer_norm(
        self,
        x: Float[Tensor, "*rows m"],
        weight: Float[Tensor, " m"],
        bias: Float[Tensor, " m"],
        eps: float,
    ) -> Float[Tensor, "*rows m"]:
        """Every row at mean zero and variance one, times the weight, plus the bias. Moves 2*m*s bytes a row."""

    def norm_and_add(
        self,
        x: Float[Tensor, "*rows m"],
        residual: Float[Tensor, "*rows m"],
        weight: Float[Tensor, " m"],
        eps: float,
    ) -> Float[Tensor, "*rows m"]:
        """The residual plus the RMSNorm of x. Moves 3*m*s bytes a row."""

    def rope_and_store(
        self,
        q: Float[Tensor, "b h t d"],
        k: Float[Tensor, "b g t d"],
        v: Float[Tensor, "b g t d"],
        cos: Float[Tensor, "#b t pairs"],
        sin: Float[Tensor, "#b t pairs"],
        k_slot: Real[Tensor, "b g n d"],
        v_slot: Real[Tensor, "b g n d"],
        interleaved: bool,
        start: Int32[Tensor, ""] | None = None,
        norms: HeadNorms | None = None,
        k_scale: Float32[Tensor, "b g n"] | None = None,
        v_scale: Float32[Tensor, "b g n"] | None = None,
    ) -> tuple[Float[Tensor, "b h t d"], Tensor, Tensor]:
        """Rotated q; k rotated into its slots, v copied into its own, from number `start` (0 unless given).

        With scales the slots are int8: what would be stored, rounded to the dtype of k, is quantised (`int8.quantize`).
        """

    def qkv_rope_and_store(
        self,
        x: Float[Tensor, "b t m"],
        weight: Weight,
        bias: Float[Tensor, " n"] | None,
        norm: NormWeights | None,
        cos: Float[Tensor, "#b t pairs"],
        sin: Float[Tensor, "#b t pairs"],
        k_slot: Float[Tensor, "b g n d"],
        v_slot: Float[Tensor, "b g n d"],
        interleaved: bool,
        start: Int32[Tensor, ""] | None = None,
        per_head: bool = False,
    ) -> tuple[Float[Tensor, "b h t d"], Tensor, Tensor]:
        """`linear` with the merged matrix of q, k and v, then `rope_and_store`; at most 16 rows."""

    def activate_and_multiply(
        self, gate_up: Float[Tensor, "*rows 2*f"], activation: str
    ) -> Float[Tensor, "*rows f"]:
        """activation(first half) * second half. Moves 3*f*s bytes a row."""

    def bias_and_activate(
        self, x: Float[Tensor, "*rows f"], bias: Float[Tensor, " f"], activation: str
    ) -> Float[Tensor, "*rows f"]:
        """activation(x + bias). Moves 2*f*s bytes a row."""

    def linear(
        self,
        x: Float[Tensor, "rows k"],
        weight: Weight,
        bias: Float[Tensor, " n"] | None = None,
        norm: NormWeights | None = None,
        activation: str | None = None,
        gated: bool = False,
        residuals: tuple[Float[Tensor, "rows out"], ...] = (),
    ) -> Float[Tensor, "rows out"]:
        """x W^T with its prologue (norm) and epilogue (bias, activation, residuals); at most 16 rows.

        `gated`: the first half of the outputs is activated and multiplied by the second. Moves the bytes of W, n*k*s
        where it is dense.
        """

    def matmul(
        self,
        x: Float[Tensor, "rows k"],
        weight: Weight,
        bias: Float[Tensor, " n"] | None = None,
        residual: Float[Tensor, "rows n"] | None = None,
    ) -> Float[Tensor, "rows n"]:
        """x W^T + b + residual for any number of rows; packed weights are unpacked by tiles of rows."""

    def unpack(
        self, rows: PackedRows, first: int, last: int, dtype: torch.dtype
    ) -> Float[Tensor, "n k"]:
        """Rows `first` to `last` of packed weights, dense. Moves their bytes, and n*k*s."""

    def segment_attention(
        self,
        q: Float[Tensor, "b h w d"],
        prompt_k: Real[Tensor, "b g t d"],
        prompt_v: Real[Tensor, "b g t d"],
        response_k: Real[Tensor, "b g slots d"],
        response_v: Real[Tensor, "b g slots d"],
        lengths: Int32[Tensor, " 2"],
        beam_index: Int32[Tensor, "b w steps"] | None = None,
        prompt_positions: Int32[Tensor, "b t"] | None = None,
        slopes: Float[Tensor, " h"] | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        window: int | None = None,
        *,
        scales: KeyValueScales | None = None,
        beam_mask: BeamMask | None = None,
        workspace: Workspace | None = None,
    ) -> Float[Tensor, "b w hd"]:
        """Attention of one new token of every sequence over its request's prompt and its own path through the response.

        `lengths` counts, on the device, the tokens of the prompt and the steps after it. Without a beam index the
        sequences are independent: each reads the slots that it wrote. With `scales`, keys and values are int8.
        """

    def prefill_attention(
        self,
        q: Float[Tensor, "b h t d"],
        k: Float[Tensor, "b g n d"],
        v: Float[Tensor, "b g n d"],
        positions: Int32[Tensor, "b n"] | None = None,
        slopes: Float[Tensor, " h"] | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        window: int | None = None,
    ) -> Float[Tensor, "b t hd"]:
        """Causal attention of the last t of n tokens; a position is negative for padding."""

    def reorder_beam_index(
        self,
        beam_index: Int32[Tensor, "b w steps"],
        beam_mask: BeamMask | None,
        beam_idx: Int[Tensor, " rows"],
        lengths: Int32[Tensor, " 2"],
    ) -> None:
        """Let every sequence continue the one that `beam_idx` names: 4 bytes a step are moved, no key and no value."""

    def make_beam_mask(
        self, beam_index: Int32[Tensor, "b w steps"], lengths: Int32[Tensor, " 2"] | None = None
    ) -> BeamMask | None:
        """The beam index as this set's attention reads it; None where it reads the index itself."""

    def attention_workspace(
        self,
        q_shape: tuple[int, int, int, int],
        prompt_k: Real[Tensor, "b g t d"],
        response_k: Real[Tensor, "b g slots d"],
    ) -> Workspace | None:
        """Memory for the splits of `segment_attention`, to be used again by every launch; None where none is needed."""
