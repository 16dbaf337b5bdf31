"""Makes a report of this machine, part by part; a part that fails is recorded as its error, and the others follow."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from tinyllm.bench.attention_rows import BEAMS, SHAPES, attention_rows
from tinyllm.bench.engines import EngineSettings, report
from tinyllm.bench.kernel_checks import CheckedKernel, checked, kernels_on
from tinyllm.bench.machine import measure_machine, versions
from tinyllm.bench.machine_facts import machine_facts
from tinyllm.bench.peers import pick_peers
from tinyllm.bench.presets import BenchCase, Preset
from tinyllm.bench.report import FORMAT, CheckRow, PartError, Report
from tinyllm.bench.run import run_cases
from tinyllm.bench.typed_json import plain
from tinyllm.check import Verdict
from tinyllm.check.models import check_stages
from tinyllm.runtime.progress import progress
from tinyllm.stages import STAGES

if TYPE_CHECKING:
    from tinyllm.checkpoint import Checkpoint

LADDER = Preset(
    "every stage and transformers, greedy and 4 beams", prompts=(128,), beams=(1, 4), new_tokens=32
)
REPEATS = 3
# A path within quotes, which may have spaces, or up to the next space.
PATHS = re.compile(
    r"(?<=')[^']*[\\/][^']*(?=')|(?<![\w.)])~?(?:[A-Za-z]:)?(?:[\\/][^\\/\s'\",:;()]+)+[\\/]?"
)


def make_report(
    device: torch.device,
    open_model: Callable[[], Checkpoint],
    prompt: Callable[[Checkpoint, BenchCase], torch.Tensor],
    record: Callable[[Report], object] = lambda report: None,
) -> Report:
    """Measure this machine; `record` receives the report after every part, so that an interrupted run keeps it.

    Raises ValueError where not even the bandwidth of the device can be measured.
    """
    report("1 of 4: the limits of this machine ...")
    try:
        machine = measure_machine(device)
    except RuntimeError as error:
        raise ValueError(f"the bandwidth of {device} could not be measured: {error}") from error
    today = datetime.now(UTC).date().isoformat()
    made = Report(FORMAT, today, machine_facts(device, machine), versions())
    parts = {
        "2 of 4: kernels and stages": lambda: made.checks.extend(checks(device)),
        "3 of 4: every stage and transformers": lambda: add_ladder(
            made, device, open_model, prompt
        ),
        "4 of 4: attention": lambda: add_attention(made, device),
    }
    for part, run in parts.items():
        report(f"{part} ...")
        start = perf_counter()
        with errors_of(made, part):
            run()
        made.seconds[part] = perf_counter() - start
        record(made)
    return made


@contextmanager
def errors_of(made: Report, part: str) -> Iterator[None]:
    """An error becomes part of the report."""
    try:
        yield
    except Exception as error:
        text = without_names(f"{type(error).__name__}: {error}")
        report(f"{part} failed: {text}")
        made.errors.append(PartError(part, text))


def checks(device: torch.device) -> Iterator[CheckRow]:
    """A sample of each kernel's cases against float64, then the tokens of every stage against transformers'.

    On a GPU nearly every case is compiled first: the complete tables, in `tinyllm check`, take many minutes.
    """
    kernels = kernels_on(device)
    with progress(total=len(kernels) + len(STAGES), unit="check") as bar:
        for kernel in kernels:
            bar.set_description(f"{kernel.kernels} {kernel.operation} against float64")
            yield kernel_row(checked(kernel, device, sample=True))
            bar.update()
        bar.set_description("tokens of every stage against transformers")
        for verdict in check_stages(device):
            yield check_row("stage", verdict, verdict.total)
            bar.update()


def kernel_row(one: CheckedKernel) -> CheckRow:
    """A checked kernel as it is recorded."""
    row = check_row(one.kernel.kernels, one.verdict, one.kernel.runs)
    if one.time is None:
        return row
    return replace(row, us=1e6 * one.time.seconds, gb_s=one.time.bandwidth / 1e9)


def check_row(kernels: str, verdict: Verdict, of_table: int) -> CheckRow:
    """A verdict as it is recorded, beside the number of cases of the complete table."""
    finite = verdict.worst_error < float("inf")
    return CheckRow(
        kernels,
        verdict.operation,
        verdict.passed,
        verdict.total,
        of_table,
        verdict.worst_error if finite else None,
        None if verdict.failure is None else without_names(verdict.failure),
    )


def add_ladder(
    made: Report,
    device: torch.device,
    open_model: Callable[[], Checkpoint],
    prompt: Callable[[Checkpoint, BenchCase], torch.Tensor],
) -> None:
    """The rows of `bench` for every stage, in float32, in which tokens are those of transformers."""
    preset, checkpoint = LADDER.changed(repeats=REPEATS), open_model()
    settings = EngineSettings(checkpoint, device, torch.float32)
    made.ladder[:] = run_cases(
        settings,
        preset,
        pick_peers(preset.peers),
        lambda case: prompt(checkpoint, case),
        lambda rows: None,
    )


def add_attention(made: Report, device: torch.device) -> None:
    """The rows of attention, one after the other."""
    rows = attention_rows(device)
    total = len(SHAPES) * len(BEAMS)
    for row in progress(rows, desc="attention", unit="row", total=total):
        made.attention.append(row)


def without_names(text: str) -> str:
    """One line of a text without paths, and without the names of this machine and its user."""
    for name, instead in personal_names().items():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", instead, text)
    lines = PATHS.sub(lambda path: "..." + re.split(r"[\\/]", path[0].rstrip("\\/"))[-1], text)
    return plain(" ".join(lines.split()))


def personal_names() -> dict[str, str]:
    """Names that no report may have, and what is written instead; the longest first."""
    found = {str(Path.home()): "~", str(Path.cwd()): "~", platform.node(): "HOST"}
    found |= {platform.node().partition(".")[0]: "HOST", Path.home().name: "USER"}
    with suppress(OSError, KeyError, ImportError):  # a container's user may have no name
        found[getpass.getuser()] = "USER"
    return {name: found[name] for name in sorted(found, key=len, reverse=True) if len(name) > 1}
