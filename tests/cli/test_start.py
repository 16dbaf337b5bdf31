"""What a fresh process imports up to the first token, as its time is not one for a test."""

import subprocess
import sys

import pytest

import tinyllm
from tinyllm.checkpoint.sources import open_checkpoint

# Packages that take long to import, and that no part of a first token needs.
HEAVY = (
    "IPython",
    "accelerate",
    "huggingface_hub",
    "ipywidgets",
    "matplotlib",
    "pandas",
    "scipy",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.tensor",
    "transformers",
    "triton",
)
LIBRARY = """
import tinyllm, torch
model = tinyllm.from_pretrained(device="cpu")
ids = model.generate(torch.tensor([[504, 3575, 282, 4649, 314]]), max_new_tokens=1)
assert ids.shape == (1, 6)
"""
COMMAND = """
from tinyllm.cli import main
arguments = ["--max-new-tokens", "1", "--device", "cpu"]
assert main(["generate", "What is a KV cache?", *arguments]) == 0
"""


def heavy_imports(**parts):
    """The packages of `HEAVY` that a process has imported after each of these parts of its code."""
    show = (
        f"\nimport sys\nprint('imported', *(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    code = "".join(part + show for part in parts.values())
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("imported")]
    return dict(zip(parts, found, strict=True))


@pytest.fixture(scope="module", autouse=True)
def files_kept_before():
    """The tokenizer and the CPU kernels are made once per user; a first process that does so imports more."""
    open_checkpoint()
    tinyllm.from_pretrained(device="cpu")


def test_nothing_heavy_is_imported():
    found = heavy_imports(start="import tinyllm", library=LIBRARY, command=COMMAND)
    assert found == {"start": [], "library": [], "command": []}


def test_a_heavy_import_is_seen():
    """Where a model's options need transformers' logits processors."""
    code = LIBRARY.replace("max_new_tokens=1", "max_new_tokens=1, repetition_penalty=1.2")
    assert "transformers" in heavy_imports(library=code)["library"]
