"""The families beside Llama against transformers: random tiny configurations of odd sizes, through every stage."""

import random
from functools import lru_cache

import pytest
import torch

import models
import tinyllm
from models import close, says
from tinyllm.measure.cost_model import layer_cost, pass_cost
from tinyllm.measure.counters import observe
from tinyllm.ops.cost import Workload

KINDS = ("phi3", "qwen2")
COUNT, NEW_TOKENS, LENGTHS = 10, 64, (1, 4, 9)
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
every_model = pytest.mark.parametrize(("kind", "index"), [(kind, i) for kind in KINDS for i in range(COUNT)])


def described(kind, index):
    """The configuration of one model: sizes that nothing divides, branches by the index."""
    rng = random.Random(f"{kind} {index}")
    kv_heads, group, d = rng.choice((1, 2, 3)), rng.choice((1, 2, 3, 5)), rng.choice((4, 6, 10, 16))
    heads = kv_heads * group
    rope = dict(models.ROPES[0])
    if kind == "phi3":
        rope["partial_rotary_factor"] = (1.0, 0.5)[index % 2]
        d = {6: 8, 10: 12}.get(d, d)  # half of a head must be pairs
    return {
        "vocab_size": rng.choice((37, 61, 97)),
        "hidden_size": heads * d,
        "intermediate_size": rng.choice((5, 23, 71)),
        "num_hidden_layers": rng.choice((1, 2, 3)),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 128,
        "rope_parameters": rope,
        "rms_norm_eps": rng.choice((1e-6, 1e-3)),
        "hidden_act": models.ACTIVATIONS[index % len(models.ACTIVATIONS)],
        "tie_word_embeddings": index % 3 == 0,
    }


@lru_cache(maxsize=len(KINDS) * COUNT)
def case(kind, index):
    """A model, a ragged batch, and what transformers makes of it: logits, greedy tokens, four beams."""
    hf = models.tiny(kind, seed=index, **described(kind, index))
    ids, mask = models.ragged(hf.config.vocab_size, LENGTHS, seed=index)
    options = {"attention_mask": mask, "max_new_tokens": NEW_TOKENS, "do_sample": False}
    with torch.no_grad():
        logits = hf(ids, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(min=0)).logits
    return hf, (ids, mask), logits, hf.generate(ids, **options), hf.generate(ids, **options, num_beams=4)


@every_stage
@every_model
def test_logits_and_tokens_of_a_ragged_batch(kind, index, stage):
    hf, (ids, mask), logits, greedy, beams = case(kind, index)
    model = tinyllm.optimize(hf, stage=stage)
    close(model(ids, mask)[mask.bool()], logits[mask.bool()])
    assert model.generate(ids, mask, max_new_tokens=NEW_TOKENS).tolist() == greedy.tolist()
    assert model.generate(ids, mask, max_new_tokens=NEW_TOKENS, num_beams=4).tolist() == beams.tolist()


@every_stage
@pytest.mark.parametrize(("kind", "index"), [("phi3", 0), ("phi3", 1), ("qwen2", 0)])
@pytest.mark.parametrize("work", [Workload(2, 5, 0, 4), Workload(2, 1, 7, 4)], ids=["prompt", "step"])
def test_prediction_equals_count(kind, index, work, stage):
    model = tinyllm.optimize(models.tiny(kind, **described(kind, index)), stage=stage)
    cache = model.new_cache(work.batch, 1, 4)
    if work.held:
        model.step(torch.ones(work.batch, work.held, dtype=torch.int64), None, cache)
    seen = observe(model, torch.ones(work.batch, work.tokens, dtype=torch.int64), None, cache)
    assert seen.layer == layer_cost(model.stage, model.config, work)
    assert seen.total == pass_cost(model.stage, model.config, work)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_shared_and_none_is_held_twice(kind):
    hf = models.tiny(kind, hidden_size=64, vocab_size=61)
    before = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in hf.parameters()}
    model = tinyllm.optimize(hf)
    held = [x.untyped_storage() for x in (*hf.parameters(), *model.parameters())]
    after = {storage.data_ptr(): storage.nbytes() for storage in held}
    assert sum(after.values()) <= 1.05 * sum(before.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_checkpoint_is_read(kind, tmp_path):
    hf = models.tiny(kind, seed=3)
    hf.save_pretrained(tmp_path, max_shard_size="20KB")
    model, ids = tinyllm.from_pretrained(tmp_path, device="cpu", dtype="float32"), torch.tensor([[3, 1, 4, 1, 5]])
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert (
        model.generate(ids, max_new_tokens=9).tolist() == hf.generate(ids, max_new_tokens=9, do_sample=False).tolist()
    )


def test_what_they_have_and_we_do_not_is_refused_by_name():
    window = "sliding_window=8 is not supported: expected a model without one"
    says(ValueError, window, lambda: tinyllm.optimize(models.tiny("phi3", sliding_window=8)))
    used = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
    says(ValueError, window, lambda: tinyllm.optimize(models.tiny("qwen2", **used)))
