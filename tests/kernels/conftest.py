"""Without a GPU the Triton kernels are interpreted, and the interpreter's bfloat16 trap is closed.

The interpreter keeps bfloat16 as raw 16-bit integers and computes with those. Loads, stores and casts are right;
`tl.dot` gets widened operands here; all other arithmetic on bfloat16 raises, so that a kernel which forgets
`.to(tl.float32)` fails.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
import torch

ACCELERATOR = next((kind for kind in ("xpu", "cuda") if getattr(torch, kind).is_available()), None)


def _is_bf16(handle: object) -> bool:
    scalar = getattr(getattr(handle, "dtype", None), "scalar", None)
    return getattr(scalar, "name", None) == "bf16"


def _refusing(method: Callable) -> Callable:
    def guarded(self, *arguments):
        tensors = [
            getattr(x, "handle", x)
            for a in arguments
            for x in (a if isinstance(a, tuple) else (a,))
        ]
        if any(map(_is_bf16, tensors)):
            raise TypeError(
                "bfloat16 arithmetic in an interpreted kernel: convert with .to(tl.float32) first"
            )
        return method(self, *arguments)

    return guarded


def _widen(handle):
    import triton.language as tl
    from triton.runtime.interpreter import TensorHandle

    if not _is_bf16(handle):
        return handle
    return TensorHandle((handle.data.astype("uint32") << 16).view("float32"), tl.float32)


def _interpret_honestly() -> None:
    from triton.runtime.interpreter import InterpreterBuilder as Builder
    from triton.runtime.interpreter import ReduceOps

    dot = Builder.create_dot
    Builder.create_dot = lambda self, a, b, *rest: dot(self, _widen(a), _widen(b), *rest)
    Builder.binary_op, Builder.unary_op = _refusing(Builder.binary_op), _refusing(Builder.unary_op)
    Builder.create_fma, Builder.create_erf = (
        _refusing(Builder.create_fma),
        _refusing(Builder.create_erf),
    )
    ReduceOps.apply_impl = _refusing(ReduceOps.apply_impl)


if ACCELERATOR is None and importlib.util.find_spec("triton"):
    _interpret_honestly()


@pytest.fixture
def accelerator() -> torch.device:
    """The GPU of this machine; the test is skipped where there is none."""
    if ACCELERATOR is None:
        pytest.skip("needs an XPU or CUDA device")
    return torch.device(ACCELERATOR)


@pytest.fixture
def interpreted() -> torch.device:
    """The CPU, where the kernels are interpreted; skipped beside a GPU, since kernels there are compiled."""
    if ACCELERATOR is not None:
        pytest.skip("the kernels are compiled for the GPU of this machine")
    return torch.device("cpu")


@pytest.fixture(autouse=True)
def same_number_of_threads():
    """Torch's own number after each test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


MARGIN = 1024


@pytest.fixture
def margins(monkeypatch):
    """Every result starts as NaN, between NaNs that must still be there afterwards."""
    made = []

    def new_empty(self, *shape, dtype=None):
        size = torch.Size(shape if isinstance(shape[0], int) else shape[0])
        numbers = size.numel() + 2 * MARGIN
        made.append(
            torch.full((numbers,), float("nan"), dtype=dtype or self.dtype, device=self.device)
        )
        return made[-1][MARGIN:-MARGIN].view(size)

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    yield
    assert all(whole[:MARGIN].isnan().all() and whole[-MARGIN:].isnan().all() for whole in made), (
        "written beside a result"
    )


@pytest.fixture(scope="session")
def eight_lanes():
    """A SYCL runtime with the sub-groups of Arc."""
    from sycl_kernels import DEVICE

    from tinyllm.kernels import sycl

    if DEVICE.type == "xpu" and sycl.runtime_of(DEVICE).lanes != 8:
        pytest.skip("this GPU has no sub-groups of 8")
    return sycl.Runtime(DEVICE, lanes=8)
