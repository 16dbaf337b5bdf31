"""Counts bytes, FLOPs and launches of a forward pass, from outside the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from tinyllm.cache import Cache, LayerCache
from tinyllm.cost.workload import Cost
from tinyllm.decoder import Decoder
from tinyllm.lab.dispatch import KernelMode, tensors_in
from tinyllm.model import Model

aten = torch.ops.aten
# Operations that read only the indexed elements of their first argument.
LOOKUPS = (
    aten.embedding.default,
    aten.index_select.default,
    aten.index_select.out,
    aten.gather.default,
)


def _sdpa_flops(
    q: Tensor, k: Tensor, v: Tensor, *args: Any, out_val: Any = None, **kwargs: Any
) -> int:
    """Of torch's attention on a CPU, for which it has no formula; grouped heads are read as if repeated."""
    b, h = q.shape[:2]
    return sdpa_flop_count(q.shape, (b, h, *k.shape[2:]), (b, h, *v.shape[2:]))


def _matmul_flops(x: Tensor, parts: list[Tensor], *args: Any, out_val: Any = None) -> int:
    """Of our own matmul: its weights may lie in blocks."""
    return 2 * x.shape[-1] * out_val.numel()


FLOPS = {
    **flop_registry,
    aten._scaled_dot_product_flash_attention_for_cpu: _sdpa_flops,
    torch.ops.tinyllm.matmul: _matmul_flops,
}


@dataclass(frozen=True)
class Operation:
    """An ATen operation that runs a kernel: its name, the bytes read and written in each storage, and its FLOPs."""

    name: str
    reads: list[tuple[torch.UntypedStorage, int]]
    writes: list[tuple[torch.UntypedStorage, int]]
    flops: int = 0


