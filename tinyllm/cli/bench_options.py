"""The options of `tinyllm bench`, what they must fit, and the preset that they make."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tinyllm.bench.presets import ONE_PROMPT, PRESETS
from tinyllm.checkpoint.weight_formats import WEIGHTS
from tinyllm.cli.options import add_kv_dtype, add_model
from tinyllm.runtime.device import pick_device
from tinyllm.stages import STAGES, pick_kv_dtype, pick_stage

if TYPE_CHECKING:
    from tinyllm.bench.presets import Preset

PROMPT = "What is a KV cache?"
LEAST = {
    "batch": 1,
    "num_beams": 1,
    "prompt_tokens": 1,
    "new_tokens": 2,
    "repeats": 1,
    "max_batch": 1,
    "answers": 1,
    "ranks": 1,
}
EPILOG = """
presets:
{presets}
Without a preset: {without}. These options replace the values of a preset: --prompts, --beams,
--answers, --batch, --new-tokens, --repeats, --stages and --peers.

peers: hf (transformers, eager), hf-static (static cache, torch.compile), hf-packed (its modules for blocks of a GGUF
file, on our kernel and a GPU), ipex, openvino, llama.cpp, torchao. Each runs in a process of its own on a copy of the
weights in TMPDIR. hf and hf-static share our weights, except in the presets latency (unless --one-copy) and throughput.
A peer that is not installed is reported and left out; --peer-python gives the interpreter of a peer in another
environment.

packed weights: beside a format of --weights, llama.cpp and hf-packed read the same blocks (the model's own GGUF file,
or one that tinyllm writes), and openvino and torchao quantise the dense weights to int4 or int8, whichever is nearer.
hf-packed and torchao have packed weights alone, and hf dense ones alone.

examples:
  tinyllm bench --preset quick --png quick.png
  tinyllm bench --preset latency --random llama-2-7b --peers hf hf-static --prompts 1024 4096 --json latency.json
  tinyllm bench --preset throughput --random llama-2-7b --memory-budget 64 --beams 4 --json throughput.json
  tinyllm bench --preset answers --random llama-3.1-8b --answers 1 8 64 256 --json answers.json --png answers.png
  tinyllm bench --peers hf ipex --peer-python ipex=ipex-env/bin/python
  tinyllm bench --weights stored q8_0 --stages final --peers hf llama.cpp openvino --beams 1 4
  torchrun --nproc-per-node 2 -m tinyllm bench --random llama-2-7b --stages final --prompts 1024
  tinyllm bench --plan --ranks 4 --random llama-2-70b --prompts 1024 --memory-budget 64
  tinyllm bench --kv-dtype int8 --stages final --beams 1 4 --prompts 2048
  tinyllm bench --plan --random llama-2-7b --prompts 1024 --beams 4 --memory-budget 64
