"""The portable kernels through the real compiler, without a GPU: code for an H100 or H200, and no register spill.

Interpreted and compiled kernels cannot live in one process, so the test runs this file as a program. What the compiler
made of each source is in `triton_compile.jsonl`: the test compiles sources that are not there, and a sample of those
that are. `python tests/kernels/test_triton_compile.py --all` compiles all of them and writes the file anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

TYPES = ("bf16", "fp16")
RECORD = Path(__file__).with_name("triton_compile.jsonl")
SAMPLE = 15  # of what is recorded, one in so many is compiled again


def compile_variant(variant: Any, dtype: str, folder: Path) -> dict[str, Any]:
    """Compile for compute capability 9.0; what ptxas made of it."""
    import triton
    from triton.backends.compiler import GPUTarget

    from tinyllm.kernels.triton.variants import source_of

    target = GPUTarget("cuda", 90, 32)
    made = triton.compile(source_of(variant, dtype), target=target, options=variant.launch.options)
    return {"loads": _wide_loads(made.asm["ptx"])} | _resources(made, folder)


def key_of(variant: Any, dtype: str) -> str:
    """A digest of all that the code depends on: the compiler, the source and its constants, and the options."""
    import triton

    from tinyllm.kernels.triton.variants import source_of

    parts = (triton.__version__, source_of(variant, dtype).hash(), variant.launch.options)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _wide_loads(ptx: str) -> int:
    """How many loads from memory move 16 bytes a lane, through registers or straight to shared memory."""
    return len(
        re.findall(
            r"ld\.global\S*\.v4\.b32|cp\.async\.cg\.shared\.global[^;]*0x10|ld\.global\S*\.v2\.b64",
            ptx,
        )
    )


def _resources(made: Any, folder: Path) -> dict[str, int]:
    """Registers of the machine code, and bytes of its stack, where registers are spilled to."""
    import triton

    cuobjdump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    cubin = folder / f"{made.hash[:40]}.cubin"
    cubin.write_bytes(made.asm["cubin"])
    usage = subprocess.run(
        [cuobjdump, "-res-usage", cubin], check=True, capture_output=True, text=True
    ).stdout
    return {
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "stack": int(re.search(r"STACK:(\d+)", usage)[1]),
        "shared": made.metadata.shared,
    }


def recorded() -> dict[str, dict[str, Any]]:
    """The rows of the record by their keys."""
    rows = map(json.loads, RECORD.read_text().splitlines())
    return {row["key"]: row for row in rows}


def rows_of(folder: Path, known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for every variant in the first type, and for every fifth in the other; compiled unless it is known."""
    from tinyllm.kernels.triton.variants import variants

    found = variants("cuda")
    made = [(variant, TYPES[0]) for variant in found]
    made += [(variant, TYPES[1]) for variant in found[::5]]

    def row_of(number: int, variant: Any, dtype: str) -> dict[str, Any]:
        key = key_of(variant, dtype)
        if key in known and number % SAMPLE:
            return known[key]
        return {"name": variant.name, "dtype": dtype, "key": key} | compile_variant(
            variant, dtype, folder
        )

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(row_of, number, *each) for number, each in enumerate(made)]
        return [job.result() for job in jobs]


def main() -> None:
    """Print a JSON line for every row, or write them all anew."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    everything = parser.parse_args().all
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRITON_CACHE_DIR"] = folder
        rows = rows_of(Path(folder), {} if everything else recorded())
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    RECORD.write_text(lines) if everything else print(lines, end="")


def test_compiles_without_spilling():
    pytest.importorskip("triton")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    known = recorded()
    assert [row for row in made if row != known.get(row["key"], row)] == []
    assert len(made) >= 50
    assert [row for row in made if row["stack"]] == []
    assert [row["name"] for row in made if row["loads"] == 0 and "odd" not in row["name"]] == []


if __name__ == "__main__":
    main()
