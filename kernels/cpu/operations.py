"""Single operations on CPU tensors, with the arguments of `tinyllm.check.references`."""

from __future__ import annotations

import ctypes
import functools
import warnings
from pathlib import Path

import torch
from torch import Tensor

from ..kernel_set import KeyValueScales, NormWeights
from ..weights import DenseWeight, PackedRows, Weight
from .build import BuildError, cache_folder, library
from .checks import (
    bad_beam_index,
    check_activations,
    check_dense_weight,
    check_epilogue,
    check_prologue,
    check_queries,
    check_scales,
    check_segment,
    check_shape,
    check_tensor,
    checked_lengths,
    window_size,
)
from .matrices import check_packed_rows, check_packed_weight, matrix_of, packed_part
from .structs import (
    ACTIVATIONS,
    BAD_BEAM_INDEX,
    DTYPES,
    AttentionMask,
    AttentionShape,
    GemvArgs,
    KVSegment,
    Library,
    Scratch,
    SegmentAttentionArgs,
    UnpackArgs,
    address,
)


class Kernels:
    """The operations of one built library; arguments as those of the functions below."""

    def __init__(self, path: Path) -> None:
        self.library = Library(path)

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
        """See `linear`."""
        check_shape("x", x, "rows k")
        check_activations(x)
        rows, k = x.shape
        if isinstance(weight, DenseWeight):
            check_dense_weight(x, weight.data)
            weight = DenseWeight(weight.data.contiguous())
        else:
            check_packed_weight("weight", weight, x.dtype, k)
        n = weight.shape[0]
        columns = n // 2 if gated else n
        check_prologue(x, n, bias, norm)
        check_epilogue(x, n, activation, gated, residuals)
        out = x.new_empty(rows, columns)
        count = len(residuals)
        pointers = (ctypes.c_void_p * count)(*(address(residual) for residual in residuals))
        strides = (ctypes.c_int64 * count)(*(residual.stride(0) for residual in residuals))
        args = GemvArgs(
            weight=matrix_of(weight),
            x=address(x),
            bias=address(bias),
            residuals=ctypes.addressof(pointers),
            residual_strides=ctypes.addressof(strides),
            out=address(out),
            x_stride=x.stride(0),
            k=k,
            n=n,
            dtype=DTYPES[x.dtype],
            rows=rows,
            activation=ACTIVATIONS[activation],
            gated=gated,
            num_residuals=count,
            num_threads=torch.get_num_threads(),
        )
        if norm is not None:
            args.norm = address(norm.weight)
            args.norm_bias = address(norm.bias)
            args.eps = norm.eps
        self.library.linear(args)
        return out

    def unpack(self, rows: PackedRows, first: int, last: int, dtype: torch.dtype) -> Tensor:
        """See `unpack`."""
        check_shape("blocks", rows.blocks, "n row_bytes")
        n, k = rows.shape
        check_packed_rows("rows", rows, k)
        if dtype not in DTYPES:
            raise ValueError(f"weights in {dtype}: expected one of {list(DTYPES)}")
        if not 0 <= first <= last <= n:
            raise ValueError(f"rows {first} to {last} of {n}: expected a range within them")
        out = torch.empty(last - first, k, dtype=dtype, device=rows.blocks.device)
        args = UnpackArgs(
            part=packed_part(rows),
            out=address(out),
            first=first,
            last=last,
            k=k,
            dtype=DTYPES[dtype],
            num_threads=torch.get_num_threads(),
        )
        self.library.unpack(args)
        return out

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
        beam_mask: object | None = None,
        workspace: object | None = None,
    ) -> Tensor:
        """See `segment_attention`."""
        check_shape("q", q, "b h w d")
        check_shape("prompt_k", prompt_k, "b g t d")
        b, h, w, d = q.shape
        g = prompt_k.shape[1]
        check_queries(q, g)
        t, steps = checked_lengths(lengths)
        stored = q.dtype if scales is None else torch.int8
        check_segment("prompt", prompt_k, prompt_v, stored, (b, g, t, d))
        check_segment("response", response_k, response_v, stored, (b, g, steps * w, d))
        shape = AttentionShape(b=b, w=w, h=h, g=g, d=d)
        mask = attention_mask(shape, lengths, beam_index, prompt_positions, slopes=slopes)
        mask.scale = scale or d**-0.5
        mask.softcap = softcap or 0.0
        mask.window = window_size(window)
        out = q.new_empty(b, w, h * d)
        if not out.numel():
            return out
        q_batch, q_head, q_beam, _ = q.stride()
        args = SegmentAttentionArgs(
            q=address(q),
            out=address(out),
            q_batch=q_batch,
            q_head=q_head,
            q_beam=q_beam,
            prompt=kv_segment(prompt_k, prompt_v),
            response=kv_segment(response_k, response_v),
            mask=mask,
            shape=shape,
            dtype=DTYPES[q.dtype],
            num_threads=torch.get_num_threads(),
        )
        if scales is not None:
            check_scales(scales, (b, g), t, steps * w)
            _set_scales(args.prompt, scales.prompt_k, scales.prompt_v)
            _set_scales(args.response, scales.response_k, scales.response_v)
        scratch = Scratch(self.library)
        failed = self.library.segment_attention(args, scratch.address)
        if failed == BAD_BEAM_INDEX:
            raise bad_beam_index(beam_index, w)
        if failed:
            raise MemoryError(f"no memory for attention of {b} x {w} sequences")
        return out


