"""The planner: what it says a call needs, against what is allocated; too large a call is refused."""

from dataclasses import replace
from functools import cache

import pytest
import torch

import models
import tinyllm
from covering import every_pair
from packed_models import packed_model
from tinyllm.cost.cache import costs_of
from tinyllm.cost.workload import Workload
from tinyllm.generation import memory
from tinyllm.generation.memory import CallShape, max_prompts, memory_need
from tinyllm.kernels import cpu
from tinyllm.lab.memory import peak_bytes
from tinyllm.lab.shapes import known_config
from tinyllm.runtime.device import size_as_text

CPU = torch.device("cpu")
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
WIDE = {
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
}
GROUPED = {
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}
CALLS = {
    "long prompt": CallShape(4, 256, 8),
    "beams": CallShape(4, 256, 8, copies=4, beams=True),
    "padded beams": CallShape(4, 256, 8, copies=4, padded=True, beams=True),
    "long answer": CallShape(2, 16, 28, copies=8, beams=True),
    "many prompts": CallShape(64, 8, 4),
    "many beams": CallShape(64, 8, 4, copies=4, beams=True),
    "samples": CallShape(8, 30, 12, copies=5),
}


def tiny(stage):
    return tinyllm.optimize(models.tiny(max_position_embeddings=512), stage=stage)


def on_cpu(call):
    """The call on torch's operations, which copy the paths of beams."""
    return replace(call, kernels="torch")


def carried_out(model, call):
    ids, mask = torch.ones(call.prompts, call.tokens, dtype=torch.int64), None
    if call.padded:
        mask = torch.ones_like(ids)
        mask[0, 0] = 0
    how = (
        {"num_beams": call.copies}
        if call.beams
        else {"do_sample": True, "num_return_sequences": call.copies}
    )
    return lambda: model.generate(ids, mask, max_new_tokens=call.new, **how)


SMALL_TABLE, LARGE_TABLE = WIDE | {"vocab_size": 1000}, GROUPED | {"vocab_size": 5000}
SIZES = {
    "wide": (torch.float32, SMALL_TABLE),
    "grouped in 16 bits": (torch.bfloat16, LARGE_TABLE),
}


@cache
def sized(size):
    dtype, shape = SIZES[size]
    return models.tiny(max_position_embeddings=512, num_hidden_layers=3, **shape).to(dtype)


def check_plan(model, call, most=2):
    """No more is allocated than is planned, and not much less."""
    planned = memory_need(model.stage, model.config, call, model.dtype.itemsize).total
    counted = peak_bytes(carried_out(model, call), CPU)
    figures = f"{size_as_text(planned)} planned, {size_as_text(counted)} counted"
    assert counted <= planned <= most * counted, figures


@every_pair(stage=tinyllm.STAGES, call=CALLS, size=SIZES)
def test_planned_is_what_is_allocated(stage, call, size):
    check_plan(tinyllm.optimize(sized(size), stage=stage), on_cpu(CALLS[call]))


@every_pair(stage=["segment", "sdpa", "final"], call=CALLS, size=SIZES)
def test_planned_is_what_is_allocated_with_keys_and_values_in_int8(stage, call, size):
    model = tinyllm.optimize(sized(size), stage=stage, kv_dtype="int8")
    call = replace(on_cpu(CALLS[call]), int8=True)
    # Planned are torch's operations: a native step, of at most 16 rows, needs neither copies nor paths.
    is_native = stage == "final" and call.prompts * call.copies <= cpu.MAX_ROWS
    check_plan(model, call, most=4 if is_native else 2)


def test_int8_holds_twice_the_prompts():
    """Of 16 bits, on kernels that read int8: a byte for each element, and 4 for each row of 128."""
    config, stage = known_config("llama-2-7b"), tinyllm.STAGES["final"]
    call = CallShape(1, 2048, 128, copies=4, beams=True)
    free = 40 << 30
    exact = max_prompts(stage, config, call, 2, free)
    rounded = max_prompts(stage, config, replace(call, int8=True), 2, free)
    assert 1.7 * exact < rounded <= 2 * exact
    work = Workload(1, 1, 2048 + 99, 2, copies=4, steps=99)
    held = costs_of(stage.cache).held_bytes
    layers = config.num_hidden_layers * config.num_key_value_heads
    slots = 2048 + 4 * 100
    index = (4 + 8) * 4 * 100
    assert held(config, work) == 2 * layers * slots * 2 * 128 + index
    assert held(config, replace(work, int8=True)) == 2 * layers * slots * (128 + 4) + index


