"""Folders with quantised weights: matrices under transformers' names, in blocks or decoded when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from tinyllm.checkpoint.awq import AWQ
from tinyllm.checkpoint.compressed_tensors import CompressedTensors
from tinyllm.checkpoint.config_files import shorten
from tinyllm.checkpoint.gptq import GPTQ
from tinyllm.checkpoint.groups import BLOCK_SIZES, SMALLEST_BLOCK, Groups, Layout, StoredMatrix
from tinyllm.checkpoint.quantization_config import ADVICE, find_quantization
from tinyllm.checkpoint.torchao import TorchAO
from tinyllm.checkpoint.weights import SafetensorsFolder, Weights
from tinyllm.kernels.weights import PackedRows

METHODS = MappingProxyType(
    {"gptq": GPTQ, "awq": AWQ, "compressed-tensors": CompressedTensors, "torchao": TorchAO}
)


def find_layout(folder: Path, values: Mapping[str, Any]) -> Layout | None:
    """How the weights of a folder are quantised, by the values of its config.json; None where they are dense.

    Raises ValueError naming a method or an option that is not supported.
    """
    config = find_quantization(folder, values)
    if config is None:
        return None
    method = config.values.get("quant_method")
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"{config.path}: {config.place}.quant_method is {shorten(repr(method))}, which is not supported: "
            f"expected none or one of {list(METHODS)}; {ADVICE}"
        )
    return METHODS[method](config)


class QuantisedFolder(Weights):
    """The tensors of a folder; those that make up a quantised matrix are one tensor `weight` of their module.

    Raises ValueError naming a tensor that is absent or does not fit the others of its matrix.
    """

    def __init__(self, stored: SafetensorsFolder, layout: Layout) -> None:
        self.stored = stored
        self.layout = layout
        self.matrices: dict[str, StoredMatrix] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.unread: dict[str, str] = {}
        for name, shape in stored.shapes.items():
            module, _, part = name.rpartition(".")
            if part in layout.parts:
                self.matrices[f"{module}.weight"] = StoredMatrix(stored, module)
            else:
                self.shapes[name] = shape
        for name, matrix in self.matrices.items():
            if name in self.shapes:
                raise ValueError(
                    f"{stored.file(name)}: tensor {name!r} is stored dense and quantised too: expected one of both"
                )
            self.shapes[name] = layout.shape(matrix)

    @property
    def dtype(self) -> torch.dtype:
        """The format of the first tensor that is no quantised one."""
        return self.stored.dtype

    def add_alias(self, name: str, stored: str) -> None:
        """Offer the tensor `stored` as `name` too, where there is none of that name."""
        if name in self.shapes or stored not in self.shapes:
            return
        self.shapes[name] = self.shapes[stored]
        if stored in self.matrices:
            self.matrices[name] = self.matrices[stored]
        else:
            self.stored.add_alias(name, stored)

    def check(self, name: str) -> None:
        """Raise ValueError where `name` is stored in a way that cannot be read."""
        if name not in self.matrices:  # the tensors of a matrix were checked with their shapes
            self.stored.check(name)

    def is_zero_bias(self, name: str) -> bool:
        """Whether a tensor is a bias of zeros: AutoGPTQ stores one beside every matrix, needed or not."""
        module, _, kind = name.rpartition(".")
        if kind != "bias" or f"{module}.weight" not in self.matrices:
            return False
        self.check(name)
        return not self.read(name).any()

    def read(self, name: str) -> Tensor:
        """One tensor, matrices decoded to float32."""
        return self._groups(name).dense() if name in self.matrices else self.stored.read(name)

    def packed(self, name: str, dtype: torch.dtype) -> PackedRows | None:
        """A matrix in blocks; None where it is stored dense, or its groups make up no blocks."""
        if name not in self.matrices:
            return None
        groups = self._groups(name)
        if groups.size % SMALLEST_BLOCK == 0:
            return groups.packed()
        self.unread[name] = f"groups that are no multiple of {SMALLEST_BLOCK} inputs in order"
        return None

    def block_elements(self, name: str) -> int:
        """Columns of the largest block that a quantised matrix may be packed in; 1 for others."""
        return BLOCK_SIZES[0] if name in self.matrices else 1

    def unread_encoding(self, name: str) -> str | None:
        """The groups of a quantised matrix that `packed` found to make up no blocks; None for others."""
        return self.unread.get(name)

    def _groups(self, name: str) -> Groups:
        return self.layout.groups(self.matrices[name])

    def file(self, name: str | None) -> str:
        """The file that holds a tensor, or the folder."""
        matrix = self.matrices.get(name or "")
        return self.stored.file(name if matrix is None else matrix.name(self.layout.parts[0]))