def linear(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None = None,
    norm: NormWeights | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """A GEMV of at most `MAX_ROWS` rows with its norm, bias, activation and residuals.

    The weights are read once. Raises ValueError for shapes, dtypes or an activation that the kernel
    does not take, BuildError where there are no kernels.
    """
    return kernels().linear(
        x, weight, bias, norm=norm, activation=activation, gated=gated, residuals=residuals
    )


def unpack(rows: PackedRows, first: int, last: int, dtype: torch.dtype) -> Tensor:
    """Rows `first` to `last`, dense.

    Raises ValueError for blocks, rows or a dtype that the kernel does not take, BuildError where
    there are no kernels.
    """
    return kernels().unpack(rows, first, last, dtype)


def segment_attention(
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
    beam_mask: object | None = None,
    workspace: object | None = None,
) -> Tensor:
    """Attention over prompt and response, gathered through the beam index.

    A prompt's keys are read once for all beams; in int8 they become float32 in registers. The
    kernel needs neither `beam_mask` nor `workspace`. Raises ValueError for shapes, dtypes or a
    window that the kernel does not take, BuildError where there are no kernels.
    """
    return kernels().segment_attention(
        q,
        prompt_k,
        prompt_v,
        response_k=response_k,
        response_v=response_v,
        lengths=lengths,
        beam_index=beam_index,
        prompt_positions=prompt_positions,
        slopes=slopes,
        scale=scale,
        softcap=softcap,
        window=window,
        scales=scales,
    )


def kv_segment(k: Tensor, v: Tensor) -> KVSegment:
    """Keys and values, which have the same strides."""
    batch, head, token, _ = k.stride()
    return KVSegment(k=address(k), v=address(v), batch=batch, head=head, token=token)


def _set_scales(segment: KVSegment, k: Tensor, v: Tensor) -> None:
    segment.k_scale = address(k)
    segment.v_scale = address(v)
    segment.scale_batch, segment.scale_head, _ = k.stride()


def attention_mask(
    shape: AttentionShape,
    lengths: Tensor,
    beam_index: Tensor | None,
    prompt_positions: Tensor | None,
    slopes: Tensor | None,
) -> AttentionMask:
    """The mask of a call, without window, scale and soft cap; raises ValueError."""
    t, steps = lengths.tolist()[:2]
    check_tensor("beam_index", beam_index, torch.int32, [shape.b, shape.w, steps])
    check_tensor("prompt_positions", prompt_positions, torch.int32, [shape.b, t])
    check_tensor("slopes", slopes, torch.float32, [shape.h])
    mask = AttentionMask(
        lengths=address(lengths),
        beam_index=address(beam_index),
        prompt_positions=address(prompt_positions),
        slopes=address(slopes),
    )
    if beam_index is not None:
        mask.beam_index_batch = beam_index.stride(0)
        mask.beam_index_beam = beam_index.stride(1)
    if prompt_positions is not None:
        mask.prompt_positions_batch = prompt_positions.stride(0)
    return mask


@functools.cache
def load_kernels(folder: Path) -> Kernels | str:
    """The kernels of a cache folder, built where it has none; or the reason why there are none.

    The reason is also a warning, which comes once: without kernels everything works, but slower.
    """
    try:
        return Kernels(library(folder))
    except (BuildError, OSError, AttributeError) as error:
        reason = str(error)
    warnings.warn(
        f"there are no CPU kernels, so torch's operations do their work, more slowly: {reason}",
        UserWarning,
        stacklevel=2,
    )
    return reason


def kernels() -> Kernels:
    """The kernels of this user and processor, built at the first call; raises BuildError."""
    loaded = load_kernels(cache_folder())
    if isinstance(loaded, str):
        raise BuildError(loaded)
    return loaded
