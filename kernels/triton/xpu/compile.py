"""Compile kernels to SPIR-V in a process of its own, which `compiler.environment` describes.

`python -m tinyllm.kernels.triton.xpu.compile FOLDER --device pvc --dtypes bf16 NAME ...` writes a file for each variant
and prints what belongs to it, a JSON object a line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import triton

from ..variants import Variant, source_of, variants
from .target import PROPERTIES, options_of, target_of

# The formats differ in loads and stores, and in what the compiler makes of blocks: the first for all variants, the
# others for those with blocks and for every fifth.
SAMPLE = 5


def compile_variant(
    variant: Variant, dtype: str, device: str
) -> tuple[bytes, dict[str, str | int]]:
    """The SPIR-V of a variant, and its name, sub-groups, bytes of local memory and build options."""
    compiled = triton.compile(
        source_of(variant, dtype),
        target=target_of(device),
        options=options_of(variant.launch.options),
    )
    metadata = compiled.metadata
    return compiled.kernel, {
        "name": variant.name,
        "dtype": dtype,
        "kernel": metadata.name,
        "num_warps": metadata.num_warps,
        "local_memory": metadata.shared,
        "block_loads": bool(variant.constants.get("BLOCK_LOADS")),
        "options": metadata.build_flags,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Compile the variants named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device", choices=PROPERTIES, default="pvc")
    parser.add_argument("--dtypes", nargs="+", default=["bf16"])
    options = parser.parse_args(arguments)
    for number, variant in enumerate(variants("xpu")):
        if options.names and variant.name not in options.names:
            continue
        sample = options.names or number % SAMPLE == 0 or variant.constants.get("BLOCK_LOADS")
        for dtype in options.dtypes if sample else options.dtypes[:1]:
            spirv, facts = compile_variant(variant, dtype, options.device)
            path = options.folder / f"{options.device}-{number}-{dtype}.spv"
            path.write_bytes(spirv)
            print(json.dumps(facts | {"path": str(path)}), flush=True)


if __name__ == "__main__":
    main()
