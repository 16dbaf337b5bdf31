"""A stand-in for captured graphs, on any device: operations recorded once, then made again on the same memory.

What a graph keeps, this keeps: which operation ran, and on which tensors. Numbers that Python knew are recorded as they
were; a question of the host's that a graph could not wait for is refused. It saves no time: it is there to be seen.
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
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tinyllm.lab.counters import ALLOCATIONS, aliases

aten = torch.ops.aten
# Operations after which the host knows something that stood in the device's memory; on a GPU it waits for that.
READS = (
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
)
WITHOUT_OPERATION = {
    Tensor.tolist: "tolist",
    Tensor.numpy: "numpy",
}  # on a CPU these just look at the memory
BY_MASK = (torch.bool, torch.uint8)


class HostRead(RuntimeError):
    """The host asks the device for a number in the middle of what is recorded."""


class Launch(NamedTuple):
    """One operation, what it was called with, and the memory that its results go to."""

    func: Any
    args: tuple
    kwargs: dict[str, Any]
    results: list[Tensor]

    def again(self) -> None:
        """Make it once more; the results go where they went."""
        results = _tensors(self.func(*self.args, **self.kwargs))
        for old, new in zip(self.results, results, strict=True):
            if old is not new:
                old.copy_(new)


@dataclass
class _Log(TorchDispatchMode):
    """Hands on every operation that does something, and every question of the host's."""

    launched: Callable[[Launch], object]
    asked: Callable[[str], object]

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        with self:
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        if _asks(func, args):
            self.asked(func.name().removeprefix("aten::").split(".")[0])
        result = func(*args, **kwargs)
        results = _tensors(result)
        if (
            results
            and func not in ALLOCATIONS
            and (func._schema.is_mutable or not aliases(_tensors(args), results))
        ):
            self.launched(Launch(func, args, kwargs, results))
        return result


@dataclass
class _Questions(TorchFunctionMode):
    """Hands on the questions that are no operations."""

    asked: Callable[[str], object]

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func in WITHOUT_OPERATION:
            self.asked(WITHOUT_OPERATION[func])
        return func(*args, **(kwargs or {}))


def _asks(func: Any, args: tuple) -> bool:
    by_mask = func is aten.index.Tensor and any(
        x is not None and x.dtype in BY_MASK for x in args[1]
    )
    return func in READS or by_mask  # how many elements a mask picks, the host must know


def _tensors(tree: object) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def _watched(
    run: Callable[[], object], launched: Callable[[Launch], object], asked: Callable[[str], object]
) -> None:
    with ExitStack() as stack:
        stack.enter_context(_Questions(asked))
        stack.enter_context(_Log(launched, asked))
        run()


def host_reads(run: Callable[[], object]) -> Counter[str]:
    """How often `run` lets the host look at what stands in the device's memory, by the name of the question."""
    asked: list[str] = []
    _watched(run, lambda launch: None, asked.append)
    return Counter(asked)


def refuse(question: str) -> None:
    """What a graph that is being captured says to a question. Raises HostRead."""
    raise HostRead(
        f"{question}: the host asks for what is in memory, and a replay has nobody to tell"
    )


@dataclass
class Recording:
    """What one run launched, and on which memory. Raises HostRead where it asks for a number."""

    run: Callable[[], object]
    launches: list[Launch] = field(default_factory=list)

    def __post_init__(self) -> None:
        _watched(self.run, self.launches.append, refuse)

    @torch.inference_mode()
    def replay(self) -> None:
        """Launch all of it again: nothing of `run` itself is executed."""
        for launch in self.launches:
            launch.again()


class Replayed:
    """A step as `tinyllm.runtime.graph.CapturedGraph` treats it on a GPU: run, then recorded, from then on replayed."""

    def __init__(self, step: Callable[[], object]) -> None:
        self.step = step
        self.calls = 0
        self.recording: Recording | None = None

    def __call__(self) -> None:
        """Do it once more. Raises HostRead at the second call, if the step asks for a number."""
        self.calls += 1
        if self.recording is not None:
            self.recording.replay()
        elif self.calls == 2:
            self.recording = Recording(self.step)
        else:
            self.step()
