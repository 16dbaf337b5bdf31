"""Tiles of a matrix: by pointers, by block pointers and by descriptors the same, for every size and dtype."""

import importlib
from dataclasses import replace
from itertools import product

import pytest
import torch

pytest.importorskip("triton")

import triton
import triton.language as tl

from tinyllm.check import TABLES, check, run_case
from tinyllm.check.cases import Case, Draw
from tinyllm.check.references import NormWeights
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.triton import prefill, qkv, tiles, tuning
from tinyllm.kernels.triton.tiles import has_blocks, has_blocks_of_all_heads
from tinyllm.kernels.weights import DenseWeight

# The package has functions of these names.
linear = importlib.import_module("tinyllm.kernels.triton.linear")
attention = importlib.import_module("tinyllm.kernels.triton.attention")

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


@triton.jit
def copy_columns(
    x_ptr, out_ptr, turned_ptr, num_rows, num_columns, stride, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, ROUNDED: tl.constexpr,
):  # fmt: skip
    """Copy the first ROWS rows of a matrix, COLUMNS columns at a time, and once more from transposed tiles."""
    x = tiles.make_block(x_ptr, stride, num_rows, num_columns, ROWS, COLUMNS)
    turned = tiles.make_block(x_ptr, stride, num_rows, num_columns, ROWS, COLUMNS, TRANSPOSE=True)
    row = tl.arange(0, ROWS)[:, None]
    for start in range(0, num_columns, COLUMNS):
        offsets = row * ROUNDED + start + tl.arange(0, COLUMNS)[None, :]
        tl.store(out_ptr + offsets, tiles.load_columns(x, start))
        tl.store(turned_ptr + offsets, tl.trans(tiles.load_columns(turned, start, TRANSPOSE=True)))
        x = tiles.next_columns(x, COLUMNS)
        turned = tiles.next_columns(turned, COLUMNS, TRANSPOSE=True)


