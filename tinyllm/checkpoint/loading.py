"""From a checkpoint to a decoder: every name and shape checked first, then tensor by tensor into place."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from tinyllm.checkpoint.skeleton import placed, skeleton, source_shapes
from tinyllm.checkpoint.sources import Checkpoint
from tinyllm.checkpoint.weights import ModuleWeights, Weights
from tinyllm.decoder import Decoder
from tinyllm.families import Family
from tinyllm.ops.norm import Norm
from tinyllm.ops.rope import Rotation
from tinyllm.runtime.device import DTYPES
from tinyllm.stages import Stage


def as_stored(config: DecoderConfig, family: Family, weights: Weights) -> DecoderConfig:
    """The same, with a head of its own where one is stored that differs from the embedding, as in transformers."""
    table, head = (family.sources(f"{module}.weight")[0] for module in ("embed_tokens", "lm_head"))
    both = weights.shapes.keys() >= {table, head}
    if not config.tie_word_embeddings or not both or torch.equal(weights.read(table), weights.read(head)):
        return config
    return replace(config, tie_word_embeddings=False)


def load_decoder(checkpoint: Checkpoint, stage: Stage, device: torch.device, dtype: torch.dtype) -> Decoder:
    """Read a checkpoint straight to `device` and `dtype`, holding at most one of its tensors besides the model."""
    decoder = skeleton(
        as_stored(checkpoint.family.describe(checkpoint.config), checkpoint.family, checkpoint.weights), stage
    )
    verify(decoder, checkpoint.family, checkpoint.weights)
    for name, parameter in tqdm(list(decoder.named_parameters()), desc="loading", unit="tensor", delay=2, leave=False):
        merged = torch.empty(parameter.shape, device=device, dtype=dtype)
        for source, rows in placed(decoder, checkpoint.family, name, merged):
            rows.copy_(checkpoint.weights.read(source))
        assign(decoder, name, shifted(merged, norm_shift(decoder, checkpoint.family, name)))
    return finish(decoder, device)


def share_decoder(model: nn.Module, family: Family, stage: Stage) -> Decoder:
    """A decoder on the weights of a transformers model in memory.

    Tensors that we keep merged are merged once, and the transformers model then looks at its rows of the
    result: both models work, and no weight is held twice.
    """
    weights = ModuleWeights(model, family.name_today)
    decoder = skeleton(as_stored(family.describe(model.config), family, weights), stage)
    verify(decoder, family, weights)
    device, dtype = uniform(weights)
    for name, parameter in list(decoder.named_parameters()):
        sources, shift = family.sources(name), norm_shift(decoder, family, name)
        if len(sources) == 1:
            stored = weights.read(sources[0])
            assign(decoder, name, shifted(stored, shift))
            continue
        merged = torch.empty(parameter.shape, device=device, dtype=dtype)
        for source, rows in placed(decoder, family, name, merged):
            rows.copy_(weights.read(source))
            weights.parameters[source].data = rows
        assign(decoder, name, merged)
    return finish(decoder, device)


def norm_shift(decoder: Decoder, family: Family, parameter: str) -> float:
    """What a stored parameter lacks: the weights of norms may be stored less one."""
    module = decoder.get_submodule(parameter.rsplit(".", 1)[0])
    return family.norm_shift if isinstance(module, Norm) else 0.0


def as_stored_in(checkpoint: Checkpoint, decoder: Decoder, parameter: str, merged: Tensor) -> list[tuple[str, Tensor]]:
    """The checkpoint's names and tensors behind a parameter: rows of ours, or read again where ours are shifted."""
    found = placed(decoder, checkpoint.family, parameter, merged)
    if not norm_shift(decoder, checkpoint.family, parameter):
        return found
    return [(source, checkpoint.weights.read(source).to(merged.device, merged.dtype)) for source, _ in found]


def shifted(tensor: Tensor, shift: float) -> Tensor:
    """The tensor itself, or what it becomes."""
    return tensor + shift if shift else tensor


def restage(decoder: Decoder, stage: Stage) -> Decoder:
    """The same model in another stage, on the same weights."""
    other = skeleton(decoder.config, stage)
    for name, parameter in decoder.named_parameters():
        assign(other, name, parameter.data)
    other.tokenizer, other.generation_config = decoder.tokenizer, decoder.generation_config
    return finish(other, decoder.device)


def uniform(weights: ModuleWeights) -> tuple[torch.device, torch.dtype]:
    """The one device and format of a model in memory. Raises ValueError for a mixture or for quantised weights."""
    found = {(p.device, p.dtype) for p in weights.parameters.values()}
    device, dtype = next(iter(found))
    if len(found) > 1 or dtype not in DTYPES.values() or device.type == "meta":
        shown = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in found))
        raise ValueError(f"the model holds {shown}: expected all weights in one of {list(DTYPES)} on one device")
    return device, dtype


def verify(decoder: Decoder, family: Family, weights: Weights) -> None:
    """Compare all names and shapes with what the decoder needs. Raises ValueError naming the first that differs."""
    needed = source_shapes(decoder, family)
    for source, shape in needed.items():
        if source not in weights.shapes:
            raise ValueError(f"{weights.file(None)} has no tensor {source!r}: expected one of shape {list(shape)}")
        if weights.shapes[source] != shape:
            given = list(weights.shapes[source])
            raise ValueError(f"{weights.file(source)}: tensor {source!r} has shape {given}: expected {list(shape)}")
        weights.check(source)
    tied = family.sources("lm_head.weight") if decoder.config.tie_word_embeddings else ()
    for source in weights.shapes:
        if source not in needed and source not in tied and not source.endswith(family.buffers):
            raise ValueError(
                f"{weights.file(source)} has the tensor {source!r}, which a {family.name} decoder with this "
                "config.json does not use: expected none but its weights"
            )


def assign(decoder: Decoder, parameter: str, tensor: Tensor) -> None:
    """Put a tensor in the place of a parameter that had none."""
    module, kind = parameter.rsplit(".", 1)
    setattr(decoder.get_submodule(module), kind, nn.Parameter(tensor, requires_grad=False))


def finish(decoder: Decoder, device: torch.device) -> Decoder:
    """Tie what is tied, and compute what is not stored."""
    if decoder.config.tie_word_embeddings:
        decoder.lm_head.weight = decoder.embed_tokens.weight
    decoder.rotation = Rotation(decoder.config).to(device)
    return decoder.eval()
