"""A tile of a matrix, loaded as suits a device: by pointers and masks, or as one block.

Intel's compiler makes a single 2D block load, straight into the registers of the matrix engine, of a block whose bounds
it sees; of pointers it makes element-wise loads through local memory, which fill the registers. NVIDIA's needs no
blocks: with pointers its loads are as wide.
"""

from __future__ import annotations

import triton
import triton.language as tl

RELEASE = tuple(map(int, triton.__version__.split(".")[:2]))
MIN_BLOCK_BYTES = 64  # of a matrix's row, for Intel's 2D blocks


@triton.jit
def _block_pointer(
    ptr, stride, num_rows, first_row, num_columns,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TRANSPOSE: tl.constexpr,
):  # fmt: skip
    if TRANSPOSE:
        block = tl.make_block_ptr(
            ptr, (num_columns, num_rows), (1, stride), (0, first_row), (COLUMNS, ROWS), (0, 1)
        )
    else:
        block = tl.make_block_ptr(
            ptr, (num_rows, num_columns), (stride, 1), (first_row, 0), (ROWS, COLUMNS), (1, 0)
        )
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
def _store_block_pointer(block, first_row, tile):
    tl.store(block, tile, boundary_check=(0, 1))


@triton.jit
def _next_block_pointer(
    block, ROWS: tl.constexpr, TRANSPOSE: tl.constexpr, COLUMNS: tl.constexpr = 0
):  # fmt: skip
    return tl.advance(block, (COLUMNS, ROWS) if TRANSPOSE else (ROWS, COLUMNS))


@triton.jit
def _descriptor(
    ptr, stride, num_rows, first_row, num_columns,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TRANSPOSE: tl.constexpr,
):  # fmt: skip
    return tl.make_tensor_descriptor(ptr, [num_rows, num_columns], [stride, 1], [ROWS, COLUMNS])


@triton.jit
def _load_descriptor(
    block, first_row, TRANSPOSE: tl.constexpr, KEEP: tl.constexpr = False, first_column=0
):
    tile = block.load([first_row, first_column])
    return tl.trans(tile) if TRANSPOSE else tile


@triton.jit
def _store_descriptor(block, first_row, tile):
    block.store([first_row, 0], tile)


@triton.jit
def _next_descriptor(
    block, ROWS: tl.constexpr, TRANSPOSE: tl.constexpr, COLUMNS: tl.constexpr = 0
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
    TRANSPOSE: tl.constexpr = False,
):  # fmt: skip
    """A matrix [num_rows, NUM_COLUMNS] in memory, for tiles of [ROWS, COLUMNS] or transposed: a block, or pointers."""
    matrix = ptr
    if AS_BLOCK:
        matrix = _block(ptr, stride, num_rows, first_row, NUM_COLUMNS, ROWS, COLUMNS, TRANSPOSE)
    return matrix


@triton.jit
def next_tile(
    matrix, ROWS: tl.constexpr, AS_BLOCK: tl.constexpr, TRANSPOSE: tl.constexpr = False
):  # fmt: skip
    """The matrix for the tile ROWS further down."""
    if AS_BLOCK:
        matrix = _next_block(matrix, ROWS, TRANSPOSE)
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
    TRANSPOSE: tl.constexpr = False, KEEP: tl.constexpr = False,
):  # fmt: skip
    """The rows of a matrix from `first_row` on, [ROWS, COLUMNS] or transposed; zeros outside of the matrix.

    Rows outside of `row_mask` [ROWS] are not needed; only pointers leave them out. KEEP: the tile is loaded once more
    later; a hint for the cache, where block pointers are loaded.
    """
    if AS_BLOCK:
        tile = _load_block(matrix, first_row, TRANSPOSE, KEEP)
    else:
        offsets, mask = _offsets_and_mask(stride, first_row, row_mask, NUM_COLUMNS, ROWS, COLUMNS)
        tile = tl.load(matrix + offsets, mask=mask, other=0.0)
        tile = tl.trans(tile) if TRANSPOSE else tile
    return tile


@triton.jit
def store_tile(
    matrix, stride, first_row, row_mask, tile,
    NUM_COLUMNS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, AS_BLOCK: tl.constexpr,
):  # fmt: skip
    """Store the rows of a matrix from `first_row` on, [ROWS, COLUMNS]."""
    if AS_BLOCK:
        _store_block(matrix, first_row, tile)
    else:
        offsets, mask = _offsets_and_mask(stride, first_row, row_mask, NUM_COLUMNS, ROWS, COLUMNS)
        tl.store(matrix + offsets, tile, mask=mask)


def is_block(columns: int, element_size: int) -> bool:
    """Whether rows of a matrix are long enough for blocks, and a multiple of 16 bytes."""
    num_bytes = columns * element_size
    return num_bytes >= MIN_BLOCK_BYTES and num_bytes % 16 == 0
