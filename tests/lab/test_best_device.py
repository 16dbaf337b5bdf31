"""The device that notebooks use: the best of the machine."""

import pytest
import torch

from tinyllm import lab


@pytest.mark.parametrize(
    "there, best",
    [((), "cpu"), (("cuda",), "cuda"), (("xpu",), "xpu"), (("cuda", "xpu"), "xpu")],
)
def test_an_xpu_comes_before_cuda_and_the_cpu_last(monkeypatch, there, best):
    for kind in ("xpu", "cuda"):
        monkeypatch.setattr(getattr(torch, kind), "is_available", lambda kind=kind: kind in there)
    assert lab.best_device() == torch.device(best)
