"""The all-reduce of a few rows: ranks are processes that share their buffers, and the launches that wait are real."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

pytest.importorskip("triton")

import all_reduce_ranks as ranks_of
import triton.language as tl

from tinyllm.kernels import all_reduce as choice
from tinyllm.kernels.all_reduce import connect_one_shot
from tinyllm.kernels.triton import all_reduce
from tinyllm.kernels.triton.tuning import LAUNCHES

SCRIPT = Path(__file__).parents[2] / "book" / "device" / "all_reduce.py"
LAUNCH = LAUNCHES["interpreter"]["all_reduce"]


def slow_to_receive(rank: int) -> None:
    """Rank 0 sleeps between sending and receiving, so that the others are a call ahead of it."""
    if rank == 0:
        receive = all_reduce._receive

        def late(*arguments):
            time.sleep(0.02)
            return receive(*arguments)

        all_reduce._receive = late


def send_in_parts(rank: int) -> None:
    """Every other element of rank 1 arrives later than its neighbours."""
    if rank == 1:
        send = all_reduce._send

        def parts(words, buffers, offsets, NUM_RANKS):
            empty = tl.full(words.shape, -(2 ** (words.dtype.primitive_bitwidth - 1)), words.dtype)
            send(tl.where(offsets % 2 == 0, words, empty), buffers, offsets, NUM_RANKS)
            time.sleep(0.02)
            send(words, buffers, offsets, NUM_RANKS)

        all_reduce._send = parts


@pytest.mark.parametrize(
    ("num_ranks", "dtype", "prepare"),
    [
        (2, torch.float32, slow_to_receive),
        (2, torch.bfloat16, send_in_parts),
        (3, torch.float16, send_in_parts),
        (4, torch.float32, slow_to_receive),
    ],
)
def test_sums_of_ranks_that_wait_for_each_other(num_ranks, dtype, prepare, interpreted):
    rounds = dtype != torch.bfloat16
    calls = len(ranks_of.CALLS) + 2
    assert ranks_of.faults(num_ranks, dtype, calls, prepare, rounds) == []


def test_a_rank_that_waits_for_ever_is_reported(monkeypatch):
    monkeypatch.setattr(ranks_of, "SECONDS", 0.2)
    assert ranks_of.outcome(2, lambda rank: time.sleep(60 * rank)) == "ranks [1] still wait"
    assert ranks_of.outcome(2, lambda rank: sys.exit(rank)) == "exit codes [0, 1]"


@pytest.mark.parametrize("kind", ["cuda", "xpu", "interpreter"])
@pytest.mark.parametrize("max_elements", [1, 4096, 4 * 4096, 64 * 8192 - 1, 3 * 5120])
def test_programs_fit_on_a_gpu_and_cover_the_buffer(kind, max_elements):
    launch = LAUNCHES[kind]["all_reduce"]
    split = all_reduce.split_of(max_elements, launch)
    assert max_elements <= split.capacity < max_elements + split.capacity // split.num_programs
    assert split.num_programs <= launch.blocks["max_programs"]
    assert split.block_size == split.num_warps * launch.blocks["elements_of_warp"]
    assert all_reduce.split_of(split.capacity, launch) == split
    assert all_reduce.num_words(max_elements, 3, launch) == 2 * 3 * split.capacity


def made(dtype=torch.float32, num_ranks=2) -> all_reduce.OneShotAllReduce:
    """For errors alone: the other ranks have no process."""
    words = all_reduce.num_words(256, num_ranks, LAUNCH)
    buffer = torch.full((words,), all_reduce.empty_word(dtype), dtype=all_reduce.WORDS[dtype])
    return all_reduce.OneShotAllReduce(buffer, [buffer.data_ptr()] * num_ranks, 0, dtype)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (torch.ones(3, 100),),
            "300 elements of torch.float32: expected 1 to 256 of torch.float32",
        ),
        ((torch.ones(0, 100),), "0 elements"),
        ((torch.ones(1, 8).half(),), "8 elements of torch.float16: expected"),
        ((torch.ones(2, 8), torch.ones(8)), r"residual has shape \[8\]: expected .* \[2, 8\]"),
        ((torch.ones(2, 8), None, torch.ones(9)), r"bias is \[9\].*expected dense \[8\]"),
    ],
)
def test_calls_that_do_not_fit_are_refused(arguments, message, interpreted):
    with pytest.raises(ValueError, match=message):
        made()(*arguments)


def test_buffers_that_do_not_fit_are_refused(interpreted):
    for num_ranks in (1, 9):
        with pytest.raises(ValueError, match=f"{num_ranks} ranks: expected 2 to 8"):
            made(num_ranks=num_ranks)
    buffer = torch.zeros(8, dtype=torch.int32)
    address = buffer.data_ptr()
    with pytest.raises(ValueError, match=r"float16 in a buffer of torch\.int32"):
        all_reduce.OneShotAllReduce(buffer, [address, 0], 0, torch.float16)
    with pytest.raises(ValueError, match="not that of the own buffer"):
        all_reduce.OneShotAllReduce(buffer, [address, 0], 1, torch.float32)


# The choice: two processes of gloo do the work of each of these functions.


def connected(device: str, max_elements: int = 1024):
    """What a rank gets, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        one_shot = connect_one_shot(
            dist.group.WORLD, torch.device(device), torch.float32, max_elements
        )
    return one_shot, [str(one.message) for one in caught]


def where_there_are_no_gpus(rank: int) -> None:
    one_shot, warned = connected("cpu")
    assert one_shot is None
    assert ["one is on cpu" in message for message in warned] == [True] * (rank == 0)


def where_one_rank_cannot_share(rank: int) -> None:
    def shared(cls, *arguments):
        if rank == 1:
            raise RuntimeError("no access between devices\nand more")
        return made()

    all_reduce.OneShotAllReduce.from_group = classmethod(shared)
    one_shot, warned = connected("xpu")
    assert one_shot is None
    reason = "torch cannot share memory: no access between devices"
    assert [message.endswith(reason) for message in warned] == [True] * (rank == 0)


def where_all_can_share(rank: int) -> None:
    sizes = []

    def shared(cls, group, device, dtype, max_elements):
        sizes.append(max_elements)
        return made()

    all_reduce.OneShotAllReduce.from_group = classmethod(shared)
    one_shot, warned = connected("cuda", 10**9)
    assert isinstance(one_shot, all_reduce.OneShotAllReduce)
    assert (warned, sizes) == ([], [choice.MAX_BYTES // 4])


def on_two_hosts(rank: int) -> None:
    choice.socket.gethostname = lambda: f"host{rank}"
    reason = choice.unsupported_reason(dist.group.WORLD, torch.device("cuda"))
    assert reason == "the ranks are on several hosts, ['host0', 'host1']"


@pytest.mark.parametrize(
    "work",
    [where_there_are_no_gpus, where_one_rank_cannot_share, where_all_can_share, on_two_hosts],
)
def test_the_choice_is_that_of_all_ranks(work, tmp_path):
    def with_group(rank: int) -> None:
        torch.set_num_threads(1)
        file = f"file://{tmp_path / 'ranks'}"
        dist.init_process_group("gloo", init_method=file, rank=rank, world_size=2)
        work(rank)
        dist.barrier()
        dist.destroy_process_group()

    assert ranks_of.outcome(2, with_group) is None


@pytest.mark.gpu
def test_sums_of_gpus(accelerator, tmp_path):
    count = torch.get_device_module(accelerator).device_count()
    if count < 2:
        pytest.skip("needs two GPUs of one host")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        str(min(8, count)),
    ]
    done = subprocess.run([*command, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == 3
