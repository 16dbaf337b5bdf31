"""The formats that weights are kept in: as a file has them, dense, or quantised while they are loaded."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.checkpoint.weights import Weights
from tinyllm.kernels.block_formats import FORMATS, BlockFormat
from tinyllm.kernels.weights import PackedRows
from tinyllm.linear import Embedding
from tinyllm.runtime.device import DTYPES

NUMBER_FORMATS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
NUMBERS = {name: dtype for dtype, name in NUMBER_FORMATS.items()}
QUANTISERS = ("q4_0", "q4_1", "q8_0")  # formats of blocks that the gguf package can make
WRITTEN = (*QUANTISERS, *DTYPES)  # formats that dense weights can be converted to
EMBEDDING_FORMAT = "Q8_0"  # of token embeddings beside 4 bits, and of heads tied to them


class WeightFormat(NamedTuple):
    """What weights are kept in: blocks `as_stored`, or made of dense ones in `blocks`; with neither, `dtype`."""

    name: str
    as_stored: bool = False
    blocks: BlockFormat | None = None
    dtype: torch.dtype | None = None

    def is_dense(self, dtype: torch.dtype) -> bool:
        """Whether matrices are dense in the format of activations."""
        return not self.as_stored and self.blocks is None and self.dtype in (None, dtype)

    def blocks_of(self, *, embedding: bool) -> BlockFormat:
        """The format of a matrix in `blocks` or in `dtype`; of an embedding, a more precise one than 4 bits."""
        if self.blocks is None:
            return FORMATS[NUMBER_FORMATS[self.dtype]]
        return FORMATS[EMBEDDING_FORMAT] if embedding else self.blocks


DENSE = WeightFormat("dense")
STORED = WeightFormat("stored", as_stored=True)
WEIGHTS = (STORED.name, *WRITTEN)


def pick_weights(weights: Any, dtype: torch.dtype | None) -> WeightFormat:
    """A format by its name: for None as stored, or dense where a dtype is given. Raises ValueError for any other."""
    if weights is None:
        return DENSE if dtype else STORED
    name = str(weights).removeprefix("torch.").lower()
    if name == STORED.name:
        return STORED
    if name in QUANTISERS:
        return WeightFormat(name, blocks=FORMATS[name.upper()])
    if name in DTYPES:
        return WeightFormat(name, dtype=DTYPES[name])
    raise ValueError(f"weights {weights!r} are not supported: expected one of {list(WEIGHTS)}")


def in_format(
    weights: Weights, source: str, module: nn.Module, weight_format: WeightFormat
) -> PackedRows:
    """A dense matrix of a checkpoint in the format that its module is to have."""
    blocks = weight_format.blocks_of(embedding=isinstance(module, Embedding))
    inputs = weights.shapes[source][1]
    check_rows(f"{weights.file(source)}: tensor {source!r}", inputs, weight_format, blocks)
    return encode(weights.read(source), blocks)


def check_rows(tensor: str, inputs: int, weight_format: WeightFormat, blocks: BlockFormat) -> None:
    """Raise ValueError naming a tensor whose rows of `inputs` weights end inside a block."""
    if inputs % blocks.elements:
        raise ValueError(
            f"{tensor} has rows of {inputs} weights: "
            f"weights={weight_format.name!r} takes multiples of {blocks.elements}; choose one of {list(DTYPES)}"
        )


def encode(matrix: Float[Tensor, "n k"], blocks: BlockFormat) -> PackedRows:
    """Dense rows in a format that the gguf package can make, or in a number format."""
    if blocks.elements == 1:
        return in_number_format(matrix.to(NUMBERS[blocks.name]))
    return quantise(matrix, blocks)


def quantise(matrix: Float[Tensor, "n k"], blocks: BlockFormat) -> PackedRows:
    """Rows in blocks, by the gguf package's own quantiser."""
    import gguf

    values = matrix.to("cpu", torch.float32).numpy()
    packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType(blocks.ggml_type))
    return PackedRows(torch.from_numpy(packed), blocks)


def in_number_format(matrix: Float[Tensor, "n k"]) -> PackedRows:
    """Dense rows as blocks of one weight each, to stand beside packed ones."""
    return PackedRows(matrix.contiguous().view(torch.uint8), FORMATS[NUMBER_FORMATS[matrix.dtype]])
