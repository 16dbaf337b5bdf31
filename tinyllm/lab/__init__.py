"""The names that notebooks use, in one module: `from tinyllm import lab`, then `lab.NAME`.

A name is imported from its module at its first use, so that importing `lab` is fast.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any

# Names by module; a name may be a submodule, and `new=old` renames it here.
EXPORTS: Mapping[str, str] = MappingProxyType(
    {
        "tinyllm": "families",
        "tinyllm.attention": "stock",
        "tinyllm.attention.kernel": "kernel_attention",
        "tinyllm.attention.mask": "alibi_slopes causal_bias",
        "tinyllm.attention.metadata": "AttentionOptions DecodeMetadata PrefillMetadata Segment visible_range",
        "tinyllm.attention.stock": "stock_attention",
        "tinyllm.bench.compare": "Plan bench",
        "tinyllm.bench.engines": "load_engines",
        "tinyllm.bench.machine": "Machine launch_overhead measure_machine peak_flops seconds versions",
        "tinyllm.bench.peers": "transformers_twin",
        "tinyllm.bench.recorded": "kernel_table seeded_faults weight_error_table",
        "tinyllm.bench.rows": "as_markdown as_text read_rows short_text",
        "tinyllm.bench.table": "side_by_side",
        "tinyllm.bench.timing": "Engine time_in_rounds",
        "tinyllm.cache.contiguous": "ContiguousCache ContiguousLayer",
        "tinyllm.cache.segment": "SegmentCache",
        "tinyllm.check": "check",
        "tinyllm.check.backends": "naive_kernels=NAIVE",
        "tinyllm.check.formats": "check_format",
        "tinyllm.check.verdicts": "Verdict verdict",
        "tinyllm.check.models": "check_stages small_model",
        "tinyllm.checkpoint": "open_checkpoint",
        "tinyllm.checkpoint.weight_formats": "quantise",
        "tinyllm.config": "LayerKind",
        "tinyllm.cost.attention": "kernel_attention_cost stock_attention_cost stock_decode_cost",
        "tinyllm.cost.cache": "CACHE_COSTS contiguous_append_cost contiguous_slots_cost costs_of",
        "tinyllm.cost.matmul": "fused_matmul_cost matmul_cost",
        "tinyllm.cost.model": "layer_cost least_bytes pass_cost reorder_cost weight_elements",
        "tinyllm.cost.norm": "rms_norm_cost",
        "tinyllm.cost.ops": "fused_rope_and_store_cost naive_rope_cost",
        "tinyllm.cost.packed": "packed_sizes",
        "tinyllm.cost.ranks": "step_messages",
        "tinyllm.cost.workload": "Workload",
        "tinyllm.decoder": "DecoderLayer",
        "tinyllm.draw.attention_cells": "attention_runs attention_table cells draw_attention_batch middle slower_cells",
        "tinyllm.draw.attention_reads": "draw_reads",
        "tinyllm.draw.beam_memory": "draw_beam_memory draw_bytes_over_steps",
        "tinyllm.draw.beam_stepper": "step_through_beams",
        "tinyllm.draw.breakdown": "draw_breakdown",
        "tinyllm.draw.chances": "draw_chances",
        "tinyllm.draw.decoder": "draw_decoder",
        "tinyllm.draw.dpas": "draw_dpas",
        "tinyllm.draw.filmstrip": "draw_filmstrip",
        "tinyllm.draw.gpu_picker": "pick_gpu",
        "tinyllm.draw.gemv_steps": "draw_gemv_steps",
        "tinyllm.draw.grids": "draw_grids",
        "tinyllm.draw.growth": "draw_growth",
        "tinyllm.draw.halves": "draw_halves",
        "tinyllm.draw.ladder": "draw_ladder",
        "tinyllm.draw.ladder_picker": "pick_from_ladder",
        "tinyllm.draw.launches": "draw_launches",
        "tinyllm.draw.memory_hierarchy": "as_size draw_memory_hierarchy",
        "tinyllm.draw.memory_over_time": "draw_memory_over_time",
        "tinyllm.draw.packed_blocks": "draw_block",
        "tinyllm.draw.picture": "picture",
        "tinyllm.draw.prediction": "predict",
        "tinyllm.draw.recorded_runs": "no_run recorded_runs",
        "tinyllm.draw.roofline": "draw_roofline",
        "tinyllm.draw.rotation": "draw_rotation",
        "tinyllm.draw.saved": "draw_saved saved_as_text",
        "tinyllm.draw.softmax_stepper": "step_through_softmax",
        "tinyllm.draw.source": "kernel_source",
        "tinyllm.draw.timeline": "draw_timeline",
        "tinyllm.draw.trace": "draw_trace",
        "tinyllm.draw.trips": "draw_trips",
        "tinyllm.draw.two_limits": "draw_two_limits",
        "tinyllm.draw.waterfall": "draw_waterfall",
        "tinyllm.draw.xe_core": "draw_filled draw_xe_core",
        "tinyllm.draw.weight_tiles": "draw_weight_tiles",
        "tinyllm.families": "Family reading registered",
        "tinyllm.families.llama": "LLAMA MLP",
        "tinyllm.families.reading": "activation described head_dim layers window",
        "tinyllm.families.traits": "traits",
        "tinyllm.generation": "session",
        "tinyllm.generation.batching": "plan_batches",
        "tinyllm.generation.replay": "replayable session_key",
        "tinyllm.generation.memory": "CallShape max_prompts memory_need",
        "tinyllm.generation.output": "cache_of",
        "tinyllm.generation.sessions": "MAX_SESSIONS Sessions",
        "tinyllm.kernels": "TORCH by_name cpu for_device sycl torch_attention torch_kernels triton",
        "tinyllm.kernels.block_formats": "FORMATS BlockFormat",
        "tinyllm.kernels.torch_attention": "PartialAttention attention_with_lse bias_of_mask merge_by_lse",
        "tinyllm.kernels.torch_kernels": "ACTIVATIONS",
        "tinyllm.kernels.sycl.runtime": "Source",
        "tinyllm.kernels.triton.attention": "attention_workspace",
        "tinyllm.kernels.triton.beam_mask": "make_beam_mask",
        "tinyllm.kernels.triton.split_plan": "plan_splits split_plan_of",
        "tinyllm.kernels.triton.tuning": "key_tile launch_for",
        "tinyllm.kernels.weights": "DenseWeight PackedRows PackedWeight",
        "tinyllm.lab": "softmax_trace",
        "tinyllm.lab.attention_code": "attention_code first_line matrix_loops",
        "tinyllm.lab.captures": "Capturing attend_by_length cache_after_prompt changes_of_step check_end_step eager_end"
        " host_reads_of_step launches_of_token ms_of_step new_state passes_until_end token_of watched_sessions"
        " with_little_data",
        "tinyllm.lab.beam_trace": "beams_as_text=as_text first_wrong_read",
        "tinyllm.lab.caches": "CacheStep compare_caches filled_cache held_bytes next_ids step_seconds",
        "tinyllm.lab.counters": "OperationLog classify count observe observe_passes observe_reorder record",
        "tinyllm.lab.disassembly": "disassemble kinds_of_lines loops read_disassembly without_notes",
        "tinyllm.lab.dpas": "run_emulated_dpas to_registers",
        "tinyllm.lab.gate_up": "check_gate_up",
        "tinyllm.lab.gemv_steps": "addition_seconds gemv_source load_seconds matmul_rate measure_gemv_steps "
        "read_rate steps_as_text",
        "tinyllm.lab.host": "host_table host_times recorded_ladders timeline",
        "tinyllm.lab.intel_gpus": "IntelGPU facts_table gpu_sources gpu_table intel_gpu intel_gpus"
        " stored_bytes token_bytes",
        "tinyllm.lab.kernel_calls": "KernelCalls device_launches layer_operations",
        "tinyllm.lab.kinds": "bytes_by_kind launches_by_kind seconds_by_kind short_name",
        "tinyllm.lab.kv_trace": "trace_beams",
        "tinyllm.lab.launch_costs": "XPU_GRAPH launch_cost launch_costs_as_text",
        "tinyllm.lab.machine_code": "machine_code_table",
        "tinyllm.lab.memory": "allocations peak_bytes",
        "tinyllm.lab.occupancy": "Launch decode_launches occupancy_of occupancy_table sycl_gemv",
        "tinyllm.lab.rank_threads": "on_ranks",
        "tinyllm.lab.registers": "read_registers registers_table spill_example",
        "tinyllm.lab.replay": "HostRead Replayed host_reads",
        "tinyllm.lab.segment_kernel": "segment_kernel_pieces splits_as_text splits_on",
        "tinyllm.lab.segment_reads": "attention_calls attention_reading bytes_as_text"
        " check_reads compare_attention interpreted_stage live_slots trace_attention",
        "tinyllm.lab.shapes": "known_config",
        "tinyllm.lab.trace": "read_trace record_trace toy_traces",
        "tinyllm.linear": "Linear Norm QKVLinear",
        "tinyllm.model": "Model restage",
        "tinyllm.ops": "FUSED NAIVE mlp norm qkv rope",
        "tinyllm.ops.matmul": "MAX_GEMV_ROWS",
        "tinyllm.parallel.operations": "SummedOperations",
        "tinyllm.runtime": "runner",
        "tinyllm.runtime.device": "available best_device size_as_text",
        "tinyllm.runtime.native": "unsupported_reason",
        "tinyllm.stages": "pick_stage",
    }
)
NAMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        given.partition("=")[0]: (module, given.rpartition("=")[2])
        for module, names in EXPORTS.items()
        for given in names.split()
    }
)
__all__ = sorted(NAMES)


class _Door(ModuleType):
    """This module. A function in a submodule of the same name stays visible when the submodule is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        is_hidden = isinstance(value, ModuleType) and NAMES.get(name, (__name__,))[0] != __name__
        if not is_hidden:
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}: expected one of dir(lab)"
        )
    module, attribute = NAMES[name]
    if module == __name__:
        return import_module(f"{module}.{attribute}")
    home = import_module(module)
    return (
        getattr(home, attribute)
        if hasattr(home, attribute)
        else import_module(f"{module}.{attribute}")
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES})
