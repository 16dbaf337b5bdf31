"""Write a GGUF file of a known shape with random blocks, to measure formats that no quantiser here makes.

    python book/device/random_gguf.py tinyllama-1.1b Q4_K tinyllama-q4_k.gguf

All matrices are in one format; the file has no vocabulary. Activations stay in range: a matrix of `k` inputs has
weights of about k^-0.5.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tinyllm.check.cases import Draw  # noqa: E402
from tinyllm.checkpoint.gguf_writer import (  # noqa: E402
    complete_or_none,
    write_header,
    write_tensors,
)
from tinyllm.checkpoint.gguf_writer_config import add_config, architecture_of  # noqa: E402
from tinyllm.checkpoint.gguf_writer_tensors import OutputTensor, tensors_of  # noqa: E402
from tinyllm.checkpoint.gguf_writer_tokenizer import (  # noqa: E402
    NO_VOCABULARY,
    add_special_tokens,
    special_tokens,
)
from tinyllm.checkpoint.loading import config_of  # noqa: E402
from tinyllm.checkpoint.sources import Checkpoint  # noqa: E402
from tinyllm.checkpoint.weight_formats import WeightFormat  # noqa: E402
from tinyllm.kernels.block_formats import FORMATS, BlockFormat  # noqa: E402
from tinyllm.lab.shapes import SHAPES, random_checkpoint  # noqa: E402

CPU = torch.device("cpu")
PACKED = [name for name, one in FORMATS.items() if one.elements > 1 and name.startswith("Q")]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("format", choices=PACKED)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    checkpoint = random_checkpoint(options.shape, CPU, torch.float32)
    write_random(checkpoint, FORMATS[options.format], options.out)


def write_random(checkpoint: Checkpoint, blocks: BlockFormat, path: Path) -> None:
    """A file of the sizes of a checkpoint, with random blocks in the place of all matrices."""
    import gguf

    dense = WeightFormat("float32", dtype=torch.float32)
    config = config_of(checkpoint.family, checkpoint.config, checkpoint.weights)
    tensors = [
        random_blocks(one, blocks, seed) if len(one.shape) == 2 else one
        for seed, one in enumerate(tensors_of(checkpoint, config, dense))
    ]
    writer = gguf.GGUFWriter(None, architecture_of(checkpoint.config))
    writer.add_type("model")
    writer.add_name(checkpoint.name)
    add_config(writer, checkpoint.config)
    writer.add_tokenizer_model(NO_VOCABULARY)
    add_special_tokens(writer, special_tokens(None, checkpoint.generation_config))
    with complete_or_none(path) as unfinished, closing(writer):
        write_header(writer, tensors, unfinished)
        write_tensors(writer, tensors)


def random_blocks(one: OutputTensor, blocks: BlockFormat, seed: int) -> OutputTensor:
    """The same matrix with random blocks."""
    n, k = one.shape

    def encoded() -> np.ndarray:
        rows = Draw(seed, torch.float32, CPU).packed(blocks, n, k)
        return rows.arranged(planar=False).blocks.numpy()

    return one._replace(ggml_type=blocks.ggml_type, nbytes=n * blocks.row_bytes(k), encoded=encoded)


if __name__ == "__main__":
    main()
