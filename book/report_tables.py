"""Text of the reports that readers sent of their machines: `book/results/reports/NAME.json`, or `NAME_b580.json`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import bench_tables

from tinyllm.bench.report import REPORTS, Report, reported, sender
from tinyllm.bench.rows import as_markdown, grouped, title
from tinyllm.bench.table import markdown
from tinyllm.config import DecoderConfig
from tinyllm.cost.model import least_bytes, weight_elements
from tinyllm.cost.workload import Workload
from tinyllm.lab.intel_gpus import IntelGPU, intel_gpus
from tinyllm.lab.shapes import known_config

KINDS = {"xpu": "XPU", "cuda": "CUDA", "cpu": "CPU"}
NONE = "No run on an Intel GPU has been reported yet: [how to make one](report.md)."
REACHED = (0.9, 0.6)  # shares of the limit, on recorded machines


def origin(name: str, report: Report) -> str:
    """The kind of device, and the name of the sender."""
    return f"{KINDS[report.machine.kind]}, reported by {sender(name)}"


def headline(folder: Path = REPORTS) -> list[str]:
    """Lines of the README's table, two for each report of an XPU."""
    return [
        bench_tables.headline_line(group, f"{group[0].device} ({origin(name, report)})")
        for name, report in reported(folder).items()
        if report.machine.kind == "xpu"
        for group in grouped(report.ladder)
    ]


def reports(folder: Path = REPORTS) -> str:
    """Every report: the machine, the checks, the ladder and attention."""
    found = [section(name, report) for name, report in reported(folder).items()]
    has_xpu = any(report.machine.kind == "xpu" for report in reported(folder).values())
    return "\n\n".join([*([] if has_xpu else [NONE]), *found])


def section(name: str, report: Report) -> str:
    """One report as paragraphs and tables."""
    machine, wrong = report.machine, Counter(one.kernels for one in report.wrong)
    drivers = [facts.properties.get("driver_version") for facts in machine.devices]
    drivers = [f"driver {driver}" for driver in dict.fromkeys(drivers) if driver]
    versions = [f"{package} {number}" for package, number in report.versions.items()]
    facts = ", ".join([f"{machine.read_gb_s:.1f} GB/s read", machine.system, *drivers, *versions])
    checks = ", ".join(
        f"{kernels} {many - wrong[kernels]} of {many}{report.cases_run(kernels)}"
        for kernels, many in Counter(one.kernels for one in report.checks).items()
    )
    parts = [f"**{machine.device}** ({origin(name, report)}), {report.date}: {facts}."]
    parts += [f"Operations that are right, by kernel set: {checks}."] if checks else []
    parts += [f"Not made: {one.part}: {one.error}." for one in report.errors]
    for group in grouped(report.ladder):
        row = group[0]
        parts += [f"{row.model}, {row.dtype}, {title(group)}:", as_markdown(group)]
    return "\n\n".join(parts + ([attention(report)] if report.attention else []))


def cards() -> str:
    """What to expect of each GPU of the card of facts: computed, not measured."""
    models = {"smollm2-135m": 4, "llama-2-7b": 2}
    heads = ("SmolLM2-135M, float32: ms per token", "Llama-2-7B, 16 bits: ms per token")
    lines = [("GPU", "GB/s", *heads)]
    for gpu in intel_gpus():
        cells = [expected(gpu, known_config(name), size) for name, size in models.items()]
        lines.append((gpu.name, f"{gpu.bandwidth / 1e9:.0f}", *cells))
    return markdown(lines)


def expected(gpu: IntelGPU, config: DecoderConfig, size: int) -> str:
    """The limit of a token on a GPU, and the range of what to expect; weights that do not fit have none."""
    if gpu.holds(size * weight_elements(config)) is False:
        return "does not fit"
    limit = 1e3 * gpu.seconds(least_bytes(config, Workload(1, 1, 128, size)))
    low, high = (limit / share for share in REACHED)
    return f"{low:.1f} to {high:.1f} (limit {limit:.1f})"


def attention(report: Report) -> str:
    """Microseconds of attention, and the share of the read bandwidth that the kernel reaches."""
    lines = [("attention of one layer", "beams", "one kernel", "expanded cache", "of bandwidth")]
    for row in report.attention:
        share = row.bytes / row.us["ours"] / 1e3 / report.machine.read_gb_s
        times = (f"{row.us['ours']:.1f} us", f"{row.us['expanded']:.1f} us", f"{share:.0%}")
        what = f"{row.shape}, {row.dtype}, {row.prompt} + {row.response} tokens"
        lines.append((what, str(row.beams), *times))
    return markdown(lines)