"""


def epilog() -> str:
    """The end of the help text: presets, peers and examples."""
    presets = "\n".join(f"  {name:11} {preset.help}" for name, preset in PRESETS.items())
    return EPILOG.format(presets=presets, without=ONE_PROMPT.help)


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command, and the end of its help text."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = epilog()
    add_model(command)
    add = command.add_argument
    add(
        "--random",
        metavar="SHAPE",
        help="random weights of a known shape instead of a model, for example llama-2-7b",
    )
    add("--preset", choices=list(PRESETS), help="what to measure; see below")
    add("--stages", nargs="*", metavar="STAGE", help=f"stages to measure: {', '.join(STAGES)}")
    add(
        "--weights",
        nargs="*",
        choices=WEIGHTS,
        metavar="FORMAT",
        help="formats in which the last stage and the peers run too, beside dense weights: "
        f"{', '.join(WEIGHTS)}; "
        "by default as stored, where the model's file packs them",
    )
    add_kv_dtype(
        command,
        "number format of keys and values in which the last stage runs too, beside that of activations",
    )
    add("--peers", nargs="*", metavar="PEER", help="other engines to measure; see below")
    add(
        "--peer-python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="the Python of a peer's environment",
    )
    add(
        "--one-copy",
        action="store_true",
        help="latency: hf and hf-static share our weights, to save memory",
    )
    add("--prompt", default=PROMPT, help=f"the text of the prompt; {PROMPT!r} by default")
    add(
        "--prompt-tokens",
        "--prompts",
        type=int,
        nargs="+",
        metavar="N",
        help="lengths of prompts in tokens, instead of a text",
    )
    add(
        "--num-beams",
        "--beams",
        type=int,
        nargs="+",
        metavar="N",
        help="widths of a beam search; 1 is greedy",
    )
    add(
        "--answers",
        type=int,
        nargs="+",
        metavar="N",
        help="numbers of sampled answers of each prompt, instead of greedy decoding or beams",
    )
    add(
        "--batch",
        type=int,
        nargs="*",
        metavar="N",
        help="copies of the prompt; throughput: smaller batches to time too, or none",
    )
    add("--new-tokens", type=int, metavar="N", help="tokens to generate")
    add(
        "--repeats",
        type=int,
        metavar="N",
        help="timed runs of each engine, of which the median is taken; 5 by default",
    )
    add(
        "--plan",
        action="store_true",
        help="measure nothing: show the memory that each case needs, and the batch that fits",
    )
    add(
        "--ranks",
        type=int,
        default=1,
        metavar="N",
        help="for --plan: the memory of each of N devices that run the model together",
    )
    add(
        "--memory-budget",
        "--memory",
        type=float,
        metavar="GB",
        help="for --plan and throughput; the free memory by default",
    )
    add(
        "--max-batch",
        type=int,
        default=1024,
        metavar="N",
        help="throughput: the largest batch to try; 1024 by default",
    )
    add("--stream", action="store_true", help="show each engine's answer as it is produced")
    add("--json", type=Path, metavar="FILE", help="record the rows, after every round")
    add("--png", type=Path, metavar="FILE", help="draw the rows")


def check_numbers(options: argparse.Namespace) -> None:
    """Raise ValueError for a number that is too small."""
    for name, least in LEAST.items():
        given = getattr(options, name)
        for value in given if isinstance(given, list) else [given]:
            if value is not None and value < least:
                raise ValueError(f"--{name.replace('_', '-')} {value}: expected {least} or more")
    if options.memory_budget is not None and not 0 < options.memory_budget < 1e6:
        raise ValueError(
            f"--memory-budget {options.memory_budget}: expected a number of GB, larger than 0"
        )


def check_files(options: argparse.Namespace) -> None:
    """Raise ValueError for files that could not be written at the end."""
    for name in ("json", "png"):
        path = getattr(options, name)
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise ValueError(f"--{name} {path}: expected a file in a folder that exists")
    if options.png and find_spec("matplotlib") is None:
        raise ValueError(
            f"--png {options.png}: matplotlib is not installed; --json keeps the rows for another machine"
        )


def resolve(options: argparse.Namespace) -> Preset:
    """The preset with the values that the options replace."""
    from tinyllm.bench.peers import pick_peers
    from tinyllm.bench.presets import pick_preset

    fields = {
        "stages": "stages",
        "peers": "peers",
        "prompt_tokens": "prompts",
        "num_beams": "beams",
        "answers": "answers",
    }
    given = {field: getattr(options, name) for name, field in fields.items()}
    given = {field: None if value is None else tuple(value) for field, value in given.items()}
    preset = pick_preset(options.preset).on(pick_device(options.device).type)
    preset = preset.changed(**given, new_tokens=options.new_tokens, repeats=options.repeats)
    if options.one_copy and preset.batches is None:
        raise ValueError(
            f"--one-copy with --preset {options.preset}: there each engine is alone, with its own weights"
        )
    preset = preset.changed(separate=False if options.one_copy else None)
    check_answers(options, preset)
    pick_peers(preset.peers)
    for stage in preset.stages:
        pick_stage(stage)
    for last in preset.stages[-1:]:
        pick_kv_dtype(options.kv_dtype, pick_stage(last))
    if not preset.stages and not preset.peers:
        raise ValueError("--stages and --peers are both empty: expected at least one engine")
    if options.batch is None or preset.batches is None:
        return preset
    return preset.changed(batches=tuple(options.batch) or (1,))


def check_answers(options: argparse.Namespace, preset: Preset) -> None:
    """Raise ValueError where sampled answers are measured together with what has none."""
    if preset.answers == (None,):
        return
    if max(preset.beams) > 1:
        raise ValueError(f"--answers with --beams {max(preset.beams)}: expected one of the two")
    if preset.separate or preset.batches is None:
        raise ValueError(
            f"--answers with --preset {options.preset}: expected engines in this process, as of the preset answers"
        )
    if options.stream and max(preset.answers) > 1:
        raise ValueError(
            f"--stream with --answers {max(preset.answers)}: expected 1, as text is shown in order"
        )
