"""Faults put into the Triton kernels on purpose: which are seen by the interpreter, which by compiled runs.

`python book/seeded_faults.py` writes `book/results/seeded-faults.json`: for each fault, a copy of the library with one
line changed runs a few cases both ways. A fault that no case reaches would say nothing, so every case is right without.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tinyllm.kernels.triton.xpu import compiler

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "book" / "results" / "seeded-faults.json"
RUNS = 50  # of compiled cases: a race may be lost or won; the interpreter has none


@dataclass(frozen=True)
class Fault:
    """A line of a kernel, what it becomes, and the cases that reach it."""

    kind: str
    what: str
    file: str
    line: str
    becomes: str
    kernel: str
    match: str


SPLIT = "^b1 h8 g8 w1 d128, 100 . 7 tokens"
FAULTS = (
    Fault(
        "barrier",
        "reorder_beam_index: no barrier between the loads and the stores in place",
        "beam_mask.py",
        "    tl.debug_barrier()  # all loads come before the stores in place\n",
        "",
        "reorder_beam_index",
        "",
    ),
    Fault(
        "atomic order",
        "segment_attention, split: a split is counted before it has stored",
        "online_softmax.py",
        "    row = tl.arange(0, BLOCK_M)\n    acc_ptr = partial_ptr",
        '    count = tl.atomic_add(counter_ptr, 1, sem="acq_rel")\n'
        "    row = tl.arange(0, BLOCK_M)\n    acc_ptr = partial_ptr",
        "segment_attention",
        SPLIT,
    ),
    Fault(
        "mask",
        "bias_and_activate: the store has no mask",
        "activation.py",
        "    tl.store(out_ptr + row * num_columns + columns, y, mask=mask)\n\n\ndef activate_and",
        "    tl.store(out_ptr + row * num_columns + columns, y)\n\n\ndef activate_and",
        "bias_and_activate",
        "^2 x (7|255) silu",
    ),
    Fault(
        "stride",
        "rope_and_store: tokens are stored a head apart",
        "rope.py",
        "(start + token) * slots.stride_token",
        "(start + token) * slots.stride_head",
        "rope_and_store",
        "^b2 h6 g2 t5 d64, 64 rotated, half-split, own",
    ),
)
INTERPRETED = "from tinyllm.kernels import triton as kernels"
COMPILED = f"from tinyllm.kernels.triton.xpu import driver; driver.run_on_cpu(); {INTERPRETED}"
# A table's cases, or a reorder, which has no table, against torch's.
PROGRAM = """
import sys, torch
{kernels}
from tinyllm.check import TABLES, run_case
from tinyllm.check.compiled import jobs_of
from tinyllm.kernels import TORCH
name, match, runs = sys.argv[1:]
def is_wrong():
    if name == "reorder_beam_index":
        index = torch.randint(16, (2, 16, 70), dtype=torch.int32)
        beams, lengths = torch.randint(16, (32,)), torch.tensor([5, 61], dtype=torch.int32)
        both = []
        for reorder in (kernels.reorder_beam_index, TORCH.reorder_beam_index):
            own = index.clone()
            reorder(own, kernels.make_beam_mask(own, lengths), beams, lengths)
            both.append(own[:, :, :61])
        return not torch.equal(*both)
    cases = [job.case for job in jobs_of(name, ["fp32"], 1, match)]
    table, function, cpu = TABLES[name], getattr(kernels, name), torch.device("cpu")
    found = [run_case(table, case, function, torch.float32, cpu)[1] for case in cases]
    return any(found) or not cases
wrong = any([is_wrong() for _ in range(int(runs))])
sys.exit(3 if wrong else 0)
"""


def is_caught(folder: Path, fault: Fault, compile_kernels: bool) -> bool:
    """Whether the cases are wrong, or end the process, with the library in `folder`."""
    environment = compiler.environment() if compile_kernels else {**os.environ}
    environment |= {} if compile_kernels else {"TRITON_INTERPRET": "1"}
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), *paths])
    program = PROGRAM.format(kernels=COMPILED if compile_kernels else INTERPRETED)
    runs = str(RUNS if compile_kernels else 1)
    command = [sys.executable, "-c", program, fault.kernel, fault.match, runs]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 1:
        raise RuntimeError(done.stderr)
    return done.returncode != 0


def library_with(fault: Fault | None, folder: Path) -> Path:
    """A copy of the library, with a fault or without."""
    shutil.copytree(ROOT / "tinyllm", folder / "tinyllm", ignore=shutil.ignore_patterns("kernels"))
    shutil.copytree(ROOT / "kernels", folder / "tinyllm" / "kernels")
    if fault is not None:
        path = folder / "tinyllm" / "kernels" / "triton" / fault.file
        text = path.read_text()
        if text.count(fault.line) != 1:
            raise ValueError(f"{fault.file} has {text.count(fault.line)} times: {fault.line!r}")
        text = text.replace(fault.line, fault.becomes)
        if fault.kind == "atomic order":
            counted = 'tl.atomic_add(counter_ptr, 1, sem="acq_rel") == SPLITS - 1'
            text = text.replace(f"return {counted}", "return count == SPLITS - 1")
        path.write_text(text)
    return folder


def main() -> None:
    """Run all faults, and the same cases without one; write the record."""
    rows = []
    for fault in FAULTS:
        row: dict[str, str | bool] = {"kind": fault.kind, "what": fault.what}
        for name, compile_kernels in (("interpreted", False), ("compiled", True)):
            with tempfile.TemporaryDirectory() as folder:
                if is_caught(library_with(None, Path(folder)), fault, compile_kernels):
                    raise RuntimeError(f"{fault.what}: wrong without the fault, {name}")
            with tempfile.TemporaryDirectory() as folder:
                copy = library_with(fault, Path(folder))
                row[name] = is_caught(copy, fault, compile_kernels)
        print(row, flush=True)
        rows.append(row)
    record = {"device": f"CPU, {os.cpu_count()} threads", "date": str(date.today()), "rows": rows}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
