"""The one question that generation puts to the device in every step: have all sequences ended?"""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor


class AsyncStopFlag:
    """Read after every step. On a GPU the answer comes one step late, so that the host never waits.

    Where `late` is True, a positive answer means that the step before the last was the last one needed. `sync` is for
    steps that the caller watches, none of which may be taken in vain.
    """

    def __init__(self, device: torch.device, *, sync: bool) -> None:
        self.late = device.type != "cpu" and not sync
        self.reads = 0
        if self.late:
            self.answers = torch.zeros(2, dtype=torch.bool, device="cpu", pin_memory=True)
            self.arrived = [getattr(torch, device.type).Event() for _ in range(2)]

    def __call__(self, stopped: Bool[Tensor, ""]) -> bool:
        """Whether all sequences have ended, or had one step ago."""
        if not self.late:
            return bool(stopped)
        now = self.reads % 2
        before = (self.reads + 1) % 2
        self.answers[now].copy_(stopped, non_blocking=True)
        self.arrived[now].record()
        self.reads += 1
        if self.reads == 1:
            return False
        self.arrived[before].synchronize()
        return bool(self.answers[before])
