"""The operations a decoder is made of: the first of its four seams.

Every set of operations has the same names and signatures. `NAIVE` spells each one out in elementary torch; `FUSED`
moves the same data through memory less often, in fewer launches, on the kernels of the device the data is on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor

from tinyllm.ops import embedding, mlp, projection, rope
from tinyllm.ops.kernel_sets import KernelsFor, by_device
from tinyllm.ops.norm import Norm


@dataclass(frozen=True)
class Operations:
    """What a decoder calls, in the order in which it calls it; `queries` joins `norm_qkv` and `rotate_and_store`.

    `at_once(x, norm, qkv_proj, rotary, kv)` does both in one launch, or returns None where it cannot.
    """

    embed: Callable
    rotary_tables: Callable
    norm_qkv: Callable
    rotate_and_store: Callable
    project_and_add: Callable
    mlp_and_add: Callable
    norm_head: Callable
    at_once: Callable | None = None

    def queries(
        self, x: Float[Tensor, "b t m"], norm: Norm, qkv_proj: projection.QKVProjection, rotary: object, kv: object
    ) -> Float[Tensor, "b h t d"]:
        """Rotated queries of the normalised x, whose rotated keys and values go to the cache."""
        q = None if self.at_once is None else self.at_once(x, norm, qkv_proj, rotary, kv)
        if q is not None:
            return q
        q, k, v = self.norm_qkv(x, norm, qkv_proj)
        return self.rotate_and_store(q, k, v, rotary, kv, qkv_proj.norms)


NAIVE = Operations(
    embed=embedding.embed,
    rotary_tables=rope.rotary_tables,
    norm_qkv=projection.norm_qkv,
    rotate_and_store=rope.rotate_and_store,
    project_and_add=projection.project_and_add,
    mlp_and_add=mlp.mlp_and_add,
    norm_head=embedding.norm_head,
)


def fused(kernels_for: KernelsFor = by_device) -> Operations:
    """The fused operations on chosen kernels: those of each tensor's device, unless told otherwise."""
    return Operations(
        embed=embedding.embed,
        rotary_tables=rope.half_tables,
        norm_qkv=partial(projection.fused_norm_qkv, kernels_for),
        rotate_and_store=partial(rope.fused_rotate_and_store, kernels_for),
        project_and_add=partial(projection.fused_project_and_add, kernels_for),
        mlp_and_add=partial(mlp.fused_mlp_and_add, kernels_for),
        norm_head=partial(embedding.fused_norm_head, kernels_for),
        at_once=partial(projection.fused_queries, kernels_for),
    )


FUSED = fused()
