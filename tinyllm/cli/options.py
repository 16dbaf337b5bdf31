"""Arguments that several commands share, and their translation to options of `generate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from io import TextIOBase, TextIOWrapper
from typing import TextIO

import torch

from tinyllm.checkpoint.weight_formats import WEIGHTS
from tinyllm.parallel.ranks import Ranks, pick_ranks
from tinyllm.runtime.device import DTYPES, available, pick_device
from tinyllm.stages import FASTEST, STAGES


def add_command(
    commands,
    name: str,
    help: str,
    run: Callable[[argparse.Namespace], int],
    *,
    device: bool = True,
) -> argparse.ArgumentParser:
    """A command that runs `run`, with an option for the device if it uses one."""
    command = commands.add_parser(
        name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(run=run)
    if device:
        command.add_argument(
            "--device", help=f"one of {', '.join(available())} here; the fastest one by default"
        )
    return command


def add_model(command: argparse.ArgumentParser) -> None:
    """Add the options for the model and its dtype."""
    command.add_argument(
        "--model", help="a folder, a .gguf file or a hub id; SmolLM2-135M-Instruct by default"
    )
    command.add_argument(
        "--dtype",
        choices=list(DTYPES),
        help="number format of activations; the checkpoint's by default",
    )


def add_kv_dtype(command: argparse.ArgumentParser, help: str) -> None:
    """Add the option for the number format of keys and values."""
    command.add_argument("--kv-dtype", choices=("int8",), help=help)


def add_answer(command: argparse.ArgumentParser, longest: int) -> None:
    """Add the options for an answer: stage, length and sampling."""
    add_model(command)
    command.add_argument(
        "--weights",
        choices=WEIGHTS,
        help="format of the matrices; as stored by default, or dense where --dtype is given",
    )
    add_kv_dtype(
        command,
        "number format of keys and values: int8 has half the memory of 16 bits, and tokens may differ; "
        "that of activations by default",
    )
    command.add_argument(
        "--stage", default=FASTEST, choices=list(STAGES), help="the stage of the ladder"
    )
    command.add_argument("--max-new-tokens", type=int, default=longest, help="the longest answer")
    command.add_argument(
        "--temperature", type=float, help="sample tokens instead of greedy decoding; try 0.7"
    )
    command.add_argument(
        "--top-k", type=int, help="sample from the k most likely tokens (with --temperature)"
    )
    command.add_argument(
        "--top-p",
        type=float,
        help="sample from the most likely tokens with total probability p (with --temperature)",
    )
    command.add_argument(
        "--seed", type=int, help="seed of the sampling: the same tokens again (with --temperature)"
    )


def sampling(options: argparse.Namespace) -> dict[str, object]:
    """Sampling options of `generate`. Raises ValueError for an option that needs --temperature."""
    given = {"top_k": options.top_k, "top_p": options.top_p}
    given = {name: value for name, value in given.items() if value is not None}
    if options.temperature is None and (given or options.seed is not None):
        raise ValueError(
            "--top-k, --top-p and --seed need sampling: pass --temperature too; 1 leaves the probabilities unchanged"
        )
    if options.seed is not None:
        torch.manual_seed(options.seed)
    if options.temperature is None:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": options.temperature} | given


def load(options: argparse.Namespace):
    """The model and its tokenizer for texts. Raises ValueError where it has none."""
    from tinyllm.checkpoint.text_tokenizer import text_tokenizer
    from tinyllm.model import from_pretrained

    model = from_pretrained(
        options.model,
        stage=options.stage,
        device=options.device,
        dtype=options.dtype,
        weights=options.weights,
        parallel="auto",
        kv_dtype=options.kv_dtype,
    )
    tokenizer = text_tokenizer(model.lazy_tokenizer)
    if tokenizer is None:
        raise ValueError(
            f"{options.model} has no tokenizer: expected tokenizer.json beside the weights"
        )
    return model, tokenizer


def ranks_of(options: argparse.Namespace) -> Ranks:
    """The processes that torchrun started together with this one."""
    return pick_ranks("auto", pick_device(options.device))


def expect_utf8(stream: TextIO | TextIOBase) -> None:
    """Read UTF-8, whatever the locale; `check_text` names the bytes that are none."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def check_text(text: str) -> str:
    """The text itself. Raises ValueError where its bytes were no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) & 0xFF
        raise ValueError(
            f"the prompt is not valid UTF-8: byte 0x{byte:02x} after {error.start} characters; convert it to UTF-8"
        ) from None
    return text


def encode(tokenizer, prompt: str, raw: bool):
    """Token ids and mask of a prompt; in the model's chat template, if it has one and `raw` is false."""
    check_text(prompt)
    if raw or tokenizer.chat_template is None:
        return tokenizer(prompt, return_tensors="pt")
    chat = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
