"""An emulation of captured graphs for any device: records operations once, then replays them on the same memory.

Like a graph, a recording holds the operations and their tensors. Python numbers are recorded with their values. An
operation that needs a value on the host raises an error, since a graph cannot wait for it. A replay saves no time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tinyllm.lab.dispatch import KernelMode, tensors_in

aten = torch.ops.aten
# Operations that read a value to the host; on a GPU, the host synchronizes for it.
READS = (
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
)
TENSOR_METHODS = {
    Tensor.tolist: "tolist",
    Tensor.numpy: "numpy",
}  # on a CPU these run no operation
BY_MASK = (torch.bool, torch.uint8)


class HostRead(RuntimeError):
    """A recorded step reads a value to the host."""


class Launch(NamedTuple):
    """One operation, its arguments, and the tensors of its results."""

    func: Any
    args: tuple
    kwargs: dict[str, Any]
    results: list[Tensor]

    def replay(self) -> None:
        """Run the operation again, and store its results into the same tensors."""
        results = tensors_in([self.func(*self.args, **self.kwargs)])
        for old, new in zip(self.results, results, strict=True):
            if old is not new:
                old.copy_(new)


@dataclass
class _Log(KernelMode):
    """Calls `on_launch` for every operation that runs a kernel, `on_host_read` for every read to the host."""

    on_launch: Callable[[Launch], object]
    on_host_read: Callable[[str], object]

    def on_operation(self, func: Any, args: tuple) -> None:
        if _reads_on_host(func, args):
            self.on_host_read(func.name().removeprefix("aten::").split(".")[0])

    def on_kernel(self, func: Any, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
        if results := list(tensors_in([result])):
            self.on_launch(Launch(func, args, kwargs, results))


@dataclass
class _FunctionLog(TorchFunctionMode):
    """Calls `on_host_read` for the reads to the host that are tensor methods, not operations."""

    on_host_read: Callable[[str], object]

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func in TENSOR_METHODS:
            self.on_host_read(TENSOR_METHODS[func])
        return func(*args, **(kwargs or {}))


def _reads_on_host(func: Any, args: tuple) -> bool:
    by_mask = func is aten.index.Tensor and any(
        x is not None and x.dtype in BY_MASK for x in args[1]
    )
    return func in READS or by_mask  # the host needs the number of elements that a mask selects


def _record(
    run: Callable[[], object],
    on_launch: Callable[[Launch], object],
    on_host_read: Callable[[str], object],
) -> None:
    with ExitStack() as stack:
        stack.enter_context(_FunctionLog(on_host_read))
        stack.enter_context(_Log(on_launch, on_host_read))
        run()


def host_reads(run: Callable[[], object]) -> Counter[str]:
    """How often `run` reads values to the host, by operation."""
    names: list[str] = []
    _record(run, lambda launch: None, names.append)
    return Counter(names)


def raise_host_read(operation: str) -> None:
    """Raise HostRead, as the capture of a graph fails at a read to the host."""
    raise HostRead(
        f"{operation}: the host reads a value from the device, which no captured graph can"
    )


@dataclass
class Recording:
    """The operations of one run, with their tensors. Raises HostRead where the run reads a value to the host."""

    run: Callable[[], object]
    launches: list[Launch] = field(default_factory=list)

    def __post_init__(self) -> None:
        _record(self.run, self.launches.append, raise_host_read)

    @torch.inference_mode()
    def replay(self) -> None:
        """Run all operations again; the Python code of `run` does not run."""
        for launch in self.launches:
            launch.replay()


class Replayed:
    """A step that is run at the first call, recorded at the second, then replayed, as a `CapturedGraph` on a GPU."""

    def __init__(self, step: Callable[[], object]) -> None:
        self.step = step
        self.calls = 0
        self.recording: Recording | None = None

    def __call__(self) -> None:
        """Run or replay the step. Raises HostRead at the second call if the step reads a value to the host."""
        self.calls += 1
        if self.recording is not None:
            self.recording.replay()
        elif self.calls == 2:
            self.recording = Recording(self.step)
        else:
            self.step()
