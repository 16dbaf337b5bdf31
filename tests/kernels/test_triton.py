"""The portable kernels against the case tables and their float64 references."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch

pytest.importorskip("triton")

import triton
import triton.language as tl

from tinyllm.check import TABLES, check, run_case
from tinyllm.check.cases import Case, Draw
from tinyllm.check.references import NormWeights
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.triton import split_plan, tuning
from tinyllm.kernels.weights import DenseWeight

KERNELS = {name: getattr(kernels, name) for name in kernels.__all__ if name in TABLES}
GUARD = 1 << 15
LONG_TABLE = 30
ODD = r"^3 x (5|80|1000|4096)$|^33 x 80$|^2 x (7|255|1000) |-> (7|33|3)$|gated silu|b2 h6 g2 t5 .*own|b3 h3 g3 t2 d80"
ODD += r"|^b1 h3 g1 d80, 1 token|^packed, 1 row, parts|^packed Q5_K, 5 rows|^Q[46]_K, rows 3 to 40"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def wrong(
    name: str, arguments, device: torch.device, dtype=torch.float32, kernel=None
) -> str | None:
    """What is wrong with one case: `arguments(draw)` makes it."""
    return run_case(TABLES[name], Case("", arguments), kernel or KERNELS[name], dtype, device)[1]


def guarded(shape, dtype, device) -> torch.Tensor:
    """An output in the middle of NaNs."""
    size = torch.Size(shape).numel()
    return torch.full((size + 2 * GUARD,), float("nan"), dtype=dtype, device=device)[
        GUARD:-GUARD
    ].view(*shape)


# Those that write into larger memory, and have it compared whole, are left to their tables.
@pytest.mark.parametrize(
    "name", [name for name in KERNELS if name not in ("segment_attention", "qkv_rope_and_store")]
)
def test_results_are_written_and_nothing_beside_them(name, interpreted, monkeypatch):
    """Sizes that no block divides; first in this file, since a stray write elsewhere may end the process."""
    outputs: list[torch.Tensor] = []

    def remembered(shape, *, dtype, device) -> torch.Tensor:
        outputs.append(guarded(shape, dtype, device))
        return outputs[-1]

    unguarded = torch.Tensor.new_empty

    def new_empty(x, *shape, device=None) -> torch.Tensor:
        if device is not None:  # of the interpreter, for its copies
            return unguarded(x, *shape, device=device)
        sizes = shape if isinstance(shape[0], int) else shape[0]
        return remembered(sizes, dtype=x.dtype, device=x.device)

    odd = [case for case in TABLES[name].cases if re.search(ODD, case.title)]
    cases = [case for case in odd if "INT" not in case.title]  # those formats are torch's
    drawn = [case.make(Draw(0, torch.float32, interpreted)) for case in cases]
    monkeypatch.setattr(torch, "empty", remembered)
    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    monkeypatch.setattr(
        torch, "empty_like", lambda x: remembered(x.shape, dtype=x.dtype, device=x.device)
    )
    for arguments in drawn:
        slots = {key: torch.empty_like(x) for key, x in arguments.items() if key.endswith("_slot")}
        KERNELS[name](**arguments | slots)
    monkeypatch.undo()
    assert len(outputs) >= len(cases) >= 2
    for out in outputs:
        assert out._base.isfinite().sum() == out.numel(), list(out.shape)
        assert out.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", KERNELS)
def test_table(name, dtype, interpreted):
    every = 5  # in 16 bits loads and stores differ, no more
    if dtype == torch.float32:
        every = 2 if len(TABLES[name].cases) > LONG_TABLE else 1  # SYCL's tests run each
    verdict = check(name, KERNELS[name], dtypes=[dtype], device=interpreted, every=every)
    assert verdict.right, verdict


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", KERNELS)
def test_table_on_gpu(name, dtype, accelerator):
    verdict = check(name, KERNELS[name], dtypes=[dtype], device=accelerator)
    assert verdict.right, verdict


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
@pytest.mark.parametrize("kernel", ["linear_vector", "linear_matrix"])
def test_linear_with_the_tiles_of_a_gpu(kind, kernel, interpreted):
    row = tuning.LAUNCHES[kind][kernel]
    run = partial(kernels.linear, launch=tuning.LaunchConfig(row.blocks, num_stages=row.num_stages))
    cases = [
        case
        for case in TABLES["linear"].cases
        if (kernel == "linear_vector") == case.title.startswith("1 ") and "packed" not in case.title
    ]
    for case in cases[::3]:
        assert run_case(TABLES["linear"], case, run, torch.float32, interpreted)[1] is None, (
            case.title
        )


@pytest.mark.parametrize("name", ["rms_norm", "norm_and_add", "layer_norm"])
@pytest.mark.parametrize(
    ("block", "tile", "m"), [(64, 64, 200), (8192, 2048, 100), (8192, 8192, 9001)]
)
def test_norm_of_rows_in_pieces_and_in_groups(name, block, tile, m, interpreted):
    def arguments(draw: Draw) -> dict:
        made = {
            "x": draw.strided(5, m) + 3,
            "weight": draw(m),
            "eps": 0.5,
        }  # a mean that is not zero
        made |= {"residual": draw.strided(5, m + 4)[:, 4:]} if "add" in name else {}
        return made | ({"bias": draw(m)} if "layer" in name else {})

    launch = tuning.LaunchConfig({"block": block, "tile": tile})
    assert wrong(name, arguments, interpreted, kernel=partial(KERNELS[name], launch=launch)) is None


def test_leading_dimensions_and_strides_are_kept(interpreted):
    x, weight = torch.randn(2, 3, 4, 24)[:, -1:, 1:3], torch.randn(10, 30)[:, :24]
    residual = torch.randn(2, 1, 2, 13)[..., :10]
    assert torch.allclose(
        kernels.linear(x, DenseWeight(weight), residuals=(residual,)),
        x @ weight.T + residual,
        atol=1e-5,
    )
    assert kernels.rms_norm(x, torch.ones(24), 0.0).shape == x.shape
    assert kernels.activate_and_multiply(x, "relu").shape == (2, 1, 2, 12)


@pytest.mark.parametrize(("rows", "k", "n"), [(1, 1, 1), (1, 17, 2), (16, 513, 6), (5, 31, 66)])
def test_linear_of_odd_sizes_with_everything(rows, k, n, interpreted):
    def arguments(draw: Draw) -> dict:
        made = {
            "x": draw.strided(rows, k),
            "weight": DenseWeight(draw(2 * n, k, scale=k**-0.5)),
            "bias": draw(2 * n),
        }
        made["norm"] = NormWeights(draw(k), draw(k), 1e-2)
        return made | {
            "activation": "gelu",
            "gated": True,
            "residuals": (draw.strided(rows, n), draw(rows, n)),
        }

    assert wrong("linear", arguments, interpreted) is None


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(("d", "rotated"), [(80, 20), (96, 96), (64, 2)])
def test_rope_writes_its_slots_and_nothing_else(d, rotated, interleaved, interpreted):
    b, h, g, t = 2, 6, 3, 2
    draw = Draw(0, torch.float32, interpreted)
    q, k, v = draw(b, t, h + 2 * g, d).transpose(1, 2).split([h, g, g], dim=1)
    caches = [torch.full((b + 1, g + 2, t + 3, d + 5), float("nan")) for _ in range(2)]
    slots = [cache[1:, 1:-1, 1 : 1 + t, 2 : 2 + d] for cache in caches]
    angles = draw(1, t, rotated // 2)
    expected = TABLES["rope_and_store"].reference(
        q, k, v, angles.cos(), angles.sin(), *slots, interleaved
    )
    out = kernels.rope_and_store(q, k, v, angles.cos(), angles.sin(), *slots, interleaved)
    for cache, slot, mine, right in zip(caches, slots, out[1:], expected[1:], strict=True):
        assert mine is slot
        assert torch.allclose(slot, right, atol=1e-5)
        assert cache.isfinite().sum() == right.numel()
    assert torch.allclose(out[0], expected[0], atol=1e-5)


@pytest.mark.parametrize(
    "case", [case for case in TABLES["rope_and_store"].cases if "heads normalised" in case.title]
)
def test_epsilon_counts_where_heads_are_normalised(case, interpreted):
    def arguments(draw: Draw) -> dict:
        made = case.make(draw)
        return made | {"norms": made["norms"]._replace(eps=0.5)}

    assert wrong("rope_and_store", arguments, interpreted) is None


SEGMENT_CASES = {case.title: case for case in TABLES["segment_attention"].cases}


@pytest.mark.parametrize(
    ("title", "processors"),
    [
        *(
            (title, n)
            for title in ("b1 h1 g1 w7 d128, 129 + 33 tokens", "b1 h2 g2 w64 d64, 9 + 3 tokens")
            for n in (1, 64)
        ),
        ("b2 h6 g2 w4 d64, 33 + 5 tokens", 16),  # a group of heads, in fewer rows than a tile has
    ],
)
def test_attention_is_the_same_however_it_is_split(title, processors, interpreted, monkeypatch):
    monkeypatch.setattr(split_plan, "num_processors", lambda device: processors)
    row = tuning.LAUNCHES["interpreter"]["attention"]
    case = SEGMENT_CASES[title]
    plans = set()
    for max_splits in (1, 2, 8):
        row = replace(row, blocks={**row.blocks, "block_n": 16, "max_splits": max_splits})
        run = partial(kernels.segment_attention, launch=row)
        assert (
            run_case(TABLES["segment_attention"], case, run, torch.float32, interpreted)[1] is None
        )
        drawn = case.make(Draw(0, torch.float32, interpreted))
        plans.add(
            kernels.split_plan_of(drawn["q"].shape, drawn["prompt_k"], drawn["response_k"], row)
        )
    assert {plan.splits for plan in plans} >= ({1} if processors == 1 else {1, 2})


@pytest.mark.parametrize(
    "order", [(2, 3, 0, 1, 4), (0, 1, 3, 2, 4)], ids=["steps first", "sequences first"]
)
def test_a_response_may_lie_in_memory_as_it_likes(order, interpreted):
    arguments = SEGMENT_CASES["b2 h6 g2 w4 d64, 33 + 5 tokens"].make(
        Draw(0, torch.float32, interpreted)
    )
    expected = kernels.segment_attention(**arguments)
    for name in ("response_k", "response_v"):
        x = arguments[name][:, :, :20].unflatten(2, (-1, 4))
        arguments[name] = x.permute(order).contiguous().permute([order.index(i) for i in range(5)])
    assert not arguments["response_k"].is_contiguous()
    assert kernels.segment_attention(**arguments).equal(expected)


def test_a_workspace_serves_one_launch_after_the_other(interpreted):
    arguments = SEGMENT_CASES["b1 h1 g1 w7 d128, 129 + 33 tokens"].make(
        Draw(0, torch.float32, interpreted)
    )
    q_shape = arguments["q"].shape
    workspace = kernels.attention_workspace(q_shape, arguments["prompt_k"], arguments["response_k"])
    first = kernels.segment_attention(**arguments, workspace=workspace)
    assert workspace.counters.eq(0).all() and len(workspace.counters) == 1
    assert kernels.segment_attention(**arguments, workspace=workspace).equal(first)
    assert kernels.segment_attention(**arguments).equal(first)


def test_dead_slots_are_not_read_and_lengths_are_the_devices(interpreted):
    arguments = SEGMENT_CASES["b2 h6 g2 w4 d64, 33 + 5 tokens"].make(
        Draw(0, torch.float32, interpreted)
    )
    arguments["beam_index"] = arguments["beam_index"] % 2  # slots of sequences 2 and 3 are dead
    for name in ("response_k", "response_v"):
        arguments[name][:, :, :20].unflatten(2, (5, 4))[:, :, :, 2:] = float("nan")
    for tokens, steps in ((33, 5), (20, 3), (1, 0)):
        arguments["lengths"].copy_(torch.tensor([tokens, steps]))
        expected = TABLES["segment_attention"].reference(**arguments)
        torch.testing.assert_close(
            kernels.segment_attention(**arguments), expected, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize(
    "sizes",
    [
        (1, 1, 5, 3),
        (2, 3, 40, 17),
        (3, 64, 7, 7),
        (1, 5, 33, 0),
        (2, 65, 9, 4),
        (1, 1024, 5, 3),
    ],
    ids=str,
)
def test_beam_index_and_mask_are_reordered(sizes, interpreted):
    b, w, steps, taken = sizes
    own = torch.arange(w, dtype=torch.int32)[None, :, None].repeat(b, 1, steps)
    beam_index = torch.randint(w, (b, w, steps), dtype=torch.int32)
    beam_index[:, :, taken:] = own[:, :, taken:]
    beam_mask = kernels.make_beam_mask(beam_index)
    parents = torch.randint(w, (b, w))
    expected = beam_index.gather(1, parents[..., None].expand_as(beam_index))
    expected[:, :, taken:] = own[:, :, taken:]
    beam_idx = (parents + w * torch.arange(b)[:, None]).flatten()
    lengths = torch.tensor([9, taken], dtype=torch.int32)
    kernels.reorder_beam_index(beam_index, beam_mask, beam_idx, lengths)
    assert beam_index.equal(expected)

    reachable = (expected[..., None] == torch.arange(w)).flatten(2)  # [b, w, slots]
    bits = beam_mask.mask[:, :, None] >> torch.arange(64)[:, None] & 1  # [b, words, 64, slots]
    assert bits.flatten(1, 2)[:, :w].bool().equal(reachable)
    assert not bits.flatten(1, 2)[:, w:].any()
    for i, mask in enumerate(beam_mask.mask.unbind(1)):
        sequences = min(64, w - 64 * i)
        for r in range(b):
            live = mask[r].nonzero().flatten()
            assert beam_mask.live_slots[r, i, : len(live)].equal(live.int())
            assert beam_mask.num_dead[r, i] == taken * sequences - (live < taken * w).sum()
    made = kernels.make_beam_mask(expected, lengths)
    assert made.mask.equal(beam_mask.mask) and made.num_dead.equal(beam_mask.num_dead)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (
            (1, 32, 1, 1088, 64, 132),
            (16, 64, 1, 8),
        ),  # one request: as many splits as one wave takes
        ((8, 8, 16, 1152, 64, 132), (16, 64, 1, 4)),
        ((1, 8, 4, 8256, 64, 132), (16, 64, 1, 16)),  # never into more than 16
        ((1, 32, 1, 160, 64, 132), (16, 64, 1, 2)),  # three tiles
        ((1, 8, 32, 640, 64, 132), (16, 64, 2, 4)),  # rows too, where keys are too few
        ((1, 1, 256, 4096, 64, 64), (32, 64, 8, 16)),
        ((8, 32, 4, 1280, 64, 132), (16, 64, 1, 1)),  # one wave as it is
        ((64, 8, 4, 1280, 64, 132), (16, 64, 1, 1)),  # not quite two, yet short
        ((64, 8, 4, 8256, 64, 132), (16, 64, 1, 2)),
        ((75, 8, 4, 8256, 64, 132), (16, 64, 1, 1)),  # more than two waves
        ((64, 32, 4, 8256, 64, 132), (16, 64, 1, 1)),  # many
    ],
)
def test_the_rule_of_the_split(sizes, expected):
    found = split_plan.plan_splits(*sizes, tuning.LAUNCHES["cuda"]["attention"])
    assert (found.block_m, found.block_n, found.row_blocks, found.splits) == expected


@triton.jit
def _add_bits(x, y):
    tl.store(y, tl.load(x) + tl.load(x))


@triton.jit
def _sum_bits(x, y):
    tl.store(y, tl.sum(tl.load(x + tl.arange(0, 16)), 0))


@pytest.mark.parametrize("kernel", [_add_bits, _sum_bits], ids=lambda kernel: kernel.__name__)
def test_bfloat16_arithmetic_is_refused_by_the_interpreter(kernel, interpreted):
    with pytest.raises(Exception, match="bfloat16 arithmetic"):
        kernel[(1,)](torch.ones(16, dtype=torch.bfloat16), torch.ones(1, dtype=torch.bfloat16))


def test_tiles_grow_along_k_where_rows_are_few():
    launch = tuning.LaunchConfig(
        {"tile_bytes": 16384, "max_rows": 8, "min_rows": 1, "min_programs": 256}
    )
    assert tuning.weight_tile(4096, 4096, 2, launch) == (8, 1024)
    assert tuning.weight_tile(4096, 4096, 4, launch) == (8, 512)
    assert tuning.weight_tile(576, 4096, 2, launch) == (2, 4096)
    assert tuning.weight_tile(576, 100, 2, launch) == (2, 128)
    matrix = tuning.LaunchConfig(
        {"tile_bytes": 16384, "max_rows": 64, "min_rows": 16, "min_programs": 128}
    )
    assert tuning.weight_tile(192, 576, 2, matrix) == (16, 512)


def test_tune_returns_the_fastest_row_that_runs(capsys):
    rows = [tuning.LaunchConfig({"block": size}) for size in (1, 2, 3)]

    def measure(call) -> float:
        block = call().blocks["block"]
        if block == 1:
            raise RuntimeError("out of shared memory")
        return block / 2

    assert tuning.tune("any", lambda row: row, rows, measure) == (rows[1], 1.0)
    assert "out of shared memory" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="none of the rows"):
        tuning.tune("any", lambda row: row, rows[:1], measure)
    assert tuning.candidates("linear_matrix", "xpu")[0] == tuning.LAUNCHES["xpu"]["linear_matrix"]


def test_import_of_tinyllm_leaves_triton_alone():
    code = "import sys, tinyllm, tinyllm.check; sys.exit('tinyllm.kernels.triton' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
