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
# Parameters and members of grouped parameters, by name; pointers to the model's format are all others in _ptr.
TYPES_OF = {
    "cos_ptr": "*fp32", "sin_ptr": "*fp32", "slopes_ptr": "*fp32", "partials": "*fp32",
    "counters": "*i32", "lengths_ptr": "*i32", "positions_ptr": "*i32", "start_ptr": "*i32",
    "live_slots_ptr": "*i32", "num_dead_ptr": "*i32", "beam_index_ptr": "*i32",
    "mask_ptr": "*i64", "beam_idx_ptr": "*i64", "eps": "fp32", "scale": "fp32",
}  # fmt: skip


class Variant(NamedTuple):
    """One specialisation of a kernel: its constants, the pointers that are None, the row it is launched with.

    A member of a grouped parameter is named `group.member`.
    """

    name: str
    kernel: Any
    row: Any
    constants: dict[str, Any]
    absent: tuple[str, ...] = ()
    odd: bool = False  # sizes and strides that 16 does not divide: element-wise loads


def variants() -> list[Variant]:
    """Every kernel, at the sizes of Llama 2 7B, as the table of tuned rows launches it."""
    from tinyllm.kernels.triton import activation, beam_mask, norm, rope
    from tinyllm.kernels.triton.tuning import LAUNCHES

    row = LAUNCHES["cuda"]
    heads = {
        "INTERLEAVED": False,
        "BLOCK_HEADS": 8,
        "BLOCK_HALF": 64,
        "BLOCK_KEPT": 1,
        "BLOCK_D": 128,
    }
    partial = {
        "INTERLEAVED": True,
        "BLOCK_HEADS": 8,
        "BLOCK_HALF": 32,
        "BLOCK_KEPT": 64,
        "BLOCK_D": 128,
    }
    no_norms = ("norms.q_weight_ptr", "norms.k_weight_ptr", "norms.eps")
    whole = {"BLOCK_M": 1, "BLOCK_SIZE": 4096}
    reorder = {"WIDTH": 4, "BLOCK_W": 4, "BLOCK_STEPS": 32}
    norms = [
        ("rms_norm", ("residual_ptr", "bias_ptr")),
        ("norm_and_add", ("bias_ptr",)),
        ("layer_norm", ("residual_ptr",)),
    ]
    return [
        *(Variant(name, norm._norm_rows, row["norm"], whole, absent) for name, absent in norms),
        *(
            Variant(
                f"{name}, long rows", norm._norm_long_row, row["norm"], {"BLOCK_SIZE": 8192}, absent
            )
            for name, absent in norms
        ),
        *(
            Variant(
                f"{name}{title}", rope._rope_and_store, row["rope"], constants, (*absent, *missing)
            )
            for name, absent in (("rope", no_norms), ("rope of normalised heads", ()))
            for title, constants, missing in (
                (", half-split", {"HALF": 64, "KEPT": 0, **heads}, ("slots.start_ptr",)),
                (", interleaved", {"HALF": 32, "KEPT": 64, **partial}, ()),
                (
                    ", large heads",
                    {"HALF": 128, "KEPT": 0, **heads, "BLOCK_HALF": 128, "BLOCK_D": 256},
                    (),
                ),
            )
        ),
        *(_elementwise(activation, row["activation"], name) for name in activation.ACTIVATIONS),
        *_linears(row),
        *_queries(row),
        *_attentions(row),
        Variant("reorder, odd", beam_mask._reorder_beam_index, row["norm"], reorder),
        Variant("live slots, odd", beam_mask._list_live_slots, row["norm"], {"BLOCK_SIZE": 512}),
    ]


