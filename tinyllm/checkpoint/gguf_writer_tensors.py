"""The tensors of a GGUF file that is written: names, shapes and formats first, bytes one tensor at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from torch import Tensor

from tinyllm.checkpoint.gguf_file import ROPE_FACTORS, GGUFFile, stored_names
from tinyllm.checkpoint.gguf_layout import heads_of, store
from tinyllm.checkpoint.gguf_writer_config import architecture_of, rope_factors
from tinyllm.checkpoint.loading import verify
from tinyllm.checkpoint.skeleton import skeleton, source_shapes
from tinyllm.checkpoint.sources import Checkpoint
from tinyllm.checkpoint.weight_formats import NUMBERS, WeightFormat, check_rows, encode
from tinyllm.config import DecoderConfig
from tinyllm.kernels.block_formats import FORMATS, BlockFormat
from tinyllm.kernels.weights import PackedRows

EMBEDDING = "token_embd.weight"


class OutputTensor(NamedTuple):
    """A tensor by its name in the file; `encoded` makes its bytes."""

    name: str
    shape: tuple[int, ...]
    ggml_type: int
    nbytes: int
    encoded: Callable[[], np.ndarray]


def tensors_of_gguf(source: GGUFFile, weight_format: WeightFormat) -> list[OutputTensor]:
    """The tensors of another file: matrices in another format are converted, all else is copied.

    Raises ValueError naming a tensor whose rows do not divide into blocks.
    """
    of_most = weight_format.blocks_of(embedding=False)
    tensors = []
    for name, info in source.tensors.items():
        blocks = format_of(name, info.shape, weight_format)
        kept = (blocks.ggml_type, of_most.ggml_type)  # an embedding in 4 bits gains nothing by 8
        if len(info.shape) == 2 and info.kind not in kept:
            label = f"{source.path}: tensor {name!r}"
            check_rows(label, info.shape[-1], weight_format, blocks)
            read = partial(source.read_stored, name)
            tensors.append(converted(name, info.shape, blocks, label, read))
        else:
            copied = partial(source.encoded, name)
            tensors.append(OutputTensor(name, info.shape, info.kind, info.nbytes, copied))
    return tensors


def tensors_of(
    checkpoint: Checkpoint, config: DecoderConfig, weight_format: WeightFormat
) -> list[OutputTensor]:
    """The tensors that a decoder needs, the factors of RoPE first, in the form of llama.cpp's converter.

    Raises ValueError naming a tensor that is absent or has no place there, or whose rows do not divide into blocks.
    """
    weights = checkpoint.weights
    decoder = skeleton(config)
    verify(decoder, checkpoint.family, weights)
    shapes = source_shapes(decoder, checkpoint.family)
    architecture = architecture_of(checkpoint.config)
    names = stored_names(architecture, config.num_hidden_layers, shapes)
    tensors = []
    factors = rope_factors(architecture, config)
    if factors is not None:
        shape = tuple(factors.shape)
        tensors.append(
            converted(ROPE_FACTORS, shape, FORMATS["F32"], ROPE_FACTORS, read=lambda: factors)
        )
    for source, name in names.items():
        shape = shapes[source]
        label = f"{weights.file(source)}: tensor {source!r}"
        if name is None:
            raise ValueError(f"{label} has no place in a GGUF file of a {architecture}")
        blocks = format_of(name, shape, weight_format)
        check_rows(label, shape[-1], weight_format, blocks)
        read = partial(read_to_store, checkpoint, source, name)
        tensors.append(converted(name, shape, blocks, label, read))
    return tensors


def format_of(name: str, shape: tuple[int, ...], weight_format: WeightFormat) -> BlockFormat:
    """The format of a tensor: norms and biases are float32."""
    if len(shape) < 2:
        return FORMATS["F32"]
    return weight_format.blocks_of(embedding=name == EMBEDDING)


def read_to_store(checkpoint: Checkpoint, source: str, name: str) -> Tensor:
    """A tensor of a checkpoint in the form that a file has it in."""
    config = checkpoint.config
    tensor = checkpoint.weights.read(source)
    return store(architecture_of(config), name, tensor, heads_of(config))


def converted(
    name: str, shape: tuple[int, ...], blocks: BlockFormat, label: str, read: Callable[[], Tensor]
) -> OutputTensor:
    """A dense tensor in a format; `label` names it in an error."""
    *rows, inputs = shape
    nbytes = int(np.prod(rows)) * blocks.row_bytes(inputs)
    encoded = partial(encode_checked, label, read, blocks)
    return OutputTensor(name, shape, blocks.ggml_type, nbytes, encoded)


def encode_checked(label: str, read: Callable[[], Tensor], blocks: BlockFormat) -> np.ndarray:
    """The bytes of a tensor. Raises ValueError for weights that are no numbers, or too large for the format."""
    values = read()
    if bool(values.isfinite().all()):
        packed = encode(values.reshape(-1, values.shape[-1]).cpu(), blocks)
        if is_finite(packed):
            return packed.blocks.numpy()
    raise ValueError(
        f"{label} has weights that are no numbers, or too large for {blocks.name}: "
        "expected finite ones; choose another format, or copy or download the model again"
    )


def is_finite(rows: PackedRows) -> bool:
    """Whether all weights of rows are numbers."""
    if rows.format.elements > 1:
        return rows.has_finite_scales
    return bool(rows.blocks.view(NUMBERS[rows.format.name]).isfinite().all())
