"""Check the Triton kernels on this machine's GPU, then time each beside torch and torch.compile, at Llama 2 7B's sizes.

    python book/device/bench_triton.py --json rows.json [--tune] [--skip-check] [--repeats 7]

Time is per call inside a replayed graph that rotates over copies of the inputs, so that no weight is in the cache;
`cold` is false where 64 copies fit into the cache. GB/s counts the bytes that must move: each input read once, each
output written once. The three implementations alternate; figures are medians over the rounds, and their shares are of
the copy and read bandwidth of the same run. A case that fails is reported and the others still run.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import multiprocessing
import statistics
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
try:
    importlib.import_module("tinyllm.kernels")
except ImportError:  # in a checkout that is not installed, that package is elsewhere
    sys.path.append(str(ROOT))
    spec = importlib.util.spec_from_file_location("tinyllm.kernels", ROOT / "kernels/__init__.py")
    sys.modules["tinyllm.kernels"] = importlib.util.module_from_spec(spec)
from tinyllm.kernels import triton as ours  # noqa: E402
from tinyllm.kernels.triton import timing, tuning  # noqa: E402
from tinyllm.kernels.weights import DenseWeight  # noqa: E402

M, FFN, HEADS, HEAD_DIM, EPS = 4096, 11008, 32, 128, 1e-5
DTYPE = torch.bfloat16


@dataclass(frozen=True)
class Case:
    """One row of the result: `ours` and `naive` take the arguments from `make()`; `moved` bytes must move."""

    kernel: str
    shape: str
    rows: int
    moved: int
    make: Callable[[], tuple[Any, ...]]
    ours: Callable
    naive: Callable


def naive_rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """The unfused operations of an eager model, one launch each."""
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPS)).to(x.dtype)


def naive_layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """LayerNorm, which torch has fused."""
    return F.layer_norm(x, x.shape[-1:], weight, bias, EPS)


def naive_rope(
    q, k, v, cos, sin, k_slot, v_slot, wide_cos, wide_sin
) -> tuple[Tensor, Tensor, Tensor]:
    """The half-split layout with tables of full width, then two copies into the cache."""
    turned = []
    for x in (q, k):
        first, second = x.chunk(2, dim=-1)
        turned.append(x * wide_cos + torch.cat([-second, first], dim=-1) * wide_sin)
    return turned[0], k_slot.copy_(turned[1]), v_slot.copy_(v)


def naive_gate(gate_up: Tensor) -> Tensor:
    """Activation and multiplication, two launches."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def naive_linear(
    x: Tensor, weight: Tensor, norm: Tensor | None, residual: Tensor | None, gated: bool
) -> Tensor:
    """RMSNorm, matmul, gate and residual, unfused."""
    y = F.linear(x if norm is None else naive_rms_norm(x, norm), weight)
    y = naive_gate(y) if gated else y
    return y if residual is None else residual + y


def fused_linear(
    x: Tensor, weight: Tensor, norm: Tensor | None, residual: Tensor | None, gated: bool
) -> Tensor:
    """The same in one launch."""
    weights = None if norm is None else SimpleNamespace(weight=norm, bias=None, eps=EPS)
    added = () if residual is None else (residual,)
    return ours.linear(
        x, DenseWeight(weight), None, weights, "silu" if gated else None, gated, added
    )


def cases(
    device: torch.device, rows: tuple[int, ...] = (1, 64, 16384), few: tuple[int, ...] = (1, 4, 16)
) -> Iterator[Case]:
    """Every kernel at every number of rows."""
    draw = partial(torch.randn, device=device, dtype=DTYPE)
    for r in rows:
        yield from norm_cases(r, draw)
        yield rope_case(r, draw)
        size = DTYPE.itemsize * r * FFN
        fused, naive = partial(ours.activate_and_multiply, activation="silu"), naive_gate
        yield Case(
            "activate_and_multiply",
            f"{FFN}",
            r,
            3 * size,
            lambda r=r: (draw(r, 2 * FFN),),
            fused,
            naive,
        )
        fused, naive = (
            partial(ours.bias_and_activate, activation="gelu"),
            lambda x, bias: F.gelu(x + bias),
        )
        moved = 2 * size + DTYPE.itemsize * FFN
        yield Case(
            "bias_and_activate",
            f"{FFN}",
            r,
            moved,
            lambda r=r: (draw(r, FFN), draw(FFN)),
            fused,
            naive,
        )
    for r in few:
        yield linear_case("qkv", r, M, 3 * M, draw, norm=True)
        yield linear_case("gate_up", r, M, 2 * FFN, draw, norm=True, gated=True)
        yield linear_case("down", r, FFN, M, draw, residual=True)
        yield linear_case("o", r, M, M, draw, residual=True)


