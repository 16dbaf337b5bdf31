"""A decode step on this machine's CPU, eager and native, and attention alone.

    python book/device/bench_cpu.py --json rows.json [--shapes smollm2-135m tinyllama-1.1b] [--dtypes bfloat16 float32]

Engines share random weights and alternate in one process, in reversed order every other round; figures are medians.
The read bandwidth is measured in every round: the sum of a large tensor. Attention runs in all layers of the model, one
after the other, so that a long prompt is read from memory, as in a step.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tinyllm.attention.stock import stock_attention  # noqa: E402
from tinyllm.bench.machine import versions  # noqa: E402
from tinyllm.cache.segment import SegmentCache  # noqa: E402
from tinyllm.config import DecoderConfig  # noqa: E402
from tinyllm.kernels import TORCH, cpu  # noqa: E402
from tinyllm.lab.shapes import known_config, random_checkpoint  # noqa: E402
from tinyllm.model import Model, load_model, restage  # noqa: E402
from tinyllm.runtime.device import device_name, pick_dtype  # noqa: E402
from tinyllm.runtime.native import NativeStep, unsupported_reason  # noqa: E402
from tinyllm.stages import pick_stage  # noqa: E402

CPU = torch.device("cpu")
Work = Callable[[], object]


@dataclass(frozen=True)
class StepRow:
    """One engine's token: `weight_bytes` are read for it; `share` is of the read bandwidth of the same run."""

    what: str
    engine: str
    model: str
    device: str
    dtype: str
    rows: int
    prompt_tokens: int
    ms: float
    all_ms: list[float]
    weight_bytes: int
    gb_s: float
    read_gb_s: float
    share: float
    versions: dict[str, str]
    date: str


@dataclass(frozen=True)
class AttentionRow:
    """One engine's attention in one layer, in microseconds; `kv_bytes` are those of prompt and response."""

    what: str
    engine: str
    model: str
    device: str
    dtype: str
    rows: int
    prompt_tokens: int
    steps: int
    us: float
    all_us: list[float]
    kv_bytes: int
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure, print and record."""
    options = arguments()
    rows = []
    for shape in options.shapes:
        for dtype in map(pick_dtype, options.dtypes):
            if not (shape == "tinyllama-1.1b" and dtype == torch.float32):
                rows += steps(shape, dtype, options)
    for dtype in map(pick_dtype, options.dtypes):
        rows += attention(options.shapes[0], dtype, options)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--shapes", nargs="+", default=["smollm2-135m", "tinyllama-1.1b"])
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument(
        "--prompts", nargs="*", type=int, default=[128, 512, 1024, 4096], help="of attention alone"
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def in_rounds(works: dict[str, Work], repeats: int, times: int) -> dict[str, list[float]]:
    """Seconds of each function: the median of several calls in a row, in each of `repeats` rounds."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats):
        for name in list(works)[:: 1 if turn % 2 == 0 else -1]:
            works[name]()
            found[name].append(median(timed(works[name]) for _ in range(times)))
    return found


