"""The machine code that Intel's offline compiler makes of the kernels; no GPU is needed."""

import os
import shutil

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.kernels.machine_code import sections
from tinyllm.kernels.sycl import isa, ocloc
from tinyllm.lab.disassembly import loops
from tinyllm.lab.machine_code import machine_code

RECORD = "run python -m tinyllm.kernels.sycl.isa"

if "CI" not in os.environ:
    if reason := sycl.unavailable("cpu"):
        pytest.skip(reason, allow_module_level=True)
    if shutil.which("ocloc") is None:
        pytest.skip("ocloc is not installed: see apt.txt", allow_module_level=True)


@pytest.fixture(scope="module")
def compiler():
    return ocloc.installed()


@pytest.fixture(scope="module")
def table(compiler):
    """The recorded table; where another compiler made it, that of this one, for which everything is compiled."""
    recorded = next(sections(isa.TABLE.read_text()))
    if recorded.startswith(isa.title(compiler) + "\n"):
        return recorded
    return isa.section(compiler, isa.reports(compiler))


@pytest.fixture(scope="module")
def rows(table, tmp_path_factory):
    page = tmp_path_factory.mktemp("isa") / "isa.md"
    page.write_text(table)
    return machine_code(page)


def test_the_recorded_machine_code_is_that_of_these_sources(table):
    assert f"Sources: {isa.sources()}" in table.splitlines(), RECORD


def test_the_machine_code_of_a_sample_is_as_recorded(compiler, table):
    again = isa.reports(compiler, sample=10)
    assert {report.gpu for report in again} == set(compiler.gpus)
    assert {report.dtype for report in again} == set(isa.SCALARS)
    assert {isa.line_of(report) for report in again} <= set(table.splitlines()), RECORD


def test_every_kernel_is_recorded_and_none_spills(rows):
    assert {(row["kernel"], row["dtype"], row["GPU"]) for row in rows} == {
        (kernel, str(dtype).removeprefix("torch."), gpu)
        for kernel, (variant, _) in isa.kernels().items()
        for gpu, lanes in ocloc.GPUS.items()
        for dtype in isa.dtypes(variant, lanes)
    }
    assert [row for row in rows if row["spilled bytes"] != "0"] == []


def test_kernels_load_16_bytes_a_lane(rows):
    assert all(int(row["SIMD"]) == ocloc.GPUS[row["GPU"]] for row in rows)
    assert all(
        int(row["of 16 bytes"])
        for row in rows
        if row["kernel"] not in ("rope_and_store", "reduce_partials")
    )


def test_the_matrix_engine_serves_attention_alone(rows):
    def found(gpu, sizes):
        return {
            int(row["dpas"])
            for row in rows
            if row["GPU"] == gpu and f"{sizes}, matrix" in row["kernel"]
        }

    # 16 elements of a head an instruction, and the columns that a sub-group owns; Arc's takes half
    # a tile's keys.
    assert found("pvc", "8 rows of 128") == {128 // 16 + 128 // 16 // 2}
    assert found("dg2", "8 rows of 128") == {2 * 128 // 16 + 128 // 8 // 4}
    assert all((row["dpas"] != "0") == ("matrix" in row["kernel"]) for row in rows)


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
