"""The modules of a decoder that own weights: matrices, tables and norms. Kernels receive their storage."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.kernels.packed import lookup, unpack_matrix
from tinyllm.kernels.torch_kernels import split_heads
from tinyllm.kernels.weights import DenseWeight, PackedRows, PackedWeight, Weight

DIGEST_SIZE = 64  # elements of a weight that its digest is made of
QKV = tuple[Float[Tensor, "b h t d"], Float[Tensor, "b g t d"], Float[Tensor, "b g t d"]]


class Norm(nn.Module):
    """Weight `[m]`, bias `[m]` and epsilon of one normalisation: a LayerNorm where there is a bias, else an RMSNorm."""

    weight: Float[Tensor, " m"]
    bias: Float[Tensor, " m"] | None

    def __init__(self, size: int, eps: float, bias: bool = False) -> None:
        super().__init__()
        self.weight = _fixed(_empty(size))
        self.bias = _fixed(_empty(size)) if bias else None
        self.eps = eps


class HeadNorms(NamedTuple):
    """The RMSNorms of every head of q and of k, in front of RoPE."""

    q: Float[Tensor, " d"]
    k: Float[Tensor, " d"]
    eps: float


class PackedBlocks(nn.Module):
    """The blocks of a packed matrix, a parameter for each of its parts; `.to` changes the dtype of activations."""

    def __init__(self, weight: PackedWeight) -> None:
        super().__init__()
        self.formats = weight.formats
        self.planar = weight.parts[0].planar
        self.blocks = nn.ParameterList(_fixed(part.blocks) for part in weight.parts)
        self.register_buffer(
            "activation", torch.empty(0, dtype=weight.dtype, device=weight.device), persistent=False
        )

    @property
    def weight(self) -> PackedWeight:
        """The matrix as kernels receive it."""
        pairs = zip(self.blocks, self.formats, strict=True)
        parts = (PackedRows(blocks, one, self.planar) for blocks, one in pairs)
        return PackedWeight(tuple(parts), self.activation.dtype)

    def arrange(self, planar: bool) -> None:
        """Arrange the blocks for a set of kernels, in as many bytes; planar ones of one format are one part."""
        if planar == self.planar:
            return
        parts = [part.arranged(planar) for part in _merged(self.weight.parts, planar)]
        self.blocks = nn.ParameterList(_fixed(part.blocks) for part in parts)
        self.formats = tuple(part.format for part in parts)
        self.planar = planar


class Matrix(nn.Module):
    """A matrix `[n, k]` that owns its storage: dense, the parameter `weight`, or `packed` in blocks.

    >>> Matrix(2, 4).storage.shape
    torch.Size([2, 4])
    """

    weight: Float[Tensor, "n k"] | None

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = _fixed(_empty(rows, columns))
        self.packed: PackedBlocks | None = None

    @property
    def storage(self) -> Weight:
        """The weight as kernels receive it."""
        return DenseWeight(self.weight) if self.packed is None else self.packed.weight

    def pack(self, weight: PackedWeight) -> None:
        """Keep blocks in the place of a dense weight."""
        self.weight = None
        self.packed = PackedBlocks(weight)

    def tie(self, other: Matrix) -> None:
        """Share the storage of another matrix."""
        self.weight = other.weight
        self.packed = other.packed


class Linear(Matrix):
    """y = x W^T + b. The weight is read here alone: kernels receive `storage`."""

    bias: Float[Tensor, " n"] | None

    def __init__(self, in_features: int, out_features: int, bias: bool = False) -> None:
        super().__init__(out_features, in_features)
        self.in_features = in_features
        self.out_features = out_features
        self.bias = _fixed(_empty(out_features)) if bias else None

    @property
    def nbytes(self) -> int:
        """Bytes of weight and bias, read once by every matmul."""
        return self.storage.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def matmul(self, x: Float[Tensor, "*rows k"], *, bias: bool = True) -> Float[Tensor, "*rows n"]:
        """x W^T + b as torch computes it; without b where `bias` is False. Packed rows are dense for this long."""
        return F.linear(x, self.dense(0, self.out_features), self.bias if bias else None)

    def matmul_blocks(
        self, x: Float[Tensor, "*rows k"], sizes: list[int]
    ) -> list[Float[Tensor, "*rows _"]]:
        """One matmul for each block of so many rows of a merged matrix, as if they had never been merged."""
        biases = [None] * len(sizes) if self.bias is None else self.bias.split(sizes)
        last = list(accumulate(sizes))
        first = [0, *last[:-1]]
        return [
            F.linear(x, self.dense(*rows), bias)
            for *rows, bias in zip(first, last, biases, strict=True)
        ]

    def dense(self, first: int, last: int) -> Float[Tensor, "rows k"]:
        """Rows `first` to `last`: a view, or unpacked."""
        if self.packed is None:
            return self.weight[first:last]
        return unpack_matrix(self.packed.weight, first, last)


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


class Embedding(Matrix):
    """A table with one row for each token or position."""

    def forward(self, ids: Int[Tensor, "*ids"]) -> Float[Tensor, "*ids m"]:
        """One row for each id."""
        if self.packed is not None:
            return lookup(self.packed.weight, ids)
        return F.embedding(ids, self.weight)


class StorageSize(NamedTuple):
    """Weights of a model: their number and their bytes, tied ones once."""

    elements: int
    nbytes: int


def storage_size(model: nn.Module) -> StorageSize:
    """The weights of all modules together."""
    parameters = list(model.parameters())
    packed = [module.weight for module in model.modules() if isinstance(module, PackedBlocks)]
    elements = sum(p.numel() for p in parameters)
    elements += sum(weight.shape.numel() - weight.nbytes for weight in packed)
    return StorageSize(elements, sum(p.nbytes for p in parameters))


def packed_formats(model: nn.Module) -> list[str]:
    """The formats of packed matrices, the one with most bytes first; none where all are dense."""
    sizes: Counter[str] = Counter()
    for module in model.modules():
        if isinstance(module, PackedBlocks):
            for part in module.weight.parts:
                sizes[part.format.name] += part.blocks.nbytes
    return [name for name, _ in sizes.most_common()]


def formats_as_text(model: nn.Module) -> str:
    """What the weights are kept in."""
    packed = packed_formats(model)
    matrices = [x.weight for x in model.modules() if isinstance(x, Matrix) and x.packed is None]
    tensors = [*matrices, *model.parameters()]
    dense = f"dense {str(tensors[0].dtype).removeprefix('torch.')}"
    if not packed:
        return dense
    return ", ".join([f"packed {', '.join(packed)}", *([dense] if matrices else [])])


def arrange_blocks(model: nn.Module, planar: bool | None) -> None:
    """Arrange all packed blocks for a set of kernels; None where either arrangement will do."""
    for module in model.modules():
        if planar is not None and isinstance(module, PackedBlocks):
            module.arrange(planar)


def weights_digest(model: nn.Module) -> str:
    """A digest of up to 2 * `DIGEST_SIZE` elements of every weight, and of its format.

    It is the same for copies of a model. An edit that leaves those elements as they are is not seen.
    """
    tensors = [x.detach().flatten() for x in (*model.parameters(), *model.buffers())]
    values = torch.cat([x[:: max(1, x.numel() // DIGEST_SIZE)].float() for x in tensors])
    dtypes = "".join(str(x.dtype) for x in tensors)
    data = values.cpu().numpy().tobytes() + dtypes.encode()
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _merged(parts: Sequence[PackedRows], planar: bool) -> list[PackedRows]:
    """For planes, one part of neighbours in one format, still block by block; else the parts as they are."""
    if not planar:
        return list(parts)
    groups = [list(group) for _, group in groupby(parts, lambda part: part.format.name)]
    return [
        group[0]._replace(blocks=torch.cat([part.blocks for part in group])) for group in groups
    ]


def _fixed(tensor: Tensor) -> nn.Parameter:
    """A parameter that is never trained."""
    return nn.Parameter(tensor, requires_grad=False)


def _empty(*shape: int) -> Tensor:
    """A shape without memory, which comes with the weights that are loaded."""
    return torch.empty(shape, dtype=torch.float32, device="meta")