@pytest.mark.parametrize(
    "spelling", SPELLINGS[1:], indirect=True
)  # pointers have columns of their own
@pytest.mark.parametrize(("num_rows", "num_columns"), [(16, 64), (37, 80), (5, 24), (2, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_columns_are_the_matrix(spelling, num_rows, num_columns, dtype, interpreted):
    rounded = triton.cdiv(num_columns, 16) * 16
    memory = torch.full((num_rows + 2, 112), float("nan")).to(dtype)
    x = memory[1:-1, 8 : 8 + num_columns]
    x.copy_(torch.randn(num_rows, num_columns))
    out, turned = torch.full((2, 16, rounded), float("nan")).to(dtype)
    copy_columns[(1,)](
        x, out, turned, num_rows, num_columns, 112, ROWS=16, COLUMNS=16, ROUNDED=rounded
    )
    expected = torch.zeros(16, rounded, dtype=dtype)
    expected[:num_rows, :num_columns] = x[:16]
    assert torch.equal(out, expected)
    assert torch.equal(turned, expected)


@pytest.fixture
def tiled(spelling, monkeypatch):
    """Both kinds of attention load their tiles as the spelling says."""
    launches = tuning.LAUNCHES["interpreter"]
    for row in ("prefill", "attention"):
        blocks = replace(launches[row], block_loads=spelling != "pointers")
        monkeypatch.setitem(launches, row, blocks)


@pytest.mark.parametrize(
    ("spelling", "dtype"),
    [("block pointers", torch.float32), ("descriptors", torch.float16)],
    indirect=["spelling"],
    ids=str,
)
@pytest.mark.parametrize("name", ["prefill_attention", "segment_attention"])
def test_attention_is_the_same(tiled, name, dtype, interpreted):
    """By pointers the tables run in test_triton.py."""
    verdict = check(name, getattr(kernels, name), dtypes=[dtype], device=interpreted, every=4)
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


@pytest.fixture
def block_attention(monkeypatch) -> list[bool]:
    """Both kinds of attention by blocks; whether each launch was one."""
    launches = tuning.LAUNCHES["interpreter"]
    found = []
    modules = {"prefill": prefill, "attention": attention}
    kernels_of = {"prefill": "_prefill_attention", "attention": "_segment_attention"}
    for row, module in modules.items():
        monkeypatch.setitem(launches, row, replace(launches[row], block_loads=True))

        class Recorded:
            def __init__(self, kernel):
                self.kernel = kernel

            def __getitem__(self, grid):
                def launch(*arguments, **constants):
                    found.append(constants["BLOCK_LOADS"])
                    return self.kernel[grid](*arguments, **constants)

                return launch

        name = kernels_of[row]
        monkeypatch.setattr(module, name, Recorded(getattr(module, name)))
    return found


def with_capacity(x: torch.Tensor, capacity: int) -> torch.Tensor:
    """The same heads [b, g, n, d], each in memory for `capacity` rows, of which the rest are NaNs."""
    b, g, n, d = x.shape
    memory = torch.full((b, g, capacity, d), float("nan"), dtype=x.dtype)
    return memory[:, :, :n].copy_(x)


@pytest.mark.parametrize("spelling", SPELLINGS[1:], indirect=True)
@pytest.mark.parametrize(("capacity", "is_block"), [(40, True), (41, False)])
@pytest.mark.parametrize(("heads", "kv_heads"), [(3, 3), (6, 2), (3, 1)])
def test_heads_of_80_are_blocks_where_their_keys_are_aligned(
    spelling, block_attention, capacity, is_block, heads, kv_heads, interpreted
):
    """q and the result of head 1 begin at 160 bytes: both are columns, or rows, of the matrix of all heads."""
    draw = Draw(0, torch.float16, interpreted)

    def keys_and_values(name: str, slots: int) -> dict:
        return {f"{name}{x}": with_capacity(draw(2, kv_heads, slots, 80), capacity) for x in "kv"}

    def queries(tokens: int) -> dict:
        return {"q": draw(2, tokens, heads, 80).transpose(1, 2)}

    prompt = queries(34) | keys_and_values("", 37) | {"slopes": draw.slopes(heads)}
    lengths = torch.tensor([37, 4], dtype=torch.int32)
    step = queries(2) | keys_and_values("prompt_", 37) | keys_and_values("response_", 8)
    step |= {"lengths": lengths, "beam_index": draw.integers(2, 2, 2, 4)}
    for name, arguments in (("prefill_attention", prompt), ("segment_attention", step)):
        found = getattr(kernels, name)(**arguments)
        expected = TABLES[name].reference(**arguments).to(found.dtype)
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)
    assert block_attention == [is_block] * 2


def with_nans_around(x: torch.Tensor) -> torch.Tensor:
    """The same matrix within one of NaNs, whose rows begin at multiples of 64 bytes."""
    columns = (x.shape[1] // 32 + 1) * 32
    memory = torch.full((len(x) + 2, columns), float("nan"), dtype=x.dtype)
    return memory[1:-1, : x.shape[1]].copy_(x)


@pytest.fixture
def block_launches(spelling, monkeypatch) -> list[bool]:
    """Products by blocks, in several tiles along n and k; whether each launch was one."""
    row = tuning.LAUNCHES["interpreter"]["linear_matrix"]
    blocks = row.blocks | {"tile_bytes": 4096, "max_rows": 32, "min_programs": 3}
    row = replace(row, blocks=blocks, block_loads=True)
    monkeypatch.setitem(tuning.LAUNCHES["interpreter"], "linear_matrix", row)
    found = []
    for user in (linear, qkv):

        def recorded(*arguments, launch_of=user.gemv_launch, **options):
            grid, constants = launch_of(*arguments, **options | {"launch": row})
            found.append(constants["BLOCK_LOADS"])
            return grid, constants

        monkeypatch.setattr(user, "gemv_launch", recorded)
    return found


def product_arguments(name: str, draw: Draw, rows: int, k: int, kind: str) -> dict:
    """Arguments of `linear`, or of the queries of 3 heads of 64 and 1 of keys and values."""
    if name == "linear":
        n = 46 if kind == "gated" else 45
        made = {"weight": draw(2 * n if kind == "gated" else n, k, scale=k**-0.5)}
        made |= {"residuals": (draw(rows, n), with_nans_around(draw(rows, n)))}
        made |= {"bias": draw(len(made["weight"]))}
        made |= {"gated": True, "activation": "silu"} if kind == "gated" else {}
        made["x"] = with_nans_around(draw(rows, k))
    else:
        kv_heads = 3 if kind == "per_head" else 1
        rotated = {"none": 0, "part": 32, "per_head": 32}.get(kind, 64)
        made = {"weight": draw((3 + 2 * kv_heads) * 64, k, scale=k**-0.5)}
        angles = draw(1, rows, rotated // 2).float()
        made |= {"cos": angles.cos(), "sin": angles.sin(), "bias": draw(len(made["weight"]))}
        made |= {name: draw(1, kv_heads, rows, 64) for name in ("k_slot", "v_slot")}
        made |= {"interleaved": kind == "interleaved", "per_head": kind == "per_head"}
        made["x"] = with_nans_around(draw(rows, k))[None]
    return made | {"weight": DenseWeight(with_nans_around(made["weight"]))}


KINDS = {
    "linear": ("plain", "gated"),
    "qkv_rope_and_store": ("whole", "part", "none", "interleaved", "per_head"),
}


@pytest.mark.parametrize(
    ("spelling", "norm", "dtype"),
    [
        *product(SPELLINGS[1:], (None, "rms", "layer"), (torch.float32,)),
        ("block pointers", None, torch.bfloat16),
        ("descriptors", None, torch.float16),
    ],
    indirect=["spelling"],
    ids=str,
)
@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in KINDS for kind in KINDS[name]])
def test_products_of_blocks_are_right(
    spelling, block_launches, name, kind, norm, dtype, interpreted
):
    for rows, k in ((16, 128), (3, 72)) if norm is None else ((5, 136),):

        def arguments(draw: Draw, rows=rows, k=k) -> dict:
            made = product_arguments(name, draw, rows, k, kind) | {"norm": None}
            if norm is not None:
                made["norm"] = NormWeights(draw(k), draw(k) if norm == "layer" else None, 1e-2)
            return made

        case = Case(kind, arguments)
        error, wrong = run_case(TABLES[name], case, getattr(kernels, name), dtype, interpreted)
        assert wrong is None, (rows, k, error)
    assert set(block_launches) == {True}


def test_products_keep_pointers_where_a_matrix_has_no_blocks():
    """Heads whose pairs change their distance within a tile, a matrix that is not aligned, or one row."""
    launch = tuning.LAUNCHES["xpu"]["linear_matrix"]

    def by_blocks(aligned=True, neighbours=0, use_dot=True) -> bool:
        _, constants = linear.gemv_launch(
            4096, 4096, 2, pairs=True, use_dot=use_dot, aligned=aligned, device_type="xpu",
            launch=launch, neighbours=neighbours,
        )  # fmt: skip
        return constants["BLOCK_LOADS"]

    assert by_blocks()
    assert by_blocks(neighbours=qkv.neighbours_of(128, 64, interleaved=False))
    assert by_blocks(neighbours=qkv.neighbours_of(64, 16, interleaved=False))
    assert not by_blocks(neighbours=qkv.neighbours_of(80, 16, interleaved=False))
    assert not by_blocks(aligned=False)
    assert not by_blocks(use_dot=False)


def bf16(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.bfloat16)


def test_blocks_need_aligned_rows_that_do_not_overlap():
    matrix = bf16(4, 72)
    assert has_blocks(matrix)
    assert has_blocks(matrix[:, :40])
    assert has_blocks(matrix[:, 32:])
    assert has_blocks(matrix[::2])
    assert not has_blocks(matrix[:, 8:])  # 16 bytes off
    assert not has_blocks(matrix[1:])  # 144 bytes off
    assert not has_blocks(bf16(4, 68))  # rows 136 bytes apart
    assert not has_blocks(matrix[:, :24])  # rows of 48 bytes
    assert not has_blocks(bf16(4, 80)[:, :33])  # rows of 66 bytes
    assert not has_blocks(matrix[:1].expand(4, 72))
    assert not has_blocks(matrix.view(-1).as_strided((4, 72), (64, 1)))


def test_every_matrix_of_a_tensor_is_aligned():
    """Heads of 80: each begins at a multiple of 64 bytes where an even number of tokens has memory."""
    assert has_blocks(bf16(2, 3, 6, 80))
    assert not has_blocks(bf16(2, 3, 5, 80))
    assert not has_blocks(bf16(2, 1, 5, 80))
    assert has_blocks(bf16(1, 1, 5, 80))
    assert has_blocks(bf16(2, 3, 6, 80)[:, :, :5])
    assert not has_blocks(bf16(2, 3, 6, 80)[:, :, 1:])
    assert has_blocks(bf16(2, 3, 5, 96))
    heads = bf16(2, 5, 4, 80).transpose(1, 2)
    assert not has_blocks(heads)
    assert has_blocks_of_all_heads(heads)
    assert has_blocks_of_all_heads(heads[:, :1])
    assert not has_blocks_of_all_heads(bf16(2, 4, 5, 80))
    assert not has_blocks_of_all_heads(bf16(2, 5, 3, 80).transpose(1, 2))  # the second request
    assert not has_blocks_of_all_heads(bf16(2, 5, 4, 80)[..., :64].transpose(1, 2))


def test_matrices_may_begin_at_multiples_of_a_row():
    weight = bf16(32, 72)
    assert has_blocks(weight, first_row=16)
    assert not has_blocks(weight, first_row=1)
    assert not has_blocks(weight, first_row=2)
    assert has_blocks(weight[:2], first_row=2)
    assert has_blocks(bf16(32, 96), first_row=1)


def test_products_check_the_rows_at_which_their_blocks_begin(monkeypatch):
    launches = tuning.LAUNCHES["interpreter"]
    row = replace(launches["linear_matrix"], block_loads=True)
    x = bf16(2, 72)
    assert linear.is_aligned(x, bf16(64, 72), row, first_row=16)
    assert not linear.is_aligned(x, bf16(64, 72), row, first_row=1)
    assert not linear.is_aligned(x[1:], bf16(64, 72), row, first_row=16)  # one row
    assert not linear.is_aligned(bf16(3, 72)[1:], bf16(64, 72), row, first_row=16)
    assert not linear.is_aligned(x, bf16(64, 72), None, first_row=16)  # a launch without blocks
    first_rows = []
    recorded = lambda *_, first_row: bool(first_rows.append(first_row))  # noqa: E731
    for user in (linear, qkv):
        monkeypatch.setattr(user, "is_aligned", recorded)
    cases = [(name, kind) for name, kinds in KINDS.items() for kind in kinds]
    for name, kind in cases:
        arguments = product_arguments(
            name, Draw(0, torch.float32, torch.device("cpu")), 2, 64, kind
        )
        getattr(kernels, name)(**arguments, norm=None)
    assert first_rows == [16, 2, 16, 16, 16, 1, 16]
