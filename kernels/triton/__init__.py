"""The portable kernels: one source for XPU and CUDA, interpreted where there is no GPU."""

from ..torch_kernels import TorchKernels
from .activation import activate_and_multiply, bias_and_activate
from .attention import Workspace, attention_workspace, segment_attention
from .beam_mask import BeamMask, make_beam_mask, reorder_beam_index
from .interpreter import speed_up
from .linear import MAX_PROLOGUE_NORM_ROWS, linear
from .norm import layer_norm, norm_and_add, rms_norm
from .packed_unpack import unpack
from .prefill import prefill_attention
from .qkv import qkv_rope_and_store
from .rope import rope_and_store
from .split_plan import SplitPlan, split_plan_of

__all__ = [
    "MAX_PROLOGUE_NORM_ROWS",
    "TRITON",
    "BeamMask",
    "SplitPlan",
    "TritonKernels",
    "Workspace",
    "activate_and_multiply",
    "attention_workspace",
    "bias_and_activate",
    "layer_norm",
    "linear",
    "make_beam_mask",
    "norm_and_add",
    "prefill_attention",
    "qkv_rope_and_store",
    "reorder_beam_index",
    "rms_norm",
    "rope_and_store",
    "segment_attention",
    "split_plan_of",
    "unpack",
]


class TritonKernels(TorchKernels):
    """The set of these kernels; the signatures are those of `KernelSet`."""

    name = "triton"
    max_prologue_norm_rows = MAX_PROLOGUE_NORM_ROWS
    fuses_qkv_and_rope = True
    planar_blocks = True

    rms_norm = staticmethod(rms_norm)
    layer_norm = staticmethod(layer_norm)
    norm_and_add = staticmethod(norm_and_add)
    rope_and_store = staticmethod(rope_and_store)
    qkv_rope_and_store = staticmethod(qkv_rope_and_store)
    activate_and_multiply = staticmethod(activate_and_multiply)
    bias_and_activate = staticmethod(bias_and_activate)
    linear = staticmethod(linear)
    unpack = staticmethod(unpack)
    segment_attention = staticmethod(segment_attention)
    prefill_attention = staticmethod(prefill_attention)
    reorder_beam_index = staticmethod(reorder_beam_index)
    make_beam_mask = staticmethod(make_beam_mask)
    attention_workspace = staticmethod(attention_workspace)


TRITON = TritonKernels()
speed_up()
