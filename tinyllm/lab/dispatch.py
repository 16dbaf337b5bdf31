"""Which ATen operations run a kernel, and a mode that observes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
ALLOCATIONS = (
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.new_empty.default,
    aten.empty_strided.default,
)


class KernelMode(TorchDispatchMode):
    """Runs every operation, and passes those that run a kernel to `on_kernel`; views and bare allocations run none.

    An operation that torch composes of others is observed as these. A derived class may be a dataclass.
    """

    def __post_init__(self) -> None:
        super().__init__()

    def on_operation(self, func: Any, args: tuple) -> None:
        """Called in front of every operation."""

    def on_kernel(self, func: Any, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
        """Called after an operation that ran a kernel."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd):
            with self:
                return func.decompose(*args, **kwargs)
        self.on_operation(func, args)
        result = func(*args, **kwargs)
        inputs = list(tensors_in([*args, *kwargs.values()]))
        if runs_kernel(func, inputs, list(tensors_in([result]))):
            self.on_kernel(func, args, kwargs, result)
        return result


def runs_kernel(func: Any, inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Whether an operation does more than to allocate its outputs, or to view its inputs."""
    return func not in ALLOCATIONS and (func._schema.is_mutable or not _aliases(inputs, outputs))


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among arguments or results of an operation, those in lists and tuples too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


def _aliases(inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Whether all outputs of an operation are views of its inputs."""
    held = {x.untyped_storage()._cdata for x in inputs}
    return bool(outputs) and all(x.untyped_storage()._cdata in held for x in outputs)
