"""The families beside Llama against transformers: random tiny configurations of odd sizes, through every stage."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import models
import tinyllm
from models import close, says
from tinyllm import families
from tinyllm.cost.model import layer_cost, least_bytes, pass_cost
from tinyllm.cost.workload import Workload
from tinyllm.lab.counters import observe

# Every head has keys of its own, and heads divide the width; or the size of a head is a field of its own.
OF_ONE_SIZE, FREE_HEADS = (
    ("gptj", "gpt_neox", "opt", "bloom"),
    ("ministral", "qwen3", "gemma2", "gemma3_text"),
)
EXAMPLES, BEAM_TOKENS, LENGTHS = 2, 8, (1, 4, 9)


@st.composite
def drawn(draw, kind, branch):
    """A model of sizes that nothing divides, and a ragged batch."""
    one_of = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    d, seed = one_of(4, 8, 12, 16), draw(st.integers(0, 2**31))
    kv_heads, group = (
        (one_of(1, 2, 3, 5), 1) if kind in OF_ONE_SIZE else (one_of(1, 2, 3), one_of(1, 2, 3, 5))
    )
    heads = models.BRANCHES[kind][branch].get("num_attention_heads", kv_heads * group)
    sizes = {
        "vocab_size": one_of(37, 61, 97),
        "hidden_size": heads * (one_of(3, 5, 7) if kind in FREE_HEADS else d),
        "intermediate_size": one_of(5, 23, 71),
        "num_hidden_layers": one_of(2, 3)
        if "sliding_window" in models.BRANCHES[kind][branch]
        else one_of(1, 2, 3),
        "num_attention_heads": heads,
        "num_key_value_heads": heads if kind in OF_ONE_SIZE else kv_heads,
        "max_position_embeddings": 128,
        "tie_word_embeddings": draw(st.booleans()),
    }
    sizes |= {"head_dim": d} if kind in FREE_HEADS else {}
    sizes |= {"hidden_act": one_of(*models.ACTIVATIONS)} if not kind.startswith("gemma") else {}
    hf = models.tiny(kind, seed=seed, **sizes | models.BRANCHES[kind][branch])
    return hf, *models.ragged(hf.config.vocab_size, LENGTHS, seed=seed)


@models.every_branch
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_logits_and_tokens_of_a_ragged_batch(kind, branch, data):
    hf, ids, mask = data.draw(drawn(kind, branch))
    logits = models.logits_of(hf, ids, mask)
    window = models.BRANCHES[kind][branch].get("sliding_window", 0)
    ways = ({"max_new_tokens": window + 8}, {"max_new_tokens": BEAM_TOKENS, "num_beams": 4})
    expected = [
        hf.generate(ids, attention_mask=mask, do_sample=False, **way).tolist() for way in ways
    ]
    for stage in tinyllm.STAGES:
        model = tinyllm.optimize(hf, stage=stage)
        close(model(ids, mask)[mask.bool()], logits[mask.bool()])
        for way, answer in zip(ways, expected, strict=True):
            mine = model.generate(ids, mask, **way).tolist()
            assert mine == answer or models.tied(hf, ids, mask, answer, do_sample=False, **way), (
                stage
            )


def test_a_tie_is_told_from_a_difference():
    """What excuses other tokens: all scores alike, and nothing else."""
    hf, (ids, mask) = (
        models.tiny("llama", tie_word_embeddings=False),
        models.ragged(61, LENGTHS, seed=0),
    )
    for way in ({"max_new_tokens": 9}, {"max_new_tokens": 9, "num_beams": 4}):
        answer = hf.generate(ids, attention_mask=mask, do_sample=False, **way).tolist()
        assert not models.tied(hf, ids, mask, answer, do_sample=False, **way)
    hf.lm_head.weight.data[:] = hf.lm_head.weight[0]
    answer = hf.generate(ids, attention_mask=mask, do_sample=False, **way).tolist()
    assert models.tied(hf, ids, mask, answer, do_sample=False, **way)


WORKS = {  # a pass, and how many steps the cache has taken before it
    "padded prompt": Workload(2, 7, 0, 4, padded=True),
    "step": Workload(2, 1, 7, 4),
    "padded, after two steps": Workload(2, 1, 9, 4, padded=True, steps=2, reserved_steps=4),
    "three padded beams": Workload(2, 1, 9, 4, padded=True, steps=2, copies=3, reserved_steps=4),
    "three padded samples": Workload(
        2, 1, 9, 4, padded=True, steps=2, copies=3, reserved_steps=4, independent=True
    ),
    "three samples, one step": Workload(2, 1, 7, 4, copies=3, reserved_steps=1, independent=True),
}
SHARED = [
    stage for stage in tinyllm.STAGES if stage not in ("naive", "fused")
]  # their beams share a prompt


def stage_of(case, number):
    """Of a family's case and a work, by their numbers: each case meets every stage, and so does each work."""
    if list(WORKS.values())[number].copies > 1:
        return SHARED[(case + number) % 3]
    return ["naive", "fused", SHARED[case // 3 % 3]][(case + number) % 3]


def test_every_stage_is_met():
    cases, numbers = range(len(models.CASES)), range(len(WORKS))
    for case in cases:
        assert {stage_of(case, number) for number in numbers} == set(tinyllm.STAGES)
    for number, work in enumerate(WORKS.values()):
        stages = set(tinyllm.STAGES) if work.copies == 1 else set(SHARED)
        assert {stage_of(case, number) for case in cases} == stages


@pytest.mark.parametrize("work", WORKS)
@models.every_branch
def test_prediction_equals_count(kind, branch, work):
    stage = stage_of(models.CASES.index((kind, branch)), list(WORKS).index(work))
    work = WORKS[work]
    sizes = {"hidden_size": 48, "num_hidden_layers": 4}  # the last layer finds its masks made
    hf = models.tiny(kind, **models.BRANCHES[kind][branch] | sizes)
    model = tinyllm.optimize(hf, stage=stage)
    reserved = work.reserved_steps or 4
    cache = model.new_cache(work.batch, work.copies, reserved, independent=work.independent)
    mask = None
    ones = lambda tokens: torch.ones(work.batch, tokens, dtype=torch.int64)  # noqa: E731
    if work.padded:
        mask = ones(work.held - work.steps or work.tokens)
        mask[0, :3] = 0
    if work.held:
        model.step(ones(work.held - work.steps), mask, cache)
        mask = None
    for _ in range(work.steps):
        model.step(ones(work.copies), None, cache)
    seen = observe(model, ones(work.tokens * work.copies), mask, cache)
    assert seen.total == pass_cost(model.stage, model.config, work), stage
    one_kind = (
        len(model.config.kinds) == 1
    )  # else FLOPs, counted for all layers together, are those of none
    expected = layer_cost(model.stage, model.config, work, model.config.kind_of_layer[-1])
    assert seen.layer == (expected if one_kind else replace(expected, flops=seen.layer.flops)), (
        stage
    )


@models.every_branch
def test_the_limit_is_what_the_last_stage_reads(kind, branch):
    """Of weights, keys and values; a row of a tied table is read by the head anyway, a shared norm twice."""
    config = tinyllm.optimize(
        models.tiny(kind, **models.BRANCHES[kind][branch] | {"hidden_size": 48})
    ).config
    for work in (
        Workload(2, 1, 45, 2, kernels="triton"),
        Workload(2, 1, 45, 2, copies=3, steps=3, kernels="triton"),
    ):
        cost = pass_cost(tinyllm.STAGES["final"], config, work)
        again = (
            work.rows * config.tie_word_embeddings
            + 2 * config.num_hidden_layers * config.shared_norm
        )
        assert (
            least_bytes(config, work)
            == cost.weights + cost.kv_read - work.size * config.hidden_size * again
        )


@models.every_branch
def test_weights_are_shared_and_none_is_held_twice(kind, branch):
    hf = models.tiny(kind, **models.BRANCHES[kind][branch] | {"hidden_size": 96})
    before = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in hf.parameters()}
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    answer = hf.generate(ids, max_new_tokens=9, do_sample=False).tolist()
    model = tinyllm.optimize(hf)
    held = [x.untyped_storage() for x in (*hf.parameters(), *model.parameters())]
    after = {storage.data_ptr(): storage.nbytes() for storage in held}
    assert sum(after.values()) <= 1.05 * sum(before.values())
    assert hf.generate(ids, max_new_tokens=9, do_sample=False).tolist() == answer  # it still works


@models.every_branch
def test_a_saved_checkpoint_is_read(kind, branch, tmp_path):
    hf = models.tiny(kind, seed=3, **models.BRANCHES[kind][branch] | {"hidden_size": 48})
    hf.save_pretrained(tmp_path, max_shard_size="20KB")
    model, ids = (
        tinyllm.from_pretrained(tmp_path, device="cpu", dtype="float32"),
        torch.tensor([[3, 1, 4, 1, 5]]),
    )
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert (
        model.generate(ids, max_new_tokens=9).tolist()
        == hf.generate(ids, max_new_tokens=9, do_sample=False).tolist()
    )


@models.every_branch
def test_sixteen_bits_cost_no_more_than_in_transformers(kind, branch):
    changes = models.BRANCHES[kind][branch] | {"hidden_size": 96, "num_hidden_layers": 3}
    hf, (ids, mask) = models.tiny(kind, **changes), models.ragged(61, (30, 20), seed=2)
    exact = models.logits_of(hf, ids, mask)[mask.bool()]
    hf = hf.to(torch.bfloat16)
    error = lambda logits: (logits[mask.bool()].float() - exact).square().mean().sqrt()  # noqa: E731
    theirs = error(models.logits_of(hf, ids, mask))
    for stage in tinyllm.STAGES:
        assert error(tinyllm.optimize(hf, stage=stage)(ids, mask)) <= 1.5 * theirs, stage


OLD_NAMES = {
    "bloom": {"transformer.": ""},
    "opt": {"model.decoder.": "decoder."},
    "gpt_neox": {"lm_head.": "embed_out."},
}


@pytest.mark.parametrize("kind", OLD_NAMES)
def test_names_of_older_checkpoints_are_known(kind, tmp_path):
    from safetensors.torch import load_file, save_file

    hf = models.tiny(kind, seed=4)
    hf.save_pretrained(tmp_path)
    path, ((today, old),) = tmp_path / "model.safetensors", OLD_NAMES[kind].items()
    stored = load_file(path)
    renamed = {
        old + name.removeprefix(today) if name.startswith(today) else name: tensor
        for name, tensor in stored.items()
    }
    save_file(renamed, path)
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    close(
        tinyllm.from_pretrained(tmp_path, device="cpu", dtype="float32")(ids),
        models.logits_of(hf, ids),
    )


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (
            "opt",
            {"do_layer_norm_before": False},
            "do_layer_norm_before=False is not supported: expected True",
        ),
        (
            "opt",
            {"word_embed_proj_dim": 16},
            "word_embed_proj_dim=16 is not supported: expected 32",
        ),
        (
            "bloom",
            {"apply_residual_connection_post_layernorm": True},
            "apply_residual_connection_post_layernorm=True is not supported: expected False",
        ),
        (
            "gemma3_text",
            {"use_bidirectional_attention": True},
            "use_bidirectional_attention=True is not supported: expected None",
        ),
    ],
)
def test_what_they_have_and_we_do_not_is_refused_by_name(kind, changes, message):
    hf = models.tiny(kind, **changes)
    says(ValueError, message, lambda: tinyllm.optimize(hf))


def test_the_family_that_the_contributors_page_adds(monkeypatch):
    page = (Path(__file__).parents[2] / "book" / "adding_a_family.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert len(code.strip().splitlines()) <= 36
    monkeypatch.setattr(families, "registered", lambda: (names["STARCODER2"],))
    hf = models.tiny("starcoder2", sliding_window=6)
    ids, mask = models.ragged(61, LENGTHS, seed=1)
    greedy = hf.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False).tolist()
    for stage in tinyllm.STAGES:
        assert (
            tinyllm.optimize(hf, stage=stage).generate(ids, mask, max_new_tokens=20).tolist()
            == greedy
        ), stage
