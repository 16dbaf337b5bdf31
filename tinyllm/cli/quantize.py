"""`tinyllm quantize`: writes a model to a GGUF file, in fewer bytes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinyllm.checkpoint.weight_formats import WRITTEN
from tinyllm.cli.options import add_command
from tinyllm.runtime.device import size_as_text


def add_to(commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "quantize",
        "Write a model to a GGUF file: matrices in one format, norms and biases in float32.",
        run,
        device=False,
    )
    command.add_argument(
        "model",
        nargs="?",
        help="a folder, a .gguf file or a hub id; SmolLM2-135M-Instruct unless given",
    )
    command.add_argument("out", type=Path, help="the .gguf file to write")
    command.add_argument(
        "--weights",
        default="q4_1",
        choices=WRITTEN,
        help="format of the matrices; with q4_0, q4_1 and q8_0 the token embedding has 8 bits",
    )
    command.add_argument("--force", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Write the file; print its formats, and the sizes before and after."""
    from tinyllm.checkpoint import open_checkpoint
    from tinyllm.checkpoint.gguf_writer import check_path, file_bytes, write_gguf
    from tinyllm.checkpoint.weight_formats import pick_weights

    path = options.out.expanduser()
    check_path(path, force=options.force)
    checkpoint = open_checkpoint(options.model)
    before = file_bytes(checkpoint)
    formats = write_gguf(checkpoint, path, pick_weights(options.weights, None))
    tensors = ", ".join(f"{count} x {name}" for name, count in formats.most_common())
    after = path.stat().st_size
    print(f"{path}: {tensors}; {size_as_text(before)} before, {size_as_text(after)} after")
    return 0
