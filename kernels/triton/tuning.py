"""How each kernel is split into programs: a table of rows, and a function that measures better ones.

A row is looked up by device and kernel, never by the values in a tensor: a captured graph replays what was captured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from .arguments import cdiv, next_power_of_2
from .timing import milliseconds


@dataclass(frozen=True)
class LaunchConfig:
    """Block sizes by name, how `load_tile` loads, and compiler options; `grf_mode` exists in Triton for XPU alone."""

    blocks: Mapping[str, int]
    num_warps: int = 4
    num_stages: int = 1
    grf_mode: str | None = None
    block_loads: bool = False

    @property
    def options(self) -> dict[str, int | str]:
        """Keyword arguments of a kernel launch."""
        options: dict[str, int | str] = {"num_warps": self.num_warps, "num_stages": self.num_stages}
        return options if self.grf_mode is None else options | {"grf_mode": self.grf_mode}


# block: the longest part of a row held in registers; tile: elements of a program; heads: head vectors of a program,
# which are long above 64 pairs; norm_tile: elements of x that the pass of a LayerNorm in front of a matmul holds.
# all_reduce: 16 bytes of a lane, and programs that all run at a time on the smallest GPU that has peers.
# linear: a tile of the weight is `tile_bytes`, of at most `max_rows` weight rows and at least `min_rows`, fewer while
# the grid has not `min_programs` programs.
# A GPU streams at its bandwidth with latency * bandwidth bytes in flight: on an H200
# 0.8 us * 4.3 TB/s = 3.4 MB, 26 KB for each of 132 multiprocessors: two 16 KB tiles.
# packed: `code_bytes` of the codes of a weight row are in a tile, and of x at least `min_columns` rows: those of the
# smallest tl.dot.
# linear_vector: with 16 bytes * 32 lanes * num_warps of columns or more, x and the weight share one layout of
# registers; with fewer, every tile is rearranged through shared memory.
LAUNCHES: dict[str, dict[str, LaunchConfig]] = {
    "cuda": {
        "norm": LaunchConfig({"block": 8192, "tile": 2048}, num_warps=8),
        "rope": LaunchConfig({"heads": 8}, num_warps=4),
        "rope_long_heads": LaunchConfig({"heads": 8}, num_warps=4),
        "activation": LaunchConfig({"block": 1024}, num_warps=4),
        "all_reduce": LaunchConfig({"elements_of_warp": 256, "max_programs": 512}, num_warps=2),
        # linear: measured on an H200. Larger tiles win by 5% alone and lose 30% with norm and gate fused.
        "linear_vector": LaunchConfig(
            {
                "tile_bytes": 16384,
                "max_rows": 8,
                "min_rows": 1,
                "min_programs": 256,
                "norm_tile": 8192,
            },
            num_warps=4,
            num_stages=3,
        ),
        "linear_matrix": LaunchConfig(
            {
                "tile_bytes": 16384,
                "max_rows": 64,
                "min_rows": 16,
                "min_programs": 128,
                "norm_tile": 8192,
            },
            num_warps=4,
            num_stages=4,
        ),
        "unpack": LaunchConfig({"rows": 4, "block_k": 1024}, num_warps=4),
        "packed_vector": LaunchConfig(
            {
                "code_bytes": 1024,
                "max_rows": 4,
                "min_rows": 1,
                "min_programs": 512,
                "norm_tile": 8192,
            },
            num_warps=2,
            num_stages=1,
        ),
        "packed_matrix": LaunchConfig(
            {
                "code_bytes": 128,
                "max_rows": 64,
                "min_rows": 16,
                "min_columns": 8,
                "min_programs": 128,
                "norm_tile": 8192,
            },
            num_warps=4,
            num_stages=3,
        ),
        "attention": LaunchConfig(
            {
                "block_n": 64,
                "block_m": 64,
                "waves": 2,
                "max_splits": 16,
                "tiles_to_halve": 32,
                "shared_bytes": 131072,
            },
            num_warps=4,
            num_stages=3,
        ),
        # Tiles are converted in registers: of more keys, or of large heads, some would spill.
        "attention_int8": LaunchConfig(
            {
                "block_n": 32,
                "block_m": 64,
                "waves": 2,
                "max_splits": 16,
                "tiles_to_halve": 64,
                "shared_bytes": 131072,
                "large_block_n": 16,
            },
            num_warps=4,
            num_stages=4,
        ),
        "prefill": LaunchConfig(
            {"block_n": 64, "block_m": 128, "shared_bytes": 131072}, num_warps=8, num_stages=3
        ),
    },
    # Advice for Intel's GPUs, not measured: 4 to 16 sub-groups, of 32 lanes, of 16 where tl.dot is, and in attention
    # the large register file. Of a 16-bit row each lane has 8 elements, or pairs of them: 16 bytes a load.
    # linear_matrix: a sub-group multiplies 8 rows of a block, so that more than 4 would repeat each other's work. The
    # stages are tiles in flight: with 3, 128 programs have too few bytes for a Max.
    "xpu": {
        "norm": LaunchConfig({"block": 8192, "tile": 2048}, num_warps=16),
        "rope": LaunchConfig({"heads": 16}, num_warps=4),
        "rope_long_heads": LaunchConfig({"heads": 16}, num_warps=8),
        "activation": LaunchConfig({"block": 1024}, num_warps=4),
        "all_reduce": LaunchConfig({"elements_of_warp": 256, "max_programs": 128}, num_warps=8),
        "linear_vector": LaunchConfig(
            {
                "tile_bytes": 16384,
                "max_rows": 4,
                "min_rows": 1,
                "min_programs": 256,
                "norm_tile": 2048,
            },
            num_warps=8,
            num_stages=1,
        ),
        "linear_matrix": LaunchConfig(
            {
                "tile_bytes": 4096,
                "max_rows": 32,
                "min_rows": 16,
                "min_programs": 128,
                "norm_tile": 1024,
            },
            num_warps=4,
            num_stages=4,
            block_loads=True,
        ),
        "unpack": LaunchConfig({"rows": 4, "block_k": 1024}, num_warps=4),
        "packed_vector": LaunchConfig(
            {
                "code_bytes": 1024,
                "max_rows": 2,
                "min_rows": 1,
                "min_programs": 256,
                "norm_tile": 2048,
            },
            num_warps=2,
            num_stages=1,
            grf_mode="256",
        ),
        "packed_matrix": LaunchConfig(
            {
                "code_bytes": 128,
                "max_rows": 16,
                "min_rows": 16,
                "min_columns": 16,
                "min_programs": 128,
                "norm_tile": 1024,
            },
            num_warps=4,
            num_stages=1,
            grf_mode="256",
        ),
        "attention": LaunchConfig(
            {
                "block_n": 64,
                "block_m": 64,
                "waves": 2,
                "max_splits": 16,
                "tiles_to_halve": 32,
                "shared_bytes": 65536,
                "large_block_n": 16,
            },
            num_warps=8,
            num_stages=2,
            grf_mode="256",
            block_loads=True,
        ),
        # A sub-group converts all of a tile of values first: larger ones would not stay in registers.
        "attention_int8": LaunchConfig(
            {
                "block_n": 16,
                "block_m": 64,
                "waves": 2,
                "max_splits": 16,
                "tiles_to_halve": 128,
                "shared_bytes": 65536,
            },
            num_warps=8,
            num_stages=2,
            grf_mode="256",
            block_loads=True,
        ),
        "prefill": LaunchConfig(
            {"block_n": 64, "block_m": 128, "shared_bytes": 65536, "large_block_n": 16},
            num_warps=16,
            num_stages=2,
            grf_mode="256",
            block_loads=True,
        ),
    },
    # Few programs, since each costs milliseconds, yet small enough that the loops and masks of a GPU's tiles all run.
    "interpreter": {
        "norm": LaunchConfig({"block": 2048, "tile": 4096}),
        "rope": LaunchConfig({"heads": 4}),
        "rope_long_heads": LaunchConfig({"heads": 4}),
        "activation": LaunchConfig({"block": 512}),
        "all_reduce": LaunchConfig({"elements_of_warp": 128, "max_programs": 4}, num_warps=1),
        "linear_vector": LaunchConfig(
            {
                "tile_bytes": 32768,
                "max_rows": 32,
                "min_rows": 1,
                "min_programs": 1,
                "norm_tile": 8192,
            }
        ),
        "linear_matrix": LaunchConfig(
            {
                "tile_bytes": 32768,
                "max_rows": 32,
                "min_rows": 16,
                "min_programs": 1,
                "norm_tile": 8192,
            }
        ),
        "unpack": LaunchConfig({"rows": 32, "block_k": 1024}),
        "packed_vector": LaunchConfig(
            {
                "code_bytes": 1024,
                "max_rows": 16,
                "min_rows": 1,
                "min_programs": 1,
                "norm_tile": 8192,
            }
        ),
        "packed_matrix": LaunchConfig(
            {
                "code_bytes": 256,
                "max_rows": 32,
                "min_rows": 16,
                "min_columns": 16,
                "min_programs": 1,
                "norm_tile": 8192,
            }
        ),
        "attention": LaunchConfig(
            {
                "block_n": 32,
                "block_m": 64,
                "waves": 8,
                "max_splits": 4,
                "tiles_to_halve": 4,
                "shared_bytes": 131072,
            }
        ),
        "prefill": LaunchConfig({"block_n": 32, "block_m": 32, "shared_bytes": 131072}),
    },
}


def launch_for(kernel: str, device_type: str) -> LaunchConfig:
    """The row of one kernel for a `torch.device.type`; the CPU interprets."""
    return LAUNCHES["interpreter" if device_type == "cpu" else device_type][kernel]


def attention_launch(keys: Tensor) -> LaunchConfig:
    """The row of attention of a decode step, for keys in int8 where a device has one for them."""
    device_type = keys.device.type
    rows = LAUNCHES["interpreter" if device_type == "cpu" else device_type]
    has_own = keys.dtype == torch.int8 and "attention_int8" in rows
    return rows["attention_int8" if has_own else "attention"]


def weight_tile(
    n: int, k: int, element_size: int, launch: LaunchConfig, blocks: int = 1
) -> tuple[int, int]:
    """Rows and columns of the tiles in which a program of `linear` reads a weight [n, k].

    Fewer rows make more programs, more columns keep the tile's bytes: no second program ever adds to the same output,
    so the result does not depend on timing. A tile in two blocks has so many rows in each.
    """
    rows = launch.blocks["max_rows"]
    min_programs = launch.blocks["min_programs"]
    while rows > launch.blocks["min_rows"] and cdiv(n, blocks * rows) < min_programs:
        rows //= 2
    columns = launch.blocks["tile_bytes"] // (blocks * rows * element_size)
    return rows, min(columns, max(16, next_power_of_2(k)))


def key_tile(d: int, element_size: int, launch: LaunchConfig) -> int:
    """Keys of a tile of attention, for heads of `d` elements.

    `block_n` of the row, halved until the tiles in flight, keys and values, fit into `shared_bytes` of shared memory.
    Of heads of more than 128 elements, whose sums fill half of the registers, at most `large_block_n`.
    """
    block_n = launch.blocks["block_n"]
    if d > 128:
        block_n = min(block_n, launch.blocks.get("large_block_n", block_n))
    bytes_of_key = 2 * next_power_of_2(d) * element_size * launch.num_stages
    while block_n > 16 and block_n * bytes_of_key > launch.blocks["shared_bytes"]:
        block_n //= 2
    return block_n


def candidates(kernel: str, device_type: str) -> list[LaunchConfig]:
    """Rows worth measuring for `linear_vector` or `linear_matrix`: the table's, and fixed tiles (min_programs: 1)."""
    row = launch_for(kernel, device_type)
    num_warps = (4, 8) if device_type == "cuda" or kernel == "linear_matrix" else (8, 16, 32)
    max_rows, columns, num_stages = (16, 32, 64), (128, 256), (3, 4, 5)
    if kernel == "linear_vector":
        max_rows, columns, num_stages = (4, 8, 16), (1024, 2048), (1, 3, 4)
    found = [row]
    for r, c, w, s in product(max_rows, columns, num_warps, num_stages):
        tile = {"max_rows": r, "tile_bytes": 2 * r * c, "min_programs": 1}
        found.append(replace(row, blocks={**row.blocks, **tile}, num_warps=w, num_stages=s))
    return found


def tune(
    name: str,
    run: Callable[[LaunchConfig], object],
    rows: Iterable[LaunchConfig],
    measure: Callable[[Callable[[], object]], float] | None = None,
) -> tuple[LaunchConfig, float]:
    """Time `run(row)` for every row, print each, and return the fastest row and its milliseconds.

    `measure` gives the milliseconds of a call: with the cache emptied before it if left out, which needs a GPU.
    A row that the device cannot run is reported and passed over. Raises RuntimeError where none runs.
    """
    measure = measure or milliseconds
    timed: list[tuple[float, LaunchConfig]] = []
    for row in rows:
        try:
            timed.append((measure(lambda row=row: run(row)), row))
            print(f"{name}: {1e3 * timed[-1][0]:9.2f} us  {row}")
        except (
            Exception
        ) as error:  # out of registers, out of shared memory: the compiler's own kinds of error
            print(f"{name}: failed  {row}: {type(error).__name__}: {str(error).splitlines()[:1]}")
    if not timed:
        raise RuntimeError(f"{name}: none of the rows runs on this device; the lines above say why")
    fastest, best = min(timed, key=lambda pair: pair[0])
    return best, fastest