def _attentions(row: dict[str, Any]) -> list[Variant]:
    """One sequence and several, split or not, padded or not, at the head sizes of small and large models.

    All of them with a soft cap and a window too.
    """
    from tinyllm.kernels.triton import attention, prefill
    from tinyllm.kernels.triton.tuning import key_tile

    tile = lambda d: key_tile(d, 2, row["attention"])  # noqa: E731
    stages = row["attention"].num_stages
    blocks = lambda d, rows, splits: {  # noqa: E731
        "HEAD_DIM": d, "BLOCK_D": d, "BLOCK_M": rows, "USED_M": min(4, rows), "BLOCK_N": tile(d), "SPLITS": splits,
        "PROMPT_STAGES": stages, "RESPONSE_STAGES": stages,
    }  # fmt: skip
    make = lambda name, d, rows, splits, *absent: Variant(  # noqa: E731
        name, attention._segment_attention, row["attention"], blocks(d, rows, splits), absent
    )
    alone = ("beam_mask.mask_ptr", "beam_mask.live_slots_ptr", "beam_mask.num_dead_ptr")
    unsplit = ("workspace.partials", "workspace.counters")
    plain = ("prompt.positions_ptr", "slopes_ptr")
    whole = {
        "HEAD_DIM": 128,
        "BLOCK_D": 128,
        "BLOCK_M": 128,
        "BLOCK_N": 64,
        "NUM_STAGES": row["prefill"].num_stages,
    }
    large = whole | {"HEAD_DIM": 256, "BLOCK_D": 256, "BLOCK_M": 64, "BLOCK_N": 32}
    made = [
        make("attention, one sequence, split", 128, 16, 8, *alone, *plain),
        make("attention, one sequence", 64, 16, 1, *alone, *plain, *unsplit),
        make("attention, beams, split", 128, 16, 4, *plain),
        make("attention, many rows, padded, ALiBi", 128, 64, 1, *unsplit),
        make("attention, large heads", 256, 16, 2, *plain),
        Variant(
            "prefill, padded", prefill._prefill_attention, row["prefill"], whole, ("slopes_ptr",)
        ),
        Variant(
            "prefill, large heads",
            prefill._prefill_attention,
            row["prefill"],
            large,
            ("positions_ptr", "slopes_ptr"),
        ),
    ]
    return [
        each._replace(
            name=each.name + title,
            constants=each.constants | {"SOFTCAP": softcap, "WINDOW": window},
        )
        for each in made
        for title, softcap, window in (("", None, None), (", softcap, window", 50.0, 4096))
    ]


def _elementwise(activation: Any, row: Any, name: str) -> Variant:
    kernel = activation._bias_and_activate if name == "gelu" else activation._activate_and_multiply
    return Variant(name, kernel, row, {"ACTIVATION": name, "BLOCK_SIZE": 1024})


def _linears(row: dict[str, Any]) -> list[Variant]:
    variants = []
    for name, rows in (("linear_vector", 1), ("linear_matrix", 16)):
        add = lambda title, n, k, *rest, name=name, rows=rows, **more: variants.append(  # noqa: E731
            _linear(f"{name}, {title}", row[name], rows, n, k, *rest, **more)
        )
        add(
            "output and residual",
            4096,
            4096,
            ("bias_ptr", "norm.weight_ptr", "norm.bias_ptr", "residual2_ptr"),
        )
        add(
            "RMSNorm and gated",
            22016,
            4096,
            ("bias_ptr", "norm.bias_ptr", "residual_ptr", "residual2_ptr"),
            activation="silu",
            gated=True,
        )
        add("LayerNorm, gelu, odd", 4097, 4099, (), activation="gelu", odd=True)
    return variants


def _linear(
    title: str,
    row: Any,
    rows: int,
    n: int,
    k: int,
    absent: tuple,
    activation=None,
    gated=False,
    odd=False,
) -> Variant:
    from tinyllm.kernels.triton.linear import _linear as kernel

    constants = {"ACTIVATION": activation, "GATED": gated} | _tiles(row, rows, n, k)
    return Variant(title, kernel, row, constants, absent, odd)


def _queries(row: dict[str, Any]) -> list[Variant]:
    """Queries, keys and values fused: those of Llama, of GPT-J, and of Bloom, which has no RoPE."""
    from tinyllm.kernels.triton.qkv import _qkv_rope_and_store as kernel

    families = [
        (
            "Llama",
            ("bias_ptr", "norm.bias_ptr"),
            {"HEAD_DIM": 128, "HALF": 64, "INTERLEAVED": False, "PER_HEAD": False},
        ),
        (
            "GPT-J",
            ("bias_ptr",),
            {"HEAD_DIM": 256, "HALF": 32, "INTERLEAVED": True, "PER_HEAD": False},
        ),
        ("Bloom", (), {"HEAD_DIM": 128, "HALF": 0, "INTERLEAVED": False, "PER_HEAD": True}),
    ]
    return [
        Variant(
            f"queries of {family}, {name}",
            kernel,
            row[name],
            heads | _tiles(row[name], rows, 12288, 4096),
            absent,
        )
        for name, rows in (("linear_vector", 1), ("linear_matrix", 16))
        for family, absent, heads in families
    ]


def _tiles(row: Any, rows: int, n: int, k: int) -> dict[str, Any]:
    from tinyllm.kernels.triton.linear import gemv_launch

    _, constants = gemv_launch(
        n, k, 2, pairs=False, use_dot=rows > 1, device_type="cuda", launch=row
    )
    return {name: value for name, value in constants.items() if name.isupper()}


