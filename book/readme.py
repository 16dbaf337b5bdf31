"""Put the recorded runs into README.md and book/results.md: `python book/readme.py [--check]`.

The tables and pictures between the markers come from `book/results/*.json`; none is typed by hand. The README has a few
figures, the page of results has every recorded run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import beam_memory
import family_table
import pages

from tinyllm.bench.rows import (
    Row,
    as_markdown,
    beams_of,
    by_model,
    grouped,
    models_table,
    next_token,
    ratio_to_peer,
    read_rows,
    same_tokens,
    table,
    title,
)
from tinyllm.bench.table import aligned, markdown
from tinyllm.draw.attention_cells import NAMES, attention_runs, cells, draw_attention_cells, middle
from tinyllm.draw.latency import draw_latency
from tinyllm.draw.models import draw_models
from tinyllm.draw.throughput import draw_batches, draw_throughput
from tinyllm.draw.waterfall import draw_waterfall

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "book" / "results"
README, PAGE = ROOT / "README.md", ROOT / "book" / "results.md"
THROUGHPUTS, EXPANDABLE = (
    ("throughput-h100-llama-2-7b-64gb", "throughput-h200-llama-2-7b"),
    "throughput-h200-llama-2-7b-expandable",
)
MARKERS = "<!-- recorded {}: start -->", "<!-- recorded {}: end -->"


def recorded(kind: str) -> dict[str, list[Row]]:
    """The recorded runs of a kind, by the name of their file."""
    return {path.stem: read_rows(path) for path in sorted(RESULTS.glob(f"{kind}-*.json"))}


def load(name: str) -> list[dict[str, Any]]:
    """The rows of one file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text())


PICTURES = {
    "ladder": "Milliseconds and bytes per token of each stage beside the limit",
    "models": "Milliseconds per token of each model in each engine, greedy and in beams, with the limit",
    "latency": "Milliseconds per token over the length of the prompt and over the width of the beam search",
}


def ladder() -> str:
    """Every recorded ladder, the models of the paper, then every recorded latency."""
    return "\n\n".join(
        described(kind, name, rows) for kind in PICTURES for name, rows in recorded(kind).items()
    )


def beams() -> str:
    """What beam search costs: throughput on a GPU, memory on a CPU, and whether the tokens are the same."""
    runs = []
    for name in THROUGHPUTS:
        runs += [
            throughput(load(name)),
            f"![Batch and tokens per second of each engine](results/{name}.png)",
        ]
    return "\n\n".join([*runs, expandable(load(EXPANDABLE)), memory(), identity(load("identity"))])


