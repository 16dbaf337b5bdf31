"""The operations a decoder is made of: the first field of a stage.

Both tables have the same names. `NAIVE` spells each operation out in elementary torch; `FUSED` moves the same data
through memory less often, in fewer launches, on a set of kernels (arXiv 2401.05391, section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

from tinyllm.kernels import KernelSet
from tinyllm.ops import embedding, mlp, norm, projection, qkv, rope


@dataclass(frozen=True)
class Operations:
    """What a decoder calls, in this order; `dataclasses.replace(NAIVE, mlp=...)` makes a variant.

    `norm_and_add` is called on several ranks alone, where a model has a norm behind a sum over all of them.
    """

    embed: Callable
    rotary_tables: Callable
    norm_qkv_rope: Callable
    project: Callable
    mlp: Callable
    norm_head: Callable
    norm_and_add: Callable

    def on(self, kernels: KernelSet) -> Operations:
        """The same operations on a set of kernels: these run in torch alone."""
        return self


@dataclass(frozen=True)
class FusedOperations(Operations):
    """Operations that take the set of kernels as their first argument, where they launch any."""

    def on(self, kernels: KernelSet) -> Operations:
        """The same operations on a set of kernels."""
        bound = {field.name: partial(getattr(self, field.name), kernels) for field in fields(self)}
        return Operations(**bound | {"embed": self.embed, "rotary_tables": self.rotary_tables})


NAIVE = Operations(
    embed=embedding.embed,
    rotary_tables=rope.naive_rotary_tables,
    norm_qkv_rope=qkv.naive_norm_qkv_rope,
    project=projection.naive_project,
    mlp=mlp.naive_mlp,
    norm_head=embedding.naive_norm_head,
    norm_and_add=norm.naive_norm_and_add,
)
FUSED = FusedOperations(
    embed=embedding.embed,
    rotary_tables=rope.fused_rotary_tables,
    norm_qkv_rope=qkv.fused_norm_qkv_rope,
    project=projection.fused_project,
    mlp=mlp.fused_mlp,
    norm_head=embedding.fused_norm_head,
    norm_and_add=norm.fused_norm_and_add,
)
