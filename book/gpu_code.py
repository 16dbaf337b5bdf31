"""The Triton kernels as code of a GPU, run on Intel's OpenCL driver for the CPU: the record.

`python book/gpu_code.py` writes `book/results/gpu-code.json`. What runs is what Intel's Triton makes for a GPU, with
the launches of "xpu"; the matrix engine and the 2D blocks are functions of `kernels/triton/xpu/gpu_functions.cl`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from tinyllm.check.compiled import Outcome, run_kernel
from tinyllm.kernels.triton.xpu import compiler, opencl

RECORD = Path(__file__).parent / "results" / "gpu-code.json"
GPU = "pvc"  # the same SPIR-V as for Battlemage and Lunar Lake
# Kernel, formats, every n-th case, cases whose title matches: each case takes seconds, of attention up to a minute.
RUNS = (
    ("linear", ("bf16", "fp16"), 2, r"^([2-9]|16) "),
    ("qkv_rope_and_store", ("bf16",), 1, "b2 t1 h9"),
    (
        "prefill_attention",
        ("bf16", "fp16"),
        1,
        "^b1 h4 g4 d64, 5 .*, padded$|^b1 h3 g1 d80, .* 17$",
    ),
    ("segment_attention", ("bf16",), 1, "^b2 h6 g2 w4 d64, 33 .*, paths|^grouped heads of 80"),
)


def summary(kernel: str, dtype: str, outcomes: Iterable[Outcome]) -> dict:
    """One row of the record: cases by outcome, the largest error, and what the code called."""
    found = list(outcomes)
    return {
        "kernel": kernel,
        "dtype": dtype,
        "right": sum(one.word == "right" for one in found),
        "not_right": [f"{one.job.case.title}: {one.wrong}" for one in found if one.wrong],
        "largest_error": max(one.error for one in found),
        "calls": sorted({call for one in found for call in one.gpu_calls}),
        "seconds": round(sum(one.seconds for one in found), 1),
    }


def main() -> int:
    """Run all cases; returns 1 where one is not right."""
    rows = []
    for kernel, dtypes, every, match in RUNS:
        for dtype in dtypes:
            rows.append(summary(kernel, dtype, run_kernel(kernel, [dtype], every, match, GPU)))
            print(rows[-1], flush=True)
    driver = opencl.cpu_of(compiler.cache_folder() / "cpu").device_text(opencl.DRIVER_VERSION)
    record = {
        "machine": f"Intel's CPU runtime, {driver}",
        "compiler": f"triton-xpu {compiler.RELEASE}",
        "gpu": GPU,
        "date": str(date.today()),
        "rows": rows,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    return 1 if any(row["not_right"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
