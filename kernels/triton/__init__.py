"""The portable kernels: one source for XPU and CUDA, interpreted where there is no GPU."""

from .activation import activate_and_multiply, bias_and_activate
from .attention import cut_of, segment_attention, workspace
from .linear import NORM_ROWS, linear
from .norm import add_layer_norm, add_rms_norm, layer_norm, norm_and_add, rms_norm
from .paths import follow, seen_by
from .prompt import prompt_attention
from .qkv import qkv_rope_and_store
from .rope import rope_and_store

__all__ = [
    "NORM_ROWS",
    "activate_and_multiply",
    "add_layer_norm",
    "add_rms_norm",
    "bias_and_activate",
    "cut_of",
    "follow",
    "layer_norm",
    "linear",
    "norm_and_add",
    "prompt_attention",
    "qkv_rope_and_store",
    "rms_norm",
    "rope_and_store",
    "seen_by",
    "segment_attention",
    "workspace",
]
