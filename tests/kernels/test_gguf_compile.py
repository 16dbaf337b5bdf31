"""The kernels of stored blocks through the real compiler, without a GPU: code for an H100, and no register spill.

Interpreted and compiled kernels cannot live in one process, so the test runs this file as a program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_triton_compile import _resources

N = K = 4096
# Words of 32 bits, and halves of words; the others differ in a few instructions.
NAMES = ("Q5_K", "Q6_K")
TYPES = {
    "x_ptr": "*bf16",
    "weight_ptr": "*u8",
    "experts_ptr": "*i32",
    "ids_ptr": "*i64",
    "out_ptr": "*fp32",
}


def compile_kernel(kernel: Any, constants: dict[str, Any], options: dict[str, Any]) -> Any:
    """Compile for compute capability 9.0; sizes and addresses are multiples of 16."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    signature = {
        name: "constexpr" if name in constants else TYPES.get(name, "i32") for name in names
    }
    aligned = [i for i, name in enumerate(names) if name not in constants and name != "num_rows"]
    source = ASTSource(
        kernel,
        signature,
        {(names.index(name),): value for name, value in constants.items()},
        {(i,): [["tt.divisibility", 16]] for i in aligned},
    )
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


def main() -> None:
    """Print a JSON line for each kernel and format."""
    from tinyllm.kernels.block_formats import FORMATS
    from tinyllm.kernels.triton import stored_blocks
    from tinyllm.kernels.triton.tuning import launch_for

    for name in NAMES:
        blocks = FORMATS[name]
        unpack = launch_for("unpack", "cuda")
        tiles = {"BLOCK_N": unpack.blocks["rows"], "BLOCK_K": unpack.blocks["block_k"]}
        layout = {"FORMAT": name, "LAYOUT": stored_blocks.block_layout(blocks)}
        for kernel, num_rows, more in (
            (stored_blocks._gemv, 1, {}),
            (stored_blocks._gemv, 1, {"experts_ptr": None, "top_k": 1}),
            (stored_blocks._dot, 8, {}),
            (stored_blocks._unpack, None, tiles | layout | unpack.options),
        ):
            if num_rows:
                more |= stored_blocks.stored_launch(
                    N, K, blocks, num_rows=num_rows, device_type="cuda"
                )
            constants = {key: value for key, value in more.items() if key in kernel.arg_names}
            options = {key: value for key, value in more.items() if key not in constants}
            made = compile_kernel(kernel, constants, options)
            ptx = made.asm["ptx"]
            wide = ptx.count("ld.global.v4.b32") + ptx.count("cp.async.cg.shared.global")
            title = {"kernel": kernel.__name__, "format": name, "wide": wide}
            print(json.dumps(title | _resources(made, Path(os.environ["CUBIN_DIR"]))), flush=True)


def test_compiles_without_spilling(tmp_path):
    pytest.importorskip("triton")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path / "cache"), "CUBIN_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(made) == 4 * len(NAMES)
    assert [row for row in made if row["stack"]] == []
    words = [row for row in made if row["format"] == "Q5_K"]
    assert [row["kernel"] for row in words if row["wide"] == 0] == [], "16 bytes of codes at a time"


if __name__ == "__main__":
    main()
