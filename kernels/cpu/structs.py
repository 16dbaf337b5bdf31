"""The structures of interface.hpp, member by member, and the library's functions with types."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
ACTIVATIONS = {None: 0, "silu": 1, "gelu": 2, "gelu_pytorch_tanh": 3, "relu": 4}
NO_MEMORY, BAD_TOKEN, BAD_BEAM_INDEX = 1, 2, 3  # what a function of the library returns; 0: done


def members(**groups: str) -> list[tuple[str, type]]:
    """Members of a structure in order, of alternating types: names by type."""
    types = {"pointer": c_void_p, "long": c_int64, "int": c_int32, "float": c_float}
    return [(name, types[kind]) for kind, names in groups.items() for name in names.split()]


class MatrixPart(Structure):
    """Rows of one format, by its number in ggml."""

    _fields_ = members(pointer="data", long="rows row_bytes", int="format")


class Matrix(Structure):
    """The rows of its parts, one part below the other. A copy in another structure keeps the array of parts alive."""

    _fields_ = [("parts", POINTER(MatrixPart)), *members(long="num_parts")]


class LayerWeights(Structure):
    """Addresses of a layer's weights."""

    _fields_ = [
        *((name, Matrix) for name in ("qkv", "o", "gate_up", "down")),
        *members(
            pointer="attention_norm attention_norm_bias qkv_bias o_bias"
            " mlp_norm mlp_norm_bias gate_up_bias down_bias"
            " q_norm k_norm attention_post_norm mlp_post_norm",
            long="window frequency_set",
        ),
    ]


class ModelArgs(Structure):
    """A model: addresses of its weights, sizes and options."""

    _fields_ = [
        *members(pointer="layers"),
        ("embedding", Matrix),
        ("lm_head", Matrix),
        *members(
            pointer="norm norm_bias lm_head_bias frequencies slopes",
            long="num_layers hidden_size intermediate_size vocab_size",
            int="dtype h g d num_frequency_sets num_pairs interleaved activation gated per_head parallel post_norms",
            float="eps",
        ),
    ]


class AttentionMask(Structure):
    """Which keys a query sees."""

    _fields_ = members(
        pointer="lengths beam_index prompt_positions slopes",
        long="beam_index_batch beam_index_beam prompt_positions_batch window",
        float="scale softcap",
    )


class LayerKV(Structure):
    """Addresses of a layer's keys and values, and of their scales where they are int8."""

    _fields_ = members(
        pointer="prompt_k prompt_v response_k response_v"
        " prompt_k_scale prompt_v_scale response_k_scale response_v_scale"
    )


class StepArgs(Structure):
    """One decode step: what changes from token to token."""

    _fields_ = [
        *members(
            pointer="layers inputs_embeds tokens positions logits",
            long="positions_batch"
            " prompt_batch prompt_head prompt_token prompt_scale_batch prompt_scale_head"
            " response_batch response_head response_token response_scale_batch response_scale_head",
        ),
        ("mask", AttentionMask),
        *members(int="b w num_threads"),
    ]


class GemvArgs(Structure):
    """A linear layer with its prologue and epilogue."""

    _fields_ = [
        ("weight", Matrix),
        *members(
            pointer="x bias norm norm_bias residuals residual_strides out",
            long="x_stride k n",
            int="dtype rows activation gated num_residuals num_threads",
            float="eps",
        ),
    ]


class MatmulArgs(Structure):
    """A matrix product with many rows of activations."""

    _fields_ = [
        ("weight", Matrix),
        *members(
            pointer="x bias residual out",
            long="x_stride residual_stride rows k n",
            int="num_threads",
        ),
    ]


class UnpackArgs(Structure):
    """Rows of a part in blocks, as a dense matrix."""

    _fields_ = [
        ("part", MatrixPart),
        *members(pointer="out", long="first last k", int="dtype num_threads"),
    ]


class KVSegment(Structure):
    """Keys and values [b, g, tokens, d], and scales [b, g, tokens] where they are int8; strides in elements."""

    _fields_ = members(
        pointer="k v k_scale v_scale", long="batch head token scale_batch scale_head"
    )


class AttentionShape(Structure):
    """Requests, sequences of each, query heads, key/value heads, head size."""

    _fields_ = members(int="b w h g d")


class SegmentAttentionArgs(Structure):
    """Arguments of `tinyllm_segment_attention`."""

    _fields_ = [
        *members(pointer="q out", long="q_batch q_head q_beam"),
        ("prompt", KVSegment),
        ("response", KVSegment),
        ("mask", AttentionMask),
        ("shape", AttentionShape),
        *members(int="dtype num_threads"),
    ]


class Library:
    """The functions of cpu.cpp."""

    def __init__(self, path: Path) -> None:
        loaded = ctypes.CDLL(str(path))

        def function(name: str, result: type | None, *arguments: type):
            found = getattr(loaded, f"tinyllm_{name}")
            found.restype = result
            found.argtypes = arguments
            return found

        attention_args = POINTER(SegmentAttentionArgs)
        self.new_scratch = function("new_scratch", c_void_p)
        self.free_scratch = function("free_scratch", None, c_void_p)
        self.lanes = function("lanes", ctypes.c_int)
        self.step = function("step", ctypes.c_int, POINTER(ModelArgs), POINTER(StepArgs), c_void_p)
        self.linear = function("linear", None, POINTER(GemvArgs))
        self.matmul = function("matmul", ctypes.c_int, POINTER(MatmulArgs), c_void_p)
        self.unpack = function("unpack", None, POINTER(UnpackArgs))
        self.segment_attention = function(
            "segment_attention", ctypes.c_int, attention_args, c_void_p
        )


class Scratch:
    """Memory for the library's intermediate results, freed with this object."""

    def __init__(self, library: Library) -> None:
        self.free = library.free_scratch
        self.address = library.new_scratch()
        if not self.address:
            raise MemoryError("no memory for intermediate results of the CPU kernels")

    def __del__(self) -> None:
        if getattr(self, "address", None):
            self.free(self.address)


def address(tensor: Tensor | None) -> int | None:
    """Where a tensor begins; None for none."""
    return None if tensor is None else tensor.data_ptr()
