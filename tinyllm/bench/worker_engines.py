"""The engines of a worker process: transformers' `generate` here, runtimes of their own in `worker_runtimes.py`.

Each imports its packages when it is loaded, so that none needs another's.

An engine has the number format of its activations (`dtype`), the bytes and formats of its weights (`weight_bytes`,
`weights`), and with packed ones `table_bytes`: those of an embedding beside the head, of which only rows are read.
`path` is the path of the machine that it takes; None for torch's.
"""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from time import perf_counter

import torch

# Relative: a worker's Python imports this file without tinyllm.
from .checkout import find_tinyllm
from .worker_formats import group_size, name_of, stored_bytes
from .worker_runtimes import LlamaCpp, OpenVINO


class Clock:
    """A stopping criterion that stops no sequence and records the time of each token, in seconds since the call."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.times = device, []
        self.start = self._now()

    def __call__(self, input_ids, scores, **kwargs):
        """Called after every token."""
        self.times.append(self._now() - self.start)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def _now(self) -> float:
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize(self.device)
        return perf_counter()


class Transformers:
    """A model with transformers' `generate`, which receives `options`."""

    prepare_s = 0.0  # preparation of the weights before the first call
    table_bytes = None
    path = None

    def __init__(self, model, device: torch.device, dtype: torch.dtype, **options) -> None:
        self.model, self.device, self.dtype, self.options = model, device, dtype, options
        self.weight_bytes = sum(map(stored_bytes, model.parameters()))
        self.weights = f"dense {name_of(dtype)}"

    def generate(self, ids, new_tokens: int, num_beams: int):
        """Tokens of every sequence, prompt included, and the time of each new token in seconds."""
        from transformers import StoppingCriteriaList

        ids = torch.tensor(ids, dtype=torch.int64, device=self.device)
        clock = Clock(self.device)
        options = {
            "max_new_tokens": new_tokens,
            "min_new_tokens": new_tokens,
            "num_beams": num_beams,
            "attention_mask": torch.ones_like(ids),
            "do_sample": False,
            "stopping_criteria": StoppingCriteriaList([clock]),
        }
        with torch.no_grad():
            found = self.model.generate(ids, **options | self.options)
        return found.tolist(), clock.times

    def reset(self) -> None:
        """Release memory that was allocated for other shapes."""
        gc.collect()
        if self.device.type != "cpu":
            getattr(torch, self.device.type).empty_cache()
        elif trim := getattr(
            ctypes.CDLL(None), "malloc_trim", None
        ):  # return the C library's free memory to the system
            trim(0)


class Compiled(Transformers):
    """The same with code compiled for one shape."""

    def reset(self) -> None:
        torch._dynamo.reset()
        super().reset()


class Autocast(Transformers):
    """IPEX: in 16 bits its operations expect autocast."""

    def generate(self, ids, new_tokens: int, num_beams: int):
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return super().generate(ids, new_tokens, num_beams)


def load_hf(folder: Path, device: torch.device, dtype: torch.dtype, **options) -> Transformers:
    """transformers as it comes."""
    return Transformers(_read(folder, device, dtype), device, dtype, **options)


def load_hf_static(
    folder: Path, device: torch.device, dtype: torch.dtype, **compile_options
) -> Compiled:
    """transformers with a static cache and `torch.compile`, with the fastest options of this device."""
    return Compiled(
        _read(folder, device, dtype), device, dtype, **static_options(device, **compile_options)
    )


def static_options(device: torch.device, **compile_options) -> dict:
    """Options of transformers' `generate` for a static cache and `torch.compile`."""
    from transformers import CompileConfig

    if not compile_options and device.type == "cpu":
        fastest = {"freezing": True, "max_autotune": True, "cpp_wrapper": True}
        compile_options = {"mode": None, "options": fastest}
    config = CompileConfig(dynamic=False, **compile_options)
    config._compile_all_devices = True
    return {"cache_implementation": "static", "compile_config": config}


def load_hf_packed(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    *,
    file: str | None = None,
    weights: str = "packed",
    table_bytes: int | None = None,
) -> Transformers:
    """transformers with the blocks of a GGUF file in its own modules, on the kernel `tinyllm.kernels.gguf`."""
    if file is None:
        raise ValueError(
            "hf-packed runs on the blocks of a GGUF file: pass --weights stored, or q4_1 or q8_0"
        )
    find_tinyllm()
    from tinyllm.bench.packed_twin import pack_twin
    from tinyllm.checkpoint import open_checkpoint

    model = _read(folder, torch.device("cpu"), dtype)
    pack_twin(model, open_checkpoint(Path(file)).weights)
    engine = Transformers(model.to(device), device, dtype)
    engine.weights, engine.table_bytes = weights, table_bytes
    return engine


def load_ipex(folder: Path, device: torch.device, dtype: torch.dtype) -> Autocast:
    """Intel Extension for PyTorch: `ipex.llm.optimize`."""
    import intel_extension_for_pytorch as ipex

    engine, start = Autocast(_read(folder, device, dtype), device, dtype), perf_counter()
    engine.model = ipex.llm.optimize(engine.model, dtype=dtype, device=device.type, inplace=True)
    engine.prepare_s = perf_counter() - start
    return engine


def load_torchao(folder: Path, device: torch.device, dtype: torch.dtype, weights: str) -> Compiled:
    """transformers with the weights of all linear layers quantised by torchao, and compiled as hf-static is."""
    from torchao.quantization import quantize_

    model, start = _read(folder, device, dtype), perf_counter()
    quantize_(model, torchao_config(weights, device, group_size(folder)))
    compile_options = {}
    if device.type == "cpu" and dtype != torch.bfloat16:
        # With `freezing`, the compiler keeps int8 only beside bfloat16, and else makes it dense for good.
        compile_options = {"mode": None, "options": {"cpp_wrapper": True}}
    engine = Compiled(model, device, dtype, **static_options(device, **compile_options))
    engine.prepare_s = perf_counter() - start
    engine.weights = f"packed {weights}, dense {name_of(dtype)}"
    engine.table_bytes = model.get_input_embeddings().weight.nbytes
    return engine


def torchao_config(weights: str, device: torch.device, group: int):
    """torchao's configuration of weight-only quantisation; its layout of 4 bits depends on the device."""
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig

    if weights == "int8":
        return Int8WeightOnlyConfig()
    if device.type == "cpu":  # torch's own int4 matmul
        from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

        return PrototypeInt4WeightOnlyConfig(group_size=group)
    layout = {"cuda": "tile_packed_to_4d", "xpu": "plain_int32"}[device.type]
    return Int4WeightOnlyConfig(group_size=group, int4_packing_format=layout)


def load_stage(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    stage: str,
    weights: str | None = None,
    kv_dtype: str | None = None,
) -> Transformers:
    """One of our own stages; `weights` are a format of packed ones, `kv_dtype` the format of keys and values."""
    find_tinyllm()
    import tinyllm
    from tinyllm.bench.machine_path import stage_path

    model = tinyllm.from_pretrained(
        folder, stage=stage, device=device, dtype=dtype, weights=weights, kv_dtype=kv_dtype
    )
    engine = Transformers(model, device, dtype)
    engine.path = stage_path(model)
    return engine


def _read(folder: Path, device: torch.device, dtype: torch.dtype):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, torch_dtype=dtype).eval().to(device)


LOADERS = {
    "hf": load_hf,
    "hf-static": load_hf_static,
    "hf-packed": load_hf_packed,
    "ipex": load_ipex,
    "openvino": OpenVINO,
    "llama.cpp": LlamaCpp,
    "torchao": load_torchao,
    "stage": load_stage,
}
