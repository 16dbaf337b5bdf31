"""Text of the recorded runs of attention over both segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyllm.draw.attention_cells import NAMES, attention_runs, cells, middle


def attention() -> str:
    """Every recorded run of attention over both segments."""
    return "\n\n".join(attention_of(run) for run in attention_runs())


def attention_of(run: Mapping[str, Any]) -> str:
    """A table of both models at one prompt and response, beside torch's implementations, and a summary of all cells."""
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
    """All values of a field, in ascending order."""
    return ", ".join(map(str, sorted({row[name] for row in run["rows"]})))
