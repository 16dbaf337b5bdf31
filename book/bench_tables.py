"""Text of the recorded runs of `bench`: ladders, models, latencies, and the figures of the README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

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

RESULTS = Path(__file__).parent / "results"
PICTURES = {
    "ladder": "Milliseconds and bytes per token of each stage beside the limit",
    "models": "Milliseconds per token of each model in each engine, greedy and in beams, with the limit",
    "latency": "Milliseconds per token over the length of the prompt and over the width of the beam search",
}
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
SHOWN = ("stage", "same tokens", "next token ms", "vs hf", "of read bandwidth")
THROUGHPUT = "throughput-h100-llama-2-7b-64gb"


def recorded(kind: str) -> dict[str, list[Row]]:
    """The recorded runs of a kind, by file name."""
    return {path.stem: read_rows(path) for path in sorted(RESULTS.glob(f"{kind}-*.json"))}


def ladder() -> str:
    """Every recorded ladder, the models of the paper, then every recorded latency."""
    return "\n\n".join(
        described(kind, name, rows) for kind in PICTURES for name, rows in recorded(kind).items()
    )


def described(kind: str, name: str, rows: list[Row]) -> str:
    """One run: its heading, tables and picture."""
    return f"{tables(rows)}\n\n![{PICTURES[kind]}](results/{name}.png)"


def tables(rows: list[Row]) -> str:
    """The heading of a run, and a table for each workload."""
    if len(by_model(rows)) > 1:
        return over_models(rows)
    row, groups = rows[0], grouped(rows)
    versions = ", ".join(f"{package} {number}" for package, number in row.versions.items())
    workload = f"{row.model}, {row.dtype}, " + (f"{title(groups[0])}; " if len(groups) == 1 else "")
    if row.memory_budget_bytes:
        workload += (
            f"at most {row.memory_budget_bytes / 1e9:.0f} GB for each engine, weights included; "
        )
    where = (
        f"**{row.device}**, {row.date}: {workload}read bandwidth {row.read_bandwidth_gb_s:.1f} GB/s; "
        f"{medians(rows)}{versions}."
    )
    if len(groups) > 1 and row.largest_batch is None:
        return f"{where}\n\n{over_prompts(rows)}"
    parts = [where]
    for group in groups:
        parts += [f"{title(group).capitalize()}:"] * (len(groups) > 1) + [as_markdown(group)]
    return "\n\n".join(parts)


def over_models(rows: list[Row]) -> str:
    """The heading of a run of several models, and a table with a line for each model and beam width."""
    row, speeds = rows[0], sorted(row.read_bandwidth_gb_s for row in rows)
    versions = ", ".join(f"{package} {number}" for package, number in row.versions.items())
    return (
        f"**{row.device}**, {row.date}: the models of the paper, {row.dtype}, batch {row.batch}, "
        f"{row.prompt_tokens} tokens in, {row.new_tokens} out; {medians(rows)}{versions}. The engines of a model "
        f"alternated in one run; read bandwidth {speeds[0]:.0f} to {speeds[-1]:.0f} GB/s.\n\n"
        "Milliseconds per next token, in brackets how many times faster than `hf`, and to the first:\n\n"
        f"{markdown(models_table(rows))}"
    )


def over_prompts(rows: Sequence[Row]) -> str:
    """Milliseconds per next token of every engine, a column for each workload, with the speedup over transformers."""
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
        equal = [same_tokens(row, group) for row, group in found if row]
        cells = [next_token(row, group) for row, group in found]
        same = f"{equal.count('yes')} of {len(equal)}" if "hf" in names else "-"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {same} |")
    return "\n".join(lines)


def medians(rows: Sequence[Row]) -> str:
    """The number of rounds of the medians, where it was recorded."""
    rounds = sorted({row.repeats for row in rows if row.repeats})
    return (
        f"medians of {' to '.join(map(str, rounds[:1] + rounds[1:][-1:]))} rounds; "
        if rounds
        else ""
    )


def versions_of(rows: Sequence[Row]) -> str:
    """The packages of all engines of a run; of two releases of one package the first engine's."""
    packages: dict[str, str] = {}
    for row in rows:
        packages |= {key: row.versions[key] for key in row.versions.keys() - packages.keys()}
    return ", ".join(f"{package} {number}" for package, number in sorted(packages.items()))


def headline_line(rows: Sequence[Row], where: str) -> str:
    """A row of the README's table from the rows of one workload."""
    row, limit = rows[0], rows[0].predicted_bytes_per_token / rows[0].read_bandwidth_gb_s / 1e6
    workload = f"{row.model.replace(' (random)', '')}, {row.dtype}, {row.prompt_tokens} tokens in, {beams_of(row)}"
    cells = [times(rows, ["hf"]), times(rows, ENGINES), times(rows, ["final"]), f"{limit:.1f}"]
    return "| " + " | ".join([workload, where, *cells]) + " |"


def headline(reported: Sequence[str] = ()) -> str:
    """A few figures of `final`, transformers and the fastest other engine, each row from one run on one device.

    `reported` are more lines of the table.
    """
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
        lines.append(headline_line(rows, rows[0].device))
    lines += reported
    rows = read_rows(RESULTS / f"{THROUGHPUT}.json")
    hf, ours = (
        next(row for row in rows if row.stage == name and row.batch == row.largest_batch)
        for name in ("hf", "final")
    )
    faster = f"{ours.call_tokens_per_s / hf.call_tokens_per_s:.1f}x"
    return "\n".join(lines) + (
        f"\n\nThroughput of {hf.model.replace(' (random)', '')} with {hf.num_beams} beams on an {hf.device}, "
        f"{hf.memory_budget_bytes / 1e9:.0f} GB allowed: {hf.batch} requests in a batch and {hf.call_tokens_per_s:.0f} "
        f"tokens/s in transformers, {ours.batch} requests and {ours.call_tokens_per_s:.0f} tokens/s ({faster}) in "
        "`final`."
    )


def times(rows: Sequence[Row], names: Iterable[str]) -> str:
    """The least time per next token of some engines; in brackets the engine and its speedup over `hf`."""
    row = min(
        (row for row in rows if row.stage in names), key=lambda row: row.next_token_ms, default=None
    )
    if row is None:
        return "-"
    notes = [ENGINES[row.stage]] if row.stage in ENGINES else []
    notes += [f"{ratio_to_peer(row, rows):.1f}x"] * (row.stage != "hf")
    return f"{row.next_token_ms:.1f}" + (f" ({', '.join(notes)})" if notes else "")


def demo() -> str:
    """The output of the two commands, shortened to some rows and columns of the recorded run."""
    runs = recorded("demo") | recorded("ladder")  # the ladder of this machine is greedy alone
    groups = grouped(runs.get("demo-cpu", runs["ladder-cpu"]))
    shown = "\n".join(f"[{title(rows)}]\n{demo_table(rows)}" for rows in groups)
    answer = f"[an answer of {groups[0][0].model}, then every stage beside transformers]"
    tested = "[ruff, pytest, then every notebook, its outputs compared with the recorded ones]"
    return f"```\n$ make demo\n{answer}\n{shown}\n$ make test\n{tested}\n```"


def demo_table(rows: Sequence[Row]) -> str:
    """Transformers and the last stage, some columns of the table of one search."""
    head, *lines = table([row for row in rows if row.stage.startswith(("hf", "final"))])
    columns = [head.index(name) for name in SHOWN]
    return aligned([tuple(line[i] for i in columns) for line in (head, *lines)])
