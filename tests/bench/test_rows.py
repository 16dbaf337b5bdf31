"""Rows: recorded after every round, grouped by workload, read again."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tinyllm.bench.compare import Plan, bench
from tinyllm.bench.machine import Machine
from tinyllm.bench.presets import FIRST
from tinyllm.bench.rows import grouped, read_rows, title, write_rows
from tinyllm.bench.timing import Engine

RESULTS = Path(__file__).parents[2] / "book" / "results"
MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
PROMPT = torch.arange(3, 15).reshape(2, 6)


class Interrupted(Engine):
    """An engine that is interrupted at its third timing."""

    def time(self, *arguments, **options):
        self.model.timings = getattr(self.model, "timings", 0) + 1
        if self.model.timings == 3:
            raise KeyboardInterrupt
        return super().time(*arguments, **options)


def test_an_interrupted_run_keeps_its_rows(decoder, tmp_path):
    path, plan = tmp_path / "rows.json", Plan("tiny", PROMPT, new_tokens=4, repeats=5)
    with pytest.raises(KeyboardInterrupt):
        bench(
            [Interrupted("naive", decoder)],
            plan,
            machine=MACHINE,
            record=lambda rows: write_rows(rows, path),
        )
    (row,) = read_rows(path)
    assert row.repeats == 2 and row.next_token_ms > 0


def test_rows_are_grouped_by_workload(row):
    other = replace(row, num_beams=4)
    first, second = grouped([row, other, replace(row, stage="hf")])
    assert [r.stage for r in first] == [FIRST, "hf"] and second == [other]
    assert (
        title(first) == "batch 2, 6 tokens in, 4 out"
        and title(second) == "batch 2, 4 beams, 6 tokens in, 4 out"
    )
    search = [replace(row, batch=batch, largest_batch=8) for batch in (1, 8)]
    assert len(grouped(search)) == 1 and title(search) == "6 tokens in, 4 out"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("ladder-*.json")), ids=lambda path: path.stem)
def test_recorded_ladders_can_be_read(path):
    assert all(row.next_token_ms > 0 for row in read_rows(path))
