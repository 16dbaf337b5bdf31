"""The reader's laptop: C++ for its processor, built on first use.

`unavailable` says why there is none, where that is so; torch's operations then do the work.
"""

from __future__ import annotations

from torch import Tensor

from .build import BuildError, cache_folder
from .operations import MAX_HEAD_DIM, MAX_ROWS, Kernels, kernels, kernels_in
from .step import DecodeStep, Weights

__all__ = [
    "MAX_HEAD_DIM",
    "MAX_ROWS",
    "BuildError",
    "DecodeStep",
    "Kernels",
    "Weights",
    "kernels",
    "linear",
    "segment_attention",
    "unavailable",
]


def unavailable() -> str | None:
    """Why the kernels cannot be used on this machine, and what helps; None where they can."""
    found = kernels_in(cache_folder())
    return found if isinstance(found, str) else None


def linear(x: Tensor, weight: Tensor, *args: object, **kwargs: object) -> Tensor:
    """See `Kernels.linear`; raises BuildError where there are no kernels."""
    return kernels().linear(x, weight, *args, **kwargs)


def segment_attention(q: Tensor, *args: object, **kwargs: object) -> Tensor:
    """See `Kernels.segment_attention`; raises BuildError where there are no kernels."""
    return kernels().segment_attention(q, *args, **kwargs)