def throughput(rows: Sequence[dict[str, Any]]) -> str:
    """A table: how many requests fit, and how fast they are answered; of `bench --preset throughput`, or older."""
    if "stage" in rows[0]:
        return tables([Row(**row) for row in rows])
    row, slowest = rows[0], rows[0]["tokens_per_s"]
    versions = ", ".join(f"{package} {number}" for package, number in row["versions"].items())
    lines = [
        f"**{row['device']}**, {row['date']}: {row['model']}, {row['dtype']}, {row['num_beams']} beams, "
        f"{row['prompt_tokens']} tokens in, {row['new_tokens']} out, each engine at its largest batch, medians of "
        f"{len(row['all_seconds'])} turns; {versions}.\n",
        "| engine | largest batch | planned | GB beside the weights | seconds per call | tokens/s | vs hf |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = (
            row["engine"],
            row["largest_batch"],
            row["planned_batch"] or "-",
            f"{row['peak_bytes'] / 1e9:.1f}",
        )
        cells += (
            f"{row['seconds']:.2f}",
            f"{row['tokens_per_s']:.0f}",
            f"{row['tokens_per_s'] / slowest:.2f}x",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def expandable(rows: Sequence[dict[str, Any]]) -> str:
    """The same with an allocator that leaves fewer holes, in a sentence."""
    hf, ours = rows
    return (
        f"With `PYTORCH_ALLOC_CONF=expandable_segments:True`, which leaves fewer holes, transformers fits "
        f"{hf['largest_batch']} requests and reaches {hf['tokens_per_s']:.0f} tokens/s; `{ours['engine']}` fits "
        f"{ours['largest_batch']} and reaches {ours['tokens_per_s']:.0f}, "
        f"{ours['tokens_per_s'] / hf['tokens_per_s']:.1f}x (medians of {len(hf['all_seconds'])} turns)."
    )


def memory() -> str:
    """The table of a search on the CPU."""
    rows = [beam_memory.Row(**row) for row in load(beam_memory.FILE.stem)]
    row = rows[0]
    head = f"**{row.device}**, {row.date}: {row.model}, float32, one prompt, {row.new_tokens} tokens out."
    return f"{head}\n\n{beam_memory.as_markdown(rows)}"


def identity(rows: Sequence[dict[str, Any]]) -> str:
    """A table: in how many of the combinations of stage and batch the tokens are those of transformers."""
    stages, widths, batches, models = (
        list(dict.fromkeys(row[key] for row in rows))
        for key in ("stage", "width", "batch", "model")
    )
    of = len(stages) * len(batches)
    lines = [
        f"Same tokens as transformers in float32, all beams of every prompt compared: of {of} combinations, stages "
        f"{', '.join(stages)} and batches of {' and '.join(map(str, batches))} (ragged), so many are identical:\n",
        "| model | " + " | ".join(f"width {width}" for width in widths) + " |",
        "| --- |" + " --- |" * len(widths),
    ]
    for model in models:
        found = [
            [row["identical"] for row in rows if (row["model"], row["width"]) == (model, w)]
            for w in widths
        ]
        lines.append(
            f"| {model} | " + " | ".join(f"{sum(same)} of {len(same)}" for same in found) + " |"
        )
    return "\n".join(lines)


def attention() -> str:
    """Every recorded run of attention over both segments."""
    return "\n\n".join(attention_of(run) for run in attention_runs())


def attention_of(run: Mapping[str, Any]) -> str:
    """Both models at one prompt and response beside what torch offers, and how the rest of the cells went."""
    versions = ", ".join(f"{package} {number}" for package, number in run["versions"].items())
    shapes = list(dict.fromkeys(row["shape"] for row in run["rows"]))
    _, prompt, response = middle(run, shapes[0])
    lines = [
        f"**{run['device']}**, {run['date']}: attention of one layer, bfloat16, {prompt} tokens of prompt and "
        f"{response} steps after it; copy bandwidth {run['copy_gb_s']:.0f} GB/s; microseconds; {versions}.\n",
        "| model | batch | beams | " + " | ".join(NAMES.values()) + " | of copy bandwidth |",
        "| --- | --- | --- |" + " --- |" * (len(NAMES) + 1),
    ]
    for row in (row for shape in shapes for row in cells(run, shape, prompt, response)):
        times = [f"{row['us'][name]:.1f}" if row["us"][name] else "-" for name in NAMES]
        share = row["bytes"] / row["us"]["ours"] / 1e3 / run["copy_gb_s"]
        lines.append(
            "| "
            + " | ".join(
                (row["shape"], *map(str, (row["batch"], row["beams"])), *times, f"{share:.0%}")
            )
            + " |"
        )
    ratios = [
        row["us"]["ours"] / min(us for name, us in row["us"].items() if us and name != "ours")
        for row in run["rows"]
    ]
    faster, slower = sum(ratio < 1 for ratio in ratios), sum(ratio > 1.05 for ratio in ratios)
    lengths = f"prompts {spread(run, 'prompt')}, responses {spread(run, 'response')}"
    return "\n".join(lines) + (
        f"\n\nOf all {len(ratios)} recorded cells ({lengths}), the kernel is faster than the fastest other way in "
        f"{faster}, at most 5% slower in {len(ratios) - slower - faster}, and slower by more in {slower}, at worst "
        f"{max(ratios):.2f} times. The expanded cache is timed without the copies that a reorder makes of it."
        + (f" This run was {run['note']}." if "note" in run else "")
        + f"\n\n![Microseconds of each way over beams and batches](results/{picture_of(run)})"
    )


def picture_of(run: Mapping[str, Any]) -> str:
    """The file of a run's picture."""
    return f"attention-{run['device'].split()[1].lower()}.png"


def spread(run: Mapping[str, Any], name: str) -> str:
    """The values that rows have of something, from least to most."""
    return ", ".join(map(str, sorted({row[name] for row in run["rows"]})))


def described(kind: str, name: str, rows: list[Row]) -> str:
    """One run: what and where, the tables, the picture."""
    return f"{tables(rows)}\n\n![{PICTURES[kind]}](results/{name}.png)"


def tables(rows: list[Row]) -> str:
    """What was measured where, and a table for each question."""
    if len(by_model(rows)) > 1:
        return over_models(rows)
    row, groups = rows[0], grouped(rows)
    versions = ", ".join(f"{package} {number}" for package, number in row.versions.items())
    asked = f"{row.model}, {row.dtype}, " + (f"{title(groups[0])}; " if len(groups) == 1 else "")
    if row.memory_budget_bytes:
        asked += (
            f"at most {row.memory_budget_bytes / 1e9:.0f} GB for each engine, weights included; "
        )
    where = (
        f"**{row.device}**, {row.date}: {asked}read bandwidth {row.read_bandwidth_gb_s:.1f} GB/s; "
        f"{medians(rows)}{versions}."
    )
    if len(groups) > 1 and row.largest_batch is None:
        return f"{where}\n\n{over_prompts(rows)}"
    parts = [where]
    for group in groups:
        parts += [f"{title(group).capitalize()}:"] * (len(groups) > 1) + [as_markdown(group)]
    return "\n\n".join(parts)


def over_models(rows: list[Row]) -> str:
    """A line for each model and each kind of search."""
    row, speeds = rows[0], sorted(row.read_bandwidth_gb_s for row in rows)
    versions = ", ".join(f"{package} {number}" for package, number in row.versions.items())
    return (
        f"**{row.device}**, {row.date}: the models of the paper, {row.dtype}, batch {row.batch}, "
        f"{row.prompt_tokens} tokens in, {row.new_tokens} out; {medians(rows)}{versions}. The engines of a model took "
        f"turns in one run; read bandwidth {speeds[0]:.0f} to {speeds[-1]:.0f} GB/s.\n\n"
        "Milliseconds per next token, in brackets how many times faster than `hf`, and to the first:\n\n"
        f"{markdown(models_table(rows))}"
    )


def over_prompts(rows: Sequence[Row]) -> str:
    """Milliseconds per next token of every engine, a column for each question, with the ratio to transformers."""
    groups, names = grouped(rows), list(dict.fromkeys(row.stage for row in rows))
    heads = [f"{group[0].prompt_tokens} in, {beams_of(group[0])}" for group in groups]
    row = rows[0]
    lines = [
        f"Milliseconds per next token, batch {row.batch}, {row.new_tokens} tokens out; in brackets how many times "
        "faster than `hf`, and last in how many of the columns the tokens are those of `hf`:\n",
        "| engine | " + " | ".join(heads) + " | same tokens |",
        "| --- |" + " --- |" * (1 + len(groups)),
    ]
    for name in names:
        found = [
            (next((row for row in group if row.stage == name), None), group) for group in groups
        ]
        asked = [same_tokens(row, group) for row, group in found if row]
        cells = [next_token(row, group) for row, group in found]
        same = f"{asked.count('yes')} of {len(asked)}" if "hf" in names else "-"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {same} |")
    return "\n".join(lines)


def medians(rows: Sequence[Row]) -> str:
    """How many turns the figures are medians of, where that was recorded."""
    turns = sorted({row.repeats for row in rows if row.repeats})
    return (
        f"medians of {' to '.join(map(str, turns[:1] + turns[1:][-1:]))} turns; " if turns else ""
    )


def tests() -> str:
    """The outcome of every recorded run of the tests that need a GPU."""
    return "\n\n".join(pages.gpu_tests(path) for path in sorted(RESULTS.glob("gpu-tests-*.json")))


HEADLINES = (  # file, model, beams
    ("latency-cpu", "SmolLM2-135M-Instruct", 1),
    ("latency-cpu", "SmolLM2-135M-Instruct", 4),
    ("models-h200", "llama-2-7b (random)", 1),
    ("models-h200", "llama-2-7b (random)", 4),
)
ENGINES = {
    "hf-static": "static cache, `torch.compile`",
    "openvino": "OpenVINO",
    "ipex": "IPEX",
    "llama.cpp": "llama.cpp",
}


def headline() -> str:
    """A few figures beside transformers and the fastest other engine, each row from one run on one device."""
    lines = [
        "| one request, ms per next token | device | transformers | fastest other engine | tinyllm `final` | limit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, model, num_beams in HEADLINES:
        rows = [
            row
            for row in read_rows(RESULTS / f"{name}.json")
            if (row.model, row.num_beams) == (model, num_beams)
        ]
        row, limit = rows[0], rows[0].predicted_bytes_per_token / rows[0].read_bandwidth_gb_s / 1e6
        asked = f"{model.replace(' (random)', '')}, {row.dtype}, {row.prompt_tokens} tokens in, {beams_of(row)}"
        cells = [times(rows, ["hf"]), times(rows, ENGINES), times(rows, ["final"]), f"{limit:.1f}"]
        lines.append("| " + " | ".join([asked, row.device, *cells]) + " |")
    rows = [Row(**row) for row in load(THROUGHPUTS[0])]
    hf, ours = (
        next(row for row in rows if row.stage == name and row.batch == row.largest_batch)
        for name in ("hf", "final")
    )
    faster = f"{ours.call_tokens_per_s / hf.call_tokens_per_s:.1f}x"
    return "\n".join(lines) + (
        f"\n\nThroughput of {hf.model.replace(' (random)', '')} with {hf.num_beams} beams on an {hf.device}, "
        f"{hf.memory_budget_bytes / 1e9:.0f} GB allowed: {hf.batch} requests at once and {hf.call_tokens_per_s:.0f} "
        f"tokens/s in transformers, {ours.batch} requests and {ours.call_tokens_per_s:.0f} tokens/s ({faster}) in "
        "`final`."
    )


def times(rows: Sequence[Row], names: Iterable[str]) -> str:
    """The least time per next token among some engines; in brackets which, and how many times faster than `hf`."""
    row = min(
        (row for row in rows if row.stage in names), key=lambda row: row.next_token_ms, default=None
    )
    if row is None:
        return "-"
    said = [ENGINES[row.stage]] if row.stage in ENGINES else []
    said += [f"{ratio_to_peer(row, rows):.1f}x"] * (row.stage != "hf")
    return f"{row.next_token_ms:.1f}" + (f" ({', '.join(said)})" if said else "")


SHOWN = ("stage", "same tokens", "next token ms", "vs hf", "of read bandwidth")


def demo() -> str:
    """What the two commands print, in short: of the table some columns, as they are recorded."""
    head, *lines = table(recorded("ladder")["ladder-cpu"])
    shown = [head.index(name) for name in SHOWN]
    printed = aligned([tuple(line[i] for i in shown) for line in (head, *lines)])
    answers = "[a question to SmolLM2-135M-Instruct, answered by transformers and by each stage]"
    tested = "[ruff, pytest, then every notebook, its outputs compared with the recorded ones]"
    return f"```\n$ make demo\n{answers}\n{printed}\n$ make test\n{tested}\n```"


def notebooks() -> str:
    """The map of the course."""
    return pages.course_map("notebooks/")


SECTIONS = {
    README: {"demo": demo, "headline": headline, "notebooks": notebooks},
    PAGE: {
        "run": ladder,
        "beams": beams,
        "attention": attention,
        "families": family_table.families,
        "tests": tests,
        "files": pages.files,
    },
}


def updated(path: Path) -> str:
    """A file with its sections made anew. Raises ValueError where a marker is missing."""
    text = path.read_text()
    for name, made in SECTIONS[path].items():
        start, end = (marker.format(name) for marker in MARKERS)
        if start not in text or end not in text:
            raise ValueError(f"{path.name} has no section between {start!r} and {end!r}")
        text = f"{text.split(start)[0]}{start}\n\n{made()}\n\n{end}{text.split(end)[1]}"
    return text


def main() -> int:
    """Write both files and the pictures, or with --check say whether the files are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where a file is stale"
    )
    check, new = parser.parse_args().check, {path: updated(path) for path in SECTIONS}
    if check:
        return int(any(text != path.read_text() for path, text in new.items()))
    for path, text in new.items():
        path.write_text(text)
    for kind, draw in (
        ("ladder", draw_waterfall),
        ("models", draw_models),
        ("latency", draw_latency),
    ):
        for name, rows in recorded(kind).items():
            draw(rows).savefig(RESULTS / f"{name}.png")
    for run in attention_runs():
        shape = run["rows"][0]["shape"]
        draw_attention_cells(run, *middle(run, shape)).savefig(RESULTS / picture_of(run))
    for name in THROUGHPUTS:
        rows = load(name)
        found = (
            draw_batches([Row(**row) for row in rows])
            if "stage" in rows[0]
            else draw_throughput(rows)
        )
        found.savefig(RESULTS / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
