"""A report: one file about a machine, its checked kernels and its measurements, sent by its owner."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from tinyllm.bench.attention_rows import AttentionRow
from tinyllm.bench.machine_facts import MachineFacts
from tinyllm.bench.recorded import RESULTS
from tinyllm.bench.rows import Row
from tinyllm.bench.typed_json import parse
from tinyllm.runtime.device import KINDS

FORMAT = "tinyllm report 2"
REPORTS = RESULTS / "reports"
NAMES = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)?")


@dataclass(frozen=True)
class CheckRow:
    """An operation of a kernel set, or the tokens of a stage, compared with a reference; without time where wrong.

    Of the `of_table` cases of an operation's table, in all dtypes, a sample of `total` was run.
    """

    kernels: str
    operation: str
    passed: int
    total: int
    of_table: int
    worst_error: float | None
    failure: str | None
    us: float | None = None
    gb_s: float | None = None


@dataclass(frozen=True)
class PartError:
    """A part of the report that could not be made, and the error."""

    part: str
    error: str


@dataclass
class Report:
    """What `python -m tinyllm report` writes; `seconds` are those that each part took."""

    format: str
    date: str
    machine: MachineFacts
    versions: dict[str, str]
    checks: list[CheckRow] = field(default_factory=list)
    ladder: list[Row] = field(default_factory=list)
    attention: list[AttentionRow] = field(default_factory=list)
    errors: list[PartError] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def cases_run(self, kernels: str) -> str:
        """How many cases of a kernel set's tables the sample had; nothing where it had all."""
        rows = [one for one in self.checks if one.kernels == kernels]
        run = sum(one.total for one in rows)
        of_tables = sum(one.of_table for one in rows)
        return f" ({run} of {of_tables} cases)" if run < of_tables else ""

    @property
    def wrong(self) -> list[CheckRow]:
        """The checks in which something differs from the reference."""
        return [one for one in self.checks if one.failure is not None]


def write_report(report: Report, path: Path) -> None:
    """Write a report as JSON. Raises ValueError for one that `read_report` would refuse."""
    text = json.dumps(asdict(report), indent=1, allow_nan=False) + "\n"
    checked(text, path.name)
    path.write_text(text)


def read_report(path: Path) -> Report:
    """Read what `write_report` wrote. Raises ValueError, with the place, where a value is damaged or missing."""
    return checked(path.read_text(), path.name)


def checked(text: str, name: str) -> Report:
    """A report from its text. Raises ValueError for anything else."""
    try:
        report = parse(json.loads(text), Report, "report")
        _check_values(report)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: not a report of `python -m tinyllm report`: {error}") from error
    return report


def _check_values(report: Report) -> None:
    if report.format != FORMAT:
        raise ValueError(f"report.format is {report.format!r}: expected {FORMAT!r}")
    date.fromisoformat(report.date)
    if report.machine.kind not in KINDS:
        raise ValueError(f"report.machine.kind is {report.machine.kind!r}: expected one of {KINDS}")
    for i, one in enumerate(report.checks):
        if one.total > one.of_table:
            raise ValueError(f"report.checks[{i}]: {one.total} of {one.of_table} cases were run")
        if one.passed > one.total or (one.failure is None) != (one.passed == one.total):
            raise ValueError(f"report.checks[{i}]: {one.passed} of {one.total}, {one.failure}")
    for i, row in enumerate(report.ladder):
        if row.device != report.machine.device:
            raise ValueError(f"report.ladder[{i}] is of another device, {row.device!r}")
        tokens_per_s = 1e3 * row.batch / row.next_token_ms if row.next_token_ms else 0.0
        if not 0.99 < row.tokens_per_s / max(tokens_per_s, 1e-9) < 1.01:
            raise ValueError(f"report.ladder[{i}]: tokens_per_s does not fit to next_token_ms")
    for i, one in enumerate(report.attention):
        if not all(us > 0 for us in one.us.values()):
            raise ValueError(f"report.attention[{i}].us: expected times larger than 0")


def reported(folder: Path = REPORTS) -> dict[str, Report]:
    """The reports in a folder by the name of their files.

    A file is called `NAME.json` or `NAME_b580.json`. Raises ValueError for a damaged one and for another name.
    """
    paths = sorted(folder.glob("*.json"))
    if wrong := [path.name for path in paths if not NAMES.fullmatch(path.stem)]:
        raise ValueError(f"{wrong[0]}: expected NAME.json or NAME_b580.json, in letters and digits")
    return {path.stem: read_report(path) for path in paths}


def sender(name: str) -> str:
    """The name of the sender, from that of the file."""
    return name.partition("_")[0]
