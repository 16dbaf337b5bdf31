"""How launches fill Xe-cores: by hand for small cases, and the sizes are those of the kernels' own tables."""

import pytest

from models import says
from tinyllm.draw.xe_core import threads_of_core
from tinyllm.kernels.triton.tuning import launch_for
from tinyllm.lab.intel_gpus import GPUS, intel_gpu
from tinyllm.lab.occupancy import Launch, decode_launches, occupancy_of, occupancy_table, sycl_gemv
from tinyllm.lab.shapes import known_config

B580, LUNAR, MAX = intel_gpu("B580"), intel_gpu("140V"), intel_gpu("Max 1550")
SMOLLM = known_config("smollm2-135m")


@pytest.mark.parametrize(
    "groups, threads, registers, cores, share, rounds",
    [
        (1, 16, 128, 1, 16 / 1280, 1),  # one row: one Xe-core of 20, a quarter of its 64 threads
        (20, 8, 128, 20, 160 / 1280, 1),
        (160, 8, 128, 20, 1.0, 1),
        (161, 8, 128, 20, 1.0, 2),
        (80, 8, 256, 20, 1.0, 1),  # half as many threads with twice the registers
        (81, 8, 256, 20, 1.0, 2),
        (21, 64, 128, 20, 1.0, 2),
        (26, 48, 128, 20, 0.75, 2),  # a second work-group of 48 does not fit into 64
    ],
)
def test_by_hand_on_20_xe_cores(groups, threads, registers, cores, share, rounds):
    filled = occupancy_of(Launch("a", groups, threads, registers), B580)
    assert (filled.xe_cores, filled.rounds) == (cores, rounds)
    assert filled.share == pytest.approx(share) == filled.threads / (20 * 8 * 1024 // registers)


def test_a_work_group_larger_than_an_xe_core_raises():
    message = (
        "64 threads with 256 registers: expected at most 32, those of an Xe-core of Arc B580; "
        "pass a smaller work-group"
    )
    says(ValueError, message, lambda: occupancy_of(Launch("a", 1, 64, 256), B580))


@pytest.mark.parametrize("gpu", [gpu for gpu in GPUS if gpu.xe_cores in (8, 20, 64)])
def test_launches_of_the_default_model(gpu):
    launches = decode_launches(SMOLLM, gpu)
    norm, qkv, attention, out, gate_up, down = launches
    assert (norm.work_groups, norm.threads) == (1, launch_for("norm", "xpu").num_warps)
    # 16 KB of the weight in a program: 2 rows of 576, in a tile of 1024 columns and 16 bits, or 4 with pairs
    assert [x.work_groups for x in (qkv, out, gate_up, down)] == [480, 288, 768, 288]
    assert attention.work_groups % SMOLLM.num_key_value_heads == 0
    assert attention.registers == 256 and {x.registers for x in launches if x != attention} == {128}
    assert attention.work_groups <= 2 * gpu.xe_cores, "a wave is 2 programs for each Xe-core"


def test_the_gemv_in_sycl():
    """Two rows of the weight for a work-group; another sub-group for every 4 loads of 16 bytes a lane."""
    assert sycl_gemv(576, 576) == Launch("GEMV, 576 x 576", 288, 1)
    assert sycl_gemv(577, 4096) == Launch("GEMV, 577 x 4096", 289, 8)
    assert sycl_gemv(2, 11008, size=4).threads == 16


def test_more_xe_cores_are_filled_by_more_splits_up_to_the_keys():
    splits = [decode_launches(SMOLLM, gpu)[2].name for gpu in (LUNAR, B580, MAX)]
    assert splits == ["attention, 4 splits", "attention, 8 splits", "attention, 8 splits"]
    assert decode_launches(SMOLLM, MAX, held=8192)[2].name == "attention, 16 splits"


@pytest.mark.parametrize("launch", decode_launches(SMOLLM, B580), ids=lambda launch: launch.name)
def test_the_picture_shows_the_threads_that_are_counted(launch):
    drawn = sum(len(threads_of_core(launch, B580, core)) for core in range(B580.xe_cores))
    filled, kind = occupancy_of(launch, B580), B580.architecture
    slots = B580.xe_cores * kind.vector_engines * kind.threads_of_engine(launch.registers)
    assert drawn == pytest.approx(filled.share * slots)


def test_the_table_is_narrow():
    lines = occupancy_table(decode_launches(SMOLLM, MAX), MAX).splitlines()
    assert len(lines) == 7 and max(map(len, lines)) <= 90
