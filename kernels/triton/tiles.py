"""A tile of a matrix, loaded as suits a device: by pointers and masks, or as one block.

Intel's compiler makes a single 2D block load, straight into the registers of the matrix engine, of a block whose bounds
it sees; of pointers it makes element-wise loads through local memory, which fill the registers. NVIDIA's needs no
blocks: with pointers its loads are as wide.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

RELEASE = tuple(map(int, triton.__version__.split(".")[:2]))
# Bytes: what divides the address of a matrix that Intel's GPUs load in 2D blocks, and the shortest row of one.
BLOCK_ALIGNMENT = 64


@triton.jit
def _block_pointer(
    ptr, stride, num_rows, first_row, num_columns,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TRANSPOSE: tl.constexpr, first_column=0,
):  # fmt: skip
    if TRANSPOSE:
        block = tl.make_block_ptr(
            ptr, (num_columns, num_rows), (1, stride), (first_column, first_row),
            (COLUMNS, ROWS), (0, 1),
        )  # fmt: skip
    else:
        block = tl.make_block_ptr(
            ptr, (num_rows, num_columns), (stride, 1), (first_row, first_column),
            (ROWS, COLUMNS), (1, 0),
        )  # fmt: skip
    return block


@triton.jit
def _load_block_pointer(
    block, first_row, TRANSPOSE: tl.constexpr, KEEP: tl.constexpr = False, first_column=0
):
    return tl.load(
        block, boundary_check=(0, 1), padding_option="zero",
        eviction_policy="evict_last" if KEEP else "",
    )  # fmt: skip


@triton.jit
def _store_block_pointer(block, first_row, tile, first_column=0):
    tl.store(block, tile, boundary_check=(0, 1))


@triton.jit
def _next_block_pointer(
    block, rows, TRANSPOSE: tl.constexpr, COLUMNS: tl.constexpr = 0
):  # fmt: skip
    return tl.advance(block, (COLUMNS, rows) if TRANSPOSE else (rows, COLUMNS))


@triton.jit
def _descriptor(
    ptr, stride, num_rows, first_row, num_columns,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TRANSPOSE: tl.constexpr, first_column=0,
):  # fmt: skip
    return tl.make_tensor_descriptor(ptr, [num_rows, num_columns], [stride, 1], [ROWS, COLUMNS])


@triton.jit
def _load_descriptor(
    block, first_row, TRANSPOSE: tl.constexpr, KEEP: tl.constexpr = False, first_column=0
):
    tile = block.load([first_row, first_column])
    return tl.trans(tile) if TRANSPOSE else tile


@triton.jit
def _store_descriptor(block, first_row, tile, first_column=0):
    block.store([first_row, first_column], tile)


@triton.jit
def _next_descriptor(
    block, rows, TRANSPOSE: tl.constexpr, COLUMNS: tl.constexpr = 0
):  # fmt: skip
    return block


# Two spellings: before 3.4 descriptors do not work, from 3.9 on there are no block pointers.
if RELEASE < (3, 9):
    _block, _next_block = _block_pointer, _next_block_pointer
    _load_block, _store_block = _load_block_pointer, _store_block_pointer
else:
    _block, _next_block = _descriptor, _next_descriptor
    _load_block, _store_block = _load_descriptor, _store_descriptor


@triton.jit
def make_matrix(
    ptr, stride, num_rows, first_row,
    NUM_COLUMNS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, AS_BLOCK: tl.constexpr,
    TRANSPOSE: tl.constexpr = False, first_column=0,
):  # fmt: skip
    """A matrix [num_rows, NUM_COLUMNS] in memory, for tiles of [ROWS, COLUMNS] or transposed: a block, or pointers.

    It may be the columns from `first_column` on of a wider one, whose address alone is aligned then.
    """
    if AS_BLOCK:
        matrix = _block(
            ptr, stride, num_rows, first_row, first_column + NUM_COLUMNS,
            ROWS, COLUMNS, TRANSPOSE, first_column,
        )  # fmt: skip
    else:
        matrix = ptr + first_column
    return matrix


@triton.jit
def next_tile(
    matrix, rows, AS_BLOCK: tl.constexpr, TRANSPOSE: tl.constexpr = False
):  # fmt: skip
    """The matrix for the tile `rows` further down."""
    if AS_BLOCK:
        matrix = _next_block(matrix, rows, TRANSPOSE)
    return matrix


@triton.jit
def make_block(
    ptr, stride, num_rows, num_columns,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TRANSPOSE: tl.constexpr = False,
):  # fmt: skip
    """A matrix [num_rows, num_columns] in memory, for blocks of its first ROWS rows, COLUMNS columns after another."""
    return _block(ptr, stride, num_rows, 0, num_columns, ROWS, COLUMNS, TRANSPOSE)


@triton.jit
def load_columns(block, first_column, TRANSPOSE: tl.constexpr = False):
    """The next columns of a `make_block`, [ROWS, COLUMNS] or transposed; zeros outside of the matrix."""
    return _load_block(block, 0, TRANSPOSE, first_column=first_column)


@triton.jit
def next_columns(block, COLUMNS: tl.constexpr, TRANSPOSE: tl.constexpr = False):
    """The `make_block` for the columns after those."""
    return _next_block(block, 0, TRANSPOSE, COLUMNS)


@triton.jit
def _offsets_and_mask(
    stride, first_row, row_mask,
    NUM_COLUMNS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Offsets and mask of a tile [ROWS, COLUMNS] that is accessed by pointers."""
    row = first_row + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    mask = row_mask[:, None] & (column < NUM_COLUMNS)[None, :]
    return row[:, None] * stride + column[None, :], mask


