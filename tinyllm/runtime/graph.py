"""Work that is launched once and replayed: a captured graph, on CUDA and on XPU alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

import torch


def captured_settings() -> tuple[str, bool]:
    """Torch's settings by which kernels are chosen, and which captured work keeps."""
    return torch.backends.cuda.matmul.fp32_precision, torch.are_deterministic_algorithms_enabled()


class CapturedGraph:
    """A function without arguments that always does the same on the same memory, captured at its second call.

    The first call runs it as it is, which compiles and allocates what it needs. Where capturing fails, every call does,
    and `failure` has the reason. `seconds` is the time the capture took.
    """

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self.work = work
        self.device = device
        self.backend = getattr(torch, device.type)
        self.calls = 0
        self.seconds = 0.0
        self.failure: str | None = None
        self.graph: Any = None  # torch.cuda.CUDAGraph or torch.xpu.XPUGraph

    def __call__(self) -> None:
        """Do the work once more."""
        self.calls += 1
        if self.calls == 2:
            self._capture()
        if self.graph is None:
            self.work()
        else:
            self.graph.replay()

    def _capture(self) -> None:
        start = perf_counter()
        try:
            self.graph = self._captured(self.work)
        except (AttributeError, RuntimeError) as error:
            self.failure = f"{type(error).__name__}: {error}"
            self._end_capture()
        self.seconds = perf_counter() - start

    def _captured(self, work: Callable[[], Any]) -> Any:
        is_cuda = self.device.type == "cuda"
        graph = self.backend.CUDAGraph() if is_cuda else self.backend.XPUGraph()
        stream = self.backend.stream(self.backend.current_stream())
        with stream, self.backend.graph(graph):
            work()  # the current stream is restored behind it
        return graph

    def _end_capture(self) -> None:
        """A failed capture leaves the generator in the state of a running capture, until another one has ended."""
        with suppress(AttributeError, RuntimeError):
            self._captured(lambda: torch.zeros(1, dtype=torch.float32, device=self.device))
