"""A small model for the tests of `bench`, saved, loaded and measured."""

import pytest
import torch

import models
import tinyllm
from tinyllm.bench.compare import Plan, bench
from tinyllm.bench.engines import EngineSettings, load_engines
from tinyllm.bench.export import save_folder, save_gguf
from tinyllm.bench.machine import Machine
from tinyllm.bench.presets import FIRST
from tinyllm.checkpoint import open_checkpoint
from tinyllm.model import load_model

CPU = torch.device("cpu")
MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
PROMPT = torch.arange(3, 15).reshape(2, 6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    models.tiny(eos_token_id=3, pad_token_id=0).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def decoder(saved):
    return load_model(open_checkpoint(saved), tinyllm.STAGES[FIRST], CPU, torch.float32)


@pytest.fixture(scope="module")
def settings(saved):
    return EngineSettings(open_checkpoint(saved), CPU, torch.float32)


@pytest.fixture(scope="module")
def folder(decoder, saved, tmp_path_factory):
    """The weights for all workers: a folder, and a GGUF file in it."""
    path = tmp_path_factory.mktemp("weights")
    save_folder(decoder, open_checkpoint(saved), path)
    save_gguf(decoder, open_checkpoint(saved), path / "model.gguf")
    return path


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    monkeypatch.setattr("tinyllm.bench.machine.BUFFER_BYTES", {"cpu": 1 << 20})


@pytest.fixture(scope="module")
def row(settings):
    engines = load_engines(settings.checkpoint, [FIRST], [], CPU, torch.float32)
    (row,) = bench(engines, Plan("tiny", PROMPT, new_tokens=4, repeats=1), machine=MACHINE)
    return row
