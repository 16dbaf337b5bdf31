"""Random matrices in the blocks of a file."""

import torch

from packed_models import draw_blocks
from tinyllm.kernels.weights import PackedWeight


def packed_weight(names, n, k, dtype=torch.float32, seed=0):
    """A matrix whose parts, in these formats, share its rows; the first has those that remain."""
    count = n // len(names)
    sizes = [n - count * (len(names) - 1)] + [count] * (len(names) - 1)
    parts = [
        draw_blocks(size, k, name, seed=seed + i)
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    return PackedWeight(tuple(parts), dtype)


def unpacked(weight):
    """All rows, in float32."""
    return torch.cat([rows.unpack() for rows in weight.parts])
