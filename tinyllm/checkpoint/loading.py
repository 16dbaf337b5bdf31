"""From a checkpoint to a decoder: every name and shape checked first, then tensor by tensor into place."""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.checkpoint.module import ModuleWeights
from tinyllm.checkpoint.quantised import QuantisedFolder
from tinyllm.checkpoint.quantization_config import ADVICE
from tinyllm.checkpoint.skeleton import Shard, shard_views, skeleton, source_shapes
from tinyllm.checkpoint.sources import Checkpoint
from tinyllm.checkpoint.weight_formats import WeightFormat, in_format, in_number_format
from tinyllm.checkpoint.weights import Weights
from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.families import Family
from tinyllm.families.family import BUFFERS, OTHER_HEADS
from tinyllm.kernels.weights import PackedRows, PackedWeight
from tinyllm.linear import Linear, Matrix, Norm
from tinyllm.ops.embedding import TokenEmbedding
from tinyllm.runtime.device import DTYPES, size_as_text
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


# Endings of tensors that GPTQ, AWQ, bitsandbytes, compressed-tensors, fp8, mxfp4 and HQQ store beside or for a matrix.
QUANTISED_ENDINGS = (
    ".qweight",
    ".qzeros",
    ".g_idx",
    ".weight_packed",
    ".weight_scale",
    ".weight_scale_inv",
    ".weight.absmax",
    ".weight.quant_map",
    "_blocks",
    "_scales",
    ".W_q",
)


class Placement(NamedTuple):
    """Where the weights of a model are, and in which number format."""

    device: torch.device
    dtype: torch.dtype


def config_of(family: Family, hf_config: PreTrainedConfig, weights: Weights) -> DecoderConfig:
    """The decoder of a checkpoint, with a head of its own where one is stored that differs from the embedding."""
    config = family.describe(hf_config)
    check_sizes(config, family, weights)
    table = family.sources("embed_tokens.weight")[0]
    head = family.sources("lm_head.weight")[0]
    both = weights.shapes.keys() >= {table, head}
    if not config.tie_word_embeddings or not both or weights.equal(table, head):
        return config
    return replace(config, tie_word_embeddings=False)


def load_weights(
    decoder: Decoder,
    checkpoint: Checkpoint,
    device: torch.device,
    dtype: torch.dtype,
    weight_format: WeightFormat,
) -> None:
    """Read a checkpoint straight to `device`, activations in `dtype`, matrices in `weight_format`.

    At most one tensor of the checkpoint is held besides the decoder.
    """
    family = checkpoint.family
    verify(decoder, family, checkpoint.weights)
    parameters = list(decoder.named_parameters())
    for name, parameter in progress(parameters, desc="loading", unit="tensor", delay=2):
        matrix = decoder.get_submodule(name.rpartition(".")[0])
        parts = packed_parts(checkpoint, matrix, name, dtype, weight_format)
        if parts:
            on_device = [part._replace(blocks=part.blocks.to(device)) for part in parts]
            matrix.pack(PackedWeight(tuple(on_device), dtype))
            continue
        merged = torch.empty(parameter.shape, device=device, dtype=dtype)
        for source, rows in shard_views(decoder, family, name, merged):
            rows.copy_(checkpoint.weights.read(source))
        assign(decoder, name, add_norm_offset(merged, norm_offset(decoder, family, name)))
    tie_and_finalize(decoder, device)
    if weight_format.as_stored:
        warn_of_unread_encodings(decoder, checkpoint)


def warn_of_unread_encodings(decoder: Decoder, checkpoint: Checkpoint) -> None:
    """Say what it costs that matrices are dense which the checkpoint packs in a way that no kernel reads."""
    weights = checkpoint.weights
    sources = [name for names in source_names(decoder, checkpoint.family) for name in names]
    unread = {name: weights.unread_encoding(name) for name in sources if name in weights.shapes}
    names = [name for name, encoding in unread.items() if encoding]
    if names:
        elements = sum(prod(weights.shapes[name]) for name in names)
        size = size_as_text(elements * decoder.dtype.itemsize)
        encodings = ", ".join(sorted({unread[name] for name in names}))
        warnings.warn(
            f"{weights.file(None)}: {len(names)} matrices are dense in memory and take {size}: "
            f"no kernel reads {encodings}",
            UserWarning,
            stacklevel=6,
        )


