"""Tiles of a matrix: by pointers, by block pointers and by descriptors the same, for every size and dtype."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton")

import triton
import triton.language as tl

from tinyllm.check import TABLES, check
from tinyllm.check.tables import Draw
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.triton import tiles, tuning

SPELLINGS = ("pointers", "block pointers", "descriptors")


@pytest.fixture(params=SPELLINGS)
def spelling(request, monkeypatch):
    if request.param != "pointers":
        way = request.param.removesuffix("s").replace(" ", "_")
        for name in ("_block", "_next_block", "_load_block", "_store_block"):
            own = {"_block": f"_{way}"}.get(name, name.removesuffix("block") + way)
            monkeypatch.setattr(tiles, name, getattr(tiles, own))
    return request.param


pytestmark = pytest.mark.filterwarnings("ignore:tl.make_block_ptr is deprecated")


@triton.jit
def copy_tiles(
    x_ptr, out_ptr, turned_ptr, num_rows, stride, NUM_COLUMNS: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, AS_BLOCK: tl.constexpr,
):  # fmt: skip
    """Copy a matrix tile by tile, and once more from transposed tiles."""
    x = tiles.make_matrix(x_ptr, stride, num_rows, 0, NUM_COLUMNS, ROWS, COLUMNS, AS_BLOCK)
    turned = tiles.make_matrix(
        x_ptr, stride, num_rows, 0, NUM_COLUMNS, ROWS, COLUMNS, AS_BLOCK, TRANSPOSE=True
    )
    for start in range(0, num_rows, ROWS):
        mask = start + tl.arange(0, ROWS) < num_rows
        tile = tiles.load_tile(x, stride, start, mask, NUM_COLUMNS, ROWS, COLUMNS, AS_BLOCK)
        out = tiles.make_matrix(
            out_ptr, stride, num_rows, start, NUM_COLUMNS, ROWS, COLUMNS, AS_BLOCK
        )
        tiles.store_tile(out, stride, start, mask, tile, NUM_COLUMNS, ROWS, COLUMNS, AS_BLOCK)
        tile = tiles.load_tile(
            turned, stride, start, mask, NUM_COLUMNS, ROWS, COLUMNS, AS_BLOCK, TRANSPOSE=True
        )
        ptrs = turned_ptr + (start + tl.arange(0, ROWS))[:, None] * COLUMNS
        tl.store(ptrs + tl.arange(0, COLUMNS)[None, :], tl.trans(tile), mask=mask[:, None])
        x = tiles.next_tile(x, ROWS, AS_BLOCK)
        turned = tiles.next_tile(turned, ROWS, AS_BLOCK, TRANSPOSE=True)


@pytest.mark.parametrize(("num_rows", "num_columns"), [(16, 64), (37, 80), (5, 24), (48, 96)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tiles_are_the_matrix(spelling, num_rows, num_columns, dtype, interpreted):
    stride, columns = 112, triton.next_power_of_2(num_columns)
    memory = torch.full((num_rows + 2, stride), float("nan")).to(dtype)
    x = memory[1:-1, 8 : 8 + num_columns]
    x.copy_(torch.randn(num_rows, num_columns))
    out = torch.full_like(memory, float("nan"))
    turned = torch.full((num_rows, columns), float("nan")).to(dtype)
    copy_tiles[(1,)](
        x, out[1:-1, 8:], turned, num_rows, stride, num_columns,
        ROWS=16, COLUMNS=columns, AS_BLOCK=spelling != "pointers",
    )  # fmt: skip
    assert torch.equal(out[1:-1, 8 : 8 + num_columns], x)
    assert out.isfinite().sum() == x.numel()
    assert torch.equal(turned[:, :num_columns], x)
    assert not turned[:, num_columns:].any()


@pytest.fixture
def tiled(spelling, monkeypatch):
    """Both kinds of attention load their tiles as the spelling says."""
    launches = tuning.LAUNCHES["interpreter"]
    for row in ("prefill", "attention"):
        blocks = replace(launches[row], block_loads=spelling != "pointers")
        monkeypatch.setitem(launches, row, blocks)


@pytest.mark.parametrize("name", ["prefill_attention", "segment_attention"])
def test_attention_is_the_same(tiled, name, interpreted):
    dtypes = [torch.float32, torch.float16]
    verdict = check(name, getattr(kernels, name), dtypes=dtypes, device=interpreted, every=4)
    assert verdict.right, verdict


@pytest.mark.parametrize("lengths", [(33, 5), (20, 3), (1, 0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_memory_that_is_not_written_is_not_seen(tiled, lengths, dtype, interpreted):
    """Blocks take dead slots too, of which nothing reaches a sequence; each was written in its step."""
    table = TABLES["segment_attention"]
    (case,) = (x for x in table.cases if x.title == "b2 h6 g2 w4 d64, 33 + 5 tokens")
    arguments = case.make(Draw(0, dtype, interpreted))
    tokens, steps = lengths
    arguments["lengths"].copy_(torch.tensor(lengths))
    arguments["beam_index"] = arguments["beam_index"] % 2  # slots of sequences 2 and 3 are dead
    for name in ("k", "v"):
        arguments[f"prompt_{name}"][:, :, tokens:] = float("nan")
        slots = arguments[f"response_{name}"]
        slots[:, :, 4 * steps :] = float("nan")
        slots[:, :, : 4 * steps].unflatten(2, (steps, 4))[:, :, :, 2:] = 1e4
    expected = table.reference(**arguments)
    found = kernels.segment_attention(**arguments)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
