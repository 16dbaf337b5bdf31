"""Whether the ranks of a group can sum in one launch of ours; where not, torch's backend sums."""

from __future__ import annotations

import socket
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from .triton.all_reduce import OneShotAllReduce

# Every rank sends all of its elements to every other: of more bytes than this, a ring of the backend's sends fewer.
MAX_BYTES = 1 << 20


def connect_one_shot(
    group: dist.ProcessGroup, device: torch.device, dtype: torch.dtype, max_elements: int
) -> OneShotAllReduce | None:
    """The all-reduce in one launch of up to `max_elements`, 1 MB at most; every rank of the group calls it.

    None on all ranks where one of them cannot: then the first warns of the reason.
    """
    one_shot = None
    reason = unsupported_reason(group, device)
    if reason is None:
        from .triton.all_reduce import OneShotAllReduce

        max_elements = min(max_elements, MAX_BYTES // dtype.itemsize)
        try:
            one_shot = OneShotAllReduce.from_group(group, device, dtype, max_elements)
        except RuntimeError as error:  # torch's, whose first line is the reason
            reason = f"torch cannot share memory: {str(error).splitlines()[0]}"
        reasons: list[str | None] = [None] * group.size()
        dist.all_gather_object(reasons, reason, group=group)
        reason = next((one for one in reasons if one is not None), None)
    if reason is None:
        return one_shot
    if group.rank() == 0:
        warnings.warn(
            f"each all-reduce is the backend's, and slower: {reason}", UserWarning, stacklevel=2
        )
    return None


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
