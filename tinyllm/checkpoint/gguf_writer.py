"""A checkpoint as a GGUF file, for this library, transformers and llama.cpp."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyllm.checkpoint.gguf_file import ROPE_FACTORS, GGUFFile
from tinyllm.checkpoint.gguf_writer_config import architecture_of
from tinyllm.checkpoint.gguf_writer_metadata import add_metadata, check_metadata, copy_metadata
from tinyllm.checkpoint.gguf_writer_tensors import OutputTensor, tensors_of, tensors_of_gguf
from tinyllm.checkpoint.loading import config_of
from tinyllm.checkpoint.sources import Checkpoint
from tinyllm.checkpoint.weight_formats import WeightFormat
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from gguf import GGUFWriter

SUFFIX = ".gguf"


def write_gguf(checkpoint: Checkpoint, path: Path, weight_format: WeightFormat) -> Counter[str]:
    """Write a checkpoint to `path`, matrices in `weight_format`; returns the number of tensors in each format.

    One tensor is held in memory at a time, and the file has its name only when it is complete. Raises ValueError,
    before a tensor is converted, where the model or its sizes do not allow the format.
    """
    import gguf

    weights = checkpoint.weights
    if isinstance(weights, GGUFFile):
        tensors = tensors_of_gguf(weights, weight_format)
        writer = gguf.GGUFWriter(None, weights.architecture)
        copy_metadata(writer, weights, weight_format)
        check = None
    else:
        writer = gguf.GGUFWriter(None, architecture_of(checkpoint.config))
        config = config_of(checkpoint.family, checkpoint.config, weights)
        tensors = tensors_of(checkpoint, config, weight_format)
        add_metadata(writer, checkpoint, weight_format)
        check = partial(check_metadata, checkpoint, config)
    with complete_or_none(path) as unfinished, closing(writer):
        write_header(writer, tensors, unfinished)
        first = int(tensors[0].name == ROPE_FACTORS)  # which belong to the configuration
        write_tensors(writer, tensors[:first])
        if check is not None:
            check(unfinished)
        write_tensors(writer, tensors[first:])
    return Counter(gguf.GGMLQuantizationType(one.ggml_type).name for one in tensors)


def check_path(path: Path, *, force: bool) -> None:
    """Raise ValueError or OSError for a path that no file can be written to, or where one would be lost."""
    if path.suffix != SUFFIX:
        raise ValueError(f"{path}: expected a name that ends in {SUFFIX}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: {path.parent} is no folder; create it, or name another")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected the name of a file")
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists: name another file, or pass --force to replace it")


@contextmanager
def complete_or_none(path: Path) -> Iterator[Path]:
    """A path beside `path`: the file there gets its name at the end, and is removed after an error."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_header(writer: GGUFWriter, tensors: Sequence[OutputTensor], path: Path) -> None:
    """Metadata, and names and places of tensors, in a file of its final size: readers take it for a complete one."""
    for one in tensors:
        element = np.dtype(np.float32)  # which `raw_dtype` replaces
        writer.add_tensor_info(one.name, one.shape, element, one.nbytes, raw_dtype=one.ggml_type)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    alignment = writer.data_alignment
    sizes = [path.stat().st_size, *(one.nbytes for one in tensors)]
    os.truncate(path, sum(writer.ggml_pad(size, alignment) for size in sizes))


def write_tensors(writer: GGUFWriter, tensors: Sequence[OutputTensor]) -> None:
    """The bytes of tensors, in the order of the header."""
    for one in progress(tensors, desc="writing", unit="tensor", delay=1):
        writer.write_tensor_data(one.encoded())
    writer.flush()


def file_bytes(checkpoint: Checkpoint) -> int:
    """The size of the files that hold a checkpoint's weights."""
    files = {checkpoint.weights.file(name) for name in checkpoint.weights.shapes}
    return sum(os.path.getsize(file) for file in files)
