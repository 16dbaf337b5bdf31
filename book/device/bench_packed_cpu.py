"""The matrices of one token on this machine's CPU: ours in several formats beside torch's own int4 matmul.

    python book/device/bench_packed_cpu.py --json rows.json [--shape tinyllama-1.1b] [--dtypes float32 bfloat16]

Random weights, every layer with its own, so that all of them come from memory, as in a step; one row of activations.
Engines alternate in one process, in reversed order every other round; figures are medians. The read bandwidth is
measured in every round. torch has no format of a file: it packs groups of 32 codes with a scale and a zero point.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from bench_cpu import in_rounds
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tinyllm.bench.machine import versions  # noqa: E402
from tinyllm.check.cases import Draw  # noqa: E402
from tinyllm.config import DecoderConfig  # noqa: E402
from tinyllm.kernels import cpu  # noqa: E402
from tinyllm.kernels.block_formats import FORMATS, BlockFormat  # noqa: E402
from tinyllm.kernels.weights import DenseWeight, PackedWeight  # noqa: E402
from tinyllm.lab.shapes import known_config  # noqa: E402
from tinyllm.runtime.device import device_name, pick_dtype  # noqa: E402

CPU = torch.device("cpu")
GROUP = 32  # weights with one scale in torch's int4
BANDWIDTH_BYTES = 1 << 30


class Matrices(NamedTuple):
    """All matrices of a token as functions of their input, the inputs of each, and the bytes of all."""

    matmuls: list[Callable[[Tensor], Tensor]]
    inputs: list[int]
    nbytes: int

    def run(self, x: dict[int, Tensor]) -> None:
        """Multiply each with the activations of its size."""
        for matmul, k in zip(self.matmuls, self.inputs, strict=True):
            matmul(x[k])


@dataclass(frozen=True)
class MatmulRow:
    """One engine's matrices of a token; `share` is of the read bandwidth of the same run."""

    engine: str
    weights: str
    bits_per_weight: float
    model: str
    device: str
    dtype: str
    ms: float
    all_ms: list[float]
    weight_bytes: int
    gb_s: float
    read_gb_s: float
    share: float
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--shape", default="tinyllama-1.1b")
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=["Q4_K", "Q8_0"])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for dtype in map(pick_dtype, options.dtypes):
        rows += measure(options.shape, dtype, options.formats, options.repeats)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def measure(
    shape: str, dtype: torch.dtype, formats: list[str], repeats: int, *, times: int = 3
) -> list[MatmulRow]:
    """One row for each engine, dense weights first."""
    config = known_config(shape)
    sizes = list(matrix_sizes(config))
    elements = sum(n * k for n, k in sizes)
    engines = {("tinyllm", "dense"): dense_matrices(sizes, dtype)}
    engines |= {("tinyllm", name): packed_matrices(sizes, FORMATS[name], dtype) for name in formats}
    engines[("torch int4pack", f"int4, groups of {GROUP}")] = torch_matrices(sizes, dtype)
    x = {k: torch.randn(1, k).to(dtype) for k in {k for _, k in sizes}}
    buffer = torch.ones(BANDWIDTH_BYTES // 4)
    works = {name: partial(one.run, x) for name, one in engines.items()} | {"read": buffer.sum}
    seconds = in_rounds(works, repeats, times)
    read = buffer.nbytes / median(seconds.pop("read"))
    rows = []
    for (engine, weights), all_s in seconds.items():
        matrices, ms = engines[engine, weights], 1e3 * median(all_s)
        gb_s = matrices.nbytes / ms / 1e6
        rows.append(
            MatmulRow(
                engine=engine,
                weights=weights,
                bits_per_weight=8 * matrices.nbytes / elements,
                model=shape,
                device=device_name(CPU),
                dtype=str(dtype).removeprefix("torch."),
                ms=ms,
                all_ms=[1e3 * s for s in all_s],
                weight_bytes=matrices.nbytes,
                gb_s=gb_s,
                read_gb_s=read / 1e9,
                share=1e9 * gb_s / read,
                versions=versions(),
                date=datetime.now(UTC).date().isoformat(),
            )
        )
        print(f"{dtype}, {engine}, {weights}: {ms:.1f} ms, {rows[-1].share:.0%} of the bandwidth")
    return rows


def matrix_sizes(config: DecoderConfig) -> Iterator[tuple[int, int]]:
    """Outputs and inputs of every matrix that a token is multiplied with: merged ones, and the head."""
    heads = config.num_attention_heads + 2 * config.num_key_value_heads
    attention = config.num_attention_heads * config.head_dim
    for _ in range(config.num_hidden_layers):
        yield heads * config.head_dim, config.hidden_size
        yield config.hidden_size, attention
        yield (1 + config.gated) * config.intermediate_size, config.hidden_size
        yield config.hidden_size, config.intermediate_size
    yield config.vocab_size, config.hidden_size


def dense_matrices(sizes: list[tuple[int, int]], dtype: torch.dtype) -> Matrices:
    """Our GEMV on dense weights."""
    weights = [DenseWeight(k**-0.5 * torch.randn(n, k).to(dtype)) for n, k in sizes]
    return ours(weights, sizes)


def packed_matrices(
    sizes: list[tuple[int, int]], blocks: BlockFormat, dtype: torch.dtype
) -> Matrices:
    """Our GEMV on random blocks, as a file has them."""
    draw = Draw(0, torch.float32, CPU)
    rows = [draw.packed(blocks, n, k).arranged(planar=False) for n, k in sizes]
    return ours([PackedWeight((one,), dtype) for one in rows], sizes)


def ours(weights: list[DenseWeight | PackedWeight], sizes: list[tuple[int, int]]) -> Matrices:
    """The matrices of our kernels."""
    matmuls = [partial(cpu.linear, weight=weight) for weight in weights]
    nbytes = sum(weight.nbytes for weight in weights)
    return Matrices(matmuls, [k for _, k in sizes], nbytes)


def torch_matrices(sizes: list[tuple[int, int]], dtype: torch.dtype) -> Matrices:
    """torch's `_weight_int4pack_mm_for_cpu`."""
    matmuls, nbytes = [], 0
    for n, k in sizes:
        codes = torch.randint(16, (n, k), dtype=torch.int32)
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
        scales = (k**-0.5 * torch.randn(k // GROUP, n, 2)).to(dtype)
        matmuls.append(partial(int4_matmul, packed=packed, scales=scales))
        nbytes += packed.nbytes + scales.nbytes
    return Matrices(matmuls, [k for _, k in sizes], nbytes)


def int4_matmul(x: Tensor, packed: Tensor, scales: Tensor) -> Tensor:
    """One matmul of torch; `scales` has a scale and a zero point for each group."""
    return torch.ops.aten._weight_int4pack_mm_for_cpu(x, packed, GROUP, scales)


if __name__ == "__main__":
    main()