@dataclass
class OperationLog(KernelMode):
    """Records every operation that runs a kernel while the log is active.

    The log keeps the storages alive, so that no address is reused.
    """

    operations: list[Operation] = field(default_factory=list)

    def on_kernel(self, func: Any, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
        """Records the operation with what it reads and writes."""
        overwritten = list(tensors_in([kwargs.get("out")]))
        inputs = tensors_in([*args, *kwargs.values()])
        read = [x for x in inputs if all(x is not y for y in overwritten)]
        flops = _flops(func, args, kwargs, result)
        self.operations.append(_operation(func, read, list(tensors_in([result])), flops))


def _operation(func: Any, inputs: list[Tensor], outputs: list[Tensor], flops: int) -> Operation:
    reads = [(x.untyped_storage(), touched_bytes(x)) for x in inputs]
    if func in LOOKUPS:
        reads[0] = (reads[0][0], touched_bytes(outputs[0]))
    if func is torch.ops.tinyllm.lookup.default:
        reads[0] = (reads[0][0], len(outputs[0]) * inputs[0].stride(0))
    if func is aten.copy_.default:
        reads = reads[1:]
    writes = [(x.untyped_storage(), touched_bytes(x)) for x in outputs if x.numel()]
    return Operation(func.name(), reads, writes, flops)


def _flops(func: Any, args: tuple, kwargs: dict, result: Any) -> int:
    """Floating-point operations of matrix products and attention, by torch's own formulas."""
    formula = FLOPS.get(func._overloadpacket)
    return formula(*args, **kwargs, out_val=result) if formula else 0


def touched_bytes(x: Tensor) -> int:
    """Bytes of memory behind a tensor; elements repeated by a stride of zero count once."""
    return x.element_size() * prod(
        size for size, stride in zip(x.shape, x.stride(), strict=True) if stride
    )


def record(run: Callable[[], object]) -> list[Operation]:
    """Every operation of `run` that runs a kernel, in order."""
    with OperationLog() as log:
        run()
    return log.operations


def count(run: Callable[[], object]) -> Cost:
    """Bytes and launches of `run`, all counted as activations: for single operations."""
    return classify(record(run), set(), set())


def classify(operations: list[Operation], weights: set[int], kv: set[int]) -> Cost:
    """The summed cost of operations; the storage of a tensor tells weights, keys and values, and activations."""
    total = Cost(launches=len(operations), flops=sum(one.flops for one in operations))
    for operation in operations:
        read = _by_owner(operation.reads, weights, kv)
        written = _by_owner(operation.writes, weights, kv)
        moved = read["kv"] if written["kv"] else 0
        total += Cost(
            weights=read["weights"],
            kv_read=read["kv"] - moved,
            kv_copied=moved,
            kv_written=written["kv"] - moved,
            activations_read=read["other"],
            activations_written=written["other"] + written["weights"],
        )
    return total


def _by_owner(
    touched: list[tuple[torch.UntypedStorage, int]], weights: set[int], kv: set[int]
) -> dict[str, int]:
    sums = {"weights": 0, "kv": 0, "other": 0}
    for storage, size in touched:
        owner = (
            "weights" if storage._cdata in weights else "kv" if storage._cdata in kv else "other"
        )
        sums[owner] += size
    return sums


@dataclass
class Observation:
    """Counts of one forward pass: in total, in its last layer, and the tokens that passed through the layers.

    The last layer is typical; the first one also computes the attention masks for all layers.
    """

    total: Cost
    layer: Cost
    tokens: int


@dataclass(frozen=True)
class Pass:
    """One of several passes: its tokens, the cost of all layers, and the cost of the beam reorder before it."""

    tokens: int
    layers: Cost
    between: Cost


@dataclass
class _Watch:
    """Hooks on the layers of a decoder: record where each layer starts in the log, and the storages of its cache."""

    model: Decoder
    log: OperationLog = field(default_factory=OperationLog)
    marks: list[int] = field(default_factory=list)
    kv: list[torch.UntypedStorage] = field(default_factory=list)
    known: int = 0  # storages recorded before this pass
    tokens: int = 0

    def __post_init__(self) -> None:
        self.weights = {p.untyped_storage()._cdata for p in self.model.parameters()}

    def before(self, layer: Any, args: tuple) -> None:
        if layer is self.model.layers[0]:  # drop the marks of a failed pass
            self.tokens = args[0].shape[0] * args[0].shape[1]
            self.marks.clear()
        self.marks.append(len(self.log.operations))
        self.kv += storages(args[3])

    def after(self, layer: Any, args: tuple, output: Tensor) -> None:
        self.marks.append(len(self.log.operations))
        self.kv += storages(args[3])

    def cost(self, operations: list[Operation]) -> Cost:
        return classify(operations, self.weights, _owned(self.kv))

    def take(self) -> Pass:
        """The pass that has just ended. Clears the log, but keeps the storages of the cache for the next reorder."""
        start, operations, kv = self.marks[0], self.log.operations, _owned(self.kv)
        between = [operation for operation in operations[:start] if _touches(operation, kv)]
        taken = Pass(self.tokens, self.cost(operations[start:]), self.cost(between))
        del self.kv[: self.known], operations[:]
        self.known = len(self.kv)
        return taken


def storages(layer_cache: LayerCache) -> list[torch.UntypedStorage]:
    """The storages of one layer's keys and values."""
    held = [x for segment in layer_cache.segments for x in segment.tensors]
    return [x.untyped_storage() for x in held if x.numel()]


def _owned(kv: list[torch.UntypedStorage]) -> set[int]:
    return {storage._cdata for storage in kv}


def _touches(operation: Operation, owned: set[int]) -> bool:
    return any(storage._cdata in owned for storage, _ in operation.reads + operation.writes)


@contextmanager
def _watching(model: Decoder) -> Iterator[_Watch]:
    watch = _Watch(model)
    handles = [layer.register_forward_pre_hook(watch.before) for layer in model.layers]
    handles += [layer.register_forward_hook(watch.after) for layer in model.layers]
    try:
        with watch.log:
            yield watch
    finally:
        for handle in handles:
            handle.remove()


def observe(
    model: Model,
    input_ids: Int[Tensor, "b t"],
    attention_mask: Int[Tensor, "b t"] | None = None,
    cache: Cache | None = None,
) -> Observation:
    """Run one step of a decoder on token ids `[b, t]` and count its bytes, FLOPs and launches."""
    cache = model.new_cache(len(input_ids)) if cache is None else cache
    with _watching(model) as watch:
        model.step(input_ids, attention_mask, cache)
    operations = watch.log.operations
    start, end = watch.marks[-2:]
    return Observation(watch.cost(operations), watch.cost(operations[start:end]), watch.tokens)


def observe_reorder(cache: Cache, beam_idx: Int[Tensor, " r"]) -> Cost:
    """Run `Cache.reorder(beam_idx)` and count the bytes that it moves."""
    held = lambda: [storage for layer in cache.layers for storage in storages(layer)]  # noqa: E731
    before = held()
    operations = record(lambda: cache.reorder(beam_idx))
    return classify(operations, set(), _owned(before + held()))


@contextmanager
def observe_passes(model: Decoder) -> Iterator[list[Pass]]:
    """A list that receives every pass through the layers of a decoder, for example those of `generate`."""
    passes: list[Pass] = []
    with _watching(model) as watch:
        end = model.layers[-1].register_forward_hook(lambda *_: passes.append(watch.take()))
        try:
            yield passes
        finally:
            end.remove()
