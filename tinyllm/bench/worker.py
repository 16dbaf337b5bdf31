"""One engine in a process of its own, which answers requests as JSON lines: `python worker.py`.

Its Python needs torch, transformers and that engine, not tinyllm. A request is a line on standard input: `load` (an
engine, a folder of weights), `generate` (ids, number of tokens and beams) or `quit`. Its answer is a line on standard
output; prints of libraries go to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":  # some of our modules share names with the standard library
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != HERE]

import torch  # noqa: E402


def import_file(path: Path) -> ModuleType:
    """Import a module of tinyllm by its file, in a package of its folder's name, without importing tinyllm."""
    name = f"tinyllm_{path.parent.name}"
    package = sys.modules.setdefault(name, ModuleType(name))
    package.__path__ = [str(path.parent)]
    return importlib.import_module(f"{name}.{path.stem}")


engines = import_file(HERE / "worker_engines.py")
paths = import_file(HERE / "torch_path.py")
memory = import_file(HERE.parent / "lab" / "memory.py")

PACKAGES = {
    "ipex": ("intel-extension-for-pytorch",),
    "openvino": ("openvino", "openvino-genai", "optimum-intel"),
    "llama.cpp": ("llama-cpp-python",),
    "torchao": ("torchao",),
}
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",
)


class Worker:
    """The loaded engine, and the requests that it answers."""

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
        """Load an engine into a process limited to `budget` bytes, weights included."""
        torch.set_num_threads(threads)
        self.device, self.shape = torch.device(device), None
        if budget is not None:
            limit_memory(self.device, budget)
        self.engine = engines.LOADERS[kind](
            Path(folder), self.device, getattr(torch, dtype), **options
        )
        return {
            "dtype": str(self.engine.dtype).removeprefix("torch."),
            "weights": self.engine.weights,
            "weight_bytes": self.engine.weight_bytes,
            "table_bytes": self.engine.table_bytes,
            "prepare_s": self.engine.prepare_s,
            "path": self.engine.path or paths.torch_path(self.device),
            "versions": versions(kind),
        }

    def generate(self, ids: list, new_tokens: int, num_beams: int, watch: bool = False):
        """Continue prompts by exactly `new_tokens`; `watch` measures the memory peak even where that takes time."""
        shape = (len(ids), len(ids[0]), new_tokens, num_beams)
        if shape != self.shape:
            self.engine.reset()
            self.shape = shape
        found, peak = [], None
        run = lambda: found.extend(self.engine.generate(ids, new_tokens, num_beams))  # noqa: E731
        if isinstance(self.engine, engines.Transformers) and (watch or self.device.type != "cpu"):
            peak = memory.peak_bytes(run, self.device)
        else:
            run()
        return {"tokens": found[0], "times": found[1], "peak_bytes": peak}


def limit_memory(device: torch.device, budget: int) -> None:
    """Make allocations beyond `budget` bytes fail: on a GPU those of torch, on a CPU those of this process."""
    if device.type != "cpu":
        backend = getattr(torch, device.type)
        total = backend.get_device_properties(device).total_memory
        number = (
            backend.current_device() if device.index is None else device.index
        )  # the index is required: "cuda" alone is refused
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
    """Whether memory was too small, by the error's type or message: libraries have no common type for it."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY)


def answer(worker: Worker, request: dict) -> dict:
    """The answer to one request; an exception becomes an error answer."""
    try:
        return getattr(worker, request.pop("do"))(**request)
    except Exception as error:
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        return {
            "error": f"{type(error).__name__}: {lines[0]}",
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
