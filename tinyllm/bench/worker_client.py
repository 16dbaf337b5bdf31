"""Engines in processes of their own, with the interface of an engine in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from tinyllm.bench.rows import INT8_KEYS
from tinyllm.bench.timing import Timing
from tinyllm.config import DecoderConfig
from tinyllm.cost.workload import PackedPart, PackedSizes

WORKER = Path(__file__).with_name("worker.py")
EXIT_TIMEOUT = 20  # seconds until a worker that does not end is killed


def environment_of(python: str) -> dict[str, str]:
    """The environment of another process; another interpreter has its own packages, and not those of PYTHONPATH."""
    environment = dict(os.environ)
    if python != sys.executable:
        environment.pop("PYTHONPATH", None)
    return environment


class WorkerError(RuntimeError):
    """A request to an engine in another process failed, or the process ended."""


class WorkerOutOfMemory(WorkerError, MemoryError):
    """Memory was too small for a request to an engine in another process; the engine can still be used."""


class Worker:
    """A process that holds one engine and answers requests, one at a time."""

    def __init__(self, name: str, python: str = sys.executable) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        environment = environment_of(python)
        environment |= {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            [python, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )

    def request(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for its answer. Raises WorkerError with the end of the engine's error output."""
        try:
            self._process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise WorkerError(
                f"{self.name}: its process ended with status {self._status()}: {self.error_tail()}"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise (WorkerOutOfMemory if answer["out_of_memory"] else WorkerError)(
                f"{self.name}: {answer['error']}"
            )
        return answer

    def _status(self) -> int | None:
        try:
            return self._process.wait(timeout=EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return None

    def error_tail(self, lines: int = 3) -> str:
        """The end of the process's standard error, in one line."""
        self._log.seek(0)
        log = self._log.read().decode(errors="replace").strip().splitlines()
        return " | ".join(log[-lines:]) or "no error message"

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        if self._status() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()


class RemoteEngine:
    """An engine in a process of its own, loaded from a folder of weights in `load_s`, start of the process included."""

    load_s: float | None = None

    def __init__(
        self, name: str, worker: Worker, config: DecoderConfig, loaded: dict[str, Any]
    ) -> None:
        self.name, self.config = name, config
        self.dtype: torch.dtype = getattr(torch, loaded["dtype"])
        self.kv_dtype = torch.int8 if name.endswith(INT8_KEYS) else None
        self.weight_bytes: int = loaded["weight_bytes"]
        self.weights: str = loaded["weights"]
        self._table_bytes: int | None = loaded["table_bytes"]
        self.prepare_s: float = loaded["prepare_s"]
        self.path: str | None = loaded.get("path")
        self.versions: dict[str, str] = loaded["versions"]
        self._worker, self._peaks = worker, {}

    @property
    def packed_sizes(self) -> PackedSizes | None:
        """What a cost model needs of packed weights; None where they are dense.

        Of an embedding that stands beside the head, a step reads only rows.
        """
        if self._table_bytes is None:
            return None
        config = self.config
        row_bytes = self._table_bytes // config.vocab_size
        table = {"embed_tokens": (PackedPart(config.vocab_size, row_bytes, has_launch=True),)}
        nbytes = self.weight_bytes - self._table_bytes * config.tie_word_embeddings
        return PackedSizes(({},) * config.num_hidden_layers, table, nbytes)

    def run(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
        **callbacks: object,
    ) -> Tensor:
        """Continue prompts by exactly `new_tokens` tokens; streamers are ignored. Raises ValueError for samples."""
        self._check_answers(num_answers)
        tokens = self._generate(input_ids, new_tokens, num_beams)["tokens"]
        return torch.tensor(tokens, dtype=torch.int64, device=input_ids.device)

    def time(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
    ) -> Timing:
        """One generation, its tokens timed in the other process."""
        self._check_answers(num_answers)
        return Timing.of(self._generate(input_ids, new_tokens, num_beams)["times"])

    def peak_bytes(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
    ) -> int | None:
        """The most bytes beside the weights; None where the engine cannot measure it."""
        self._check_answers(num_answers)
        if self.recorded_peak(input_ids, new_tokens, num_beams) is None:
            self._generate(input_ids, new_tokens, num_beams, watch=True)
        return self.recorded_peak(input_ids, new_tokens, num_beams)

    def recorded_peak(self, input_ids: Tensor, new_tokens: int, num_beams: int = 1) -> int | None:
        """The peak of an earlier call of this size, if it was measured: on a GPU it always is."""
        return self._peaks.get((*input_ids.shape, new_tokens, num_beams))

    def _check_answers(self, num_answers: int | None) -> None:
        """Raise ValueError for samples, which the other process does not draw."""
        if num_answers is not None:
            raise ValueError(
                f"{num_answers} sampled answers of {self.name}: expected an engine in this process"
            )

    def _generate(
        self, input_ids: Tensor, new_tokens: int, num_beams: int, watch: bool = False
    ) -> dict[str, Any]:
        ids = input_ids.tolist()
        answer = self._worker.request(
            "generate", ids=ids, new_tokens=new_tokens, num_beams=num_beams, watch=watch
        )
        self._peaks[(*input_ids.shape, new_tokens, num_beams)] = answer["peak_bytes"]
        return answer

    def close(self) -> None:
        """End the process."""
        self._worker.close()


def start_engine(
    name: str,
    kind: str,
    folder: Path,
    config: DecoderConfig,
    device: torch.device,
    dtype: torch.dtype,
    *,
    python: str = sys.executable,
    budget: int | None = None,
    **options: object,
) -> RemoteEngine:
    """Start a process and load an engine in it. Raises WorkerError where that fails."""
    start = perf_counter()
    worker = Worker(name, python)
    load = {
        "kind": kind,
        "folder": str(folder),
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
    }
    try:
        loaded = worker.request(
            "load", **load, threads=torch.get_num_threads(), budget=budget, options=options
        )
    except BaseException:
        worker.close()
        raise
    engine = RemoteEngine(name, worker, config, loaded)
    engine.load_s = perf_counter() - start
    return engine
