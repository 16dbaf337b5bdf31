"""What normalisation moves and launches: as separate operations, and on torch's own kernels."""

from __future__ import annotations

from tinyllm.config import DecoderConfig
from tinyllm.cost.workload import Cost, launch


def rms_norm_cost(rows: int, m: int, size: int) -> Cost:
    """Bytes of `rms_norm` on `rows` of `m` elements of `size` bytes, kernel by kernel."""
    row = 4 * rows
    wide = 4 * rows * m
    narrow = size * rows * m
    cost = (
        launch(read=wide, write=wide)  # x^2
        + launch(read=wide, write=row)  # mean
        + launch(read=row, write=row)  # + eps
        + launch(read=row, write=row)  # 1/sqrt
        + launch(read=wide + row, write=wide)  # x / rms
        + launch(read=narrow, weights=size * m, write=narrow)  # * weight
    )
    casts = launch(read=narrow, write=wide) + launch(read=wide, write=narrow)
    return cost if size == 4 else cost + casts


def layer_norm_cost(rows: int, m: int, size: int) -> Cost:
    """What `layer_norm` moves for `rows` rows of `m` elements of `size` bytes: a line per kernel."""
    row = 4 * rows
    wide = 4 * rows * m
    narrow = size * rows * m
    cost = (
        launch(read=wide, write=row)  # mean
        + launch(read=wide + row, write=wide)  # x - mean
        + launch(read=wide, write=wide)  # ^2
        + launch(read=wide, write=row)  # mean
        + launch(read=row, write=row)  # + eps
        + launch(read=row, write=row)  # 1/sqrt
        + launch(read=wide + row, write=wide)  # * 1/sqrt
        + launch(read=narrow, weights=size * m, write=narrow)  # * weight
        + launch(read=narrow, weights=size * m, write=narrow)  # + bias
    )
    casts = launch(read=narrow, write=wide) + launch(read=wide, write=narrow)
    return cost if size == 4 else cost + casts


def norm_cost(config: DecoderConfig, rows: int, size: int) -> Cost:
    """What the norm of a decoder moves for so many rows of its residual stream."""
    return (layer_norm_cost if config.layer_norm else rms_norm_cost)(rows, config.hidden_size, size)


def torch_norm_cost(config: DecoderConfig, rows: int, size: int) -> Cost:
    """The same on torch's own kernels."""
    m = config.hidden_size
    if config.layer_norm:
        return launch(
            read=size * rows * m, weights=2 * size * m, write=size * rows * m + 8 * rows
        )  # and statistics
    return torch_rms_norm_cost(rows, m, size)


def torch_rms_norm_cost(rows: int, m: int, size: int) -> Cost:
    """`F.rms_norm` on a CPU: in 16-bit formats the weight is applied before the result is narrowed."""
    shift = (4 - size) * rows * m
    return rms_norm_cost(rows, m, size) + Cost(activations_read=shift, activations_written=shift)
