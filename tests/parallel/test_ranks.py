"""Which ranks a process belongs to, and which device is its own."""

import copy

import pytest
import torch

from models import says
from tinyllm.parallel.ranks import (
    SINGLE,
    ProcessRanks,
    Ranks,
    device_of_rank,
    is_first_rank,
    pick_ranks,
)

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


@pytest.fixture
def torchrun(monkeypatch):
    """The environment of rank 1 of 2, the second process of its machine."""
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)


def test_a_single_process_has_no_ranks():
    assert pick_ranks(None, CPU) is pick_ranks("auto", CPU) is SINGLE
    assert is_first_rank()
    x = torch.ones(2)
    assert SINGLE.all_reduce(x) is SINGLE.gather(x, 2) is SINGLE.share(x) is x
    assert SINGLE.least(3) == 3


def test_under_torchrun_without_parallel_each_process_runs_alone(torchrun):
    assert pick_ranks(None, CPU) is SINGLE
    assert not is_first_rank()


def test_other_values_of_parallel():
    says(
        ValueError,
        "parallel='tp': expected None, 'auto' or a tinyllm.parallel.ranks.Ranks",
        lambda: pick_ranks("tp", CPU),
    )


def test_a_process_group_that_hosts_cannot_agree_over(torchrun, monkeypatch):
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_backend_config", lambda: "cuda:nccl")
    says(
        ValueError,
        "torch.distributed runs on 'cuda:nccl', which sends nothing between hosts: expected "
        "init_process_group('cpu:gloo,cuda:nccl')",
        lambda: pick_ranks("auto", CUDA),
    )


def test_the_device_of_a_rank(torchrun, monkeypatch):
    chosen = []
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert device_of_rank(CUDA, Ranks(3, 4)) == torch.device("cuda", 1)
    assert chosen == [1]
    assert device_of_rank(CUDA, SINGLE) == CUDA
    assert device_of_rank(CPU, Ranks(1, 2)) == CPU
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    says(
        ValueError,
        "rank 1 has number 1 on this machine, which has 1 devices of kind cuda: "
        "start as many processes as it has devices",
        lambda: device_of_rank(CUDA, Ranks(1, 2)),
    )


def test_a_few_rows_are_summed_in_one_launch_and_more_by_the_backend(monkeypatch):
    class OneLaunch:
        capacity = 6

        def __call__(self, x):
            return 2 * x

    monkeypatch.setattr("torch.distributed.all_reduce", lambda x: x.mul_(3))
    ranks = ProcessRanks(0, 2, one_launch=OneLaunch())
    assert ranks.all_reduce(torch.ones(2, 3)).unique().item() == 2
    assert ranks.all_reduce(torch.ones(2, 4)).unique().item() == 3
    alone = ProcessRanks(0, 2, shared_memory=False)
    assert alone.connect(CUDA, torch.float32, 8) is alone
    assert alone.all_reduce(torch.ones(2, 3)).unique().item() == 3


def test_copies_do_not_share_memory_with_other_ranks():
    ranks = ProcessRanks(1, 2, one_launch=object())
    assert copy.deepcopy(ranks) == ProcessRanks(1, 2, shared_memory=False)
    assert copy.deepcopy(ranks).one_launch is None