def source_names(decoder: Decoder, family: Family) -> list[tuple[str, ...]]:
    """The checkpoint's names behind every matrix."""
    matrices = [
        name for name, x in decoder.named_modules() if isinstance(x, Linear | TokenEmbedding)
    ]
    return [family.sources(f"{name}.weight") for name in matrices]


def packed_parts(
    checkpoint: Checkpoint,
    module: nn.Module,
    parameter: str,
    dtype: torch.dtype,
    weight_format: WeightFormat,
) -> list[PackedRows]:
    """The tensors behind a matrix in blocks; none where all of them are to be dense, in `dtype`."""
    if not is_packable(module, parameter) or weight_format.is_dense(dtype):
        return []
    sources = checkpoint.family.sources(parameter)
    if weight_format.as_stored:
        found = [checkpoint.weights.packed(source, dtype) for source in sources]
        if not any(found):
            return []
        return [
            in_number_format(checkpoint.weights.read(source).to(dtype)) if rows is None else rows
            for source, rows in zip(sources, found, strict=True)
        ]
    return [in_format(checkpoint.weights, source, module, weight_format) for source in sources]


def weight_bytes(
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    weight_format: WeightFormat,
    config: DecoderConfig | None = None,
) -> int:
    """Bytes of all weights in a format, before any of them is loaded; tied ones count once.

    `config` is that of the decoder, where it is one rank's part of the checkpoint's.
    """
    decoder = skeleton(config or checkpoint.family.describe(checkpoint.fields))
    total = 0
    for name, parameter in decoder.named_parameters():
        module = decoder.get_submodule(name.rpartition(".")[0])
        packs = is_packable(module, name) and not weight_format.is_dense(dtype)
        for source, rows in shard_views(decoder, checkpoint.family, name, parameter):
            blocks = None
            if packs and weight_format.as_stored:
                blocks = checkpoint.weights.packed(source, dtype)
            if blocks is not None:
                total += blocks.blocks.nbytes
            elif packs and not weight_format.as_stored:
                one = weight_format.blocks_of(embedding=isinstance(module, TokenEmbedding))
                total += len(rows) * one.row_bytes(rows.shape[1])
            else:
                total += rows.numel() * dtype.itemsize
    return total


def is_packable(module: nn.Module, parameter: str) -> bool:
    """Whether a parameter is a matrix that may be packed: of a linear layer, or the table of tokens."""
    return isinstance(module, Linear | TokenEmbedding) and parameter.endswith(".weight")


def merge_weights(decoder: Decoder, family: Family, weights: ModuleWeights) -> None:
    """Put a decoder on the weights of a transformers model in memory.

    Tensors that we keep merged are merged once, and the transformers model then holds its rows of the
    result: both models work, and no weight is held twice.
    """
    verify(decoder, family, weights)
    device, dtype = uniform(weights)
    for name, parameter in list(decoder.named_parameters()):
        sources = family.sources(name)
        if len(sources) == 1:
            stored = weights.read(sources[0])
            assign(decoder, name, add_norm_offset(stored, norm_offset(decoder, family, name)))
            continue
        merged = torch.empty(parameter.shape, device=device, dtype=dtype)
        for source, rows in shard_views(decoder, family, name, merged):
            rows.copy_(weights.read(source))
            weights.parameters[source].data = rows
        assign(decoder, name, merged)
    tie_and_finalize(decoder, device)


def share_weights(decoder: Decoder, other: Decoder) -> None:
    """Put a decoder on the weights of another one of the same configuration."""
    for name, module in other.named_modules():
        if isinstance(module, Matrix) and module.packed is not None:
            decoder.get_submodule(name).pack(module.packed.weight)
    for name, parameter in other.named_parameters():
        if ".packed." not in name:
            assign(decoder, name, parameter.data)
    tie_and_finalize(decoder, other.device)
    decoder.rotary.frequencies.copy_(other.rotary.frequencies)


def norm_offset(decoder: Decoder, family: Family, parameter: str) -> float:
    """What a stored parameter lacks: the weights of norms may be stored less one."""
    module = decoder.get_submodule(parameter.rsplit(".", 1)[0])
    return family.norm_shift if isinstance(module, Norm) else 0.0


def add_norm_offset(weight: Float[Tensor, ...], offset: float) -> Float[Tensor, ...]:
    """The weight itself, or with what it lacks."""
    return weight + offset if offset else weight


