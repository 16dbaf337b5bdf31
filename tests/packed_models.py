"""Packed matrices with random blocks, and transformers models that have the same values."""

from itertools import cycle

import gguf
import torch

import tinyllm
from tinyllm.check.cases import Draw
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import PackedWeight
from tinyllm.linear import Linear
from tinyllm.ops.embedding import TokenEmbedding

GROUPED = [name for name in FORMATS if name.startswith("INT")]  # which GGUF files do not have
PACKED = [name for name in FORMATS if FORMATS[name].elements > 1 and name not in GROUPED]


def draw_blocks(n, k, name, *, seed=0):
    """Random rows in the blocks of a file; the weights' root mean square is about k^-0.5."""
    draw = Draw(seed, torch.float32, torch.device("cpu"))
    return draw.packed(FORMATS[name], n, k).arranged(planar=False)


def encoded(values, kind, *, seed=0):
    """A matrix in the blocks of a type of ggml: random ones where the gguf package only reads them."""
    if kind.name in FORMATS and kind.name.endswith("_K"):
        return draw_blocks(*values.shape, kind.name, seed=seed).blocks.numpy()
    return gguf.quants.quantize(values, kind)


def packed_model(hf, stage, formats=PACKED):
    """Our model with random blocks in all matrices, merged rows in different formats; `hf` has their values."""
    model = tinyllm.optimize(hf, stage=stage)
    names = cycle(formats)
    for seed, module in enumerate(model.modules()):
        tied = module is model.lm_head and model.config.tie_word_embeddings
        if isinstance(module, Linear | TokenEmbedding) and not tied:
            dense = module.weight.data
            sizes = getattr(module, "row_sizes", None) or halves(module, model.config)
            weight = draw_weight(dense.shape[1], names, sizes, seed)
            dense.copy_(torch.cat([part.unpack() for part in weight.parts]))
            module.pack(weight)
    if model.config.tie_word_embeddings:
        model.lm_head.tie(model.embed_tokens)
    return model.bind_stage_kernels()


def halves(module, config):
    """The rows of gate and up, or of a matrix that was not merged."""
    rows = module.storage.shape[0]
    gated = config.gated and rows == 2 * config.intermediate_size
    return [rows // 2] * 2 if gated else [rows]


def draw_weight(k, names, sizes, seed=0):
    """A packed matrix of parts of so many rows, each in the next format."""
    parts = [
        draw_blocks(n, k, name, seed=10 * seed + i)
        for i, (n, name) in enumerate(zip(sizes, names, strict=False))
    ]
    return PackedWeight(tuple(parts), torch.float32)