def norm_cases(r: int, draw: Callable) -> Iterator[Case]:
    """RMSNorm and LayerNorm."""
    for name, naive, words in (
        ("rms_norm", naive_rms_norm, 1),
        ("layer_norm", naive_layer_norm, 2),
    ):
        sizes = [(r, M)] + [(M,)] * words
        make = partial(lambda sizes: tuple(draw(*size) for size in sizes), sizes)
        moved = DTYPE.itemsize * M * (2 * r + words)
        yield Case(name, f"{M}", r, moved, make, partial(getattr(ours, name), eps=EPS), naive)


def rope_case(r: int, draw: Callable) -> Case:
    """One new token for each of r sequences, written into the middle of a cache."""

    def make() -> tuple[Tensor, ...]:
        q, k, v = draw(r, 1, 3 * HEADS, HEAD_DIM).transpose(1, 2).split(HEADS, dim=1)
        k_slot, v_slot = (draw(r, HEADS, 8, HEAD_DIM)[:, :, 5:6] for _ in range(2))
        angles = draw(r, 1, HEAD_DIM // 2).float()
        wide = torch.cat([angles, angles], dim=-1)[:, None]
        return (
            q,
            k,
            v,
            angles.cos(),
            angles.sin(),
            k_slot,
            v_slot,
            wide.cos().to(DTYPE),
            wide.sin().to(DTYPE),
        )

    moved = r * (2 * DTYPE.itemsize * 3 * HEADS * HEAD_DIM + 2 * 4 * HEAD_DIM // 2)
    fused, shape = (
        lambda *inputs: ours.rope_and_store(*inputs[:7], interleaved=False),
        f"{HEADS}x{HEAD_DIM}",
    )
    return Case("rope_and_store", shape, r, moved, make, fused, naive_rope)


def linear_case(
    name: str, r: int, k: int, n: int, draw: Callable, norm=False, gated=False, residual=False
) -> Case:
    """One of a decoder layer's four matmuls, with the prologue and epilogue of the decode step."""
    outputs = n // 2 if gated else n
    moved = DTYPE.itemsize * (n * k + r * k + r * outputs * (1 + residual) + k * norm)

    def make() -> tuple[Tensor | None, ...]:
        x, weight = draw(r, k), draw(n, k).mul_(k**-0.5)
        return x, weight, draw(k) if norm else None, draw(r, outputs) if residual else None

    fused, naive = partial(fused_linear, gated=gated), partial(naive_linear, gated=gated)
    return Case("linear", f"{name} {k}->{n}", r, moved, make, fused, naive)


def measure(case: Case, device: torch.device, repeats: int) -> dict[str, Any]:
    """Time the three implementations in alternation; one that fails has no figure."""
    torch._dynamo.reset()
    cache = timing.cache_bytes(device)
    inputs = [case.make() for _ in range(max(4, min(64, -(-3 * cache // case.moved))))]
    compiled = torch.compile(lambda *arguments: case.naive(*arguments), dynamic=False)
    row: dict[str, Any] = {"error": difference(case.ours(*inputs[0]), case.naive(*inputs[0]))}
    calls: dict[str, Callable] = {}
    for name, function in (("ours", case.ours), ("naive", case.naive), ("compiled", compiled)):
        try:
            sweep = partial(
                lambda function: [function(*arguments) for arguments in inputs], function
            )
            calls[name], row[f"{name}_graph"] = timing.replayed(sweep, device)
        except Exception as error:
            print(f"  {name} failed: {type(error).__name__}: {str(error)[:300]}")
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats):
        for name in sorted(calls, reverse=turn % 2 == 1):
            times[name].append(1e3 * timing.milliseconds(calls[name]) / len(inputs))
    row |= {f"{name}_us": round(statistics.median(us), 3) for name, us in times.items()}
    row["ours_spread_us"] = round(max(times["ours"]) - min(times["ours"]), 3)
    return row | {"cold": len(inputs) * case.moved > 2 * cache}


def difference(mine: Any, other: Any) -> float:
    """The norm of the difference over the norm of the other, the largest of all results."""
    pairs = zip(mine, other, strict=True) if isinstance(mine, tuple) else [(mine, other)]
    return max(((a.float() - b.float()).norm() / b.float().norm()).item() for a, b in pairs)


def check_table(task: tuple[str, str, str]) -> tuple[bool, str]:
    """One case table in one dtype, in a process of its own."""
    operation, dtype, device = task
    try:
        from tinyllm.check import check

        verdict = check(
            operation, getattr(ours, operation), dtypes=[getattr(torch, dtype)], device=device
        )
        return verdict.right, f"{dtype} {verdict} (worst error {verdict.worst_error:.2g})"
    except Exception:
        return False, f"{dtype} {operation}: {traceback.format_exc(limit=-2)}"


def check_all(device: torch.device) -> bool:
    """All tables in three dtypes, eight at a time: nearly all of the time is compilation."""
    from tinyllm.check.tables import TABLES

    names = [name for name in TABLES if name != "attention"]
    dtypes = ("float32", "float16", "bfloat16")
    tasks = [(name, dtype, device.type) for name in names for dtype in dtypes]
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(check_table, tasks))
    for right, line in results:
        print("right" if right else "WRONG", line, flush=True)
    return all(right for right, _ in results)


def tune_linear(device: torch.device) -> None:
    """Print the best rows for `tinyllm/kernels/triton/tuning.py`, shape by shape."""
    best = []
    for k, n in ((M, 3 * M), (M, 2 * FFN), (FFN, M), (M, M)):
        for name, r in (("linear_vector", 1), ("linear_matrix", 16)):
            x = torch.randn(r, k, device=device, dtype=DTYPE)
            weight = DenseWeight(torch.randn(n, k, device=device, dtype=DTYPE))
            run, options = partial(ours.linear, x, weight), tuning.candidates(name, device.type)
            try:
                row, ms = tuning.tune(
                    f"{name} {k}->{n}", lambda row, run=run: run(launch=row), options
                )
                best.append(
                    f"{name} {r} x {k}->{n}: {1e3 * ms:.2f} us, {2 * n * k / ms / 1e6:.0f} GB/s  {row}"
                )
            except RuntimeError as error:
                best.append(str(error))
    print("\nbest rows:", *best, sep="\n")


def run_cases(device: torch.device, repeats: int, path: Path | None) -> list[dict[str, Any]]:
    """Measure every case; the file is written after each, so that an interrupted run keeps its rows."""
    import triton

    common = {
        "device": getattr(torch, device.type).get_device_name(device),
        "dtype": str(DTYPE).split(".")[1],
    }
    common |= {
        "versions": {"torch": torch.__version__, "triton": triton.__version__},
        **timing.bandwidths(device),
    }
    common["date"] = datetime.date.today().isoformat()
    print(
        f"{common['device']}: copy {common['copy_gb_s']:.0f} GB/s, read {common['read_gb_s']:.0f} GB/s",
        flush=True,
    )
    rows: list[dict[str, Any]] = []
    for case in cases(device):
        row = {
            "kernel": case.kernel,
            "shape": case.shape,
            "rows": case.rows,
            "bytes": case.moved,
            **common,
        }
        try:
            row |= measure(case, device, repeats)
            speed = case.moved / row["ours_us"] / 1e3
            shares = {
                f"share_of_{kind}": round(speed / common[f"{kind}_gb_s"], 4)
                for kind in ("copy", "read")
            }
            rows.append(row | {"ours_gb_s": round(speed, 1)} | shares)
            print(line(rows[-1]), flush=True)
        except Exception:
            print(
                f"{case.kernel} {case.shape} x {case.rows} failed:\n{traceback.format_exc(limit=-3)}",
                flush=True,
            )
        if path is not None:
            path.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    times = "".join(
        f"{row.get(f'{name}_us', float('nan')):10.2f}" for name in ("ours", "naive", "compiled")
    )
    heat = "" if row["cold"] else "  (in the cache)"
    return (
        f"{row['kernel']:22}{row['shape']:22}{row['rows']:6}{times}{row['ours_gb_s']:9.0f}{row['share_of_copy']:8.1%}"
        f"{row['error']:9.1e}{heat}"
    )


def main() -> int:
    """Check, measure, print; 1 where a table is wrong, 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument(
        "--tune", action="store_true", help="measure the candidates for linear instead"
    )
    parser.add_argument("--skip-check", action="store_true")
    parser.add_argument(
        "--repeats", type=int, default=7, help="turns of each implementation, at least 5"
    )
    options = parser.parse_args()
    kind = next((kind for kind in ("xpu", "cuda") if getattr(torch, kind).is_available()), None)
    if kind is None:
        print("no XPU or CUDA device here")
        return 2
    device = torch.device(kind)
    torch.manual_seed(0)
    with torch.no_grad():
        right = options.skip_check or check_all(device)
        if options.tune:
            tune_linear(device)
            return 0 if right else 1
        rows = run_cases(device, max(5, options.repeats), options.json)
    names = "".join(f"{name:>10}" for name in ("ours us", "naive", "compiled"))
    print(f"\n{'kernel':22}{'shape':22}{'rows':>6}{names}{'GB/s':>9}{'of copy':>8}{'error':>9}")
    print(*map(line, rows), sep="\n")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
