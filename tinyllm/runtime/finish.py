"""The one question that generation asks the device in every step: is it over?"""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor


class Finish:
    """Asked after every step. On a GPU the answer comes one step late: nobody waits for the step just launched.

    `late` says so: where it is True, a positive answer means that the step before the last was the last one needed.
    `at_once` is for steps that must not be taken in vain, because somebody watches them.
    """

    def __init__(self, device: torch.device, *, at_once: bool) -> None:
        self.late = device.type != "cpu" and not at_once
        self.asked = 0
        if self.late:
            self.answers = torch.zeros(2, dtype=torch.bool, pin_memory=True)
            self.arrived = [getattr(torch, device.type).Event() for _ in range(2)]

    def __call__(self, over: Bool[Tensor, ""]) -> bool:
        """Whether it is over, or was one step ago."""
        if not self.late:
            return bool(over)
        now, before = self.asked % 2, (self.asked + 1) % 2
        self.answers[now].copy_(over, non_blocking=True)
        self.arrived[now].record()
        self.asked += 1
        if self.asked == 1:
            return False
        self.arrived[before].synchronize()
        return bool(self.answers[before])
