"""What packed weights move: their bytes as they are stored, and the dense tiles that a vendor's matmul reads."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from torch import nn

from tinyllm.config import DecoderConfig
from tinyllm.cost.workload import Cost, PackedPart, PackedSizes, Workload, launch
from tinyllm.decoder import Decoder
from tinyllm.kernels.packed import DECODE_ELEMENTS, launch_sources
from tinyllm.kernels.torch_kernels import tile_rows
from tinyllm.kernels.weights import PackedWeight
from tinyllm.linear import Matrix, storage_size
from tinyllm.ops import NAIVE
from tinyllm.stages import Stage

GPU_KERNELS = ("triton", "sycl")
# For each element, in float32: where torch decodes a format that no kernel of a GPU reads.
DECODE_BYTES = 12


def packed_sizes(decoder: Decoder) -> PackedSizes | None:
    """The sizes of a decoder's packed matrices; None where it has none."""
    layers = tuple(_parts_in(layer) for layer in decoder.layers)
    ends = _parts_in(decoder)
    if not ends and not any(layers):
        return None
    return PackedSizes(layers, ends, storage_size(decoder).nbytes)


def _parts_in(module: nn.Module) -> dict[str, tuple[PackedPart, ...]]:
    """The packed matrices that a module holds itself."""
    matrices = {
        name: child.storage for name, child in module.named_children() if isinstance(child, Matrix)
    }
    return {
        name: tuple(
            PackedPart(*part.blocks.shape, bool(launch_sources(storage))) for part in storage.parts
        )
        for name, storage in matrices.items()
        if isinstance(storage, PackedWeight)
    }


class UnpackedBytes(NamedTuple):
    """The most bytes of packed rows that are dense at a time: in a layer, and in the head."""

    layer: int
    head: int


def unpacked_bytes(
    stage: Stage, config: DecoderConfig, size: int, device_type: str
) -> UnpackedBytes:
    """What packed weights take while a matmul has them unpacked: a tile, or in naive operations a complete matrix.

    A matmul that reads blocks in place needs a tile that a cache holds.
    """
    tiled = stage.ops != NAIVE
    if tiled and reads_in_place(device_type, size):
        return UnpackedBytes(0, 0)
    m = config.hidden_size
    f = config.intermediate_size
    q = config.num_attention_heads * config.head_dim
    kv = config.num_key_value_heads * config.head_dim
    if tiled:
        layer = [(q + 2 * kv, m), ((1 + config.gated) * f, m), (m, q), (m, f)]
    else:  # never merged, unless a checkpoint keeps queries, keys and values by heads
        layer = [(3 * q if config.qkv_per_head else q, m), (f, m), (m, q), (m, f)]

    def dense_bytes(rows: int, inputs: int) -> int:
        height = min(rows, tile_rows(inputs, size, device_type)) if tiled else rows
        elements = height * inputs
        decode_elements = 0 if device_type == "cpu" else min(elements, DECODE_ELEMENTS)
        return elements * size + decode_elements * DECODE_BYTES

    return UnpackedBytes(
        max(dense_bytes(*matrix) for matrix in layer), dense_bytes(config.head_rows, m)
    )


def unpacked_matmul_cost(
    work: Workload,
    parts: tuple[PackedPart, ...],
    rows: int,
    inputs: int,
    outputs: range,
    bias: bool,
) -> Cost:
    """What naive operations do with the rows `outputs` of a matrix: unpack, multiply, and forget."""
    dense = work.size * inputs
    ends = list(accumulate(part.rows for part in parts))
    starts = [0, *ends[:-1]]
    taken = [
        range(max(outputs.start, start), min(outputs.stop, end))
        for start, end in zip(starts, ends, strict=True)
    ]
    cost = sum(
        (
            launch(weights=len(span) * part.row_bytes, write=len(span) * dense)
            for span, part in zip(taken, parts, strict=True)
            if span
        ),
        Cost(),
    )
    n = len(outputs)
    if sum(map(bool, taken)) > 1:
        cost += launch(read=n * dense, write=n * dense)
    return cost + launch(
        read=work.size * rows * inputs + n * dense,
        weights=work.size * n * bias,
        write=work.size * rows * n,
        flops=2 * rows * inputs * n,
    )


def num_launches(work: Workload, parts: tuple[PackedPart, ...]) -> int:
    """Launches of the `linear` of our kernels for a matrix: a GPU's have one for each part."""
    return max(1, len(parts)) if work.kernels in GPU_KERNELS else 1


def is_unpacked_for_few_rows(work: Workload, parts: tuple[PackedPart, ...]) -> bool:
    """Whether the `linear` of our kernels is torch's, since a part is in a format that they do not read."""
    return work.kernels in GPU_KERNELS and not all(part.has_launch for part in parts)


def reads_in_place(device_type: str, size: int) -> bool:
    """Whether the matmul that is not fused reads blocks itself, as `kernels.packed.is_read_in_place`."""
    return device_type == "cpu" and size == 4


def tiled_matmul_cost(
    work: Workload,
    parts: tuple[PackedPart, ...],
    rows: int,
    inputs: int,
    bias: bool,
    residual: bool,
) -> Cost:
    """What `TorchKernels.matmul` moves: every tile is unpacked, multiplied, and forgotten.

    On a CPU in float32 the blocks are read in one operation, with the bias or else the residual.
    """
    outputs = sum(part.rows for part in parts)
    out = work.size * rows * outputs
    if reads_in_place(work.device, work.size):
        packed = sum(part.rows * part.row_bytes for part in parts)
        cost = launch(
            read=work.size * rows * inputs + out * (residual and not bias),
            weights=packed + work.size * outputs * bias,
            write=out,
            flops=2 * rows * inputs * outputs,
        )
        return cost + launch(read=2 * out, write=out) * (residual and bias)
    dense = work.size * inputs
    height = tile_rows(inputs, work.size, work.device)
    cost = Cost()
    tiles = 0
    for part in parts:
        for first in range(0, part.rows, height):
            n = min(height, part.rows - first)
            tiles += 1
            cost += launch(weights=n * part.row_bytes, write=n * dense)
            cost += launch(
                read=rows * dense + n * dense,
                write=work.size * rows * n,
                flops=2 * rows * inputs * n,
            )
    if tiles > 1:  # their columns are put side by side
        cost += launch(read=out, write=out)
    if bias:
        cost += launch(read=out, weights=work.size * outputs, write=out)
    if residual:
        cost += launch(read=2 * out, write=out)
    return cost
