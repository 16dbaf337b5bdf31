"""The portable kernels through the real compiler, without a GPU: code for an H100 or H200, and no register spill.

Interpreted and compiled kernels cannot live in one process, so the test runs this file as a program.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

TYPES = ("bf16", "fp16")
POINTERS = frozenset(
    [
        "x",
        "residual",
        "weight",
        "bias",
        "total",
        "out",
        "gate_up",
        "q",
        "k",
        "v",
        "cos",
        "sin",
        "q_weight",
        "k_weight",
        "q_out",
        "k_slot",
        "v_slot",
        "norm_weight",
        "norm_bias",
        "first",
        "second",
        "prompt_k",
        "prompt_v",
        "response_k",
        "response_v",
    ]
)
TABLES = {"cos": "fp32", "sin": "fp32", "slopes": "fp32", "partial": "fp32", "counters": "i32", "lengths": "i32"}
TABLES |= {
    "positions": "i32",
    "seen": "i64",
    "bits": "i64",
    "live": "i32",
    "gone": "i32",
    "ancestry": "i32",
    "parents": "i64",
    "start": "i32",
}


class Variant(NamedTuple):
    """One specialisation of a kernel: its constants, the pointers that are None, the row it is launched with."""

    name: str
    kernel: Any
    row: Any
    constants: dict[str, Any]
    absent: tuple[str, ...] = ()
    odd: bool = False  # sizes and strides that 16 does not divide: element-wise loads


def variants() -> list[Variant]:
    """Every kernel, at the sizes of Llama 2 7B, as the table of tuned rows launches it."""
    from tinyllm.kernels.triton import activation, norm, paths, rope
    from tinyllm.kernels.triton.tuning import LAUNCHES

    row = LAUNCHES["cuda"]
    heads = {"INTERLEAVED": False, "HEADS": 8, "BLOCK_HALF": 64, "BLOCK_KEPT": 1, "BLOCK_D": 128}
    partial = {"INTERLEAVED": True, "HEADS": 8, "BLOCK_HALF": 32, "BLOCK_KEPT": 64, "BLOCK_D": 128}
    plain, as_they_are = ("residual", "bias", "total"), ("q_weight", "k_weight", "eps")
    return [
        Variant("rms_norm", norm._norm_tile, row["norm"], {"ROWS": 1, "BLOCK": 4096}, plain),
        Variant("add_layer_norm", norm._norm_tile, row["norm"], {"ROWS": 1, "BLOCK": 8192}),
        Variant("add_rms_norm, long rows", norm._norm_long, row["norm"], {"BLOCK": 8192}, ("bias",)),
        Variant("norm_and_add", norm._norm_tile, row["norm"], {"ROWS": 1, "BLOCK": 4096}, ("bias", "total")),
        Variant("norm_and_add, long rows", norm._norm_long, row["norm"], {"BLOCK": 8192}, ("bias", "total")),
        Variant("layer_norm, long rows", norm._norm_long, row["norm"], {"BLOCK": 8192}, ("residual", "total")),
        *(
            Variant(f"{name}{title}", rope._rope_and_store, row["rope"], constants, (*absent, *missing))
            for name, absent in (("rope", as_they_are), ("rope of normalised heads", ()))
            for title, constants, missing in (
                (", half-split", {"HALF": 64, "KEPT": 0, **heads}, ("start",)),
                (", interleaved", {"HALF": 32, "KEPT": 64, **partial}, ()),
                (", large heads", {"HALF": 128, "KEPT": 0, **heads, "BLOCK_HALF": 128, "BLOCK_D": 256}, ()),
            )
        ),
        *(_elementwise(activation, row["activation"], name) for name in activation.ACTIVATIONS),
        *_linears(row),
        *_queries(row),
        *_attentions(row),
        Variant("follow, odd", paths._follow, row["norm"], {"WIDTH": 4, "BLOCK_W": 4, "COLUMNS": 32}),
        Variant("list, odd", paths._list_live, row["norm"], {"BLOCK": 512}),
    ]


def _attentions(row: dict[str, Any]) -> list[Variant]:
    """One sequence and several, split or not, padded or not, at the head sizes of small and large models.

    All of them with a soft cap and a window too.
    """
    from tinyllm.kernels.triton import attention, prompt
    from tinyllm.kernels.triton.tuning import key_tile

    tile = lambda d: key_tile(d, 2, row["attention"])  # noqa: E731
    stages = row["attention"].num_stages
    blocks = lambda d, rows, splits: {  # noqa: E731
        "D": d, "BLOCK_D": d, "ROWS": rows, "USED": min(4, rows), "BLOCK": tile(d), "SPLITS": splits, "STAGES": stages,
        "RESPONSE_STAGES": stages,
    }  # fmt: skip
    make = lambda name, d, rows, splits, *absent: Variant(  # noqa: E731
        name, attention._segments, row["attention"], blocks(d, rows, splits), absent
    )
    alone = ("bits", "live", "gone")
    whole = {"D": 128, "BLOCK_D": 128, "ROWS": 128, "BLOCK": 64, "STAGES": row["prompt"].num_stages}
    large = whole | {"D": 256, "BLOCK_D": 256, "ROWS": 64, "BLOCK": 32}
    made = [
        make("attention, one sequence, split", 128, 16, 8, *alone, "positions", "slopes"),
        make("attention, one sequence", 64, 16, 1, *alone, "positions", "slopes", "partial", "counters"),
        make("attention, beams, split", 128, 16, 4, "positions", "slopes"),
        make("attention, many rows, padded, ALiBi", 128, 64, 1, "partial", "counters"),
        make("attention, large heads", 256, 16, 2, "positions", "slopes"),
        Variant("prompt, padded", prompt._prompt, row["prompt"], whole, ("slopes",)),
        Variant("prompt, large heads", prompt._prompt, row["prompt"], large, ("positions", "slopes")),
    ]
    return [
        each._replace(name=each.name + title, constants=each.constants | {"SOFTCAP": softcap, "WINDOW": window})
        for each in made
        for title, softcap, window in (("", None, None), (", softcap, window", 50.0, 4096))
    ]


def _elementwise(activation: Any, row: Any, name: str) -> Variant:
    kernel = activation._bias_and_activate if name == "gelu" else activation._activate_and_multiply
    return Variant(name, kernel, row, {"ACTIVATION": name, "BLOCK": 1024})


def _linears(row: dict[str, Any]) -> list[Variant]:
    variants = []
    for name, rows in (("linear_vector", 1), ("linear_matrix", 16)):
        add = lambda title, n, k, *rest, name=name, rows=rows, **more: variants.append(  # noqa: E731
            _linear(f"{name}, {title}", row[name], rows, n, k, *rest, **more)
        )
        add("output and residual", 4096, 4096, ("bias", "norm_weight", "norm_bias", "second"))
        add("RMSNorm and gated", 22016, 4096, ("bias", "norm_bias", "first", "second"), activation="silu", gated=True)
        add("LayerNorm, gelu, odd", 4097, 4099, (), activation="gelu", odd=True)
    return variants


def _linear(
    title: str, row: Any, rows: int, n: int, k: int, absent: tuple, activation=None, gated=False, odd=False
) -> Variant:
    from tinyllm.kernels.triton.linear import _linear as kernel

    constants = {"ACTIVATION": activation, "GATED": gated} | _tiles(row, rows, n, k)
    return Variant(title, kernel, row, constants, absent, odd)


def _queries(row: dict[str, Any]) -> list[Variant]:
    """Queries, keys and values at once: as Llama has them, as GPT-J, and as Bloom, which turns nothing."""
    from tinyllm.kernels.triton.qkv import _qkv as kernel

    families = [
        ("Llama", ("bias", "norm_bias"), {"D": 128, "HALF": 64, "INTERLEAVED": False, "PER_HEAD": False}),
        ("GPT-J", ("bias",), {"D": 256, "HALF": 32, "INTERLEAVED": True, "PER_HEAD": False}),
        ("Bloom", (), {"D": 128, "HALF": 0, "INTERLEAVED": False, "PER_HEAD": True}),
    ]
    return [
        Variant(f"queries of {family}, {name}", kernel, row[name], heads | _tiles(row[name], rows, 12288, 4096), absent)
        for name, rows in (("linear_vector", 1), ("linear_matrix", 16))
        for family, absent, heads in families
    ]


def _tiles(row: Any, rows: int, n: int, k: int) -> dict[str, Any]:
    from tinyllm.kernels.triton.linear import plan

    return {name: value for name, value in plan(n, k, 2, False, rows > 1, "cuda", row)[1].items() if name.isupper()}


def compile_variant(variant: Variant, dtype: str) -> dict[str, Any]:
    """Compile for compute capability 9.0; what ptxas made of it."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    constants = variant.constants | dict.fromkeys(variant.absent)
    signature = {name: _type_of(name, constants, dtype, variant.kernel) for name in variant.kernel.arg_names}
    whole = {
        (i,): [["tt.divisibility", 16]]
        for i, (name, kind) in enumerate(signature.items())
        if kind[0] == "*" or (kind == "i32" and name != "rows" and not variant.odd)
    }
    source = ASTSource(variant.kernel, signature, constants, whole)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=variant.row.options)
    return {"name": variant.name, "dtype": dtype, "loads": _wide_loads(made.asm["ptx"])} | _resources(made)