FAMILIES = {"bloom": {}, "gemma2": {"sliding_window": 40}, "mistral": {"sliding_window": 40}}


@every_pair(
    stage=["naive", "segment", "final"],  # each cache, and captured steps
    kind=FAMILIES,
    call=["long prompt", "padded beams", "long answer"],
)
def test_what_other_families_hold_beside_it_is_planned_too(stage, kind, call):
    sizes = {"max_position_embeddings": 512, "num_hidden_layers": 3, "vocab_size": 1000}
    model = tinyllm.optimize(models.tiny(kind, **WIDE | sizes | FAMILIES[kind]), stage=stage)
    check_plan(model, on_cpu(CALLS[call]))


@pytest.mark.parametrize("stage", ["naive", "sdpa", "final"])
def test_packed_rows_that_are_dense_for_a_moment_are_planned_too(stage):
    """Of a short call they are the larger part."""
    sizes = WIDE | {"hidden_size": 256, "vocab_size": 1000}
    model = packed_model(models.tiny(max_position_embeddings=512, **sizes), stage)
    for name in ("one prompt", "long prompt", "many beams"):
        call = CALLS.get(name, CallShape(1, 20, 4))
        planned = memory_need(model.stage, model.config, call, 4, unpack_device="cpu").total
        counted = peak_bytes(carried_out(model, call), CPU)
        figures = f"{size_as_text(planned)} planned, {size_as_text(counted)} counted"
        assert counted <= planned <= 2 * counted, f"{name}: {figures}"


def test_budgets_count_what_is_unpacked(monkeypatch):
    """A call that fits beside dense weights does not fit where unpacked ones need the memory for a moment."""
    monkeypatch.setattr(memory, "free_bytes", lambda device: free)
    call = CallShape(1, 20, 4)
    sizes = WIDE | {"hidden_size": 256}
    for pack, fits in ((tinyllm.optimize, True), (packed_model, False)):
        model = pack(models.tiny(max_position_embeddings=512, **sizes), stage="naive")
        free = memory_need(model.stage, model.config, call, 4).total
        ids = torch.ones(1, 20, dtype=torch.int64)
        if fits:
            model.generate(ids, max_new_tokens=4)
        else:
            with pytest.raises(MemoryError, match="expected at most 0 prompts"):
                model.generate(ids, max_new_tokens=4)


def test_a_gpu_unpacks_a_matrix_at_a_time():
    """Here the head's, which is larger than those of a layer; a CPU unpacks 8 MB."""
    config = known_config("llama-2-7b")
    call = CallShape(1, 1024, 128)
    stage = tinyllm.STAGES["final"]
    dense, cpu, cuda = (
        memory_need(stage, config, call, 2, device).activations for device in (None, "cpu", "cuda")
    )
    decode = 12 * (4 << 20)
    logits = 2 * 32000
    assert cpu - dense == (8 << 20)
    assert cuda == 2 * 32000 * 4096 + decode + 2 * logits
    bytes_of_tile = 256 << 20
    wide = memory_need(stage, replace(config, vocab_size=256000), call, 2, "cuda").activations
    assert wide == bytes_of_tile + decode + 2 * 2 * 256000


def test_a_llama_of_four_beams_on_one_tile():
    """What the segment cache is for: the paper's case, 1024 tokens in, 128 out, on a tile of 64 GB."""
    config, call = known_config("llama-2-7b"), CallShape(1, 1024, 128, copies=4, beams=True)
    free = 64 * 10**9 - 13_476_839_424
    fit = {
        name: max_prompts(stage, config, call, 2, free) for name, stage in tinyllm.STAGES.items()
    }
    assert fit["naive"] == fit["fused"]
    assert fit["segment"] > 3 * fit["fused"]
    token = 2 * 2 * 32 * 4096
    assert (
        memory_need(tinyllm.STAGES["segment"], config, call, 2).keys_and_values // token
        == 1024 + 4 * 127
    )


