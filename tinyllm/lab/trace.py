"""The memory accesses of a kernel: every load and store of every program, recorded in Triton's interpreter.

`python -m tinyllm.lab.trace` records the small examples of the notebooks again.
"""

from __future__ import annotations

import json
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

RESULTS = Path(__file__).parents[2] / "book" / "results"
Lanes = tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True)
class Access:
    """One load or store by one program, and its line of source.

    `lanes` is the block, row by row: the element of the tensor in each lane, counted row by row, or None where the
    lane is masked.
    """

    program: tuple[int, ...]
    kind: str
    tensor: str
    lanes: Lanes
    source: str

    @property
    def elements(self) -> list[int]:
        """The elements touched, in the order of the lanes."""
        return [element for row in self.lanes for element in row if element is not None]


@dataclass(frozen=True)
class Trace:
    """All accesses of a launch in order; `shapes` of the tensors by name, `sizes` their bytes per element."""

    kernel: str
    shapes: Mapping[str, tuple[int, ...]]
    sizes: Mapping[str, int]
    accesses: tuple[Access, ...]

    @property
    def programs(self) -> tuple[tuple[int, ...], ...]:
        """Programs of the launch, in order."""
        return tuple(dict.fromkeys(access.program for access in self.accesses))

    def touched(self, kind: str, tensor: str) -> list[int]:
        """Elements of a tensor that were loaded, or stored, in ascending order; repeated for each access."""
        found = (
            access.elements
            for access in self.accesses
            if (access.kind, access.tensor) == (kind, tensor)
        )
        return sorted(element for elements in found for element in elements)

    @property
    def bytes(self) -> int:
        """Bytes loaded from memory and stored to it: each element once, since a second load hits the cache."""
        kinds = [(kind, tensor) for kind in ("load", "store") for tensor in self.shapes]
        return sum(
            self.sizes[tensor] * len(set(self.touched(kind, tensor))) for kind, tensor in kinds
        )


def record_trace(
    name: str, function: Callable, arguments: Mapping[str, Any], results: Sequence[str] = ("out",)
) -> Trace:
    """Run a function on CPU tensors and record the accesses of its kernels; `results` names the returned tensors.

    A tensor in a named tuple has the name of its field.
    Raises RuntimeError where Triton was imported without its interpreter, LookupError for an address in no tensor.
    """
    seen: list[tuple] = []
    with _watching(seen):
        returned = function(**arguments)
    if not seen:
        raise RuntimeError(
            "nothing to record: set TRITON_INTERPRET=1 before the kernels are first imported"
        )
    returned = returned if isinstance(returned, tuple) else (returned,)
    named = [arguments, *(x._asdict() for x in arguments.values() if hasattr(x, "_asdict"))]
    tensors = {key: x for each in named for key, x in each.items() if isinstance(x, Tensor)}
    tensors |= dict(zip(results, returned, strict=True))
    places = _places(tensors)
    accesses = tuple(_access(places, *one) for one in seen)
    shapes = {key: tuple(x.shape) for key, x in tensors.items()}
    return Trace(name, shapes, {key: x.element_size() for key, x in tensors.items()}, accesses)


@contextmanager
def _watching(seen: list[tuple]) -> Iterator[None]:
    """Record every load and store of the interpreter."""
    from triton.runtime.interpreter import interpreter_builder as builder

    def watched(kind: str, method: Callable, mask_at: int) -> Callable:
        def call(pointers: Any, *rest: Any) -> Any:
            addresses, mask = (
                np.atleast_2d(pointers.data),
                np.atleast_2d(rest[mask_at].data).astype(bool),
            )
            seen.append((builder.grid_idx, kind, addresses.copy(), mask.copy(), _line()))
            return method(pointers, *rest)

        return call

    builder.create_masked_load = watched("load", builder.create_masked_load, mask_at=0)
    builder.create_masked_store = watched("store", builder.create_masked_store, mask_at=1)
    try:
        yield
    finally:
        del (
            builder.create_masked_load,
            builder.create_masked_store,
        )  # the methods of the class are visible again