def _type_of(name: str, constants: dict[str, Any], dtype: str, kernel: Any) -> str:
    if name in constants:
        return "constexpr"
    if name == "k" and "weight" in kernel.arg_names:  # linear's inner size; rope's is a tensor
        return "i32"
    if name in TABLES:
        return f"*{TABLES[name]}"
    if name in POINTERS:
        return f"*{dtype}"
    return "fp32" if name in ("eps", "scale") else "i32"


def _wide_loads(ptx: str) -> int:
    """How many loads from memory move 16 bytes a lane, through registers or straight to shared memory."""
    return len(re.findall(r"ld\.global\S*\.v4\.b32|cp\.async\.cg\.shared\.global[^;]*0x10|ld\.global\S*\.v2\.b64", ptx))


def _resources(made: Any) -> dict[str, int]:
    """Registers, and bytes of stack, of the machine code."""
    import triton

    cuobjdump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    cubin = Path(os.environ["CUBIN_DIR"]) / f"{made.hash[:40]}.cubin"
    cubin.write_bytes(made.asm["cubin"])
    usage = subprocess.run([cuobjdump, "-res-usage", cubin], check=True, capture_output=True, text=True).stdout
    sass = subprocess.run([cuobjdump, "-sass", cubin], check=True, capture_output=True, text=True).stdout
    return {
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "stack": int(re.search(r"STACK:(\d+)", usage)[1]),
        "spills": len(re.findall(r"\b(?:LDL|STL)\b", sass)),
        "shared": made.metadata.shared,
    }


def main() -> None:
    """Print a JSON line for every variant in the first type, and for every fifth in the other."""
    with ThreadPoolExecutor(2) as pool:
        made = [(variant, TYPES[0]) for variant in variants()] + [(variant, TYPES[1]) for variant in variants()[::5]]
        jobs = [pool.submit(compile_variant, *each) for each in made]
        for job in jobs:
            print(json.dumps(job.result()), flush=True)


def test_compiles_without_spilling(tmp_path):
    pytest.importorskip("triton")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path / "cache"), "CUBIN_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(made) >= 50
    assert [row for row in made if row["spills"] or row["stack"]] == []
    assert [row["name"] for row in made if row["loads"] == 0 and "odd" not in row["name"]] == []


if __name__ == "__main__":
    main()
