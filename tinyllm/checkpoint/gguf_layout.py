"""Tensors that llama.cpp stores in another form than transformers, in both directions.

Its converter orders the rows of some projections anew, and adds to the norms of Gemma what their formula adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Float, Shaped
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

Restore = Callable[[Tensor, int], Tensor]


class Heads(NamedTuple):
    """How many heads the queries have, and how many the keys and values."""

    query: int
    key_value: int


def heads_of(config: PreTrainedConfig) -> Heads:
    """The heads of a configuration."""
    query = config.num_attention_heads
    return Heads(query, getattr(config, "num_key_value_heads", None) or query)


def half_split(tensor: Shaped[Tensor, "rows ..."], heads: int) -> Shaped[Tensor, "rows ..."]:
    """Rows of each head in pairs that RoPE rotates, to those of transformers: first all firsts, then all seconds."""
    return tensor.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(tensor.shape)


def head_by_head(tensor: Shaped[Tensor, "rows ..."], heads: int) -> Shaped[Tensor, "rows ..."]:
    """All queries, all keys, all values, to those of the first head, then of the next."""
    return tensor.unflatten(0, (3, heads, -1)).transpose(0, 1).reshape(tensor.shape)


def interleaved(tensor: Shaped[Tensor, "rows ..."], heads: int) -> Shaped[Tensor, "rows ..."]:
    """The inverse of `half_split`."""
    return tensor.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(tensor.shape)


def kind_by_kind(tensor: Shaped[Tensor, "rows ..."], heads: int) -> Shaped[Tensor, "rows ..."]:
    """The inverse of `head_by_head`."""
    return tensor.unflatten(0, (heads, 3, -1)).transpose(0, 1).reshape(tensor.shape)


def less_one(tensor: Float[Tensor, ...], _heads: int) -> Float[Tensor, ...]:
    """The weights of a norm that multiplies by one more."""
    return tensor - 1


def plus_one(tensor: Float[Tensor, ...], _heads: int) -> Float[Tensor, ...]:
    """The inverse of `less_one`, in float32."""
    return tensor.float() + 1


INTERLEAVED = {"attn_q": half_split, "attn_k": half_split}
MERGED = {"attn_qkv": head_by_head}
NORMS = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm", "output_norm")
GEMMA2_NORMS = dict.fromkeys(NORMS, less_one)
GEMMA3_NORMS = dict.fromkeys((*NORMS, "attn_q_norm", "attn_k_norm"), less_one)
# Architecture -> the last part of a tensor's name -> what restores it.
RESTORE: Mapping[str, Mapping[str, Restore]] = {
    "llama": INTERLEAVED,
    "smollm3": INTERLEAVED,
    "bloom": MERGED,
    "gptneox": MERGED,
    "gemma2": GEMMA2_NORMS,
    "gemma3": GEMMA3_NORMS,
}


INVERSE = {half_split: interleaved, head_by_head: kind_by_kind, less_one: plus_one}


def restore(architecture: str, name: str, tensor: Shaped[Tensor, ...], heads: Heads) -> Tensor:
    """A tensor by its name in the file, as transformers has it."""
    change = change_of(architecture, name)
    return tensor if change is None else change(tensor, heads_in(name, heads))


def store(architecture: str, name: str, tensor: Shaped[Tensor, ...], heads: Heads) -> Tensor:
    """A tensor of transformers by its name in the file, as llama.cpp's converter stores it."""
    change = change_of(architecture, name)
    return tensor if change is None else INVERSE[change](tensor, heads_in(name, heads))


def change_of(architecture: str, name: str) -> Restore | None:
    """What restores a tensor of a file; None where it is stored as transformers has it."""
    return RESTORE.get(architecture, {}).get(part_of(name))


def heads_in(name: str, heads: Heads) -> int:
    """The heads that the rows of a projection belong to."""
    return heads.key_value if part_of(name) == "attn_k" else heads.query


def part_of(name: str) -> str:
    """The module in the name of a tensor, without its layer."""
    return name.split(".")[-2] if "." in name else name
