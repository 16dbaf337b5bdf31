"""Peers on packed weights: they read the same GGUF file, or quantise dense weights to about as many bits themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from tinyllm.bench.peers import Peer
from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.lazy import LazyTokenizer
from tinyllm.checkpoint.weight_formats import STORED, WeightFormat
from tinyllm.kernels.block_formats import FORMATS

TABLE, HEAD = "token_embd.weight", "output.weight"  # llama.cpp's names
FEW_BITS = 6  # below, 4 bits are nearer than 8
WorkerOptions = dict[str, str | int]


class PackedPeer(NamedTuple):
    """A peer in one format of weights; `options` of its worker are made in a folder, to which it may write a file."""

    peer: str
    options: Callable[[Path], WorkerOptions]


def packed_peers(
    peers: Mapping[str, Peer],
    checkpoint: Checkpoint,
    formats: Sequence[WeightFormat],
    dtype: torch.dtype,
) -> dict[str, PackedPeer]:
    """What peers run beside our packed weights, by the name of the peer and the format that most bytes are in."""
    found: dict[str, PackedPeer] = {}
    for weight_format in formats:
        names = formats_of(checkpoint, weight_format, dtype)
        for kind, peer in peers.items() if names else ():
            if peer.reads_gguf:
                name = f"{kind}, {names[0]}"
                name = f"{kind}, {weight_format.name}" if name in found else name
                found[name] = PackedPeer(kind, partial(gguf_options, checkpoint, weight_format))
            elif (bits := nearest_int(names[0])) in peer.quantises:
                found[f"{kind}, {bits}"] = PackedPeer(kind, partial(quantiser_options, bits))
    return found


def formats_of(
    checkpoint: Checkpoint, weight_format: WeightFormat, dtype: torch.dtype
) -> list[str]:
    """The formats of packed matrices, the one with most bytes first."""
    if weight_format is not STORED:
        return [weight_format.blocks_of(embedding=False).name]
    sizes: Counter[str] = Counter()
    for name in checkpoint.weights.shapes:
        if rows := checkpoint.weights.packed(name, dtype):
            sizes[rows.format.name] += rows.blocks.nbytes
    return [name for name, _ in sizes.most_common()]


def nearest_int(name: str) -> str | None:
    """The integers that are nearest to a format in bits; None for a number format."""
    one = FORMATS[name]
    if one.elements == 1:
        return None
    return "int4" if one.bits < FEW_BITS else "int8"


def quantiser_options(bits: str, folder: Path) -> WorkerOptions:
    """The worker quantises the dense weights that it reads."""
    return {"weights": bits}


def gguf_options(
    checkpoint: Checkpoint, weight_format: WeightFormat, folder: Path
) -> WorkerOptions:
    """The file to read, what its matrices are kept in, and the bytes of a table of which only rows are read."""
    import gguf

    file = GGUFFile(gguf_path(checkpoint, weight_format, folder))
    sizes: Counter[str] = Counter()
    for info in file.tensors.values():
        if len(info.shape) == 2:
            sizes[gguf.GGMLQuantizationType(info.kind).name] += info.nbytes
    names = ", ".join(name for name, _ in sizes.most_common())
    table_bytes = file.tensors[TABLE].nbytes if HEAD in file.tensors else 0
    return {"file": str(file.path), "weights": f"packed {names}", "table_bytes": table_bytes}


def gguf_path(checkpoint: Checkpoint, weight_format: WeightFormat, folder: Path) -> Path:
    """The checkpoint's own file for weights as stored; else a file that is written to `folder`.

    Raises ValueError for weights that are stored in no GGUF file, and for models that a GGUF file does not hold.
    """
    from tinyllm.checkpoint.gguf_writer import write_gguf

    if weight_format is STORED:
        if isinstance(checkpoint.weights, GGUFFile):
            return checkpoint.weights.path
        raise ValueError(
            f"{checkpoint.weights.file(None)} is no GGUF file: it cannot be read as stored; "
            "pass --weights q4_1 or q8_0"
        )
    path = folder / f"{weight_format.name}.gguf"
    write_gguf(replace(checkpoint, lazy_tokenizer=LazyTokenizer.of(None)), path, weight_format)
    return path
