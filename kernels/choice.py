"""The kernel set that runs each operation on an XPU, and why: what `for_device` returns there, as a table."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """The name of a kernel set, and the reason."""

    kernels: str
    reason: str


BY_BYTES = "limited by bytes: either set loads 16 bytes a lane and spills nothing"
ONLY_TRITON = "SYCL has no kernel, and would inherit torch's operations"
XPU = {
    "rms_norm": Choice("triton", BY_BYTES),
    "layer_norm": Choice("triton", BY_BYTES),
    "norm_and_add": Choice("triton", BY_BYTES),
    "rope_and_store": Choice("triton", "loads 16 bytes a lane; the SYCL kernel does not"),
    "activate_and_multiply": Choice("triton", BY_BYTES),
    "bias_and_activate": Choice("triton", BY_BYTES),
    "linear": Choice(
        "triton",
        "limited by bytes, dense or packed; for several rows Triton's has the matrix engine, and of dense "
        "weights 2D blocks and prefetches",
    ),
    "unpack": Choice(
        "triton", "limited by bytes; either set reads the same planes; neither was timed"
    ),
    "qkv_rope_and_store": Choice("triton", ONLY_TRITON),
    "segment_attention": Choice(
        "triton",
        "neither spills; Triton's has 2D blocks and prefetches, and joins its splits in the same launch, "
        "SYCL's takes a second one; neither was timed",
    ),
    "prefill_attention": Choice("triton", ONLY_TRITON),
    "reorder_beam_index": Choice("triton", ONLY_TRITON),
    "make_beam_mask": Choice("triton", ONLY_TRITON),
}
