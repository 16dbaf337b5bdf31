"""The tables of many answers to one prompt, and of keys and values in int8 on a GPU."""

from __future__ import annotations

import json
from pathlib import Path

from bench_tables import RESULTS

from tinyllm.bench.rows import Row, read_rows
from tinyllm.bench.table import markdown


def answers(folder: Path = RESULTS) -> str:
    """Every recorded run of `bench --preset answers`, then attention of many rows."""
    paths = sorted(folder.glob("answers-*.json"))
    wide = sorted(folder.glob("many-rows-attention-*.json"))
    return "\n\n".join(
        [*(answer_table(read_rows(path)) for path in paths), *map(attention_table, wide)]
    )


def answer_table(rows: list[Row]) -> str:
    """A line for each engine and number of answers; the best of transformers is what ours is held against."""
    best: dict[int, float] = {}
    for row in rows:
        if row.stage == "hf":
            tokens = row.prompt_tokens
            best[tokens] = max(best.get(tokens, 0.0), tokens_per_second(row))
    lines = [
        (
            "prompt",
            "answers",
            "engine",
            "first token ms",
            "next token ms",
            "tokens/s",
            "of transformers' best",
            "GB beside the weights",
        )
    ]
    for row in rows:
        speed, reference = tokens_per_second(row), best.get(row.prompt_tokens)
        lines.append(
            (
                str(row.prompt_tokens),
                str(row.num_answers),
                "transformers" if row.stage == "hf" else row.stage,
                f"{row.first_token_ms:.1f}",
                f"{row.next_token_ms:.2f}",
                f"{speed:.0f}",
                f"{speed / reference:.1f}x" if reference else "-",
                f"{row.peak_bytes / 1e9:.1f}" if row.peak_bytes else "-",
            )
        )
    row = rows[0]
    return (
        f"**{row.device}**, {row.date}: {row.model}, {row.dtype}, {row.new_tokens} tokens out, "
        f"medians of {row.repeats} runs; numbers of answers that are missing did not fit, or were not "
        f"tried.\n\n{markdown(lines)}"
    )


def tokens_per_second(row: Row) -> float:
    """New tokens of all answers over the time of a call, prompt included."""
    return row.num_answers * row.new_tokens / row.seconds


def attention_table(path: Path) -> str:
    """Attention over a prompt that many sequences share, beside stock attention on a copy for each."""
    rows = json.loads(path.read_text())
    lines = [("heads", "beams", "rows a head", "kernel us", "expanded cache us", "ratio")]
    for row in rows:
        group = row["heads"] // row["kv_heads"]
        ours, theirs = row["us"]["ours"], row["us"]["expanded"]
        lines.append(
            (
                f"{row['heads']} / {row['kv_heads']}",
                str(row["beams"]),
                str(group * row["beams"]),
                f"{ours:.1f}",
                f"{theirs:.1f}",
                f"{theirs / ours:.1f}x",
            )
        )
    row = rows[0]
    head = (
        f"**{row.get('device', 'NVIDIA H100 80GB HBM3')}**: attention of one step over a prompt of "
        f"{row['prompt']} tokens and {row['response']} steps, bfloat16, one request."
    )
    return f"{head}\n\n{markdown(lines)}"


def int8_attention(folder: Path = RESULTS) -> str:
    """Every recorded run of `book/device/bench_int8_attention.py`: bf16 beside int8."""
    found = []
    for path in sorted(folder.glob("int8-attention-*.json")):
        rows = json.loads(path.read_text())
        lines = [("heads of", "prompt", "sequences", "bf16 us", "int8 us", "ratio", "int8 GB/s")]
        pairs = {}
        for row in rows:
            cell = row["shape"], row["prompt"], f"{row['width']} {row['kind']}"
            pairs.setdefault(cell, {})[row["format"]] = row
        for cell, formats in pairs.items():
            exact, rounded = formats["bf16"], formats["int8"]
            times = (f"{one['us']:.1f}" for one in (exact, rounded))
            ratio = f"{exact['us'] / rounded['us']:.2f}x"
            lines.append((*map(str, cell), *times, ratio, f"{rounded['gb_s']:.0f}"))
        row = rows[0]
        found.append(
            f"**{row['device']}**, {row['date']}: attention of one step.\n\n{markdown(lines)}"
        )
    for path in sorted(folder.glob("int8-throughput-*.json")):
        rows = read_rows(path)
        lines = [("engine", "largest batch", "seconds a call", "requests/s", "of transformers")]
        reference = rows[0].batch / rows[0].seconds
        for row in rows:
            speed = row.batch / row.seconds
            name = "transformers" if row.stage == "hf" else row.stage
            numbers = (f"{row.seconds:.2f}", f"{speed:.1f}", f"{speed / reference:.1f}x")
            lines.append((name, str(row.batch), *numbers))
        row = rows[0]
        found.append(
            f"**{row.device}**, {row.date}: {row.model}, {row.num_beams} beams, {row.prompt_tokens} tokens in, "
            f"{row.new_tokens} out, within {row.memory_budget_bytes / 1e9:.0f} GB.\n\n{markdown(lines)}"
        )
    return "\n\n".join(found)
