"""One token of every row on a CPU, drawn as `torch.multinomial` draws it, with fewer logarithms.

`torch.multinomial` divides every probability by a number of an exponential distribution, and takes the largest ratio.
Most of its time goes to the logarithms in those numbers, also of tokens with probability zero, to which `top_k` sets
all but a few. Here every token takes its random bits, and only those that can be drawn a logarithm.
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

RANDOM_BITS = (1 << 53) - 1  # the random bits of a double between 0 and 1
BLOCK = 1 << 15  # probabilities at a time: their bits stay in a processor's cache
FEW = 1 / 8  # of the probabilities above zero: of more, torch's way takes as long


def multinomial(probabilities: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """`torch.multinomial` without replacement, for the same seed the same tokens; may overwrite the probabilities."""
    is_known = k == 1 and probabilities.dtype == torch.float32 and is_exact()
    if probabilities.numel() < BLOCK or not is_known:
        return torch.multinomial(probabilities, num_samples=k)
    few = probabilities.count_nonzero() <= FEW * probabilities.numel()
    is_finite = probabilities.sum().isfinite()  # else torch's own error
    if not few or not is_finite:
        return torch.multinomial(probabilities, num_samples=k)
    rows = max(1, BLOCK // probabilities.shape[1])
    return torch.cat([_sample_one(block) for block in probabilities.split(rows)])


def _sample_one(probabilities: Float[Tensor, "n v"]) -> Int[Tensor, "n 1"]:
    bits = torch.empty_like(probabilities, dtype=torch.int64).random_().flatten()
    scores = probabilities.view(-1)
    candidates = scores.nonzero()[:, 0]
    scores[candidates] /= exponential_of(bits[candidates])
    return probabilities.argmax(dim=1, keepdim=True)


def exponential_of(bits: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Numbers of an exponential distribution, as `Tensor.exponential_` makes them of the same random bits."""
    uniform = (bits & RANDOM_BITS).double() / (RANDOM_BITS + 1)
    return -torch.log1p(-uniform).float()


@cache
def is_exact() -> bool:
    """Whether torch makes an exponential number of one draw of 64 bits: not where a vendor's library draws for it."""
    first = torch.Generator().manual_seed(0)
    second = torch.Generator().manual_seed(0)
    expected = torch.empty(64, dtype=torch.float32, device="cpu").exponential_(generator=first)
    numbers = exponential_of(
        torch.empty(64, dtype=torch.int64, device="cpu").random_(generator=second)
    )
    return torch.equal(numbers, expected) and torch.equal(first.get_state(), second.get_state())
