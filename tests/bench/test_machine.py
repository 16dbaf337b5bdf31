"""The memory that the bandwidth of a device is measured with."""

from types import SimpleNamespace

import pytest
import torch

from tinyllm.bench import machine

GIB = 1 << 30


def gpu(monkeypatch, *, free, **properties):
    """An Intel GPU with so many free bytes."""
    monkeypatch.setattr(machine, "BUFFER_BYTES", {"xpu": 4 * GIB})
    monkeypatch.setattr(machine, "free_bytes", lambda device: free)
    given = SimpleNamespace(**properties)
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda device: given)
    return torch.device("xpu")


@pytest.mark.parametrize(
    ("free", "properties", "expected"),
    [
        (128 * GIB, {"L2_cache_size": 50 << 20}, 4 * GIB),
        (6 * GIB, {"L2_cache_size": 18 << 20}, 6 * GIB // 8),
        (6 * GIB, {}, 6 * GIB // 8),
        (2 * GIB, {"last_level_cache_size": 96 << 20}, 768 << 20),
    ],
)
def test_a_gpu_gives_an_eighth_of_its_free_memory_or_eight_caches(
    monkeypatch, free, properties, expected
):
    assert machine.buffer_bytes(gpu(monkeypatch, free=free, **properties)) == expected


def test_a_cpu_is_measured_with_the_same_memory_everywhere(monkeypatch):
    monkeypatch.setattr(machine, "BUFFER_BYTES", {"cpu": GIB})
    monkeypatch.setattr(machine, "free_bytes", lambda device: 1 << 20)
    assert machine.buffer_bytes(torch.device("cpu")) == GIB


def test_no_more_is_allocated(monkeypatch):
    sizes = []
    ones = torch.ones

    def counted(*size, **options):
        sizes.append(ones(*size, **options).nbytes)
        return ones(*size, **options)

    monkeypatch.setattr(machine, "buffer_bytes", lambda device: 1 << 16)
    monkeypatch.setattr(torch, "ones", counted)
    machine.measure_machine(torch.device("cpu"), repeats=1)
    assert sizes == [1 << 16]