def _groups() -> dict[str, Any]:
    """The tuple that each grouped parameter is."""
    from tinyllm.kernels.triton import arguments, attention

    return {
        "q_strides": arguments.Strides,
        "kv_strides": arguments.Strides,
        "out_strides": arguments.Strides,
        "strides": arguments.LinearStrides,
        "prompt": arguments.PromptSegment,
        "response": arguments.ResponseSegment,
        "beam_mask": arguments.BeamMaskPointers,
        "workspace": attention.Workspace,
        "norm": arguments.NormPointers,
        "norms": arguments.HeadNormPointers,
        "rope": arguments.RopeTables,
        "slots": arguments.CacheSlots,
    }


def compile_variant(variant: Variant, dtype: str) -> dict[str, Any]:
    """Compile for compute capability 9.0; what ptxas made of it."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    constants = variant.constants | dict.fromkeys(variant.absent)
    signature: dict[str, Any] = {}
    given: dict[tuple[int, ...], Any] = {}
    divisible: dict[tuple[int, ...], list] = {}

    def type_of(path: tuple[int, ...], name: str, member: str) -> str:
        """The type of a parameter or a member; notes constants, and what 16 divides, by path."""
        if name in constants:
            given[path] = constants[name]
            return "constexpr"
        kind = _type_of(member, dtype)
        if kind[0] == "*" or (kind == "i32" and member != "num_rows" and not variant.odd):
            divisible[path] = [["tt.divisibility", 16]]
        return kind

    groups = _groups() | {"shape": _shape_of(variant.kernel)}
    for i, name in enumerate(variant.kernel.arg_names):
        if name not in groups:
            signature[name] = type_of((i,), name, name)
            continue
        members = groups[name]._fields
        signature[name] = groups[name](
            *(type_of((i, j), f"{name}.{member}", member) for j, member in enumerate(members))
        )
    source = ASTSource(variant.kernel, signature, given, divisible)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=variant.row.options)
    return {
        "name": variant.name,
        "dtype": dtype,
        "loads": _wide_loads(made.asm["ptx"]),
    } | _resources(made)


def _shape_of(kernel: Any) -> Any:
    """Two kernels have a parameter `shape`: attention, and the fused queries."""
    from tinyllm.kernels.triton import arguments

    return arguments.QKVShape if "weight_ptr" in kernel.arg_names else arguments.AttentionShape


def _type_of(name: str, dtype: str) -> str:
    if name in TYPES_OF:
        return TYPES_OF[name]
    return f"*{dtype}" if name.endswith("_ptr") else "i32"


def _wide_loads(ptx: str) -> int:
    """How many loads from memory move 16 bytes a lane, through registers or straight to shared memory."""
    return len(
        re.findall(
            r"ld\.global\S*\.v4\.b32|cp\.async\.cg\.shared\.global[^;]*0x10|ld\.global\S*\.v2\.b64",
            ptx,
        )
    )


def _resources(made: Any) -> dict[str, int]:
    """Registers, and bytes of stack, of the machine code."""
    import triton

    cuobjdump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    cubin = Path(os.environ["CUBIN_DIR"]) / f"{made.hash[:40]}.cubin"
    cubin.write_bytes(made.asm["cubin"])
    usage = subprocess.run(
        [cuobjdump, "-res-usage", cubin], check=True, capture_output=True, text=True
    ).stdout
    sass = subprocess.run(
        [cuobjdump, "-sass", cubin], check=True, capture_output=True, text=True
    ).stdout
    return {
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "stack": int(re.search(r"STACK:(\d+)", usage)[1]),
        "spills": len(re.findall(r"\b(?:LDL|STL)\b", sass)),
        "shared": made.metadata.shared,
    }


def main() -> None:
    """Print a JSON line for every variant in the first type, and for every fifth in the other."""
    with ThreadPoolExecutor(2) as pool:
        made = [(variant, TYPES[0]) for variant in variants()] + [
            (variant, TYPES[1]) for variant in variants()[::5]
        ]
        jobs = [pool.submit(compile_variant, *each) for each in made]
        for job in jobs:
            print(json.dumps(job.result()), flush=True)


def test_compiles_without_spilling(tmp_path):
    pytest.importorskip("triton")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path / "cache"), "CUBIN_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(made) >= 50
    assert [row for row in made if row["spills"] or row["stack"]] == []
    assert [row["name"] for row in made if row["loads"] == 0 and "odd" not in row["name"]] == []


if __name__ == "__main__":
    main()
