"""The structures of interface.hpp, member by member, and the library's functions with their types."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

FORMATS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
ACTIVATIONS = {None: 0, "silu": 1, "gelu": 2, "gelu_pytorch_tanh": 3, "relu": 4}


def members(**groups: str) -> list[tuple[str, type]]:
    """Members of a structure in order, of alternating types; `_2` and so on tell groups of the same type apart."""
    types = {"pointer": c_void_p, "long": c_int64, "int": c_int32, "float": c_float}
    return [(name, types[kind.split("_")[0]]) for kind, names in groups.items() for name in names.split()]


class LayerWeights(Structure):
    """Addresses of a layer's weights."""

    _fields_ = members(
        pointer="attention_norm attention_norm_bias qkv qkv_bias o o_bias"
        " mlp_norm mlp_norm_bias up up_bias down down_bias q_norm k_norm attention_post_norm mlp_post_norm",
        long="window kind",
    )


class Model(Structure):
    """What `tinyllm_step` knows of a model."""

    _fields_ = members(
        pointer="layers embedding norm norm_bias head head_bias frequencies slopes",
        long="layer_count hidden inner vocabulary",
        int="format h g d kinds pairs interleaved activation gated per_head parallel post_norms",
        float="eps",
    )


class Sight(Structure):
    """What sequences may see."""

    _fields_ = members(
        pointer="lengths ancestry positions slopes",
        long="ancestry_batch ancestry_row positions_batch window",
        float="scale softcap",
    )


class LayerMemory(Structure):
    """Addresses of a layer's keys and values."""

    _fields_ = members(pointer="prompt_k prompt_v response_k response_v")


class Call(Structure):
    """What is new in every step."""

    _fields_ = [
        *members(
            pointer="layers embedded tokens positions logits",
            long="positions_batch prompt_batch prompt_head prompt_token response_batch response_head response_token",
        ),
        ("sight", Sight),
        *members(int="b w threads"),
    ]


class Product(Structure):
    """A linear layer and what rides on it."""

    _fields_ = members(
        pointer="x weight bias norm norm_bias residuals residual_strides out",
        long="x_stride k n",
        int="format rows activation gated residual_count threads",
        float="eps",
    )


class Memory(Structure):
    """Keys and values [b, g, tokens, d], strides in elements."""

    _fields_ = members(pointer="k v", long="batch head token")


class Heads(Structure):
    """Requests, sequences of each, query heads, key/value heads, head size."""

    _fields_ = members(int="b w h g d")


class SegmentAttention(Structure):
    """Arguments of `tinyllm_segment_attention`."""

    _fields_ = [
        *members(pointer="q out", long="q_batch q_head q_row"),
        ("prompt", Memory),
        ("response", Memory),
        ("sight", Sight),
        ("heads", Heads),
        *members(int="format threads"),
    ]


class Library:
    """The functions of cpu.cpp."""

    def __init__(self, path: Path) -> None:
        loaded = ctypes.CDLL(str(path))

        def function(name: str, result: type | None, *arguments: type):
            found = getattr(loaded, f"tinyllm_{name}")
            found.restype, found.argtypes = result, arguments
            return found

        self.workspace = function("workspace", c_void_p)
        self.free = function("free", None, c_void_p)
        self.lanes = function("lanes", ctypes.c_int)
        self.step = function("step", ctypes.c_int, POINTER(Model), POINTER(Call), c_void_p)
        self.linear = function("linear", None, POINTER(Product))
        self.segment_attention = function("segment_attention", ctypes.c_int, POINTER(SegmentAttention), c_void_p)


class Workspace:
    """Memory of the library's own, freed with this object."""

    def __init__(self, library: Library) -> None:
        self.free, self.address = library.free, library.workspace()
        if not self.address:
            raise MemoryError("no memory for a workspace of the CPU kernels")

    def __del__(self) -> None:
        if getattr(self, "address", None):
            self.free(self.address)


def address(tensor: Tensor | None) -> int | None:
    """Where a tensor begins; None for none."""
    return None if tensor is None else tensor.data_ptr()


def checked(name: str, tensor: Tensor | None, dtype: torch.dtype, shape: Iterable[int | None]) -> None:
    """Raise ValueError unless a tensor, where there is one, is of this format, lies on the CPU with neighbours along
    its last axis, and is at least as large as `shape`."""
    if tensor is None:
        return
    if tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ValueError(f"{name} is {tensor.dtype} on {tensor.device}, expected {dtype} on cpu")
    if tensor.ndim != len(shape := list(shape)):
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected {len(shape)} axes")
    if any(size < least for size, least in zip(tensor.shape, shape, strict=True)):
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected at least {shape}")
    if tensor.numel() and tensor.shape[-1] > 1 and tensor.stride(-1) != 1:
        raise ValueError(f"{name} has strides {tensor.stride()}: the last axis must be contiguous")
