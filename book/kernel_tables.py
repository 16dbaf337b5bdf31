"""Tables of the SYCL kernels beside the Triton kernels, from the records of their machine code."""

from __future__ import annotations

from tinyllm.lab.machine_code import BFLOAT16, RECORDS, SHOWN, machine_code

GPUS = ("pvc", "bmg")
# An operation, and its kernel in each record: the nearest two, which are seldom the same specialisation.
PAIRS = {
    "rms_norm": ("norm", "rms_norm"),
    "norm_and_add": ("norm_and_add", "norm_and_add"),
    "rope_and_store": ("rope_and_store", "rope, half-split"),
    "activate_and_multiply": ("activate_and_multiply", "silu"),
    "bias_and_activate": ("bias_and_activate", "gelu"),
    "linear, 1 row": ("linear, 1 row, RMSNorm", "linear_vector, RMSNorm and gated"),
    "linear, 16 rows": ("linear, 16 rows, RMSNorm", "linear_matrix, RMSNorm and gated"),
    "segment_attention, heads of 128": (
        "segment_attention, 8 rows of 128, matrix",
        "attention, beams, split",
    ),
    "segment_attention, heads of 256": (
        "segment_attention, 8 rows of 256, matrix",
        "attention, large heads",
    ),
}


def sycl_beside_triton() -> str:
    """A table of bfloat16 kernels: two lines for each operation and GPU."""
    lines = ["| operation | GPU | kernel | " + " | ".join(SHOWN) + " |"]
    lines.append("| --- " * (3 + len(SHOWN)) + "|")
    found = {
        (language, row["kernel"], row["GPU"]): row
        for language, record in RECORDS.items()
        for row in machine_code(record)
        if row["dtype"] in BFLOAT16
    }
    for operation, names in PAIRS.items():
        for gpu in GPUS:
            for language, name in zip(RECORDS, names, strict=True):
                row = found.get((language, name, gpu), {})
                numbers = " | ".join(row.get(column, "-") for column in SHOWN)
                lines.append(f"| {operation} | {gpu} | {language}: {name} | {numbers} |")
    return "\n".join(lines)


def choice_on_xpu() -> str:
    """A table of the kernel set that runs each operation on an XPU."""
    from tinyllm.kernels.choice import XPU

    lines = ["| operation | set on an XPU | reason |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {choice.kernels} | {choice.reason} |" for name, choice in XPU.items()]
    return "\n".join(lines)
