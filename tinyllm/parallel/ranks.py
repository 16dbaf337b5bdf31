"""The processes that run one model together, and what passes between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tinyllm.config import split_evenly
from tinyllm.kernels.all_reduce import connect_one_shot

if TYPE_CHECKING:
    from tinyllm.kernels.triton.all_reduce import OneShotAllReduce

BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl", "xpu": "cpu:gloo,xpu:xccl"}
TIMEOUT_S = 600.0  # a rank may compile kernels for minutes while the others wait

# The older name of torch before 2.12.
_all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor


@dataclass(frozen=True)
class Ranks:
    """Number `rank` of `size` processes that run one model; this one runs it alone, and sends nothing.

    >>> SINGLE.size
    1
    """

    rank: int = 0
    size: int = 1

    def connect(self, device: torch.device, dtype: torch.dtype, max_elements: int) -> Ranks:
        """The same ranks, ready to sum up to `max_elements` of a format in one launch, where devices share memory."""
        return self

    def all_reduce(self, x: Float[Tensor, ...]) -> Float[Tensor, ...]:
        """The sum of the tensors of all ranks, which may be written into `x`; the same bits on every rank."""
        return x

    def gather(self, x: Float[Tensor, "*rows own"], columns: int) -> Float[Tensor, "*rows columns"]:
        """The columns of all ranks side by side; each has its range of `split_evenly(columns, size)`."""
        return x

    def least(self, value: int | None) -> int | None:
        """The smallest of the numbers of all ranks; None where all have None."""
        return value

    def share(self, value: Any) -> Any:
        """The value of the first rank."""
        return value

    def check_same(self, digest: bytes, name: str) -> None:
        """Raise ValueError on every rank, naming those whose digest of `name` is not the first one's."""


SINGLE = Ranks()


@dataclass(frozen=True)
class ProcessRanks(Ranks):
    """The processes of torch.distributed's default group: NCCL, XCCL or gloo carry tensors, gloo what hosts agree on.

    `one_launch` sums a few rows where the GPUs of a host share memory, unless `shared_memory` is False. Raises
    ConnectionError where another process has ended, or does not answer in time.
    """

    shared_memory: bool = True
    one_launch: OneShotAllReduce | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple:
        """Copies of a model sum by the backend: memory that is shared cannot be copied."""
        return ProcessRanks, (self.rank, self.size, False)

    def connect(self, device: torch.device, dtype: torch.dtype, max_elements: int) -> Ranks:
        if not self.shared_memory or device.type == "cpu":
            return self
        one_launch = connect_one_shot(dist.group.WORLD, device, dtype, max_elements)
        return replace(self, one_launch=one_launch)

    def all_reduce(self, x: Float[Tensor, ...]) -> Float[Tensor, ...]:
        if self.one_launch is not None and x.numel() <= self.one_launch.capacity:
            return self.one_launch(x)
        with self._messages(x):
            dist.all_reduce(x)
        return x

    def gather(self, x: Float[Tensor, "*rows own"], columns: int) -> Float[Tensor, "*rows columns"]:
        sizes = [len(part) for part in split_evenly(columns, self.size)]
        missing = max(sizes) - x.shape[-1]
        own = F.pad(x, (0, missing)) if missing else x.contiguous()
        parts = own.new_empty(self.size, *own.shape)
        with self._messages(x):
            _all_gather(parts.view(-1), own.view(-1))
        if min(sizes) == max(sizes):
            return parts.movedim(0, -2).flatten(-2)
        pairs = zip(parts, sizes, strict=True)
        return torch.cat([part[..., :size] for part, size in pairs], dim=-1)

    def least(self, value: int | None) -> int | None:
        missing = torch.iinfo(torch.int64).max
        number = missing if value is None else value
        x = torch.tensor([number], dtype=torch.int64, device="cpu")
        with self._messages(x):
            dist.all_reduce(x, dist.ReduceOp.MIN)
        return None if x.item() == missing else int(x.item())

    def share(self, value: Any) -> Any:
        values = [value]
        dist.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def check_same(self, digest: bytes, name: str) -> None:
        own = torch.tensor(list(digest), dtype=torch.uint8, device="cpu")
        digests = own.new_empty(self.size, len(own))
        with self._messages(own):
            _all_gather(digests.view(-1), own)
        others = (digests != digests[0]).any(dim=1).nonzero()[:, 0].tolist()
        if others:
            raise ValueError(
                f"{name} of ranks {others} differ from those of rank 0: expected the same on all {self.size} ranks; "
                "pass every rank the same arguments, and seed every rank alike"
            )

    @contextmanager
    def _messages(self, x: Tensor) -> Iterator[None]:
        """Raise ConnectionError where a host's message does not arrive, and torch's error where a GPU's does not."""
        try:
            yield
        except RuntimeError as error:
            if x.device.type != "cpu":
                raise
            raise ConnectionError(
                f"rank {self.rank} of {self.size} has lost another rank, which has ended or does not answer: "
                f"its own message has the reason; start all ranks again ({str(error).splitlines()[0]})"
            ) from error


def under_torchrun() -> bool:
    """Whether torchrun started this process together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def is_first_rank() -> bool:
    """Whether this process is the first of those that torchrun started, or the only one: it is the one that prints."""
    return not under_torchrun() or os.environ["RANK"] == "0"


def pick_ranks(parallel: Any, device: torch.device, timeout_s: float = TIMEOUT_S) -> Ranks:
    """The ranks of a model on this kind of device: None for one process, "auto" for all that torchrun started.

    Raises ValueError for anything else, and for processes that cannot reach each other.
    """
    if isinstance(parallel, Ranks):
        return parallel
    if parallel not in (None, "auto"):
        raise ValueError(
            f"parallel={parallel!r}: expected None, 'auto' or a tinyllm.parallel.ranks.Ranks"
        )
    if parallel is None or not under_torchrun():
        return SINGLE
    if not dist.is_initialized():
        wait = timedelta(seconds=timeout_s)
        dist.init_process_group(BACKENDS[device.type], timeout=wait)
    if "gloo" not in dist.get_backend_config():
        raise ValueError(
            f"torch.distributed runs on {dist.get_backend_config()!r}, which sends nothing between hosts: expected "
            f"init_process_group({BACKENDS[device.type]!r})"
        )
    return ProcessRanks(dist.get_rank(), dist.get_world_size())


def device_of_rank(device: torch.device, ranks: Ranks) -> torch.device:
    """The device of this rank, of all devices of a kind: the one of its number on this machine.

    Raises ValueError for more ranks than devices.
    """
    if ranks.size == 1 or device.type == "cpu" or device.index is not None:
        return device
    backend = getattr(torch, device.type)
    number = int(os.environ.get("LOCAL_RANK", ranks.rank))
    if number >= backend.device_count():
        raise ValueError(
            f"rank {ranks.rank} has number {number} on this machine, which has {backend.device_count()} devices of "
            f"kind {device.type}: start as many processes as it has devices"
        )
    backend.set_device(number)
    return torch.device(device.type, number)


def close_ranks() -> None:
    """Leave the process group, where there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
