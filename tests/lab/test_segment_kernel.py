"""The pieces of the attention kernel, and its splits on Intel's GPUs."""

import ast

from tinyllm.kernels.triton.split_plan import plan_splits
from tinyllm.kernels.triton.tuning import launch_for
from tinyllm.lab.intel_gpus import intel_gpu
from tinyllm.lab.segment_kernel import segment_kernel_pieces, splits_as_text, splits_on

B580 = intel_gpu("B580")
PIECES = segment_kernel_pieces(group=3, width=4, head_dim=64)


def test_the_pieces_begin_with_the_grid_and_end_with_the_result():
    names = list(PIECES)
    assert (names[0], names[-1]) == ("grid", "result")
    assert PIECES["grid"].startswith(
        "_segment_attention[(plan.splits * plan.row_blocks, kv_heads, b)]"
    )
    assert "tl.store(out_ptr" in PIECES["result"]


def test_every_piece_but_the_grid_is_python():
    for name, text in PIECES.items():
        if name != "grid":
            ast.parse(text)


def test_both_loops_are_there_and_no_other_launch():
    assert "for tile in" in PIECES["loop over the prompt"]
    assert "beam_mask.mask_ptr" in PIECES["loop over the response"]
    text = "\n".join(PIECES.values())
    assert not any(line.startswith("if ") for line in text.replace("    ", "").splitlines())
    assert "k_scale_ptr" not in text
    assert "positions_ptr" not in text


def test_splits_are_those_of_the_plan():
    (split,) = splits_on(["llama-3-8b"], [B580], beams=4, keys=1280)
    launch = launch_for("attention", "xpu")
    plan = plan_splits(1, 8, rows=16, keys=1280, block_n=64, processors=20, launch=launch)
    assert (split.unsplit, split.splits) == (8 * plan.row_blocks, plan.splits) == (8, 4)
    assert split.occupancy.share == 32 * 8 / (20 * 32)
    assert split.occupancy.xe_cores == 20


def test_rows_are_all_beams_times_the_heads_of_a_group():
    gpu = intel_gpu("Lunar")
    few, many = (splits_on(["llama-3-8b"], [gpu], beams, keys=1280)[0] for beams in (4, 32))
    assert (few.unsplit, many.unsplit) == (8, 8 * 2)  # 4 * 32 rows are two tiles of 64


def test_more_cores_never_have_fewer_splits():
    gpus = [intel_gpu(name) for name in ("Lunar", "B580", "1550")]
    splits = [x.splits for x in splits_on(["llama-2-7b"], gpus, beams=4, keys=1280)]
    assert splits == sorted(splits)
    assert splits[0] < splits[-1]


def test_the_table_has_a_line_for_each():
    gpus = [B580, intel_gpu("Lunar")]
    text = splits_as_text(splits_on(["llama-3-8b"], gpus, 4, 1280))
    head, *lines = text.splitlines()
    assert head.split()[:4] == ["model", "Xe-cores", "unsplit", "splits"]
    assert [line.split()[1] for line in lines] == ["20", "8"]
    assert max(map(len, text.splitlines())) <= 90
