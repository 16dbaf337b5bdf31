"""compressed-tensors, as llm-compressor writes it: codes in words of 32 bits, inputs in order ("pack-quantized")."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.checkpoint.groups import SCALES, Groups, StoredMatrix, num_words, unpack_words
from tinyllm.checkpoint.quantization_config import QuantizationConfig

PACKED = "pack-quantized"
REORDERED = ("group", "dynamic")  # values of `actorder` by which the inputs of a group lie anywhere
# What options may be: of the checkpoint, of a group of modules, of its weights. Nothing but weights is quantised.
CHECKPOINT = {"format": (PACKED,), "kv_cache_scheme": (None,), "transform_config": (None, {})}
MODULES = {"input_activations": (None,), "output_activations": (None,), "format": (None, PACKED)}
WEIGHTS = {"type": ("int",), "dynamic": (False,)}


class Kind(NamedTuple):
    """How the weights of a group of modules are quantised; `group_size` None for all inputs of a row."""

    bits: int
    group_size: int | None
    symmetric: bool
    reordered: bool


class CompressedTensors:
    """`weight_packed` [n, k*bits/32], `weight_scale` [n, groups], `weight_shape` [2], and two tensors that may lack.

    `weight_zero_point` is [n*bits/32, groups], or an int8 for each group; `weight_g_idx` [k] is the group of every
    input. Codes and zero points lie around 0 and are packed with half of their range added.
    """

    parts = ("weight_packed", "weight_scale", "weight_shape", "weight_zero_point", "weight_g_idx")

    def __init__(self, config: QuantizationConfig) -> None:
        for name, expected in CHECKPOINT.items():
            config.choice(name, expected)
        if config.values.get("sparsity_config"):
            config.object("sparsity_config").choice("format", ("dense",))
        self.kinds = [_kind(modules) for modules in config.objects("config_groups")]

    def shape(self, matrix: StoredMatrix) -> tuple[int, int]:
        """Outputs and inputs."""
        matrix.check("weight_shape", (2,), ("I32", "I64"))
        n, k = matrix.read("weight_shape").tolist()
        _, groups = matrix.sizes("weight_scale")
        kind = self._kind_of(matrix, n, k, groups=groups)
        matrix.check("weight_packed", (n, num_words(k, kind.bits)), ("I32",))
        matrix.check("weight_scale", (n, groups), SCALES)
        matrix.check_groups("weight_scale", groups, k, group_size=kind.group_size)
        if not kind.symmetric or matrix.has("weight_zero_point"):
            packed = matrix.stored_as("weight_zero_point") != "I8"
            rows = num_words(n, kind.bits) if packed else n
            matrix.check("weight_zero_point", (rows, groups), ("I32", "I8"))
        if kind.reordered or matrix.has("weight_g_idx"):
            matrix.check("weight_g_idx", (k,), ("I32", "I64"))
        return n, k

    def groups(self, matrix: StoredMatrix) -> Groups:
        """Codes, scales and zero points."""
        n, k = self.shape(matrix)
        scales = matrix.read_scales("weight_scale")
        groups = scales.shape[1]
        bits = self._kind_of(matrix, n, k, groups=groups).bits
        codes = unpack_words(matrix.read("weight_packed"), bits, k)
        zeros = self._read_zeros(matrix, scales, bits)
        group_of = matrix.read_groups("weight_g_idx", k, groups)
        return Groups(codes, scales, zeros, bits=bits).reordered(group_of)

    def _kind_of(self, matrix: StoredMatrix, n: int, k: int, *, groups: int) -> Kind:
        """The kind with the sizes of a matrix, or the one that comes closest."""

        def differences(kind: Kind) -> tuple[bool, bool]:
            packed = matrix.sizes("weight_packed")
            return packed != (n, num_words(k, kind.bits)), groups * (kind.group_size or k) != k

        return min(self.kinds, key=differences)

    def _read_zeros(
        self, matrix: StoredMatrix, scales: Float[Tensor, "n groups"], bits: int
    ) -> Float[Tensor, "n groups"]:
        """Zero points of unsigned codes; the middle of their range where none are stored."""
        if not matrix.has("weight_zero_point"):
            return torch.full_like(scales, 2 ** (bits - 1))
        if matrix.stored_as("weight_zero_point") == "I8":
            return matrix.read_codes("weight_zero_point", bits).float()
        return unpack_words(matrix.read("weight_zero_point").T, bits, len(scales)).T.float()


def _kind(modules: QuantizationConfig) -> Kind:
    """The weights of a group of modules. Raises ValueError for a kind that is not supported."""
    for name, expected in MODULES.items():
        modules.choice(name, expected)
    weights = modules.object("weights")
    for name, expected in WEIGHTS.items():
        weights.choice(name, expected)
    strategy = weights.choice("strategy", ("group", "channel"))
    return Kind(
        bits=weights.choice("num_bits", (4, 8)),
        group_size=weights.group_size("group_size") if strategy == "group" else None,
        symmetric=weights.choice("symmetric", (True, False)),
        reordered=weights.values.get("actorder") in REORDERED,
    )
