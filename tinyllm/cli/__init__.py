"""`python -m tinyllm`: generate text, chat, check this machine, measure and report it, quantize models."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

import tinyllm
from tinyllm.cli import bench, chat, check, generate, quantize, report
from tinyllm.parallel.ranks import close_ranks, is_first_rank


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 right, 1 a check failed, 2 wrong use.

    Of the processes that torchrun starts, the first one prints.
    """
    if is_first_rank():
        return print_and_run(arguments)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        return print_and_run(arguments)


def print_and_run(arguments: Sequence[str] | None) -> int:
    """The same; an output whose reader has gone is no error."""
    try:
        try:
            return run(arguments)
        finally:
            sys.stdout.flush()
            close_ranks()
    except BrokenPipeError:  # the reader of a pipe has seen enough: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(arguments: Sequence[str] | None) -> int:
    """The same where the output has a reader to its end."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError, MemoryError) as error:
        print(f"tinyllm {options.command}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The command line, with its help."""
    parser = argparse.ArgumentParser(
        prog="tinyllm",
        description="LLM inference made fast on Intel GPUs, stage by stage.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tinyllm {tinyllm.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (generate, chat, check, bench, quantize, report):
        command.add_to(commands)
    return parser
