"""The operations a decoder is made of: the first of its four seams.

Every set of operations has the same names and signatures; `NAIVE` spells each one out in plain torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyllm.ops import embedding, mlp, projection, rope


@dataclass(frozen=True)
class Operations:
    """What a decoder calls, in the order in which it calls it."""

    embed: Callable = embedding.embed
    rotary_tables: Callable = rope.rotary_tables
    norm_qkv: Callable = projection.norm_qkv
    rotate_and_store: Callable = rope.rotate_and_store
    project_and_add: Callable = projection.project_and_add
    mlp_and_add: Callable = mlp.mlp_and_add
    norm_head: Callable = embedding.norm_head


NAIVE = Operations()
