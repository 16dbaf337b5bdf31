"""Keys and values in int8: the tokens of transformers with a cache that rounds them, in half of the memory."""

import copy
import json
import pickle
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

import models
import tinyllm
from covering import every_triple
from tinyllm.cache import segment
from tinyllm.kernels import cpu
from tinyllm.model import restage
from tinyllm.ops import NAIVE
from tinyllm.runtime.native import unsupported_reason
from tinyllm.stages import STAGES

RESULTS = Path(__file__).parents[2] / "book" / "results"
VOCAB, NEW = 61, 12
MODELS = {
    "llama": {},
    "a window": {"kind": "mistral", "sliding_window": 5},
    "a window of the cache alone": {"kind": "llama", "sliding_window": 5},
    "gemma2": {"kind": "gemma2", "sliding_window": 5, "attn_logit_softcapping": 2.0},
    "qwen3": {"kind": "qwen3"},
    "gptj": {"kind": "gptj"},
    "gpt_neox": {"kind": "gpt_neox"},
    "bloom": {"kind": "bloom"},
    "opt": {"kind": "opt"},
}
SEARCHES = {
    "greedy": {},
    "4 beams": {"num_beams": 4, "num_return_sequences": 4},
    "sampling": {"do_sample": True, "temperature": 1.4, "num_return_sequences": 3},
}
BATCHES = {"even": (6, 6), "ragged": (2, 9, 5)}
WAYS = {
    "naive operations": replace(STAGES["segment"], ops=NAIVE),
    "segment": STAGES["segment"],
    "sdpa": STAGES["sdpa"],
    "final": STAGES["final"],
    "sdpa on torch": replace(STAGES["sdpa"], kernels="torch"),
    "sdpa on C++": replace(STAGES["sdpa"], kernels="cpu"),
}
few = pytest.mark.parametrize("way", ["segment", "sdpa on torch", "final"])


@cache
def hf(name):
    return models.tiny(seed=2, **MODELS[name])


@cache
def int8(name, way):
    return tinyllm.optimize(hf(name), stage=WAYS[way], kv_dtype="int8")


def answer(model, lengths, **options):
    ids, mask = models.ragged(VOCAB, lengths, seed=sum(lengths))
    torch.manual_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(
            ids, attention_mask=mask, **{"do_sample": False, "max_new_tokens": NEW} | options
        )


@cache
def expected(name, batch, search):
    """What transformers answers with a cache that rounds, computed once for all ways."""
    kept = models.rounding_cache(hf(name))
    return answer(hf(name), BATCHES[batch], past_key_values=kept, **SEARCHES[search]).tolist()


@every_triple(name=MODELS, way=WAYS, batch=BATCHES, search=SEARCHES)
def test_tokens_of_transformers_with_a_cache_that_rounds(name, way, batch, search):
    found = answer(int8(name, way), BATCHES[batch], **SEARCHES[search])
    assert found.tolist() == expected(name, batch, search)


def test_rounding_changes_tokens_of_these_models():
    exact = [answer(hf(name), BATCHES["ragged"], **SEARCHES["4 beams"]).tolist() for name in MODELS]
    rounded = [expected(name, "ragged", "4 beams") for name in MODELS]
    assert sum(one != other for one, other in zip(exact, rounded, strict=True)) >= 3


def test_the_native_step_serves():
    assert cpu.unavailable() is None
    model = int8("llama", "final")
    assert unsupported_reason(model) is None
    assert "SegmentCache, int8" in repr(model) and "native step" in repr(model)
    assert "int8" not in repr(tinyllm.optimize(hf("llama")))


