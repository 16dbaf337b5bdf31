"""Ranks as threads of one process, where all that they send can be seen; every sum is made in the same order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.parallel.ranks import Ranks

TIMEOUT_S = 60
Result = TypeVar("Result")


class Exchange:
    """A place where all ranks leave a value and read those of all."""

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=TIMEOUT_S)

    def __call__(self, rank: int, value: Any) -> list[Any]:
        """The values of all ranks, once each has left its own."""
        self.values[rank] = value
        self.barrier.wait()
        found = list(self.values)
        self.barrier.wait()
        return found


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    """Number `rank` of `size` threads; `sent` has the kind and the bytes of every message."""

    exchange: Exchange | None = field(default=None, compare=False)
    sent: list[tuple[str, int]] = field(default_factory=list, compare=False)

    def all_reduce(self, x: Float[Tensor, ...]) -> Float[Tensor, ...]:
        self.sent.append(("sum", x.nbytes))
        return torch.stack(self.exchange(self.rank, x)).sum(0)

    def gather(self, x: Float[Tensor, "*rows own"], columns: int) -> Float[Tensor, "*rows columns"]:
        self.sent.append(("logits", x.nbytes))
        return torch.cat(self.exchange(self.rank, x), dim=-1)

    def least(self, value: int | None) -> int | None:
        known = [one for one in self.exchange(self.rank, value) if one is not None]
        return min(known, default=None)

    def share(self, value: Any) -> Any:
        return self.exchange(self.rank, value)[0]

    def check_same(self, digest: bytes, name: str) -> None:
        if len(set(self.exchange(self.rank, digest))) > 1:
            raise ValueError(f"{name} differ between ranks: expected the same on all {self.size}")


def on_ranks(size: int, work: Callable[[ThreadRanks], Result]) -> list[Result]:
    """What `work(ranks)` returns on every rank, in the order of ranks; an error of one ends all."""
    exchange = Exchange(size)

    def run(rank: int) -> Result:
        try:
            return work(ThreadRanks(rank, size, exchange))
        except BaseException:
            exchange.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))
