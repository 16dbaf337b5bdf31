"""The path of the machine: which instruction set decode steps run on, as the processor and the stage decide."""

from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from tinyllm.bench.machine_path import kernel_path, machine_paths, stage_path
from tinyllm.bench.timing import Engine
from tinyllm.bench.torch_path import torch_path
from tinyllm.kernels.cpu import build
from tinyllm.model import restage
from tinyllm.runtime.runner import EAGER

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model():
    return tinyllm.optimize(models.tiny())


@pytest.mark.parametrize("best", build.INSTRUCTION_SETS)
def test_the_path_of_our_kernels_is_the_best_of_the_processor(model, monkeypatch, best):
    monkeypatch.setattr(build.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(build, "_features", lambda: set(build.INSTRUCTION_SETS[best][0]))
    assert stage_path(model) == kernel_path() == f"{best} (our kernels)"
    assert build.processor_tunings()[0] == build.INSTRUCTION_SETS[best][1]


def test_another_architecture_has_the_flags_of_its_compiler(monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    assert kernel_path() == "native (our kernels)"
    assert build.processor_tunings()[0] == build.NATIVE


def test_a_step_in_torchs_operations_has_torchs_path(model, monkeypatch):
    naive, eager = tinyllm.STAGES["naive"], replace(model.stage, runner=EAGER)
    ours = replace(eager, kernels="cpu")
    assert [stage_path(restage(model, one)) for one in (naive, eager)] == [torch_path(CPU)] * 2
    assert stage_path(restage(model, ours)) == kernel_path()
    assert Engine("hf", models.tiny()).path == torch_path(CPU)
    capability = torch.backends.cpu.get_cpu_capability().lower()
    for has_amx, amx in ((True, " and amx"), (False, "")):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda has_amx=has_amx: has_amx)
        assert torch_path(CPU) == f"{capability}{amx} (torch)"


def test_the_path_of_a_gpu_is_its_kind_and_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU 7")
    gpu = torch.device("cuda")
    assert torch_path(gpu) == "cuda (Some GPU 7)" and machine_paths(gpu) == ["cuda (Some GPU 7)"]


def test_without_kernels_of_ours_there_is_torchs_path_alone(monkeypatch):
    assert machine_paths(CPU) == [kernel_path(), torch_path(CPU)]
    monkeypatch.setattr("tinyllm.kernels.cpu.unavailable", lambda: "no compiler")
    assert machine_paths(CPU) == [torch_path(CPU)]