def timed(work: Work) -> float:
    """Seconds of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def about(dtype: torch.dtype) -> dict[str, object]:
    """The fields of every row."""
    name = str(dtype).removeprefix("torch.")
    date = datetime.now(UTC).date().isoformat()
    return {"device": device_name(CPU), "dtype": name, "versions": versions(), "date": date}


# ---- a step ------------------------------------------------------------------------------------


def steps(
    shape: str, dtype: torch.dtype, options: argparse.Namespace, prompt: int = 128
) -> list[StepRow]:
    """Steps of one and four rows, eager and native."""
    ordinary = load_model(random_checkpoint(shape, CPU, dtype), pick_stage("segment"), CPU, dtype)
    native = restage(ordinary, pick_stage("sdpa"))
    reason = unsupported_reason(native)
    if reason:
        raise SystemExit(f"there is no native step: {reason}")
    engines = {"torch": (ordinary, ordinary.step), "native": (native, NativeStep(native))}
    works = {
        f"{name} {width}": token(model, run, width, prompt)
        for name, (model, run) in engines.items()
        for width in (1, 4)
    }
    large = torch.ones(1 << 28)
    times = in_rounds(works | {"read": large.sum}, options.repeats, times=5)
    bandwidth, read = large.nbytes / median(times["read"]), weight_bytes(ordinary)
    found = []
    for name in works:
        engine, width = name.split()
        seconds = median(times[name])
        row = StepRow(
            what="step", engine=engine, model=f"{shape} (random)", rows=int(width), prompt_tokens=prompt,
            ms=1e3 * seconds, all_ms=[1e3 * x for x in times[name]], weight_bytes=read, gb_s=read / seconds / 1e9,
            read_gb_s=bandwidth / 1e9, share=read / seconds / bandwidth, **about(dtype),
        )  # fmt: skip
        print(
            f"{shape} {row.dtype}, {width} rows, {engine}: {row.ms:.2f} ms, {row.gb_s:.1f} GB/s, "
            f"{row.share:.0%} of {row.read_gb_s:.1f}", flush=True,
        )  # fmt: skip
        found.append(row)
    return found


def token(model: Model, run: Callable, width: int, prompt: int) -> Work:
    """One more token of every sequence after a prompt; the response restarts before it is long."""
    ids = torch.randint(3, 1000, (1, prompt), generator=torch.Generator().manual_seed(0))
    new = torch.arange(5, 5 + width)[None]
    cache = [None]

    def work() -> None:
        run(new, None, cache[0])

    cache[0] = model.new_cache(1, width, 512)
    model.step(ids, None, cache[0])
    return work


def weight_bytes(model: Model) -> int:
    """Bytes of the weights that a step reads: all but an untied embedding, of which it reads some rows."""
    total = sum(x.nbytes for x in model.parameters())
    return total - (0 if model.config.tie_word_embeddings else model.embed_tokens.storage.nbytes)


# ---- attention ---------------------------------------------------------------------------------


def attention(
    shape: str, dtype: torch.dtype, options: argparse.Namespace, after: int = 32
) -> list[AttentionRow]:
    """Attention after prompts of several lengths and some steps, for 1, 4 and 8 sequences."""
    config, found = known_config(shape), []
    for prompt in options.prompts:
        for width in (1, 4, 8):
            works = attention_works(filled(config, prompt, width, after, dtype), width)
            times = in_rounds(works, options.repeats, times=3)
            for engine in works:
                us = [1e6 * x / config.num_hidden_layers for x in times[engine]]
                token_bytes = 2 * config.num_key_value_heads * config.head_dim * dtype.itemsize
                row = AttentionRow(
                    what="attention", engine=engine, model=f"{shape} (random)", rows=width, prompt_tokens=prompt,
                    steps=after, us=median(us), all_us=us, kv_bytes=token_bytes * (prompt + after * width),
                    **about(dtype),
                )  # fmt: skip
                rate = row.kv_bytes / row.us / 1e3
                print(
                    f"attention {row.dtype}, prompt {prompt}, {width} rows, {engine}: {row.us:.0f} us, {rate:.1f} GB/s",
                    flush=True,
                )
                found.append(row)
    return found


def filled(
    config: DecoderConfig, prompt: int, width: int, steps: int, dtype: torch.dtype
) -> SegmentCache:
    """A cache with a prompt and some steps."""
    cache = SegmentCache(config, 1, width, steps, device=CPU, dtype=dtype, kernels=TORCH)
    g, d = config.num_key_value_heads, config.head_dim
    cache.prepare(prompt, None)
    for layer in cache.layers:
        layer.append(torch.randn(1, g, prompt, d).to(dtype), torch.randn(1, g, prompt, d).to(dtype))
    for _ in range(steps):
        cache.prepare(width, None)
        for layer in cache.layers:
            layer.append(*(torch.randn(1, g, width, d).to(dtype) for _ in range(2)))
    return cache


def attention_works(cache: SegmentCache, width: int) -> dict[str, Work]:
    """Attention in every layer: two of torch's kernels, merged; and C++."""
    config = cache.config
    metadata = cache.decode_metadata()
    q = torch.randn(1, width, config.num_attention_heads, config.head_dim)
    q = q.to(cache.state.like.dtype).transpose(1, 2)

    def stock() -> None:
        for layer in cache.layers:
            stock_attention(q, layer.segments, metadata)

    def native() -> None:
        for layer in cache.layers:
            prompt, response = layer.segments
            cpu.segment_attention(q, *prompt, *response, metadata.lengths(CPU), metadata.beam_index)

    return {"torch": stock, "native": native}


if __name__ == "__main__":
    with torch.inference_mode():
        main()