@triton.jit
def load_tile(
    matrix, stride, first_row, row_mask,
    NUM_COLUMNS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, AS_BLOCK: tl.constexpr,
    TRANSPOSE: tl.constexpr = False, KEEP: tl.constexpr = False, first_column=0,
):  # fmt: skip
    """The rows of a matrix from `first_row` on, [ROWS, COLUMNS] or transposed; zeros outside of the matrix.

    Rows outside of `row_mask` [ROWS] are not needed; only pointers leave them out. KEEP: the tile is loaded once more
    later; a hint for the cache, where block pointers are loaded.
    """
    if AS_BLOCK:
        tile = _load_block(matrix, first_row, TRANSPOSE, KEEP, first_column)
    else:
        offsets, mask = _offsets_and_mask(stride, first_row, row_mask, NUM_COLUMNS, ROWS, COLUMNS)
        tile = tl.load(matrix + offsets, mask=mask, other=0.0)
        tile = tl.trans(tile) if TRANSPOSE else tile
    return tile


@triton.jit
def store_tile(
    matrix, stride, first_row, row_mask, tile,
    NUM_COLUMNS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, AS_BLOCK: tl.constexpr,
    first_column=0,
):  # fmt: skip
    """Store the rows of a matrix from `first_row` on, [ROWS, COLUMNS]."""
    if AS_BLOCK:
        _store_block(matrix, first_row, tile, first_column)
    else:
        offsets, mask = _offsets_and_mask(stride, first_row, row_mask, NUM_COLUMNS, ROWS, COLUMNS)
        tl.store(matrix + offsets, tile, mask=mask)


def has_blocks(x: Tensor, row_dim: int = -2, first_row: int = 0) -> bool:
    """Whether tiles of all matrices [rows, columns] within x can be 2D blocks, as Intel's hardware takes them.

    A matrix has the rows of `row_dim` and the columns of the last dimension, and begins at any index of the others;
    with a `first_row` it begins at the multiples of that row too. Its address is a multiple of 64 bytes, the distance
    of its rows one of 16 bytes, and rows of at least 64 bytes end before the next.
    """
    row_dim %= x.dim()
    *strides, _ = (stride * x.element_size() for stride in x.stride())
    row_bytes = x.shape[-1] * x.element_size()
    row_stride = strides[row_dim]
    offsets = [stride for dim, stride in enumerate(strides) if dim != row_dim and x.shape[dim] > 1]
    if x.shape[row_dim] > first_row:
        offsets.append(first_row * row_stride)
    is_aligned = all(offset % BLOCK_ALIGNMENT == 0 for offset in (x.data_ptr(), *offsets))
    fits = row_stride >= row_bytes >= BLOCK_ALIGNMENT and row_bytes % 4 == 0
    return is_aligned and fits and row_stride % 16 == 0


def has_blocks_of_all_heads(q: Tensor) -> bool:
    """Whether q [b, h, t, d] is a matrix of blocks for each request: a row for each token, the heads side by side."""
    _, h, _, d = q.shape
    return (h == 1 or q.stride(1) == d) and has_blocks(q.transpose(1, 2).flatten(2))
