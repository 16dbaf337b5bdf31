"""Bytes in flight, from the rows of launches alone."""

from dataclasses import replace

import pytest

pytest.importorskip("triton")

from tinyllm.kernels.triton.in_flight import GPUS, Gpu, Loads, launches, loads_of, table
from tinyllm.kernels.triton.tuning import LAUNCHES, LaunchConfig

ROWS = LAUNCHES["xpu"]


def test_bytes_are_programs_times_warps_times_lanes_times_loads():
    gpu = Gpu("two cores", 2, 1e9)
    few = Loads("any", 3, warps=8, lanes=32, bytes_of_load=16, loads=4)
    assert few.of_program == 8 * 32 * 16 * 4
    assert few.in_flight(gpu) == 3 * few.of_program
    many = replace(few, programs=1000)
    assert many.in_flight(gpu) == 2 * 8 * many.of_program  # 64 hardware threads of a core
    assert replace(many, registers=256).in_flight(gpu) == 2 * 4 * many.of_program
    assert gpu.needed == 1000


def test_a_load_is_as_wide_as_a_lane_has_elements():
    row = LaunchConfig({}, num_warps=4)
    for elements, width, loads in ((256, 4, 1), (1024, 16, 1), (4096, 16, 4)):
        found = loads_of("any", row, 1, elements)
        assert (found.bytes_of_load, found.loads) == (width, loads)
        assert found.of_program == 2 * elements


def test_blocks_are_in_flight_in_all_stages():
    row = LaunchConfig({}, num_warps=4, num_stages=3, block_loads=True)
    found = loads_of("any", row, 1, 2048, lanes=16)
    assert (found.bytes_of_load, found.loads) == (32, 3 * 2)
    assert found.of_program == 3 * 4096
    by_pointers = loads_of("any", replace(row, block_loads=False), 1, 2048, lanes=16)
    assert by_pointers.of_program == 4096


def test_launches_keep_the_memory_busy():
    short = {
        (x.kernel, gpu.name) for x in launches() for gpu in GPUS if x.in_flight(gpu) < gpu.needed
    }
    assert short == set()


def test_every_lane_loads_16_bytes_or_its_part_of_a_block():
    assert {one.kernel: one.bytes_of_load for one in launches()} == {
        kernel: 32 if row.block_loads else 16
        for kernel, row in ROWS.items()
        if kernel
        not in ("attention", "prefill", "packed_matrix", "unpack", "all_reduce", "attention_int8")
    }


def test_launches_that_fall_short_are_found():
    narrow = replace(ROWS["activation"], blocks={"block": 64})
    small = replace(
        ROWS["linear_vector"], blocks=ROWS["linear_vector"].blocks | {"tile_bytes": 1024}
    )
    waiting = replace(ROWS["linear_matrix"], num_stages=3)  # 128 programs for 64 cores
    rows = ROWS | {"activation": narrow, "linear_vector": small, "linear_matrix": waiting}
    found = {x.kernel: x for x in launches(rows)}
    assert found["linear_matrix"].in_flight(GPUS[2]) < GPUS[2].needed
    assert found["activation"].in_flight(GPUS[0]) < GPUS[0].needed
    assert found["linear_vector"].in_flight(GPUS[2]) < GPUS[2].needed


def test_the_table_has_a_row_for_each_launch():
    lines = table().splitlines()
    assert len(lines) == 2 + len(launches())
    assert {line.count("|") for line in lines} == {6 + len(GPUS)}
