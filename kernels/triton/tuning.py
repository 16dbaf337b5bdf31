"""How each kernel is cut into programs: a table of rows, and a function that measures better ones.

A row is looked up by device and kernel, never by the values in a tensor: a captured graph replays what was captured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import triton

from .timing import milliseconds


@dataclass(frozen=True)
class Launch:
    """Block sizes by name, and what the compiler is told; `grf_mode` is known to Triton on XPU alone."""

    blocks: Mapping[str, int]
    num_warps: int = 4
    num_stages: int = 1
    grf_mode: str | None = None

    @property
    def options(self) -> dict[str, int | str]:
        """Keyword arguments of a kernel launch."""
        options: dict[str, int | str] = {"num_warps": self.num_warps, "num_stages": self.num_stages}
        return options if self.grf_mode is None else options | {"grf_mode": self.grf_mode}


# block: the longest stretch of a row held at once; tile: elements of a program; heads: head vectors of a program.
# linear: a tile of the weight is `tile` bytes, of at most `rows` weight rows and at least `least`, fewer while the
# grid has not `programs` programs. A GPU streams at its bandwidth with latency * bandwidth bytes in flight: on an H200
# about 0.8 us * 4.3 TB/s = 3.4 MB, 26 KB for each of 132 multiprocessors: two 16 KB tiles, and programs enough for all.
# linear_vector: with 16 bytes * 32 lanes * num_warps of columns or more, x and the weight share one layout of
# registers; with fewer, every tile is rearranged through shared memory.
LAUNCHES: dict[str, dict[str, Launch]] = {
    "cuda": {
        "norm": Launch({"block": 8192, "tile": 2048}, num_warps=8),
        "rope": Launch({"heads": 8}, num_warps=4),
        "activation": Launch({"block": 1024}, num_warps=4),
        # linear: measured on an H200. Larger tiles win by 5% on a bare product and lose 30% with norm and gate riding.
        "linear_vector": Launch({"tile": 16384, "rows": 8, "least": 1, "programs": 256}, num_warps=4, num_stages=3),
        "linear_matrix": Launch({"tile": 16384, "rows": 64, "least": 16, "programs": 128}, num_warps=4, num_stages=4),
        "attention": Launch(
            {"keys": 64, "rows": 64, "waves": 2, "most": 16, "halve": 32, "bytes": 131072},
            num_warps=4,
            num_stages=3,
        ),
        "prompt": Launch({"keys": 64, "rows": 128, "bytes": 131072}, num_warps=8, num_stages=3),
    },
    # Advice for Intel's GPUs, not measured: 8 to 32 sub-groups of 16 lanes, the large register file where tl.dot is.
    "xpu": {
        "norm": Launch({"block": 8192, "tile": 2048}, num_warps=16),
        "rope": Launch({"heads": 8}, num_warps=8),
        "activation": Launch({"block": 1024}, num_warps=8),
        "linear_vector": Launch({"tile": 16384, "rows": 4, "least": 1, "programs": 256}, num_warps=8, num_stages=1),
        "linear_matrix": Launch(
            {"tile": 8192, "rows": 32, "least": 16, "programs": 128}, num_warps=8, num_stages=3, grf_mode="256"
        ),
        "attention": Launch(
            {"keys": 64, "rows": 64, "waves": 2, "most": 16, "halve": 32, "bytes": 65536},
            num_warps=8,
            num_stages=2,
            grf_mode="256",
        ),
        "prompt": Launch({"keys": 64, "rows": 128, "bytes": 65536}, num_warps=16, num_stages=2, grf_mode="256"),
    },
    # Few programs, since each costs milliseconds, yet small enough that the loops and masks of a GPU's tiles all run.
    "interpreter": {
        "norm": Launch({"block": 2048, "tile": 4096}),
        "rope": Launch({"heads": 4}),
        "activation": Launch({"block": 512}),
        "linear_vector": Launch({"tile": 32768, "rows": 32, "least": 1, "programs": 1}),
        "linear_matrix": Launch({"tile": 32768, "rows": 32, "least": 16, "programs": 1}),
        "attention": Launch({"keys": 32, "rows": 64, "waves": 8, "most": 4, "halve": 4, "bytes": 131072}),
        "prompt": Launch({"keys": 32, "rows": 32, "bytes": 131072}),
    },
}


def launch_for(kernel: str, device_type: str) -> Launch:
    """The row of one kernel for a `torch.device.type`; the CPU interprets."""
    return LAUNCHES["interpreter" if device_type == "cpu" else device_type][kernel]


def weight_tile(n: int, k: int, size: int, launch: Launch) -> tuple[int, int]:
    """How many rows and columns of a weight `[n, k]`, `size` bytes each, one program of `linear` reads at a time.

    Fewer rows make more programs, longer stretches of each row keep the tile's bytes: no second program ever adds to
    the same output, so the result does not depend on timing.
    """
    tile, rows, least, programs = (launch.blocks[name] for name in ("tile", "rows", "least", "programs"))
    while rows > least and triton.cdiv(n, rows) < programs:
        rows //= 2
    return rows, min(tile // (rows * size), max(16, triton.next_power_of_2(k)))


def key_tile(d: int, size: int, launch: Launch) -> int:
    """How many keys of `d` elements of `size` bytes a program of attention holds at a time, with their values.

    As many as the row says, halved until those in flight take no more than its `bytes` of shared memory.
    """
    keys = launch.blocks["keys"]
    while keys > 16 and 2 * keys * triton.next_power_of_2(d) * size * launch.num_stages > launch.blocks["bytes"]:
        keys //= 2
    return keys


def candidates(kernel: str, device_type: str) -> list[Launch]:
    """Rows worth measuring for `linear_vector` or `linear_matrix`: the table's, and fixed tiles (programs: 1)."""
    row = launch_for(kernel, device_type)
    warps = (4, 8) if device_type == "cuda" else (8, 16, 32)
    vector = kernel == "linear_vector"
    rows, columns, stages = ((4, 8, 16), (1024, 2048), (1, 3, 4)) if vector else ((16, 32, 64), (128, 256), (3, 4, 5))
    return [row] + [
        replace(row, blocks={**row.blocks, "rows": r, "tile": 2 * r * c, "programs": 1}, num_warps=w, num_stages=s)
        for r, c, w, s in product(rows, columns, warps, stages)
    ]


def tune(
    name: str,
    run: Callable[[Launch], object],
    rows: Iterable[Launch],
    measure: Callable[[Callable[[], object]], float] | None = None,
) -> tuple[Launch, float]:
    """Time `run(row)` for every row, print each, and return the fastest row and its milliseconds.

    `measure` gives the milliseconds of a call: with the cache emptied before it if left out, which needs a GPU.
    A row that the device cannot run is reported and passed over. Raises RuntimeError where none runs.
    """
    measure = measure or milliseconds
    timed: list[tuple[float, Launch]] = []
    for row in rows:
        try:
            timed.append((measure(lambda row=row: run(row)), row))
            print(f"{name}: {1e3 * timed[-1][0]:9.2f} us  {row}")
        except Exception as error:  # out of registers, out of shared memory: the compiler's own kinds of error
            print(f"{name}: failed  {row}: {type(error).__name__}: {str(error).splitlines()[:1]}")
    if not timed:
        raise RuntimeError(f"{name}: none of the rows runs on this device; the lines above say why")
    fastest, best = min(timed, key=lambda pair: pair[0])
    return best, fastest
