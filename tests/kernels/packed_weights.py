"""Random matrices in blocks, with scales of the size that weights have."""

import torch

from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import PackedRows, PackedWeight


def packed_rows(name, n, k, seed=0):
    """Rows of random codes; the numbers of a block make weights of about k**-0.5."""
    generator = torch.Generator().manual_seed(seed)
    block_format = FORMATS[name]
    size = (n, block_format.row_bytes(k))
    blocks = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    rows = PackedRows(blocks, block_format)
    numbers = [
        rows.fields[field].view(block_format.scale_dtype)
        for field in ("scale", "minimum", "value")
        if field in rows.fields
    ]
    for one in numbers:
        one.copy_(torch.randn(one.shape, generator=generator))
    if "zero" in rows.fields:
        zeros = rows.fields["zero"].view(block_format.scale_dtype)
        zeros.copy_(torch.randint(0, 16, zeros.shape, generator=generator))
    largest = rows.unpack().square().mean().sqrt() * k**0.5
    for one in numbers:
        one.div_(largest)
    return rows


def packed_weight(names, n, k, dtype=torch.float32, seed=0):
    """A matrix whose parts, in these formats, share its rows; the first has those that remain."""
    count = n // len(names)
    sizes = [n - count * (len(names) - 1)] + [count] * (len(names) - 1)
    parts = [
        packed_rows(name, size, k, seed + i)
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    return PackedWeight(tuple(parts), dtype)


def unpacked(weight):
    """All rows, in float32."""
    return torch.cat([rows.unpack() for rows in weight.parts])
