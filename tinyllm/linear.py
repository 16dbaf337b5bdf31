"""The modules of a decoder that own weights: matrices, tables and norms. Kernels receive their storage."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.kernels.torch_kernels import split_heads
from tinyllm.kernels.weights import DenseWeight

DIGEST_SIZE = 64  # elements of a weight that its digest is made of
QKV = tuple[Float[Tensor, "b h t d"], Float[Tensor, "b g t d"], Float[Tensor, "b g t d"]]


class Norm(nn.Module):
    """Weight `[m]`, bias `[m]` and epsilon of one normalisation: a LayerNorm where there is a bias, else an RMSNorm."""

    weight: Float[Tensor, " m"]
    bias: Float[Tensor, " m"] | None

    def __init__(self, size: int, eps: float, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(_empty(size), requires_grad=False)
        self.bias = nn.Parameter(_empty(size), requires_grad=False) if bias else None
        self.eps = eps


class HeadNorms(NamedTuple):
    """The RMSNorms of every head of q and of k, in front of RoPE."""

    q: Float[Tensor, " d"]
    k: Float[Tensor, " d"]
    eps: float


class Linear(nn.Module):
    """y = x W^T + b. The weight is read here alone: kernels receive `storage`.

    >>> Linear(4, 2).storage.shape
    torch.Size([2, 4])
    """

    bias: Float[Tensor, " n"] | None

    def __init__(self, in_features: int, out_features: int, bias: bool = False) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = nn.Parameter(_empty(out_features, in_features), requires_grad=False)
        self.bias = nn.Parameter(_empty(out_features), requires_grad=False) if bias else None

    @property
    def storage(self) -> DenseWeight:
        """The weight as kernels receive it."""
        return DenseWeight(self.weight)

    @property
    def nbytes(self) -> int:
        """Bytes of weight and bias, read once by every matmul."""
        return self.storage.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def matmul(self, x: Float[Tensor, "*rows k"], *, bias: bool = True) -> Float[Tensor, "*rows n"]:
        """x W^T + b as torch computes it; without b where `bias` is False."""
        return F.linear(x, self.weight, self.bias if bias else None)

    def matmul_blocks(
        self, x: Float[Tensor, "*rows k"], sizes: list[int]
    ) -> list[Float[Tensor, "*rows _"]]:
        """One matmul for each block of so many rows of a merged matrix, as if they had never been merged."""
        weights = self.weight.split(sizes)
        biases = [None] * len(sizes) if self.bias is None else self.bias.split(sizes)
        return [F.linear(x, weight, bias) for weight, bias in zip(weights, biases, strict=True)]


class QKVLinear(Linear):
    """The query, key and value projections as one matrix, and the norms of their heads, where a model has them.

    The rows are those of all query heads, of all key heads, of all value heads; or, where `per_head`, query, key and
    value of the first head, then of the next.
    """

    def __init__(self, config: DecoderConfig) -> None:
        heads = [config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads]
        row_sizes = [n * config.head_dim for n in heads]
        super().__init__(config.hidden_size, sum(row_sizes), bias=config.qkv_bias)
        self.row_sizes = row_sizes
        self.num_key_value_heads = config.num_key_value_heads
        self.head_dim = config.head_dim
        self.per_head = config.qkv_per_head
        self.has_head_norms = config.head_norms
        if config.head_norms:
            self.q_norm = Norm(config.head_dim, config.norm_eps)
            self.k_norm = Norm(config.head_dim, config.norm_eps)

    @property
    def head_norms(self) -> HeadNorms | None:
        """The norms of the heads of q and k."""
        if not self.has_head_norms:
            return None
        return HeadNorms(self.q_norm.weight, self.k_norm.weight, self.q_norm.eps)

    def split_heads(self, merged: Float[Tensor, "b t n"]) -> QKV:
        """The outputs as heads of queries, keys and values: views."""
        return split_heads(merged, self.num_key_value_heads, self.head_dim, per_head=self.per_head)


class Embedding(nn.Module):
    """A table with one row for each token or position.

    >>> Embedding(5, 3).storage.shape
    torch.Size([5, 3])
    """

    def __init__(self, rows: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_empty(rows, size), requires_grad=False)

    @property
    def storage(self) -> DenseWeight:
        """The table as kernels receive it."""
        return DenseWeight(self.weight)

    def forward(self, ids: Int[Tensor, "*ids"]) -> Float[Tensor, "*ids m"]:
        """One row for each id."""
        return F.embedding(ids, self.weight)


class StorageSize(NamedTuple):
    """Weights of a model: their number and their bytes, tied ones once."""

    elements: int
    nbytes: int


def storage_size(model: nn.Module) -> StorageSize:
    """The weights of all modules together."""
    parameters = list(model.parameters())
    return StorageSize(sum(p.numel() for p in parameters), sum(p.nbytes for p in parameters))


def weights_digest(model: nn.Module) -> str:
    """A digest of up to 2 * `DIGEST_SIZE` elements of every weight, and of its format.

    It is the same for copies of a model. An edit that leaves those elements as they are is not seen.
    """
    tensors = [x.detach().flatten() for x in (*model.parameters(), *model.buffers())]
    values = torch.cat([x[:: max(1, x.numel() // DIGEST_SIZE)].float() for x in tensors])
    dtypes = "".join(str(x.dtype) for x in tensors)
    data = values.cpu().numpy().tobytes() + dtypes.encode()
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _empty(*shape: int) -> Tensor:
    """A shape without memory, which comes with the weights that are loaded."""
    return torch.empty(shape, dtype=torch.float32, device="meta")
