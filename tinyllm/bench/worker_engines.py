"""The engines of a worker process; each imports its packages when it is loaded, so that none needs another's.

An engine has the number format of its activations (`dtype`), the bytes and formats of its weights (`weight_bytes`,
`weights`), and with packed ones `table_bytes`: those of an embedding beside the head, of which only rows are read.
`path` is the path of the machine that it takes; None for torch's.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

HERE = Path(__file__).resolve().parent
OWN_PATH = "its own choice"  # of an instruction set, which an engine does not report


def name_of(dtype: torch.dtype) -> str:
    """The name of a number format."""
    return str(dtype).removeprefix("torch.")


def stored_bytes(tensor: torch.Tensor) -> int:
    """The bytes of a tensor, or of the tensors that it is packed in."""
    if is_traceable_wrapper_subclass(tensor):
        return sum(getattr(tensor, name).nbytes for name in tensor.__tensor_flatten__()[0])
    return tensor.nbytes


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


def group_size(folder: Path) -> int:
    """Weights with one scale: 128, the default of OpenVINO and torchao, or fewer where rows are no multiple of it."""
    config = json.loads((folder / "config.json").read_text())
    inputs = [config[name] for name in ("hidden_size", "intermediate_size")]
    for size in (128, 64, 32):
        if not any(n % size for n in inputs):
            return size
    raise ValueError(f"rows of {inputs} weights: groups of one scale need a multiple of 32")


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


def find_tinyllm() -> None:
    """Make a checkout importable without installing it: its kernels are in a folder beside the package."""
    root = HERE.parents[1]
    try:
        version("tinyllm-xpu")
    except PackageNotFoundError:
        if str(root) not in sys.path:
            sys.path.append(str(root))
        spec = importlib.util.spec_from_file_location(
            "tinyllm.kernels", root / "kernels" / "__init__.py"
        )
        kernels = importlib.util.module_from_spec(spec)
        sys.modules["tinyllm.kernels"] = kernels
        spec.loader.exec_module(kernels)


def _read(folder: Path, device: torch.device, dtype: torch.dtype):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, torch_dtype=dtype).eval().to(device)


# Formats of OpenVINO's weights by that of most of them: embedding and head have 8 bits.
PACKED_BY_OPENVINO = {"int4": "packed int4, int8", "int8": "packed int8"}
LOOKUP = "aten::embedding/Gather"  # ends the name of the operation that reads rows of the embedding


class OpenVINO:
    """OpenVINO GenAI's pipeline, on token ids; `weights` are dense, or quantised to int4 or int8."""

    table_bytes = None
    path = OWN_PATH

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype, weights: str | None = None
    ) -> None:
        import openvino_genai

        start = perf_counter()
        stored = weights or ("fp32" if dtype == torch.float32 else "fp16")
        exported = folder / f"openvino-{stored}"
        if not exported.exists():
            _export(folder, exported, stored)
        precise = {"INFERENCE_PRECISION_HINT": "f32"} if dtype == torch.float32 else {}
        where = {"cpu": "CPU", "xpu": "GPU"}[device.type]
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.enable_prefix_caching = False  # otherwise a repeated prompt is not computed again
        self.pipeline = openvino_genai.LLMPipeline(
            str(exported), where, scheduler_config=scheduler, **precise
        )
        self.dtype = dtype if dtype == torch.float32 else torch.float16
        self.weight_bytes = (exported / "openvino_model.bin").stat().st_size
        self.weights = f"dense {name_of(self.dtype)}"
        if weights:
            self.weights = PACKED_BY_OPENVINO[weights]
            self.table_bytes = _table_bytes(folder, exported)
        self.prepare_s = perf_counter() - start

    def generate(self, ids, new_tokens: int, num_beams: int):
        """Tokens of every sequence, prompt included, and the time of each new token in seconds."""
        import numpy
        import openvino

        config = self.pipeline.get_generation_config()
        config.max_new_tokens = config.min_new_tokens = new_tokens
        config.num_beams, config.num_return_sequences, config.do_sample = num_beams, 1, False
        answer = self.pipeline.generate(
            openvino.Tensor(numpy.array(ids, dtype=numpy.int64)), config
        )
        metrics = answer.perf_metrics
        times_ms = metrics.raw_metrics.m_new_token_times
        first = metrics.get_ttft().mean
        times = [(first + time - times_ms[0]) / 1e3 for time in times_ms]
        return [prompt + list(new) for prompt, new in zip(ids, answer.tokens, strict=True)], times

    def reset(self) -> None:
        """Nothing is kept between calls."""


