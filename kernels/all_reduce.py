"""Sums over the ranks of a group: our launch where the GPUs share memory, else the all-reduce of torch's backend."""

from __future__ import annotations

import socket
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from .triton.all_reduce import OneShotAllReduce

# Every rank sends all of its elements to every other: of more bytes than this, a ring of the backend's sends fewer.
MAX_BYTES = 1 << 20


class AllReduce:
    """Sums over the ranks of `group`, in one launch for up to `max_elements`; every rank makes the same calls.

    `one_shot` is None where that launch cannot be, for the `reason`, which on a GPU is also a warning of
    rank 0. Every rank of the group constructs it, and all decide alike.
    """

    def __init__(
        self, group: dist.ProcessGroup, device: torch.device, dtype: torch.dtype, max_elements: int
    ) -> None:
        self.group = group
        self.one_shot: OneShotAllReduce | None = None
        self.reason = unsupported_reason(group, device)
        if self.reason is None:
            max_elements = min(max_elements, MAX_BYTES // dtype.itemsize)
            self._connect(device, dtype, max_elements)
        if self.reason is not None and device.type != "cpu" and group.rank() == 0:
            warnings.warn(
                f"each all-reduce is the backend's, and slower: {self.reason}",
                UserWarning,
                stacklevel=2,
            )

    def _connect(self, device: torch.device, dtype: torch.dtype, max_elements: int) -> None:
        """Share memory, or keep the reason why some rank cannot."""
        from .triton.all_reduce import OneShotAllReduce

        try:
            self.one_shot = OneShotAllReduce.from_group(self.group, device, dtype, max_elements)
        except (RuntimeError, NotImplementedError) as error:
            self.reason = f"torch cannot share memory: {str(error).splitlines()[0]}"
        reasons: list[str | None] = [None] * self.group.size()
        dist.all_gather_object(reasons, self.reason, group=self.group)
        self.reason = next((reason for reason in reasons if reason is not None), None)
        if self.reason is not None:
            self.one_shot = None

    def __call__(
        self, partial: Tensor, residual: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """The sum of all ranks' partial [..., m], plus bias [m] and residual [..., m], each added once."""
        one_shot = self.one_shot
        if one_shot is not None and partial.numel() <= one_shot.capacity:
            return one_shot(partial, residual, bias)
        total = partial.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=self.group)
        for term in (bias, residual):
            if term is not None:
                total += term
        return total


def unsupported_reason(group: dist.ProcessGroup, device: torch.device) -> str | None:
    """Why the ranks of a group cannot sum in one launch, before any memory is shared; None where they may."""
    if device.type not in ("cuda", "xpu"):
        return f"the ranks share memory of GPUs, and this one is on {device.type}"
    if find_spec("triton") is None:
        return "Triton is not installed"
    from .triton.all_reduce import MAX_RANKS

    if not 2 <= group.size() <= MAX_RANKS:
        return f"{group.size()} ranks: expected 2 to {MAX_RANKS}"
    hosts: list[str] = [""] * group.size()
    dist.all_gather_object(hosts, socket.gethostname(), group=group)
    if len(set(hosts)) > 1:
        return f"the ranks are on several hosts, {sorted(set(hosts))}"
    return None
