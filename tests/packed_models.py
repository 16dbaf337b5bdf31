"""Packed matrices with random blocks, and transformers models that have the same values."""

from itertools import cycle

import gguf
import numpy as np
import torch

import tinyllm
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import PackedRows, PackedWeight
from tinyllm.linear import Linear
from tinyllm.ops.embedding import TokenEmbedding

GROUPED = [
    name for name in FORMATS if name.startswith("INT")
]  # formats that GGUF files do not have
PACKED = [name for name in FORMATS if FORMATS[name].elements > 1 and name not in GROUPED]
# What the codes of a format are like: their root mean square, and their mean, in units of the block's scale.
CODES = {
    "Q4_0": (4.7, 0),
    "Q4_1": (4.6, 7.5),
    "Q8_0": (74, 0),
    "Q4_K": (170, 7.5 * 31.5),
    "Q5_K": (340, 15.5 * 31.5),
    "Q6_K": (1360, 0),
    "INT4": (4.6, 0),
    "INT8": (74, 0),
}


def draw_blocks(n, k, name, *, seed=0):
    """Random rows whose weights have a mean of about zero and the size of a trained matrix's."""
    one = FORMATS[name]
    generator = np.random.default_rng(seed)
    blocks = generator.integers(0, 256, (n, one.row_bytes(k)), dtype=np.uint8)
    rows = PackedRows(torch.from_numpy(blocks), one)
    spread, mean = CODES[name.partition("_")[0] if name in GROUPED else name]
    scale = (
        1.5
        * k**-0.5
        / spread
        * torch.from_numpy(generator.uniform(0.5, 1.5, (n, k // one.elements)))
    )
    fields = rows.fields
    fields["scale"].view(one.scale_dtype)[..., 0] = scale
    if "zero" in fields:
        fields["zero"].view(one.scale_dtype)[..., 0] = 8 if name.startswith("INT4") else 128
    if "minimum" in fields:
        sign = (
            1 if "scales" in fields else -1
        )  # the K formats subtract it, and multiply it by 6 bits
        minimum = sign * scale * mean / (31.5 if sign > 0 else 1)
        fields["minimum"].view(torch.float16)[..., 0] = minimum
    return rows


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
