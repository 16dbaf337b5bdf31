"""`tinyllm bench`: stages and peers, measured side by side; or planned, before anything is allocated."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from tinyllm.cli.options import add_command, add_model, encode
from tinyllm.runtime.device import pick_device, pick_dtype
from tinyllm.stages import STAGES

PROMPT = "What is a KV cache?"
RANDOM_TOKENS = 32  # of a prompt for random weights


def add_to(commands) -> None:
    """Put the command into the parser."""
    command = add_command(commands, "bench", "Measure stages and peers side by side: same weights, same prompt.", run)
    add_model(command)
    command.add_argument("--random", metavar="SHAPE", help="random weights of a known shape instead of a model")
    command.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES), help="stages to measure")
    command.add_argument("--peers", nargs="*", default=["hf"], help="what else to measure")
    command.add_argument("--prompt", default=PROMPT, help="the prompt")
    command.add_argument("--prompt-tokens", type=int, help="a prompt of so many tokens instead of --prompt")
    command.add_argument("--batch", type=int, default=1, help="copies of the prompt, run together")
    command.add_argument("--num-beams", type=int, default=1, help="width of a beam search; 1 is greedy decoding")
    command.add_argument("--new-tokens", type=int, default=64, help="tokens to generate")
    command.add_argument("--repeats", type=int, default=5, help="runs of each engine; the median counts")
    command.add_argument("--plan", action="store_true", help="measure nothing: say what memory it takes, and what fits")
    command.add_argument("--memory", type=float, metavar="GB", help="plan for so many GB instead of what is free here")
    command.add_argument("--stream", action="store_true", help="show each engine's answer as it is produced")
    command.add_argument("--json", type=Path, metavar="FILE", help="record the rows")
    command.add_argument("--png", type=Path, metavar="FILE", help="draw the ladder")


def run(options: argparse.Namespace) -> int:
    """Measure, or plan."""
    for name in ("batch", "new_tokens", "repeats", "prompt_tokens", "num_beams"):
        value = getattr(options, name)
        if value is not None and value < (2 if name == "new_tokens" else 1):
            raise ValueError(f"--{name.replace('_', '-')} {value}: expected {2 if name == 'new_tokens' else 1} or more")
    from tinyllm.checkpoint import open_checkpoint
    from tinyllm.measure.bench import Plan, bench, load_engines
    from tinyllm.measure.rows import as_text, write_rows
    from tinyllm.measure.shapes import random_checkpoint

    device, dtype = pick_device(options.device), pick_dtype(options.dtype)
    if options.plan:
        return say_plan(options, device, dtype)
    if options.stream and options.num_beams > 1:
        raise ValueError(f"--stream with --num-beams {options.num_beams}: beams are not final before the end")
    if options.random:
        checkpoint = random_checkpoint(options.random, device, dtype or torch.bfloat16)
    else:
        checkpoint = open_checkpoint(options.model)
    input_ids = bench_prompt(checkpoint, options).to(device)
    engines = load_engines(checkpoint, options.stages, options.peers, device, dtype or checkpoint.dtype)
    plan = Plan(checkpoint.name, input_ids, options.new_tokens, options.repeats, options.num_beams)
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


def say_plan(options: argparse.Namespace, device: torch.device, dtype: torch.dtype | None) -> int:
    """What every stage would hold, and how many prompts fit; nothing is loaded, nothing allocated."""
    from tinyllm.checkpoint import open_checkpoint
    from tinyllm.measure.cost_model import weight_elements
    from tinyllm.measure.shapes import known_config
    from tinyllm.measure.table import aligned
    from tinyllm.plan import Call, as_size, most_prompts, need
    from tinyllm.runtime.device import free_bytes

    if options.random:
        config, tokens = known_config(options.random), options.prompt_tokens or RANDOM_TOKENS
    else:
        checkpoint = open_checkpoint(options.model)
        config = checkpoint.family.describe(checkpoint.config)
        tokens, dtype = bench_prompt(checkpoint, options).shape[1], dtype or checkpoint.dtype
    size = (dtype or torch.bfloat16).itemsize
    call = Call(options.batch, tokens, options.new_tokens, options.num_beams, beams=options.num_beams > 1)
    weights, room = weight_elements(config) * size, free_bytes(device)
    if options.memory is not None:
        room = int(options.memory * 1e9)
    lines = [("stage", "keys and values", "activations", "with weights", "prompts that fit")]
    for name in options.stages:
        needed = need(STAGES[name], config, call, size)
        fit = "unknown" if room is None else str(most_prompts(STAGES[name], config, call, size, room - weights))
        lines.append((name, *map(as_size, (needed.keys_and_values, needed.activations, needed.total + weights)), fit))
    beams = f" in {call.copies} beams" if call.beams else ""
    print(f"{call.prompts} x {call.tokens} tokens, {call.new} new ones{beams}; weights {as_size(weights)}")
    print("memory is unknown" if room is None else f"memory for all of it: {as_size(room)}")
    print(aligned(lines))
    return 0


def bench_prompt(checkpoint, options: argparse.Namespace) -> torch.Tensor:
    """Token ids `[batch, t]`: the prompt, or as many tokens as asked for."""
    if checkpoint.tokenizer is None:
        tokens = options.prompt_tokens or RANDOM_TOKENS
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
