"""What Intel's Triton compiles for: the properties of a GPU, as its driver would report them.

Only in a process that `compiler.environment` describes.
"""

from __future__ import annotations

from typing import Any

from triton.backends import backends
from triton.backends.compiler import BaseBackend, GPUTarget

MATRIX_ENGINE = "has_subgroup_matrix_multiply_accumulate"
MAX = {
    "sub_group_sizes": [16, 32],
    MATRIX_ENGINE: True,
    f"{MATRIX_ENGINE}_tensor_float32": True,
    "has_subgroup_2d_block_io": True,
    "has_bfloat16_conversions": True,
}
ARC_A = MAX | {"sub_group_sizes": [8, 16, 32], "has_subgroup_2d_block_io": False}
# Matrix engine and 2D blocks are functions of a GPU's driver: without them tl.dot becomes multiplications.
CPU: dict[str, Any] = dict.fromkeys(MAX, False) | {"sub_group_sizes": [16, 32]}
PROPERTIES = {"pvc": MAX, "bmg": MAX, "lnl": MAX, "dg2": ARC_A, "cpu": CPU}
CPU_LANES = 16  # of a sub-group on the CPU; with 32 a kernel with tl.dot compiles for minutes
# The words of this release for the size of the register file; it ignores the later ones, 128 and 256.
GRF_MODES = {"128": "small", "256": "large"}
BACKEND = backends["intel"].compiler


def target_of(device: str) -> GPUTarget:
    """The target of `triton.compile` for one of PROPERTIES."""
    return GPUTarget("xpu", PROPERTIES[device], 32)


def options_of(launch_options: dict[str, Any]) -> dict[str, Any]:
    """The options of a launch, in the words of this release."""
    mode = launch_options.get("grf_mode")
    if mode is None:
        return launch_options
    return launch_options | {"grf_mode": GRF_MODES.get(mode, mode)}


def _init_backend(self: Any, target: GPUTarget) -> None:
    """The constructor of Intel's backend without the C++ helper that reads a GPU's name."""
    BaseBackend.__init__(self, target)
    self.device_arch = ""
    self.binary_ext = "spv"
    self.properties = self.parse_target(target.arch)


def _parse_options(self: Any, options: dict[str, Any], parse: Any = BACKEND.parse_options) -> Any:
    """The options of a launch; without a matrix engine, as many lanes as suit the CPU."""
    parsed = parse(self, options_of(options))
    if not self.properties[MATRIX_ENGINE] and "threads_per_warp" not in options:
        parsed.threads_per_warp = CPU_LANES
    return parsed


BACKEND.__init__ = _init_backend
BACKEND.parse_options = _parse_options
