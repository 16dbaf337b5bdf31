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
from typing import Any

import pytest

TYPES = ("bf16", "fp16")


def compile_variant(variant: Any, dtype: str) -> dict[str, Any]:
    """Compile for compute capability 9.0; what ptxas made of it."""
    import triton
    from triton.backends.compiler import GPUTarget

    from tinyllm.kernels.triton.variants import source_of

    target = GPUTarget("cuda", 90, 32)
    made = triton.compile(source_of(variant, dtype), target=target, options=variant.launch.options)
    return {
        "name": variant.name,
        "dtype": dtype,
        "loads": _wide_loads(made.asm["ptx"]),
    } | _resources(made)


def _wide_loads(ptx: str) -> int:
    """How many loads from memory move 16 bytes a lane, through registers or straight to shared memory."""
    return len(
        re.findall(
            r"ld\.global\S*\.v4\.b32|cp\.async\.cg\.shared\.global[^;]*0x10|ld\.global\S*\.v2\.b64",
            ptx,
        )
    )


def _resources(made: Any) -> dict[str, int]:
    """Registers of the machine code, and bytes of its stack, where registers are spilled to."""
    import triton

    cuobjdump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    cubin = Path(os.environ["CUBIN_DIR"]) / f"{made.hash[:40]}.cubin"
    cubin.write_bytes(made.asm["cubin"])
    usage = subprocess.run(
        [cuobjdump, "-res-usage", cubin], check=True, capture_output=True, text=True
    ).stdout
    return {
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "stack": int(re.search(r"STACK:(\d+)", usage)[1]),
        "shared": made.metadata.shared,
    }


def main() -> None:
    """Print a JSON line for every variant in the first type, and for every fifth in the other."""
    from tinyllm.kernels.triton.variants import variants

    found = variants("cuda")
    made = [(variant, TYPES[0]) for variant in found] + [
        (variant, TYPES[1]) for variant in found[::5]
    ]
    with ThreadPoolExecutor(2) as pool:
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
    assert [row for row in made if row["stack"]] == []
    assert [row["name"] for row in made if row["loads"] == 0 and "odd" not in row["name"]] == []


if __name__ == "__main__":
    main()
