"""`python -m tinyllm`: generate text, check this machine, measure it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from tinyllm.runtime.device import DTYPES, available, pick_device, pick_dtype
from tinyllm.stages import FASTEST, STAGES

PROMPT = "What is a KV cache?"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 right, 1 a check failed, 2 wrong use."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, FileNotFoundError) as error:
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_generate(commands)
    _add_check(commands)
    _add_bench(commands)
    return parser


def _command(commands, name: str, help: str, run) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(run=run)
    command.add_argument("--device", help=f"one of {', '.join(available())} here; the best there is unless given")
    return command


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", help="a folder, a .gguf file or a hub id; SmolLM2-135M-Instruct unless given")
    command.add_argument("--dtype", choices=list(DTYPES), help="number format; the checkpoint's own unless given")


def _add_generate(commands) -> None:
    command = _command(commands, "generate", "Continue a prompt, or answer it where the model can chat.", run_generate)
    command.add_argument("prompt", nargs="?", help="the text; read from standard input unless given")
    _add_model(command)
    command.add_argument("--stage", default=FASTEST, choices=list(STAGES), help="the stage of the ladder")
    command.add_argument("--max-new-tokens", type=int, default=256, help="the longest answer")
    command.add_argument("--temperature", type=float, help="draw tokens instead of taking the most likely; try 0.7")
    command.add_argument("--top-k", type=int, help="draw from the k most likely only (with --temperature)")
    command.add_argument("--top-p", type=float, help="draw from the most likely that make up p (with --temperature)")
    command.add_argument("--seed", type=int, help="draw the same tokens again (with --temperature)")
    command.add_argument("--raw", action="store_true", help="continue the text as it is, without the chat template")


def _add_check(commands) -> None:
    _command(commands, "check", "Is this machine ready? Devices, every kernel against float64, bandwidth.", run_check)


def _add_bench(commands) -> None:
    command = _command(
        commands, "bench", "Measure stages and peers side by side: same weights, same prompt.", run_bench
    )
    _add_model(command)
    command.add_argument("--random", metavar="SHAPE", help="random weights of a known shape instead of a model")
    command.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES), help="stages to measure")
    command.add_argument("--peers", nargs="*", default=["hf"], help="what else to measure")
    command.add_argument("--prompt", default=PROMPT, help="the prompt")
    command.add_argument("--prompt-tokens", type=int, help="a prompt of so many tokens instead of --prompt")
    command.add_argument("--batch", type=int, default=1, help="copies of the prompt, run together")
    command.add_argument("--new-tokens", type=int, default=64, help="tokens to generate")
    command.add_argument("--repeats", type=int, default=5, help="runs of each engine; the median counts")
    command.add_argument("--stream", action="store_true", help="show each engine's answer as it is produced")
    command.add_argument("--json", type=Path, metavar="FILE", help="record the rows")
    command.add_argument("--png", type=Path, metavar="FILE", help="draw the ladder")


def run_generate(options: argparse.Namespace) -> int:
    """`tinyllm generate`."""
    from transformers import TextStreamer

    from tinyllm.api import from_pretrained

    sampling = sampling_options(options)
    model = from_pretrained(options.model, stage=options.stage, device=options.device, dtype=options.dtype)
    if model.tokenizer is None:
        raise ValueError(f"{options.model} has no tokenizer: expected tokenizer.json beside the weights")
    prompt = sys.stdin.read() if options.prompt is None else options.prompt
    inputs = encode(model.tokenizer, prompt, options.raw)
    streamer = TextStreamer(model.tokenizer, skip_prompt=True, skip_special_tokens=True)
    model.generate(**inputs, max_new_tokens=options.max_new_tokens, streamer=streamer, **sampling)
    return 0


def sampling_options(options: argparse.Namespace) -> dict[str, object]:
    """How tokens are chosen. Raises ValueError for what has no meaning without --temperature."""
    given = {"top_k": options.top_k, "top_p": options.top_p}
    given = {name: value for name, value in given.items() if value is not None}
    if options.temperature is None and (given or options.seed is not None):
        raise ValueError(
            "--top-k, --top-p and --seed are for drawn tokens: pass --temperature too, 1 leaves them as is"
        )
    if options.seed is not None:
        torch.manual_seed(options.seed)
    drawn = options.temperature is not None
    return {"do_sample": drawn} | ({"temperature": options.temperature} if drawn else {}) | given


def encode(tokenizer, prompt: str, raw: bool):
    """Token ids and mask of a prompt, in the model's chat template where it has one."""
    if raw or tokenizer.chat_template is None:
        return tokenizer(prompt, return_tensors="pt")
    chat = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)


