"""Which layers have a window: what each class in transformers reads of a configuration, and what it ignores."""

import pytest
import torch

import models
import tinyllm
from models import KINDS, close, says
from tinyllm.config import LayerKind

WITHOUT_WINDOW = ("llama", "gptj", "gpt_neox", "opt")
ONE_WINDOW = ("mistral", "phi3")
BY_LAYER = ("ministral", "qwen2", "qwen3", "gemma2", "gemma3_text", "smollm3")
WAYS = ({"max_new_tokens": 9}, {"max_new_tokens": 6, "num_beams": 3})
HIDDEN, SHOWN = ["sliding_attention"] * 2, ["full_attention"] * 2


def same_as_transformers(kind, lengths=(9, 4), ways=WAYS, **changes):
    """Logits and tokens of a ragged batch, through every stage."""
    changes = {"hidden_size": 48} | changes
    hf, (ids, mask) = models.tiny(kind, seed=5, **changes), models.ragged(61, lengths, seed=5)
    logits = models.logits_of(hf, ids, mask)
    answers = [
        hf.generate(ids, attention_mask=mask, do_sample=False, **way).tolist() for way in ways
    ]
    for stage in tinyllm.STAGES:
        model = tinyllm.optimize(hf, stage=stage)
        close(model(ids, mask)[mask.bool()], logits[mask.bool()])
        for way, answer in zip(ways, answers, strict=True):
            assert model.generate(ids, mask, **way).tolist() == answer, stage
    return tinyllm.optimize(hf).config


@pytest.mark.parametrize("kind", WITHOUT_WINDOW)
def test_a_window_of_the_cache_alone(kind):
    """A field that the attention ignores: transformers' cache reads it, and drops keys after the prompt."""
    config = same_as_transformers(kind, sliding_window=4)
    assert config.kinds[0].window == 4
    assert config.kinds[0].windowed_cache


@pytest.mark.parametrize("kind", WITHOUT_WINDOW)
def test_layer_types_decide_before_the_window(kind):
    config = same_as_transformers(kind, sliding_window=4, layer_types=SHOWN)
    assert config.kinds[0].window is None
    config = same_as_transformers(kind, sliding_window=5, layer_types=HIDDEN)
    assert config.kinds[0].window == 5


def test_a_window_of_the_cache_under_alibi():
    """Of one prompt: with padding, transformers adds a bias of the text's length to keys of the cache's, an error."""
    same_as_transformers("bloom", lengths=(9,), ways=WAYS[:1], sliding_window=4)
    hf, (ids, mask) = models.tiny("bloom", sliding_window=4), models.ragged(61, (9, 4))
    with pytest.raises(RuntimeError, match="must match the existing size"):
        hf.generate(ids, attention_mask=mask, max_new_tokens=2)


@pytest.mark.parametrize("kind", ["llama", *ONE_WINDOW])
def test_a_chunk_is_a_window_of_the_cache(kind):
    (found,) = same_as_transformers(kind, attention_chunk_size=4, sliding_window=None).kinds
    assert (found.window, found.windowed_cache) == (4, True)


@pytest.mark.parametrize("stage", tinyllm.STAGES)
def test_a_further_turn_sees_what_the_cache_has_kept(stage):
    hf = models.tiny("llama", seed=6, sliding_window=4)
    ids, _ = models.ragged(61, (9,), seed=6)
    more, _ = models.ragged(61, (5,), seed=7)
    model = tinyllm.optimize(hf, stage=stage)
    answers = []
    kept = {"return_dict_in_generate": True, "output_logits": True, "max_new_tokens": 6}
    for answering, way in ((hf, {"do_sample": False}), (model, {})):
        first = answering.generate(ids, **kept, **way)
        turn = torch.cat([first.sequences, more], dim=1)
        cache = first.past_key_values
        answers.append(answering.generate(turn, past_key_values=cache, **kept, **way))
    theirs, ours = answers
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    close(torch.stack(ours.logits), torch.stack(theirs.logits))


@pytest.mark.parametrize("kind", ONE_WINDOW)
def test_one_window_in_all_layers(kind):
    assert same_as_transformers(kind, sliding_window=4).kinds[0].window == 4
    assert same_as_transformers(kind, sliding_window=4, layer_types=SHOWN).kinds[0].window == 4


@pytest.mark.parametrize("kind", BY_LAYER)
def test_layer_types_name_the_windows(kind):
    sizes = {"num_hidden_layers": 2, "sliding_window": 4, "use_sliding_window": True}
    config = same_as_transformers(
        kind, layer_types=["full_attention", "sliding_attention"], **sizes
    )
    assert [config.kinds[i].window for i in config.kind_of_layer] == [None, 4]


def test_smollm3_ignores_the_switch_where_layer_types_are_given():
    config = same_as_transformers(
        "smollm3", layer_types=HIDDEN, sliding_window=4, use_sliding_window=False
    )
    assert {kind.window for kind in config.kinds} == {4}


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
def test_qwen_has_a_window_only_where_it_is_switched_on(kind):
    config = same_as_transformers(kind, sliding_window=4, max_window_layers=0)
    assert {kind.window for kind in config.kinds} == {None}


def test_fields_of_other_families_are_not_read():
    assert not same_as_transformers("mistral", attention_bias=True, mlp_bias=True).qkv_bias
    assert not same_as_transformers("qwen2", attention_bias=False, mlp_bias=True).mlp_bias
    assert same_as_transformers("gptj", head_dim=4, num_key_value_heads=2).head_dim == 12
    assert not same_as_transformers("gemma3_text", attn_logit_softcapping=3.0).score_softcap


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma2"])
def test_a_window_longer_than_any_context_is_none(kind):
    hf = models.tiny(kind, sliding_window=2**63)
    assert {kind.window for kind in tinyllm.optimize(hf).config.kinds} == {None}


@pytest.mark.parametrize("window", [0, -1, True, 2.5])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma2"])
def test_a_window_of_no_tokens_is_refused(kind, window):
    hf = models.tiny(kind)
    object.__setattr__(hf.config, "sliding_window", window)
    message = f"sliding_window={window!r}: expected a number of tokens, 1 or more"
    says(ValueError, message, lambda: tinyllm.optimize(hf))


@pytest.mark.parametrize("kind", ["llama", "bloom", *ONE_WINDOW, "gemma2"])
def test_a_window_of_one_token_is_refused(kind):
    """transformers' cache keeps all tokens then, and its mask shows them."""
    hf = models.tiny(kind, sliding_window=1)
    message = "sliding_window=1 is not supported: expected 2 tokens or more"
    says(ValueError, message, lambda: tinyllm.optimize(hf))


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_of_two_tokens(kind):
    """The shortest that there is: a query sees its own token and the one before."""
    own = {"lengths": (9,), "ways": WAYS[:1]} if kind == "bloom" else {}
    if kind in BY_LAYER:
        own |= {"use_sliding_window": True, "layer_types": ["sliding_attention", "full_attention"]}
    config = same_as_transformers(kind, sliding_window=2, **own)
    assert config.kinds[0].window == 2


def test_a_layer_of_no_tokens_is_refused():
    message = "window=0: expected a number of tokens, 1 or more"
    says(ValueError, message, lambda: LayerKind(None, 0))


def test_layers_that_differ_where_attention_has_no_window():
    hf = models.tiny("llama", sliding_window=4)
    hf.config.layer_types = ["full_attention", "sliding_attention"]
    message = (
        f"layer_types={hf.config.layer_types!r}: expected none, or all of them 'full_attention'"
    )
    says(ValueError, message, lambda: tinyllm.optimize(hf))
