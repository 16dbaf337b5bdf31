"""The machine code that Intel's offline compiler makes of the kernels; no GPU is needed."""

import os
import shutil

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.kernels.sycl import isa, ocloc

if "CI" not in os.environ:
    if reason := sycl.unavailable("cpu"):
        pytest.skip(reason, allow_module_level=True)
    if shutil.which("ocloc") is None:
        pytest.skip("ocloc is not installed: see apt.txt", allow_module_level=True)


@pytest.fixture(scope="module")
def reports():
    return isa.reports(ocloc.installed())


def test_no_kernel_spills(reports):
    assert len(reports) == sum(len(isa.dtypes(variant)) for variant, _ in isa.kernels().values()) * len(ocloc.GPUS)
    assert [report for report in reports if report.spilled] == []


def test_kernels_have_their_sub_group_size_and_16_byte_loads(reports):
    assert all(report.simd == ocloc.GPUS[report.gpu] for report in reports)
    assert all(report.wide_loads for report in reports if report.kernel not in ("rope_and_store", "add_shares"))


def test_the_matrix_engine_multiplies_keys_and_values(reports):
    def found(gpu, rows):
        return {report.dpas for report in reports if report.gpu == gpu and f"{rows}, matrix" in report.kernel}

    # 16 elements of a head an instruction, and the columns that a sub-group owns; Arc's takes half a tile's keys.
    assert found("pvc", "8 rows of 128") == {128 // 16 + 128 // 16 // 2}
    assert found("dg2", "8 rows of 128") == {2 * 128 // 16 + 128 // 8 // 4}
    assert all((report.dpas > 0) == ("matrix" in report.kernel) for report in reports)


def test_the_committed_table_is_current(reports):
    compiler = ocloc.installed()
    committed = next(isa.sections(isa.TABLE.read_text()))
    if compiler.version not in committed:
        pytest.skip(f"made by another compiler than {compiler.version}")
    assert committed.strip() == isa.section(compiler, reports).strip(), "run python -m tinyllm.kernels.sycl.isa"


def test_a_kernel_that_needs_too_many_registers_is_seen(monkeypatch):
    monkeypatch.setitem(isa.VARIANTS, "too many", ("linear", {"ROWS": 16, "NORM": "RMS_NORM", "WEIGHT_ROWS": 8}))
    (report,) = isa.variant_reports(ocloc.installed(), "too many", torch.float32, "pvc")
    assert report.spilled > 0


def test_the_main_loop_of_a_product_loads_16_bytes_and_multiplies():
    loop = isa.main_loop(isa.disassemble("linear, 1 row", torch.float16, "pvc"))
    assert loop.count("load.ugm.d32x4") == 3  # x, and two rows of weight
    assert loop.count(" mad ") == 2 * 8
    with pytest.raises(ValueError, match="expected one of"):
        isa.disassemble("no such kernel", torch.float16)
