"""The card of facts about Intel GPUs: its figures agree with each other, and its limits with arithmetic by hand."""

from dataclasses import replace

import pytest

from models import says
from tinyllm.cost.model import weight_elements
from tinyllm.lab.intel_gpus import (
    GIB,
    GPUS,
    XE2,
    IntelGPU,
    facts_table,
    gpu_sources,
    gpu_table,
    intel_gpu,
    intel_gpus,
    stored_bytes,
    token_bytes,
)
from tinyllm.lab.shapes import known_config

SMOLLM, LLAMA = known_config("smollm2-135m"), known_config("llama-2-7b")
# 16-bit operations of an Xe-core in a clock: 64 of Max, 20 of a B580 at their clocks make the published peaks.
OPERATIONS = {"Xe-HPC": (4096, 1.6e9), "Xe2": (2048, 2.85e9)}


def cells_of(table):
    head, *lines = (line.strip().split("  ") for line in table.splitlines())
    head, *lines = ([cell.strip() for cell in line if cell.strip()] for line in (head, *lines))
    return [dict(zip(head, line, strict=True)) for line in lines]


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
def test_every_figure_has_a_source(gpu):
    assert gpu.source.startswith("https://") and gpu.architecture.source.startswith("https://")
    assert f"]({gpu.source})" in gpu_sources()
    assert gpu.peak_source is None or f"]({gpu.peak_source})" in gpu_sources()
    assert 100e9 < gpu.bandwidth < 2e12
    assert gpu.memory is None or gpu.memory % GIB == 0
    assert gpu.xmx_engines % gpu.xe_cores == 0


def test_a_register_file_holds_8_threads_of_128_registers_and_4_of_256():
    for gpu in intel_gpus():
        kind = gpu.architecture
        assert kind.register_file == 8 * 128 * kind.register_bytes, kind.name
        assert (kind.threads_of_engine(128), kind.threads_of_engine(256)) == (8, 4)
        assert kind.threads_of_engine(64) == kind.threads
        assert kind.vector_engines * kind.register_file == 8 * 64 * 1024


@pytest.mark.parametrize("name", ["Max 1550", "B580"])
def test_published_peaks_are_those_of_the_engines(name):
    gpu = intel_gpu(name)
    operations, clock = OPERATIONS[gpu.architecture.name]
    assert gpu.xmx_16_bits == pytest.approx(gpu.xe_cores * operations * clock, rel=0.01)


def test_a_missing_fact_stays_unknown():
    gpu = IntelGPU("no", XE2, 1, 1e9, None, None, "https://example.org")
    assert gpu.holds(1) is None and gpu.xmx_16_bits is None
    assert cells_of(facts_table([gpu]))[0] == {
        "GPU": "no", "Xe-cores": "1", "XMX engines": "8", "GB/s": "1", "GiB": "-", "16-bit TFLOPS": "-",
    }  # fmt: skip
    assert cells_of(gpu_table(SMOLLM, gpus=[gpu]))[0]["fits"] == "?"
    assert not replace(gpu, memory=10).holds(10) and replace(gpu, memory=11).holds(10)


def test_bytes_of_a_token_by_hand():
    """Llama-2-7B reads 32 layers, a norm and the output projection, and one row of 4096 of its embedding."""
    layer = 4 * 4096 * 4096 + 3 * 4096 * 11008 + 2 * 4096
    weights = 32 * layer + 4096 + 32000 * 4096 + 4096
    keys = 2 * 32 * 4096 * (1024 + 1)
    assert token_bytes(LLAMA) == 2 * weights + 2 * keys
    assert token_bytes(LLAMA, 4, held=0) == 4 * weights + 4 * 2 * 32 * 4096
    assert token_bytes(LLAMA, 0.5) == 0.5 * weights + 2 * keys
    assert stored_bytes(LLAMA) == 2 * weight_elements(LLAMA) + 2 * keys
    assert stored_bytes(SMOLLM) == token_bytes(SMOLLM), "a tied embedding is read"


def test_the_limit_is_bytes_over_bandwidth_and_a_model_that_does_not_fit_has_none():
    rows = {cells["GPU"]: cells for cells in cells_of(gpu_table(LLAMA))}
    assert list(rows) == [gpu.name for gpu in GPUS]
    for gpu in GPUS:
        cells = rows[gpu.name]
        if gpu.memory == 12 * GIB:
            assert (cells["fits"], cells["ms/token"], cells["tokens/s"]) == ("no", "-", "-")
        else:
            assert float(cells["ms/token"]) == pytest.approx(
                1e3 * token_bytes(LLAMA) / gpu.bandwidth, abs=0.005
            )
            assert float(cells["tokens/s"]) == round(gpu.bandwidth / token_bytes(LLAMA))
    assert rows["Lunar Lake (Arc 140V)"]["GiB"] == "32 shared"
    four_bits = {cells["GPU"]: cells["fits"] for cells in cells_of(gpu_table(LLAMA, 0.5))}
    assert four_bits["Arc B580"] == "yes"


def test_tables_are_narrow():
    for table in (facts_table(), gpu_table(LLAMA), gpu_table(SMOLLM, 4)):
        assert max(map(len, table.splitlines())) <= 90


def test_a_gpu_is_found_by_a_part_of_its_name():
    assert intel_gpu("140v").xe_cores == 8
    names = [gpu.name for gpu in GPUS]
    for part in ("Arc", "H100"):
        message = f"GPU {part!r}: expected a part of one name of {names}"
        says(ValueError, message, lambda part=part: intel_gpu(part))