def run_check(options: argparse.Namespace) -> int:
    """`tinyllm check`."""
    from tinyllm.check.models import check_stages
    from tinyllm.measure.machine import measure_machine, versions
    from tinyllm.ops.kernel_sets import KERNELS

    device = pick_device(options.device)
    print("versions ", ", ".join(f"{name} {number}" for name, number in versions().items()))
    print("devices  ", ", ".join(available()), f"(using {device})")
    machine = measure_machine(device)
    print("device   ", machine.device)
    print(f"read      {machine.read_bandwidth / 1e9:.1f} GB/s")
    print(f"copy      {machine.copy_bandwidth / 1e9:.1f} GB/s, read and written")
    print(f"launch    {machine.launch_overhead * 1e6:.1f} us per operation")
    verdicts, times = check_kernels(device, machine.copy_bandwidth)
    for verdict in check_stages(device):
        verdicts.append(verdict)
        print(f"stage     {verdict}")
    wrong = [verdict for verdict in verdicts if not verdict.right]
    if wrong:
        print(f"{len(wrong)} of {len(verdicts)} checks failed")
        return 1
    print(advice(min(times, key=times.get), KERNELS[device.type].rsplit(".", 1)[1], times))
    print("ready")
    return 0


def advice(fastest: str, default: str, times: dict[str, float]) -> str:
    """Which kernels to use on this device, in one line."""
    shown = ", ".join(f"{name} {1e6 * seconds:.0f} us" for name, seconds in sorted(times.items(), key=lambda x: x[1]))
    how = (
        "what the stages use here by default"
        if fastest == default
        else f"dataclasses.replace(stage, ops=tinyllm.ops.fused(lambda x: tinyllm.kernels.{fastest}))"
    )
    return f"use       {fastest}, {how} (one of each kernel: {shown})"


def check_kernels(device: torch.device, copy_bandwidth: float) -> tuple[list, dict[str, float]]:
    """Hold every kernel of every set against float64 and time it; returns verdicts, and seconds for one of each."""
    from tinyllm.check import check
    from tinyllm.check.backends import SHARED, absent, backends
    from tinyllm.measure.kernels import time_kernel

    verdicts, times = [], {}
    for name, reason in absent(device).items():
        print(f"{name:9} not here: {reason}")
    for backend in backends(device):
        for operation, function in backend.functions.items():
            verdict = check(operation, function, dtypes=backend.dtypes, device=device)
            verdicts.append(verdict)
            if not verdict.right:
                print(f"{backend.name:9} {verdict}")
                continue
            time = time_kernel(operation, function, device, backend.dtypes[-1])
            share = time.bandwidth / copy_bandwidth
            print(
                f"{backend.name:9} {verdict}, error {verdict.worst_error:.0e}, {1e6 * time.seconds:.1f} us, "
                f"{time.bandwidth / 1e9:.1f} GB/s, {share:.0%} of copy"
            )
            if operation in SHARED:
                times[backend.name] = times.get(backend.name, 0.0) + time.seconds
    return verdicts, times


def run_bench(options: argparse.Namespace) -> int:
    """`tinyllm bench`."""
    for name in ("batch", "new_tokens", "repeats", "prompt_tokens"):
        value = getattr(options, name)
        if value is not None and value < (2 if name == "new_tokens" else 1):
            raise ValueError(f"--{name.replace('_', '-')} {value}: expected {2 if name == 'new_tokens' else 1} or more")
    from tinyllm.checkpoint import open_checkpoint
    from tinyllm.measure.bench import Plan, bench, load_engines
    from tinyllm.measure.rows import as_text, write_rows
    from tinyllm.measure.shapes import random_checkpoint

    device, dtype = pick_device(options.device), pick_dtype(options.dtype)
    if options.random:
        checkpoint = random_checkpoint(options.random, device, dtype or torch.bfloat16)
    else:
        checkpoint = open_checkpoint(options.model)
    input_ids = bench_prompt(checkpoint, options).to(device)
    engines = load_engines(checkpoint, options.stages, options.peers, device, dtype or checkpoint.dtype)
    plan = Plan(checkpoint.name, input_ids, options.new_tokens, options.repeats)
    rows = bench(engines, plan, listener(checkpoint.tokenizer) if options.stream else lambda engine: None)
    print(as_text(rows))
    if options.json:
        write_rows(rows, options.json)
        print(f"rows: {options.json}")
    if options.png:
        from tinyllm.draw.ladder import draw_ladder

        draw_ladder(rows).savefig(options.png)
        print(f"picture: {options.png}")
    return 0


def bench_prompt(checkpoint, options: argparse.Namespace) -> torch.Tensor:
    """Token ids `[batch, t]`: the prompt, or as many tokens as asked for."""
    if checkpoint.tokenizer is None:
        tokens = options.prompt_tokens or 32
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(0, checkpoint.config.vocab_size, (1, tokens), generator=generator)
    elif options.prompt_tokens is None:
        ids = encode(checkpoint.tokenizer, options.prompt, raw=False)["input_ids"]
    else:
        from pydoc_data.topics import topics

        text = "\n".join(topics[name] for name in sorted(topics))
        ids = checkpoint.tokenizer(text, return_tensors="pt")["input_ids"][:, : options.prompt_tokens]
    return ids.repeat(options.batch, 1)


def listener(tokenizer):
    """A streamer for each engine that prints its answer under its name."""
    from transformers import TextStreamer

    def listen(engine) -> object | None:
        print(f"\n{engine.name}:", flush=True)
        return None if tokenizer is None else TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)

    return listen