def test_max_prompts_is_the_last_that_fits():
    stage, config, call = (
        tinyllm.STAGES["segment"],
        known_config("smollm2-135m"),
        CallShape(1, 128, 64, copies=4, beams=True),
    )
    least = memory_need(stage, config, call, 4).total
    for free in (0, least - 1, least, 7 * least, 10**9):
        most = max_prompts(stage, config, call, 4, free)
        needs = [
            memory_need(stage, config, replace(call, prompts=b), 4).total
            for b in (most, most + 1)
            if b
        ]
        fits = [one <= free for one in needs]
        assert fits == ([True, False] if most else [False])


@pytest.fixture
def little_memory(monkeypatch):
    """A device on which no more than so many prompts of a call fit."""

    def leave(model, call, prompts):
        fitting = replace(on_cpu(call), prompts=prompts)
        free = memory_need(model.stage, model.config, fitting, 4).total
        monkeypatch.setattr(memory, "free_bytes", lambda device: free)
        return free

    return leave


@every_stage
def test_too_large_a_call_is_refused_with_figures_before_any_work(stage, little_memory):
    model, ids = tiny(stage), torch.ones(5, 7, dtype=torch.int64)
    call = on_cpu(CallShape(5, 7, 6, copies=3, beams=True))
    free, steps = little_memory(model, call, 2), []
    model.register_forward_hook(steps.append)
    with pytest.raises(MemoryError) as caught:
        model.generate(ids, max_new_tokens=6, num_beams=3)
    said = str(caught.value)
    assert said.startswith("5 prompts of 7 tokens, 6 new ones for each of 3 sequences need ")
    assert str(memory_need(model.stage, model.config, call, 4)) in said
    assert (
        f"{size_as_text(free)} are free on cpu: expected at most 2 prompts; pass fewer, or split_batch=True"
        in said
    )
    assert steps == []
    assert model.generate(ids[:2], max_new_tokens=6, num_beams=3).shape == (2, 13)


@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"num_beams": 3, "num_return_sequences": 2}], ids=str
)
@every_stage
def test_split_batches_give_the_same_tokens(stage, how, little_memory):
    hf = models.tiny(seed=2)
    model = tinyllm.optimize(hf, stage=stage)
    ids, mask = models.ragged(61, (2, 5, 8, 3, 7), seed=8)
    options = how | {"max_new_tokens": 9, "eos_token_id": list(range(0, 61, 4)), "pad_token_id": 1}
    whole = model.generate(ids, mask, **options)
    little_memory(
        model, CallShape(5, 8, 9, how.get("num_beams", 1), padded=True, beams="num_beams" in how), 2
    )
    assert model.generate(ids, mask, split_batch=True, **options).tolist() == whole.tolist()


def test_what_cannot_be_split_says_so(little_memory):
    model, ids = tiny("segment"), torch.ones(5, 7, dtype=torch.int64)
    little_memory(model, CallShape(5, 7, 6), 2)
    with pytest.raises(
        ValueError,
        match="5 prompts do not fit at once and are answered in 3 batches: expected plain seq",
    ):
        model.generate(ids, max_new_tokens=6, split_batch=True, return_dict_in_generate=True)


def test_not_even_one(little_memory):
    model, ids = tiny("segment"), torch.ones(2, 7, dtype=torch.int64)
    little_memory(model, CallShape(1, 2, 1), 1)
    with pytest.raises(
        MemoryError,
        match="at most 0 prompts; pass a shorter prompt, or ask for fewer tokens or beams",
    ):
        model.generate(ids, max_new_tokens=50, split_batch=True)


def test_unknown_memory_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: None)
    assert tiny("segment").generate(
        torch.ones(2, 7, dtype=torch.int64), max_new_tokens=3
    ).shape == (2, 10)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("how", [{}, {"num_beams": 3}], ids=str)
def test_prompts_of_a_large_batch_come_in_parts(monkeypatch, padded, how):
    model = tiny("segment")
    ids, mask = models.ragged(61, (2, 5, 8, 3, 7), seed=8)
    mask = mask if padded else torch.ones_like(mask)
    whole, seen = model.generate(ids, mask, max_new_tokens=5, **how), []
    hook = model.layers[0].register_forward_pre_hook(
        lambda layer, args: seen.append(tuple(args[0].shape[:2]))
    )
    monkeypatch.setattr("tinyllm.cache.segment.MAX_PREFILL_TOKENS", 16)
    parts = model.generate(ids, mask, max_new_tokens=5, **how)
    hook.remove()
    assert parts.tolist() == whole.tolist()
    assert seen[:4] == [(2, 8), (2, 8), (1, 8), (5, how.get("num_beams", 1))]