@few
@pytest.mark.parametrize("search", SEARCHES)
def test_a_further_turn_is_a_fresh_call_on_the_text(way, search):
    model = int8("llama", way)
    first = answer(model, BATCHES["ragged"], return_dict_in_generate=True)
    new = torch.randint(0, VOCAB, (3, 4), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([first.sequences, new], dim=1)
    _, mask = models.ragged(VOCAB, BATCHES["ragged"])
    mask = torch.cat([mask, mask.new_ones(3, ids.shape[1] - mask.shape[1])], dim=1)
    how = {"attention_mask": mask, "max_new_tokens": NEW, "do_sample": False} | SEARCHES[search]
    found = []
    for kept in ({}, {"cache": first.past_key_values}):
        torch.manual_seed(7)
        found.append(model.generate(ids, **kept, **how).tolist())
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = hf("llama").generate(ids, past_key_values=models.rounding_cache(hf("llama")), **how)
    assert found == [right.tolist()] * 2


@few
def test_prompts_in_several_passes(way, monkeypatch):
    monkeypatch.setattr(segment, "MAX_PREFILL_TOKENS", 9)
    assert answer(int8("llama", way), BATCHES["ragged"]).tolist() == expected(
        "llama", "ragged", "greedy"
    )


@few
def test_ended_rows_leave_the_passes(way, monkeypatch):
    ends = {"eos_token_id": [3, 9, 11, 20, 31, 44], "pad_token_id": 1, "max_new_tokens": 24}
    how = ends | {"do_sample": True, "num_return_sequences": 5, "top_k": 0}
    model = int8("llama", way)
    right = answer(
        hf("llama"), (2, 9, 5), past_key_values=models.rounding_cache(hf("llama")), **how
    )
    compacted = []
    once = segment.SegmentCache.compact
    monkeypatch.setattr(
        segment.SegmentCache,
        "compact",
        lambda self, rows: compacted.append(len(rows)) or once(self, rows),
    )
    assert answer(model, (2, 9, 5), **how).tolist() == right.tolist()
    assert compacted


def test_samples_in_batches():
    model = int8("llama", "final")
    how = {"do_sample": True, "num_return_sequences": 6, "max_new_tokens": 9}
    right = answer(model, (7,), **how)
    few_bytes = next(budget for budget in range(1000, 10**6, 500) if fits(model, budget, how))
    assert answer(model, (7,), memory_budget=few_bytes, **how).tolist() == right.tolist()


def fits(model, budget, how):
    try:
        answer(model, (7,), memory_budget=budget, **how)
    except MemoryError:
        return False
    return True


def logits_of_steps(model, kept, ids, new):
    found = [model.step(ids, None, kept)]
    found += [model.step(new[:, i : i + 1], None, kept) for i in range(new.shape[1])]
    return torch.stack(found)


@few
def test_memory_that_grows(way):
    model = int8("llama", way)
    ids, _ = models.ragged(VOCAB, (6, 6))
    new = torch.randint(0, VOCAB, (2, 40), generator=torch.Generator().manual_seed(2))
    known = logits_of_steps(model, model.new_cache(2, 1, 40), ids, new)
    models.close(logits_of_steps(model, model.new_cache(2), ids, new), known)


@few
@pytest.mark.parametrize("twin", [copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_cache_and_of_a_model(way, twin):
    model = copy.deepcopy(int8("llama", way))
    assert answer(model, (6, 6)).tolist() == expected("llama", "even", "greedy")
    first = answer(model, (6, 6), return_dict_in_generate=True)
    ids = torch.cat([first.sequences, first.sequences[:, :3]], dim=1)
    how = {"max_new_tokens": 5, "do_sample": False}
    right = model.generate(ids, **how)
    other = twin(first.past_key_values)
    assert model.generate(ids, cache=other, **how).tolist() == right.tolist()
    assert model.generate(ids, cache=first.past_key_values, **how).tolist() == right.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_bytes(dtype):
    models_of = [
        tinyllm.optimize(models.tiny(head_dim=64).to(dtype), kv_dtype=kind)
        for kind in (None, "int8")
    ]
    caches = []
    for model in models_of:
        caches.append(answer(model, (6, 6), return_dict_in_generate=True).past_key_values)
    exact, rounded = (one.nbytes for one in caches)
    assert rounded * 64 * dtype.itemsize == exact * (64 + 4)
    assert all(x.is_contiguous() for layer in caches[1].layers for x in layer.response.tensors)


@few
def test_memory_is_that_of_the_first_answer(way):
    model = int8("llama", way)
    sizes = set()
    for _ in range(5):
        kept = answer(model, (6, 6), return_dict_in_generate=True, num_beams=3).past_key_values
        sizes.add((kept.nbytes, model.sessions.nbytes))
        answer(model, (6, 6), num_beams=3)
    assert len(sizes) == 1


def test_logits_are_near_the_exact_ones(smollm):
    """Stated for the default model: 4% of the logits' standard deviation in the mean, 20% at most, and 0.005 nats."""
    exact = restage(smollm, STAGES["sdpa"])
    rounded = restage(smollm, STAGES["sdpa"])
    rounded.kv_dtype = torch.int8
    text = "The keys and the values of a token are rounded when they are stored, all of them."
    ids = smollm.tokenizer(text, return_tensors="pt")["input_ids"]
    right, found = exact(ids), rounded(ids)
    difference = (found - right).abs() / right.std()
    assert 0 < difference.mean() < 0.04
    assert difference.max() < 0.2
    p, q = right.log_softmax(-1), found.log_softmax(-1)
    assert 0 < (p.exp() * (p - q)).sum(-1).mean() < 0.005


def test_what_cannot_be_is_refused():
    message = r"kv_dtype='int8' in the stage 'fused', whose ContiguousCache keeps no scales: "
    message += r"expected one of the stages \['segment', 'sdpa', 'final'\]"
    with pytest.raises(ValueError, match=message):
        tinyllm.optimize(hf("llama"), stage="fused", kv_dtype="int8")
    with pytest.raises(ValueError, match=message):
        tinyllm.from_pretrained(stage="fused", kv_dtype="int8")
    with pytest.raises(ValueError, match="kv_dtype 'int4' is unknown: expected 'int8', or None"):
        tinyllm.optimize(hf("llama"), kv_dtype="int4")
    with pytest.raises(ValueError, match="in the stage 'naive'"):
        restage(int8("llama", "final"), STAGES["naive"])


def test_a_cache_of_another_format_is_refused():
    model, other = int8("llama", "final"), tinyllm.optimize(hf("llama"))
    for one, two, held, wanted in (
        (model, other, "int8", "float32"),
        (other, model, "float32", "int8"),
    ):
        first = answer(one, (6, 6), return_dict_in_generate=True)
        ids = torch.cat([first.sequences, first.sequences[:, :3]], dim=1)
        message = rf"keys and values in torch\.{held}: expected torch\.{wanted}"
        with pytest.raises(ValueError, match=message):
            two.generate(ids, cache=first.past_key_values, max_new_tokens=3)


def test_stages_in_place_and_copies_keep_the_format():
    model = models.tiny(seed=2)
    right = expected("llama", "even", "greedy")
    tinyllm.optimize(model, inplace=True, kv_dtype="int8")
    assert answer(model, (6, 6)).tolist() == right
    assert answer(copy.deepcopy(model), (6, 6)).tolist() == right
    again = restage(int8("llama", "final"), STAGES["segment"])
    assert again.kv_dtype == torch.int8
    assert pickle.loads(pickle.dumps(again)).kv_dtype == torch.int8


def test_the_recorded_error_is_small():
    exact, rounded = json.loads((RESULTS / "kv-errors.json").read_text())
    assert [row["kv_dtype"] for row in (exact, rounded)] == ["float32", "int8"]
    assert exact["token_bytes"] * (64 + 4) == rounded["token_bytes"] * 64 * 4
    assert exact["divergence"] == 0 < rounded["divergence"] < 0.005
    assert abs(rounded["perplexity"] / exact["perplexity"] - 1) < 0.005
    assert rounded["same_top"] > 0.97
