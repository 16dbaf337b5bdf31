"""One engine in a process of its own, asked over JSON lines: `python worker.py`, under any Python that has the engine.

It needs torch, transformers and that engine, not tinyllm. A request is a line on standard input, its answer a line on
standard output: `load` (an engine, a folder of weights), `generate` (ids, how many tokens, in how many beams), `quit`.
What libraries print goes to standard error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":  # our modules have names that the standard library has too
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != HERE]

import torch  # noqa: E402


def load_file(path: Path):
    """A module of this package by its file: one that needs torch alone."""
    spec = importlib.util.spec_from_file_location(f"tinyllm_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


engines = load_file(HERE / "worker_engines.py")
memory = load_file(HERE.parent / "lab" / "memory.py")

PACKAGES = {
    "ipex": ("intel-extension-for-pytorch",),
    "openvino": ("openvino", "openvino-genai", "optimum-intel"),
    "llama.cpp": ("llama-cpp-python",),
}
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",
)


class Worker:
    """What is loaded, and how it answers."""

    def load(
        self,
        kind: str,
        folder: str,
        device: str,
        dtype: str,
        threads: int,
        budget: int | None,
        options: dict,
    ):
        """Load an engine; no more than `budget` bytes may then be held, weights included."""
        torch.set_num_threads(threads)
        self.device, self.shape = torch.device(device), None
        if budget is not None:
            limit_memory(self.device, budget)
        start = perf_counter()
        self.engine = engines.LOADERS[kind](
            Path(folder), self.device, getattr(torch, dtype), **options
        )
        about = {
            "dtype": str(self.engine.dtype).removeprefix("torch."),
            "weight_bytes": self.engine.weight_bytes,
        }
        times = {"load_s": perf_counter() - start, "prepare_s": self.engine.prepare_s}
        return about | times | {"versions": versions(kind)}

    def generate(self, ids: list, new_tokens: int, num_beams: int, watch: bool = False):
        """Continue prompts by exactly `new_tokens`; `watch` asks for the peak of memory where that costs time."""
        shape = (len(ids), len(ids[0]), new_tokens, num_beams)
        if shape != self.shape:
            self.engine.forget()
            self.shape = shape
        found, peak = [], None
        run = lambda: found.extend(self.engine.generate(ids, new_tokens, num_beams))  # noqa: E731
        if isinstance(self.engine, engines.Transformers) and (watch or self.device.type != "cpu"):
            peak = memory.peak_bytes(run, self.device)
        else:
            run()
        return {"tokens": found[0], "times": found[1], "peak_bytes": peak}


def limit_memory(device: torch.device, budget: int) -> None:
    """Make allocations beyond `budget` bytes fail: on a GPU those of torch, on a CPU those of this whole process."""
    if device.type != "cpu":
        backend = getattr(torch, device.type)
        total = backend.get_device_properties(device).total_memory
        number = (
            backend.current_device() if device.index is None else device.index
        )  # a bare "cuda" is refused
        backend.set_per_process_memory_fraction(min(1.0, budget / total), number)
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (budget, budget))


def versions(kind: str) -> dict:
    """Versions of Python and of the packages that an engine depends on."""
    found = {"python": sys.version.split()[0]}
    for package in ("torch", "transformers", "triton", *PACKAGES.get(kind, ())):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def is_out_of_memory(error: Exception) -> bool:
    """Whether there was too little memory: the library, not the type, decides what an error looks like."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY)


def answer(worker: Worker, request: dict) -> dict:
    """One request, done; an error becomes the answer."""
    try:
        return getattr(worker, request.pop("do"))(**request)
    except Exception as error:
        traceback.print_exc()
        said = str(error).strip().splitlines() or [""]
        return {
            "error": f"{type(error).__name__}: {said[0]}",
            "out_of_memory": is_out_of_memory(error),
        }


def main() -> None:
    """Answer until the input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        out.write(json.dumps(answer(worker, request)) + "\n")


if __name__ == "__main__":
    main()
