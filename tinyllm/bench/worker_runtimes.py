"""Engines with a runtime of their own, OpenVINO and llama.cpp; each imports its packages when it is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter

import torch

from .worker_formats import group_size, name_of

OWN_PATH = "its own choice"  # of an instruction set, which an engine does not report
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
