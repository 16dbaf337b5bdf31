"""The kernels in torch's own operations: for a device without code of ours, and the set from which others inherit."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from .int8 import dequantize, quantize
from .kernel_set import (
    BeamMask,
    HeadNorms,
    KernelSet,
    KeyValueScales,
    NormWeights,
    Workspace,
)
from .packed import is_read_in_place, unpack
from .packed import matmul as matmul_in_place
from .torch_attention import (
    alibi_of_segments,
    attend,
    by_request,
    by_sequence,
    merge_by_lse,
    select_slots,
    slots_of_paths,
    unfused_attention,
)
from .weights import DenseWeight, PackedRows, PackedWeight, Weight

# Of a tile of packed weights that is dense for a moment. A CPU's stays in the cache until it has been multiplied; on a
# GPU, where each tile is two launches, a matrix at a time is faster: measured on an H200, assumed for Intel's.
UNPACKED_BYTES = {"cpu": 8 << 20, "cuda": 256 << 20, "xpu": 256 << 20}
ACTIVATIONS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


class TorchKernels(KernelSet):
    """Torch's own operations; the signatures and their meaning are those of `KernelSet`."""

    name = "torch"
    max_prologue_norm_rows = 16
    fuses_qkv_and_rope = False
    native_step = False
    planar_blocks: bool | None = None

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """One launch on CUDA; on a CPU the six operations of the naive one."""
        return F.rms_norm(x, weight.shape, weight, eps)

    def layer_norm(self, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        """One operation, everywhere."""
        return F.layer_norm(x, weight.shape, weight, bias, eps)

    def norm_and_add(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
        """The norm, then the sum."""
        return residual + self.rms_norm(x, weight, eps)

    def rope_and_store(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        cos: Tensor,
        sin: Tensor,
        k_slot: Tensor,
        v_slot: Tensor,
        interleaved: bool,
        start: Tensor | None = None,
        norms: HeadNorms | None = None,
        k_scale: Tensor | None = None,
        v_scale: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Results are written where they belong: no negation, no cat. For int8 the rotated keys lie in memory once."""
        if norms is not None:
            q = self._norm_of_heads(q, norms.q, norms.eps)
            k = self._norm_of_heads(k, norms.k, norms.eps)
        first = 0 if start is None else int(start)
        slots = slice(first, first + k.shape[2])
        rotated = torch.empty_like(q)
        _rotate_into(rotated, q, cos[:, None], sin[:, None], interleaved)
        if k_scale is not None:
            rotated_k = torch.empty_like(k)
            _rotate_into(rotated_k, k, cos[:, None], sin[:, None], interleaved)
            store_quantized(rotated_k, k_slot, k_scale, slots)
            store_quantized(v, v_slot, v_scale, slots)
            return rotated, k_slot, v_slot
        _rotate_into(k_slot[:, :, slots], k, cos[:, None], sin[:, None], interleaved)
        v_slot[:, :, slots] = v
        return rotated, k_slot, v_slot

    def _norm_of_heads(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """Heads behind tokens, as they lie in memory."""
        return self.rms_norm(x.transpose(1, 2), weight, eps).transpose(1, 2)

    def qkv_rope_and_store(
        self,
        x: Tensor,
        weight: Weight,
        bias: Tensor | None,
        norm: NormWeights | None,
        cos: Tensor,
        sin: Tensor,
        k_slot: Tensor,
        v_slot: Tensor,
        interleaved: bool,
        start: Tensor | None = None,
        per_head: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`linear`, then `rope_and_store`."""
        merged = self.linear(x.flatten(0, 1), weight, bias, norm).view(*x.shape[:2], -1)
        q, k, v = split_heads(merged, k_slot.shape[1], k_slot.shape[-1], per_head=per_head)
        return self.rope_and_store(q, k, v, cos, sin, k_slot, v_slot, interleaved, start)

    def activate_and_multiply(self, gate_up: Tensor, activation: str) -> Tensor:
        """Two operations, the second in place."""
        gate, up = gate_up.chunk(2, dim=-1)
        return ACTIVATIONS[activation](gate).mul_(up)

    def bias_and_activate(self, x: Tensor, bias: Tensor, activation: str) -> Tensor:
        """Two operations."""
        return ACTIVATIONS[activation](x + bias)

    def linear(
        self,
        x: Tensor,
        weight: Weight,
        bias: Tensor | None = None,
        norm: NormWeights | None = None,
        activation: str | None = None,
        gated: bool = False,
        residuals: tuple[Tensor, ...] = (),
    ) -> Tensor:
        """Bias and one residual are epilogues of the matmul; norm and activation are operations of their own."""
        if norm is not None:
            x = self.norm(x, norm)
        if bias is None and activation is None and residuals:
            out = self.matmul(x, weight, residual=residuals[0])
            residuals = residuals[1:]
        else:
            out = self.matmul(x, weight, bias)
        if activation is not None:
            out = (
                self.activate_and_multiply(out, activation)
                if gated
                else ACTIVATIONS[activation](out)
            )
        for residual in residuals:
            out = out + residual
        return out

    def matmul(
        self,
        x: Tensor,
        weight: Weight,
        bias: Tensor | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        """The vendor's matmul, or ours where it reads blocks; the bias is its epilogue, or else the residual."""
        if bias is not None and residual is not None:
            return self.matmul(x, weight, bias) + residual
        if isinstance(weight, DenseWeight):
            if residual is not None:
                return torch.addmm(residual, x, weight.data.t())
            return F.linear(x, weight.data, bias)
        if is_read_in_place(x, weight):
            return matmul_in_place(x, weight, bias, residual)
        out = self._unpack_and_multiply(x, weight)
        epilogue = residual if bias is None else bias
        return out if epilogue is None else out.add_(epilogue)

    def _unpack_and_multiply(self, x: Tensor, weight: PackedWeight) -> Tensor:
        """A tile of rows is dense at a time."""
        height = tile_rows(weight.shape[1], x.element_size(), x.device.type)
        columns = []
        for part in weight.parts:
            for first in range(0, part.shape[0], height):
                tile = self.unpack(part, first, min(first + height, part.shape[0]), x.dtype)
                columns.append(F.linear(x, tile))
        return columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)

    def unpack(self, rows: PackedRows, first: int, last: int, dtype: torch.dtype) -> Tensor:
        """One operation."""
        return unpack(rows, first, last, dtype)

    def norm(self, x: Tensor, norm: NormWeights) -> Tensor:
        """The normalisation that these weights belong to."""
        if norm.bias is None:
            return self.rms_norm(x, norm.weight, norm.eps)
        return self.layer_norm(x, norm.weight, norm.bias, norm.eps)

    def segment_attention(
        self,
        q: Tensor,
        prompt_k: Tensor,
        prompt_v: Tensor,
        response_k: Tensor,
        response_v: Tensor,
        lengths: Tensor,
        beam_index: Tensor | None = None,
        prompt_positions: Tensor | None = None,
        slopes: Tensor | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        window: int | None = None,
        *,
        scales: KeyValueScales | None = None,
        beam_mask: BeamMask | None = None,
        workspace: Workspace | None = None,
    ) -> Tensor:
        """Torch's attention over the prompt, read once for all, and over every sequence's path, merged by log-sum-exp.

        The paths of beams are copied side by side; sequences without a beam index read their own slots in place. Keys
        and values in int8 are dequantised, those that are read, a layer at a time.
        """
        b, h, w, d = q.shape
        g = prompt_k.shape[1]
        t, steps = lengths.tolist()
        grouped = q.reshape(b, g, -1, d)
        hidden = 0 if window is None else max(0, t + steps - window)  # tokens outside the window
        positions = None if prompt_positions is None else prompt_positions[:, :t]
        prompt_alibi, response_alibi = alibi_of_segments(slopes, positions, t, steps, q.shape, g)
        parts = []
        if hidden < t:
            keys = slice(hidden, t)
            visible = None if positions is None else positions[:, None, None, keys] >= 0
            alibi = None if prompt_alibi is None else prompt_alibi[..., keys]
            k = prompt_k[:, :, keys]
            v = prompt_v[:, :, keys]
            if scales is not None:
                k = dequantize(k, scales.prompt_k[:, :, keys], q.dtype)
                v = dequantize(v, scales.prompt_v[:, :, keys], q.dtype)
            parts.append(attend(grouped, k, v, visible, alibi, scale=scale, softcap=softcap))
        if steps:
            first_step = max(0, hidden - t)
            slots = slice(first_step * w, steps * w)
            k = response_k[:, :, slots]
            v = response_v[:, :, slots]
            if scales is not None:
                k = dequantize(k, scales.response_k[:, :, slots], q.dtype)
                v = dequantize(v, scales.response_v[:, :, slots], q.dtype)
            if beam_index is not None:
                path = slots_of_paths(beam_index[:, :, first_step:steps])
                k = select_slots(k, path)
                v = select_slots(v, path)
            alibi = None if response_alibi is None else response_alibi[..., first_step:]
            part = attend(
                by_sequence(grouped, w),
                by_sequence(k, w),
                by_sequence(v, w),
                visible=None,
                alibi=alibi,
                scale=scale,
                softcap=softcap,
            )
            parts.append(by_request(part, grouped))
        return merge_by_lse(parts).reshape(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)

    def prefill_attention(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        positions: Tensor | None = None,
        slopes: Tensor | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        window: int | None = None,
    ) -> Tensor:
        """Every score made and masked: for what no attention kernel of torch takes; with ALiBi in float32."""
        dtype = q.dtype
        if slopes is not None:
            q = q.float()
            k = k.float()
            v = v.float()
        b, h, t, d = q.shape
        g, n = k.shape[1:3]
        key = torch.arange(n, dtype=torch.int64, device=q.device)
        query = key[n - t :, None]
        visible = key <= query
        if window is not None and window < n:
            visible &= key > query - window
        positions = key.expand(b, n) if positions is None else positions
        visible = (visible & (positions >= 0)[:, None, :]) | (key == query)
        bias = torch.zeros(visible.shape, dtype=torch.float32, device=q.device)
        bias = bias.masked_fill_(~visible, float("-inf"))[:, None, None]
        if slopes is not None:
            bias = bias + slopes.view(1, g, -1, 1, 1) * positions[:, None, None, None, :]
        bias = bias.expand(b, g, h // g, t, n).reshape(b, g, -1, n)
        out = unfused_attention(q.reshape(b, g, -1, d), k, v, bias, scale, softcap).out
        return out.to(dtype).view(b, h, t, d).transpose(1, 2).reshape(b, t, h * d)

    def reorder_beam_index(
        self, beam_index: Tensor, beam_mask: BeamMask | None, beam_idx: Tensor, lengths: Tensor
    ) -> None:
        """Steps that were taken are those of the beam continued; the steps to come are every sequence's own."""
        b, w, steps = beam_index.shape
        continued = (beam_idx % w).view(b, w, 1).expand_as(beam_index)
        taken = torch.arange(steps, dtype=torch.int32, device=beam_index.device) < lengths[1]
        own = torch.arange(w, dtype=torch.int32, device=beam_index.device)
        torch.where(taken, beam_index.gather(1, continued), own[:, None], out=beam_index)

    def make_beam_mask(self, beam_index: Tensor, lengths: Tensor | None = None) -> BeamMask | None:
        """Torch reads the beam index itself."""
        return None

    def attention_workspace(
        self, q_shape: tuple[int, int, int, int], prompt_k: Tensor, response_k: Tensor
    ) -> Workspace | None:
        """Torch allocates its own."""
        return None


def tile_rows(k: int, size: int, device_type: str) -> int:
    """Rows of a tile that is unpacked at a time, `k` elements of `size` bytes each; of other devices a CPU's."""
    tile_bytes = UNPACKED_BYTES.get(device_type, UNPACKED_BYTES["cpu"])
    return max(16, tile_bytes // (k * size) // 16 * 16)


def split_heads(
    merged: Tensor, kv_heads: int, head_dim: int, *, per_head: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """q [b, h, t, d], k and v [b, g, t, d] as views of the merged projection [b, t, (h + 2g) * d].

    The outputs are all of q, all of k, all of v; `per_head`: q, k and v of the first head, then of the next.
    """
    heads = merged.unflatten(-1, (-1, head_dim)).transpose(1, 2)
    if per_head:
        q, k, v = heads.unflatten(1, (-1, 3)).unbind(2)
    else:
        q, k, v = heads.split([heads.shape[1] - 2 * kv_heads, kv_heads, kv_heads], dim=1)
    return q, k, v


def store_quantized(x: Tensor, codes: Tensor, scale: Tensor, slots: slice) -> None:
    """The rows of x [b, g, t, d] in int8, into these slots of memory [b, g, n, d] and of its scales [b, g, n]."""
    codes[:, :, slots], scale[:, :, slots] = quantize(x)


def _rotate_into(out: Tensor, x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> None:
    """RoPE of the first elements of every head; the others are copied."""
    size = 2 * cos.shape[-1]
    x1, x2 = _pairs(x[..., :size], interleaved)
    out1, out2 = _pairs(out[..., :size], interleaved)
    torch.addcmul(x1 * cos, x2, sin, value=-1, out=out1)
    torch.addcmul(x2 * cos, x1, sin, out=out2)
    if size < x.shape[-1]:
        out[..., size:].copy_(x[..., size:])


def _pairs(x: Tensor, interleaved: bool) -> tuple[Tensor, Tensor]:
    if interleaved:
        return x[..., ::2], x[..., 1::2]
    x1, x2 = x.chunk(2, dim=-1)
    return x1, x2


TORCH = TorchKernels()