def _export(folder: Path, exported: Path, stored: str) -> None:
    from optimum.exporters.openvino import main_export
    from optimum.intel import OVConfig, OVModelForCausalLM, OVWeightQuantizationConfig

    if stored in PACKED_BY_OPENVINO:
        config = OVWeightQuantizationConfig(bits=8)
        if stored == "int4":
            config = OVWeightQuantizationConfig(bits=4, group_size=group_size(folder))
        model = OVModelForCausalLM.from_pretrained(
            folder, export=True, compile=False, quantization_config=config
        )
        model.save_pretrained(exported)
        return

    how = {
        "task": "text-generation-with-past",
        "library_name": "transformers",
        "convert_tokenizer": False,
    }
    main_export(str(folder), str(exported), ov_config=OVConfig(dtype=stored), **how)


def _table_bytes(folder: Path, exported: Path) -> int:
    """The bytes of the embedding; none where it is the head too."""
    import openvino

    if json.loads((folder / "config.json").read_text())["tie_word_embeddings"]:
        return 0
    model = openvino.Core().read_model(str(exported / "openvino_model.xml"))
    lookup = next(op for op in model.get_ops() if op.get_friendly_name().endswith(LOOKUP))
    return _constant_bytes(lookup.input(0).get_source_output().get_node())


def _constant_bytes(node) -> int:
    """The bytes of all constants that an operation is computed from."""
    if node.get_type_name() == "Constant":
        return node.get_byte_size()
    inputs = (value.get_source_output().get_node() for value in node.inputs())
    return sum(map(_constant_bytes, inputs))


class LlamaCpp:
    """llama.cpp on the same weights in a GGUF file: its Python package has greedy decoding of one prompt only.

    `file` is another file, whose `weights` are packed.
    """

    prepare_s = 0.0
    path = OWN_PATH

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        *,
        context: int = 8192,
        file: str | None = None,
        weights: str | None = None,
        table_bytes: int | None = None,
    ) -> None:
        import llama_cpp

        path, kept = (
            Path(file or folder / "model.gguf"),
            0 if dtype == torch.float32 else 1,
        )  # GGML's names of F32 and F16
        layers, threads = 0 if device.type == "cpu" else -1, torch.get_num_threads()
        how = {
            "type_k": kept,
            "type_v": kept,
            "n_threads": threads,
            "n_threads_batch": threads,
            "n_gpu_layers": layers,
        }
        self.model = llama_cpp.Llama(
            str(path), n_ctx=context, n_batch=context, verbose=False, **how
        )
        self.dtype, self.table_bytes = dtype, table_bytes
        self.weights = weights or f"dense {name_of(dtype)}"
        self.weight_bytes = llama_cpp.llama_model_size(self.model.model)
        eos = json.loads((folder / "generation_config.json").read_text()).get("eos_token_id")
        self.ends = [] if eos is None else eos if isinstance(eos, list) else [eos]

    def generate(self, ids, new_tokens: int, num_beams: int):
        """Tokens of the one sequence, prompt included, and the time of each new token in seconds."""
        if num_beams > 1 or len(ids) > 1:
            raise ValueError(
                f"{len(ids)} prompts in {num_beams} beams: llama-cpp-python takes one, without beams"
            )
        start, times, tokens = perf_counter(), [], list(ids[0])
        self.model.reset()
        self.model.eval(tokens)
        for _ in range(new_tokens):
            tokens.append(self._argmax())
            times.append(perf_counter() - start)
            if len(times) < new_tokens:
                self.model.eval(tokens[-1:])
        return [tokens], times

    def _argmax(self) -> int:
        import llama_cpp
        import numpy

        logits = numpy.ctypeslib.as_array(
            llama_cpp.llama_get_logits_ith(self.model.ctx, -1), (self.model.n_vocab(),)
        )
        logits[self.ends] = -numpy.inf
        return int(logits.argmax())

    def reset(self) -> None:
        """Nothing is kept between calls."""


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
