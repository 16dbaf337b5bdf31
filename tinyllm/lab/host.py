"""Launch time of a step on the host: a model of it, and recorded runs beside the limit of memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tinyllm.bench.recorded import RESULTS
from tinyllm.bench.rows import Row, read_rows, title
from tinyllm.bench.table import aligned
from tinyllm.lab.shapes import SHAPES


class Kernel(NamedTuple):
    """One launch: the time of the host's call, and the start and end on the device, in microseconds."""

    launched: float
    start: float
    end: float


def timeline(busy: Sequence[float], launch: float) -> list[Kernel]:
    """Kernels that run for `busy` microseconds each; the host launches them one by one, `launch` microseconds each.

    A kernel starts when it is launched and the one before has ended: the slower of host and device sets the pace.
    """
    kernels, end = [], 0.0
    for number, duration in enumerate(busy, start=1):
        start = max(number * launch, end)
        end = start + duration
        kernels.append(Kernel(number * launch, start, end))
    return kernels


@dataclass(frozen=True)
class HostTime:
    """A stage of a recorded ladder: launches of all layers, ms per token, and ms that the device was busy (None: not
    recorded). `limit_ms` is the time to read the least bytes at the bandwidth measured in the same run."""

    stage: str
    launches: int | None
    ms: float
    limit_ms: float
    busy_ms: float | None

    @property
    def us_per_launch(self) -> float | None:
        """Microseconds per token, divided by its launches."""
        return None if not self.launches else 1e3 * self.ms / self.launches


def recorded_ladders(folder: Path = RESULTS) -> dict[str, list[Row]]:
    """The ladders recorded on GPUs, by file name."""
    found = {path.name: read_rows(path) for path in sorted(folder.glob("ladder-*.json"))}
    return {name: rows for name, rows in found.items() if not rows[0].device.endswith("threads")}


def host_times(rows: Sequence[Row], folder: Path = RESULTS) -> list[HostTime]:
    """Every engine of a ladder; `launches-*.json` has the busy time of the device for some stages."""
    shape = rows[0].model.removesuffix(" (random)")
    layers, busy = SHAPES.get(shape, {}).get("num_hidden_layers", 0), _busy(rows[0], shape, folder)
    limit = rows[0].predicted_bytes_per_token / rows[0].read_bandwidth_gb_s / 1e6
    return [
        _host_time(row, layers, limit, busy.get((row.stage, row.launches_per_layer)))
        for row in rows
    ]


def _host_time(row: Row, layers: int, limit: float, busy: float | None) -> HostTime:
    launches = layers * row.launches_per_layer if row.launches_per_layer else None
    return HostTime(row.stage, launches or None, row.next_token_ms, limit, busy)


def _busy(row: Row, shape: str, folder: Path) -> dict[tuple[str, int], float]:
    """Busy time by stage and launches of a layer; a stage that has changed since has other launches."""
    same: Mapping[str, Any] = {
        "device": row.device,
        "shape": shape,
        "dtype": row.dtype,
        "context": row.prompt_tokens,
    }
    rows = [
        one
        for path in sorted(folder.glob("launches-*.json"))
        for one in json.loads(path.read_text())
    ]
    found = [one for one in rows if all(one.get(key) == value for key, value in same.items())]
    return {(one["stage"], one["launches"]): one["busy_ms"] for one in found}


def host_table(rows: Sequence[Row], folder: Path = RESULTS) -> str:
    """A recorded ladder as a table with device and date: launches, milliseconds and the limit of memory.

    The busy time of the device has a column where a run recorded it.
    """
    found = host_times(rows, folder)
    columns = {
        "stage": [x.stage for x in found],
        "launches in layers": [str(x.launches or "-") for x in found],
        "ms per token": [f"{x.ms:.1f}" for x in found],
        "us per launch": [_or_dash(x.us_per_launch) for x in found],
        "device busy ms": [_or_dash(x.busy_ms) for x in found],
        "limit ms": [f"{x.limit_ms:.1f}" for x in found],
    }
    if all(x.busy_ms is None for x in found):
        del columns["device busy ms"]
    table = aligned([tuple(columns), *zip(*columns.values(), strict=True)])
    row = rows[0]
    return f"{row.device}, {row.dtype}, {row.date}:\n{row.model}, {title(rows)}\n{table}"


def _or_dash(x: float | None) -> str:
    return "-" if x is None else f"{x:.1f}"
