"""The unit every operation states its price in."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple


class PackedPart(NamedTuple):
    """Rows of a matrix in one format, the bytes of each, and whether GPU kernels read all of its matrix packed."""

    rows: int
    row_bytes: int
    has_launch: bool = True


@dataclass(frozen=True)
class PackedSizes:
    """The parts of all packed matrices by name, in each layer and at the two ends, and the bytes of all weights."""

    layers: tuple[Mapping[str, tuple[PackedPart, ...]], ...]
    ends: Mapping[str, tuple[PackedPart, ...]]
    nbytes: int


@dataclass(frozen=True)
class Workload:
    """One forward pass: `tokens` new ones for each of `copies` sequences of each of `batch` prompts.

    Every sequence holds `held` tokens already, `steps` of them after its prompt. `size` is bytes per element; `padded`:
    whether the prompts differ in length; `kernels`: the name of the set that the fused operations run on;
    `reserved_steps`: for how many steps after the prompt there is memory; `segments`: in how many the cache keeps them;
    `packed`: the sizes of packed matrices, where weights are packed; `layer`: which one is meant; `device`: its type;
    `dead_slots`: slots of a request's response that no sequence reaches any more; `independent`: the sequences of a
    prompt are samples, which read their own slots alone, and not beams; `int8`: keys and values are kept in int8.
    """

    batch: int
    tokens: int
    held: int
    size: int
    padded: bool = False
    kernels: str = "torch"
    copies: int = 1
    steps: int = 0
    reserved_steps: int | None = None
    segments: int = 2
    packed: PackedSizes | None = None
    layer: int = 0
    device: str = "cuda"
    dead_slots: int = 0
    independent: bool = False
    int8: bool = False

    def kv_row_bytes(self, head_dim: int) -> int:
        """Bytes of the key of one token and head: in int8 one for each element, and the scale."""
        return head_dim + 4 if self.int8 else self.size * head_dim

    @property
    def reserved(self) -> int:
        """Steps after the prompt that there is memory for: this one and those before it, unless more are reserved."""
        return self.steps + 1 if self.reserved_steps is None else self.reserved_steps

    @property
    def has_beam_index(self) -> bool:
        """Whether a beam index names the slots that a sequence reads: beams have one."""
        return self.copies > 1 and not self.independent

    @property
    def decodes(self) -> bool:
        """Whether this is one more token of sequences that hold some already."""
        return self.held > 0 and self.tokens == 1

    def parts(self, matrix: str) -> tuple[PackedPart, ...]:
        """The parts of a packed matrix by its name; none where it is dense."""
        if self.packed is None:
            return ()
        return (self.packed.layers[self.layer] | self.packed.ends).get(matrix, ())

    @property
    def rows(self) -> int:
        """Rows of every matrix product."""
        return self.batch * self.copies * self.tokens

    @property
    def expanded(self) -> Workload:
        """The same for a cache that shares nothing: every sequence with a prompt of its own."""
        return replace(self, batch=self.batch * self.copies, copies=1, dead_slots=0)

    @property
    def total(self) -> int:
        """Keys that are visible to a new token: the last ones."""
        return self.held + self.tokens

    @property
    def positions(self) -> int:
        """Rows of the rotary tables, which unpadded sequences share."""
        return self.rows if self.padded else self.copies * self.tokens


@dataclass(frozen=True)
class Cost:
    """Kernel launches, floating-point operations, and bytes by what they belong to.

    `kv_copied` counts keys and values that were in the cache already and are moved: each is read and written.
    FLOPs count the matrix products and attention (a multiply-add is two); element-wise work is bytes, not FLOPs.
    """

    launches: int = 0
    flops: int = 0
    weights: int = 0
    kv_read: int = 0
    kv_written: int = 0
    kv_copied: int = 0
    activations_read: int = 0
    activations_written: int = 0

    @property
    def bytes(self) -> int:
        """All bytes read from and written to memory."""
        kv = self.kv_read + self.kv_written + 2 * self.kv_copied
        return self.weights + kv + self.activations_read + self.activations_written

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(operator.add, vars(self).values(), vars(other).values()))

    def __mul__(self, times: int) -> Cost:
        return Cost(*(part * times for part in vars(self).values()))


def launch(read: int = 0, write: int = 0, **parts: int) -> Cost:
    """One kernel that reads and writes so many bytes of activations, and `parts` of anything else."""
    return Cost(launches=1, activations_read=read, activations_written=write, **parts)
