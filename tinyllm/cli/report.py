"""`tinyllm report`: one file about this machine, to be attached to an issue."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tinyllm.cli.options import add_command
from tinyllm.runtime.device import pick_device

if TYPE_CHECKING:
    from tinyllm.bench.report import Report

OUT = Path("tinyllm-report.json")
EPILOG = """
The file has: the device, processor, memory, driver and runtime versions; every kernel beside its float64 reference,
in a sample of the cases that `tinyllm check` has;
the ladder of the default model, greedy and in 4 beams, beside transformers; attention beside torch's. It has no name
of a user or a machine, and no path: read it before you send it. Attach it to an issue of this project.

example:
  python -m tinyllm report b580.json
"""


def add_to(commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands, "report", "Measure this machine, and write one file to attach to an issue.", run
    )
    command.formatter_class, command.epilog = argparse.RawDescriptionHelpFormatter, EPILOG
    add = command.add_argument
    add("out", nargs="?", type=Path, default=OUT, help=f"the file to write; {OUT} by default")
    add("--force", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Measure and write; returns 1 where a kernel or a stage is wrong, or a part failed."""
    device, out = pick_device(options.device), options.out
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: expected a file in a folder that exists")
    if out.exists() and not options.force:
        raise ValueError(f"{out} exists: name another file, or pass --force")
    from tinyllm.bench.make_report import make_report
    from tinyllm.bench.report import write_report
    from tinyllm.checkpoint import open_checkpoint
    from tinyllm.cli.bench_inputs import bench_prompt

    made = make_report(
        device,
        open_checkpoint,
        lambda checkpoint, case: bench_prompt(checkpoint, case, ""),
        lambda report: write_report(report, out),
    )
    show(made)
    print(f"report: {out}, to be attached to an issue")
    return int(bool(made.wrong or made.errors))


def show(made: Report) -> None:
    """Print what the file has."""
    from tinyllm.bench.rows import as_text, grouped, title

    print(f"{made.machine.device}, {made.machine.read_gb_s:.1f} GB/s")
    wrong = Counter(one.kernels for one in made.wrong)
    for kernels, many in Counter(one.kernels for one in made.checks).items():
        right = f"{many - wrong[kernels]} of {many} checks right"
        print(f"{kernels:9} {right}{made.cases_run(kernels)}")
    for one in made.wrong:
        print(f"{one.kernels:9} {one.operation}: {one.failure}")
    for group in grouped(made.ladder):
        print(f"\n{group[0].model}, {title(group)}\n{as_text(group)}")
    for row in made.attention:
        times = ", ".join(f"{name} {us:.1f} us" for name, us in row.us.items())
        print(f"attention of {row.shape}, {row.beams} beams: {times}")
    for one in made.errors:
        print(f"{one.part}: {one.error}")
    print(", ".join(f"{part}: {seconds:.0f} s" for part, seconds in made.seconds.items()))