def _line() -> str:
    """The current line of the kernel: the first frame above those of Triton."""
    frame = sys._getframe(1)
    while not _of_triton(frame):
        frame = frame.f_back
    while _of_triton(frame):
        frame = frame.f_back
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()


def _of_triton(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").startswith("triton.")


def _places(tensors: Mapping[str, Tensor]) -> dict[int, tuple[str, int]]:
    """Tensor and element by address; where two names share memory, the last counts."""
    places = {}
    for name, x in tensors.items():
        offsets = torch.zeros(x.shape, dtype=torch.int64, device="cpu")
        for axis, (size, stride) in enumerate(zip(x.shape, x.stride(), strict=True)):
            index = torch.arange(size, dtype=torch.int64, device="cpu")
            offsets += (stride * index).view(-1, *[1] * (x.dim() - axis - 1))
        places |= {
            x.data_ptr() + x.element_size() * at: (name, i)
            for i, at in enumerate(offsets.flatten().tolist())
        }
    return places


def _access(
    places: Mapping[int, tuple[str, int]], program, kind, addresses, mask, source
) -> Access:
    touched = {places.get(int(address), (None, 0))[0] for address in addresses[mask]}
    if None in touched or len(touched) > 1:
        raise LookupError(f"{source!r} touches {touched}: expected one of the named tensors")
    (tensor,) = touched or {""}
    lanes = tuple(
        tuple(places[int(address)][1] if on else None for address, on in zip(*row, strict=True))
        for row in zip(addresses, mask, strict=True)
    )
    return Access(tuple(program), kind, tensor, lanes, source)


def write_trace(trace: Trace, path: Path) -> None:
    """Write a trace as JSON, one access per line."""
    head, accesses = asdict(trace), [json.dumps(asdict(access)) for access in trace.accesses]
    del head["accesses"]
    path.write_text(json.dumps(head)[:-1] + ', "accesses": [\n' + ",\n".join(accesses) + "\n]}\n")


def read_trace(name: str, folder: Path = RESULTS) -> Trace:
    """The recorded trace of a kernel: `trace-NAME.json`."""
    found = json.loads((folder / f"trace-{name}.json").read_text())
    accesses = tuple(
        Access(
            tuple(a["program"]), a["kind"], a["tensor"], tuple(map(tuple, a["lanes"])), a["source"]
        )
        for a in found["accesses"]
    )
    shapes = {tensor: tuple(shape) for tensor, shape in found["shapes"].items()}
    return Trace(found["kernel"], shapes, found["sizes"], accesses)


def toy_traces() -> Iterator[Trace]:
    """The examples of the notebooks; small, with sizes that are no multiples of a block."""
    from tinyllm.kernels.triton import rms_norm, rope_and_store
    from tinyllm.kernels.triton.tuning import LaunchConfig

    of_two_rows = partial(rms_norm, eps=1e-5, launch=LaunchConfig({"block": 8, "tile": 16}))
    ones = partial(torch.ones, dtype=torch.float32, device="cpu")
    yield record_trace("rms_norm", of_two_rows, {"x": ones(3, 6), "weight": ones(6)})

    q, k, v = ones(1, 1, 4, 4).transpose(1, 2).split([2, 1, 1], dim=1)
    tables = {"cos": ones(1, 1, 2), "sin": 0 * ones(1, 1, 2)}
    k_slot, v_slot = (ones(1, 1, 3, 4)[:, :, 2:] for _ in range(2))
    arguments = {
        "q": q,
        "k": k,
        "v": v,
        **tables,
        "k_slot": k_slot,
        "v_slot": v_slot,
        "interleaved": False,
    }
    of_two_heads = partial(rope_and_store, launch=LaunchConfig({"heads": 2}))
    yield record_trace("rope_and_store", of_two_heads, arguments, ("q_out", "k_slot", "v_slot"))


def main() -> None:
    """Record the examples again."""
    os.environ["TRITON_INTERPRET"] = "1"  # read at the import of the kernels
    for trace in toy_traces():
        write_trace(trace, RESULTS / f"trace-{trace.kernel}.json")


if __name__ == "__main__":
    main()
