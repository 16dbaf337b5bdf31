"""The machine code that Intel's offline compiler makes of the kernels; no GPU is needed."""

import os
import shutil

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.kernels.machine_code import sections
from tinyllm.kernels.sycl import isa, ocloc
from tinyllm.lab.disassembly import loops

if "CI" not in os.environ:
    if reason := sycl.unavailable("cpu"):
        pytest.skip(reason, allow_module_level=True)
    if shutil.which("ocloc") is None:
        pytest.skip("ocloc is not installed: see apt.txt", allow_module_level=True)


def test_the_machine_code_of_every_kernel():
    """One test, so that one worker compiles them all."""
    compiler = ocloc.installed()
    reports = isa.reports(compiler)
    check_registers(reports)
    check_loads(reports)
    check_matrix_engine(reports)
    check_committed_table(compiler, reports)


def check_registers(reports):
    assert len(reports) == sum(
        len(isa.dtypes(variant, lanes))
        for variant, _ in isa.kernels().values()
        for lanes in ocloc.GPUS.values()
    )
    assert [report for report in reports if report.code.spilled] == []


def check_loads(reports):
    assert all(report.code.simd == ocloc.GPUS[report.gpu] for report in reports)
    assert all(
        report.code.wide_loads
        for report in reports
        if report.kernel not in ("rope_and_store", "reduce_partials")
    )


def check_matrix_engine(reports):
    def found(gpu, rows):
        return {
            report.code.dpas
            for report in reports
            if report.gpu == gpu and f"{rows}, matrix" in report.kernel
        }

    # 16 elements of a head an instruction, and the columns that a sub-group owns; Arc's takes half
    # a tile's keys.
    assert found("pvc", "8 rows of 128") == {128 // 16 + 128 // 16 // 2}
    assert found("dg2", "8 rows of 128") == {2 * 128 // 16 + 128 // 8 // 4}
    assert all((report.code.dpas > 0) == ("matrix" in report.kernel) for report in reports)


def check_committed_table(compiler, reports):
    """Current, where it was made by this compiler."""
    committed = next(sections(isa.TABLE.read_text()))
    same_compiler = compiler.version in committed
    current = committed.strip() == isa.section(compiler, reports).strip()
    assert current or not same_compiler, "run python -m tinyllm.kernels.sycl.isa"


def test_a_kernel_that_needs_too_many_registers_is_seen(monkeypatch):
    monkeypatch.setitem(
        isa.VARIANTS,
        "too many",
        ("linear", {"ROWS": 16, "NORM": "RMS_NORM", "FORMAT": "Dense", "WEIGHT_ROWS": 8}),
    )
    (report,) = isa.variant_reports(ocloc.installed(), "too many", torch.float32, "pvc")
    assert report.code.spilled > 0


def test_the_main_loop_of_a_product_loads_16_bytes_and_multiplies():
    lines = isa.disassemble("linear, 1 row", torch.float16, "pvc").splitlines()
    texts = ["\n".join(lines[loop.start : loop.end + 1]) for loop in loops(lines)]
    loop = max(texts, key=lambda text: (text.count("load.ugm.d32x4"), -len(text)))
    assert loop.count("load.ugm.d32x4") == 3  # x, and two rows of weight
    assert loop.count(" mad ") == 2 * 8
    with pytest.raises(ValueError, match="expected one of"):
        isa.disassemble("no such kernel", torch.float16)