def source_tensors(
    checkpoint: Checkpoint, decoder: Decoder, parameter: str, merged: Float[Tensor, ...]
) -> list[Shard]:
    """The checkpoint's names and tensors behind a parameter: rows of ours, or read again where ours have an offset."""
    found = shard_views(decoder, checkpoint.family, parameter, merged)
    if not norm_offset(decoder, checkpoint.family, parameter):
        return found
    return [
        Shard(source, checkpoint.weights.read(source).to(merged.device, merged.dtype))
        for source, _ in found
    ]


def uniform(weights: ModuleWeights) -> Placement:
    """The one device and format of a model in memory. Raises ValueError for a mixture or for quantised weights."""
    found = {Placement(p.device, p.dtype) for p in weights.parameters.values()}
    first = next(iter(found))
    if len(found) > 1 or first.dtype not in DTYPES.values() or first.device.type == "meta":
        shown = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in found))
        expected = f"expected all weights in one of {list(DTYPES)} on one device"
        raise ValueError(f"the model holds {shown}: {expected}")
    return first


def verify(decoder: Decoder, family: Family, weights: Weights) -> None:
    """Compare all names and shapes with what the decoder needs. Raises ValueError naming the first that differs."""
    refuse_quantised_tensors(weights)
    needed = source_shapes(decoder, family)
    for source, shape in needed.items():
        check_shape(weights, source, shape)
        weights.check(source)
    tied = family.sources("lm_head.weight") if decoder.config.tie_word_embeddings else ()
    others = [source for source in weights.shapes if source.startswith(OTHER_HEADS)]
    if others:
        warnings.warn(
            f"{weights.file(others[0])}: {', '.join(others)} is not used: a head of another task",
            UserWarning,
            stacklevel=5,
        )
    for source in weights.shapes:
        unused = source not in needed and source not in tied and source not in others
        if unused and isinstance(weights, QuantisedFolder) and weights.is_zero_bias(source):
            continue
        if unused and not source.endswith(BUFFERS):
            raise ValueError(
                f"{weights.file(source)} has the tensor {source!r}, which a {family.name} decoder with this "
                "config.json does not use: expected none but its weights"
            )


def check_sizes(config: DecoderConfig, family: Family, weights: Weights) -> None:
    """Compare the sizes of the largest matrices with what is stored, before a decoder of these sizes is built.

    Raises ValueError naming what is too large.
    """
    table = family.sources("embed_tokens.weight")[0]
    if table in weights.shapes:
        check_shape(weights, table, (config.vocab_size, config.hidden_size))
    stored = sum(prod(shape) for shape in weights.shapes.values())
    rows = {
        f"intermediate_size={config.intermediate_size}": config.intermediate_size,
        f"num_attention_heads={config.num_attention_heads} of head_dim={config.head_dim}": (
            config.num_attention_heads * config.head_dim
        ),
    }
    for given, size in rows.items():
        if size * config.hidden_size > stored:
            raise ValueError(
                f"{weights.file(None)} holds {stored} numbers: expected at least {size * config.hidden_size} in a "
                f"matrix of {given}"
            )


def check_shape(weights: Weights, source: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless there is a tensor of this name and shape."""
    if source not in weights.shapes:
        expected = f"expected one of shape {list(shape)}"
        raise ValueError(f"{weights.file(None)} has no tensor {source!r}: {expected}")
    if weights.shapes[source] != shape:
        given = f"tensor {source!r} has shape {list(weights.shapes[source])}"
        raise ValueError(f"{weights.file(source)}: {given}: expected {list(shape)}")


def refuse_quantised_tensors(weights: Weights) -> None:
    """Raise ValueError for names that only quantised weights have, where no configuration does."""
    for source in weights.shapes:
        if source.endswith(QUANTISED_ENDINGS):
            raise ValueError(
                f"{weights.file(source)}: tensor {source!r} is a part of quantised weights that config.json does not "
                f"describe: expected a quantization_config for it; {ADVICE}"
            )


def assign(decoder: Decoder, parameter: str, tensor: Float[Tensor, ...]) -> None:
    """Put a tensor in the place of a parameter that had none."""
    module, kind = parameter.rsplit(".", 1)
    parameter_with_memory = nn.Parameter(tensor, requires_grad=False)
    setattr(decoder.get_submodule(module), kind, parameter_with_memory)


def tie_and_finalize(decoder: Decoder, device: torch.device) -> None:
    """Tie what is tied, and move what is not stored."""
    if decoder.config.tie_word_embeddings:
        decoder.lm_head.tie(decoder.embed_tokens)
    decoder.rotary.to(device)
    decoder.eval()
