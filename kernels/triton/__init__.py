"""The portable kernels: one source for XPU and CUDA, interpreted where there is no GPU."""

from .activation import activate_and_multiply, bias_and_activate
from .linear import linear
from .norm import add_layer_norm, add_rms_norm, layer_norm, rms_norm
from .rope import rope_and_store

__all__ = [
    "activate_and_multiply",
    "add_layer_norm",
    "add_rms_norm",
    "bias_and_activate",
    "layer_norm",
    "linear",
    "rms_norm",
    "rope_and_store",
]
