"""How the matrix of a linear layer lies in memory, as kernels receive it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class DenseWeight(NamedTuple):
    """A matrix [n, k], element by element: n*k*s bytes for elements of s bytes."""

    data: Tensor

    @property
    def shape(self) -> torch.Size:
        """Outputs and inputs of the matrix."""
        return self.data.shape

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the elements."""
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        """Where the matrix lies."""
        return self.data.device

    @property
    def nbytes(self) -> int:
        """Bytes that one matmul reads of it."""
        return self.data.nbytes

    @staticmethod
    def nbytes_of(outputs: int, inputs: int, size: int) -> int:
        """Bytes of a matrix of so many outputs and inputs, `size` bytes an element."""
        return outputs * inputs * size
