"""`optimize` computes what the model in memory computes: wrapped, compiled, tied by hand, rounded."""

import warnings

import pytest
import torch
from torch import nn

import models
import tinyllm

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
PROMPT, MASK = models.ragged(61, (7, 4))
NEW = 6


def tokens(hf, **options):
    return hf.generate(
        PROMPT, attention_mask=MASK, max_new_tokens=NEW, do_sample=False, **options
    ).tolist()


def ours(hf, stage="final"):
    return tinyllm.optimize(hf, stage=stage).generate(PROMPT, MASK, max_new_tokens=NEW).tolist()


def compiled_layer(hf):
    hf.model.layers[1] = torch.compile(hf.model.layers[1], backend="eager")
    return hf


def compiled_forward(hf):
    hf.forward = torch.compile(hf.forward, backend="eager")
    return hf


def compiled_in_place(hf):
    hf.compile(backend="eager")
    return hf


def harmless_subclass(hf):
    class Named(type(hf)):
        """Adds to what it inherits, and replaces nothing."""

        def title(self):
            return "a title"

    hf.__class__ = Named
    return hf


def observed(hf):
    hf(PROMPT, output_hidden_states=True)  # transformers leaves its own hooks
    hf.gradient_checkpointing_enable()
    hf.enable_input_require_grads()
    return hf


def with_other_ends(hf):
    hf.config.pad_token_id = 5
    hf.config.use_cache = False
    return hf


def strided(hf):
    for name, parameter in hf.named_parameters():
        if parameter.ndim == 2:
            parameter.data = parameter.data.t().contiguous().t()
        elif "norm" in name:
            parameter.data = parameter.data.repeat_interleave(2)[::2]
    return hf


def shared_layers(hf):
    for part in ("up_proj", "down_proj"):
        first, second = (getattr(layer.mlp, part) for layer in hf.model.layers)
        second.weight = first.weight
    return hf


def tied_by_hand(hf):
    hf.lm_head.weight = hf.model.embed_tokens.weight
    return hf


def other_frequencies(hf):
    hf.model.rotary_emb.inv_freq *= 0.37
    return hf


FORMS = {
    "compiled": lambda hf: torch.compile(hf, backend="eager"),
    "compiled layer": compiled_layer,
    "compiled forward": compiled_forward,
    "compiled in place": compiled_in_place,
    "data parallel": nn.DataParallel,
    "compiled and parallel": lambda hf: torch.compile(nn.DataParallel(hf), backend="eager"),
    "harmless subclass": harmless_subclass,
    "observed": observed,
    "other ends": with_other_ends,
    "strided weights": strided,
    "layers that share weights": shared_layers,
    "tied by hand": tied_by_hand,
    "other frequencies": other_frequencies,
    "rounded": lambda hf: hf.to(torch.bfloat16).float(),
    "resized": lambda hf: (hf.resize_token_embeddings(70), hf)[1],
}


@pytest.mark.parametrize("form", FORMS)
def test_what_changes_no_token_is_taken(form):
    hf = models.tiny()
    changed = FORMS[form](hf)
    expected = tokens(hf, use_cache=True)
    for stage in tinyllm.STAGES:
        assert ours(changed, stage) == expected
    assert tokens(hf, use_cache=True) == expected  # transformers' model is usable still


def test_the_forms_matter():
    """Where the model in memory is another than its configuration's, the tokens are others too."""
    plain = tokens(models.tiny())
    for form in ("layers that share weights", "tied by hand", "other frequencies"):
        assert tokens(FORMS[form](models.tiny())) != plain


@every_stage
@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text", "phi3", "gpt_neox", "smollm3"])
def test_a_rounded_rotation_is_followed_in_every_family(kind, stage):
    hf = models.tiny(kind, hidden_size=40, head_dim=10).to(torch.float16).float()
    for name, buffer in hf.named_buffers():
        if name.endswith("inv_freq"):
            buffer *= 0.9 if "sliding" in name else 1.1
    ids, mask = models.ragged(61, (30, 21))
    found = tinyllm.optimize(hf, stage=stage)(ids, mask)[mask.bool()]
    models.close(found, models.logits_of(hf, ids, mask)[mask.bool()])


def test_a_rounded_table_of_gptj_is_refused():
    """Its sines are a table of every layer, which tinyllm computes anew."""
    assert ours(models.tiny("gptj")) == tokens(models.tiny("gptj"))
    tinyllm.optimize(models.tiny("gptj").to(torch.bfloat16))
    with pytest.raises(ValueError, match=r"embed_positions holds other numbers"):
        tinyllm.optimize(models.tiny("gptj").to(torch.bfloat16).float())


def test_another_stage_has_the_frequencies_of_the_model():
    from tinyllm.model import restage

    hf = other_frequencies(models.tiny())
    other = restage(tinyllm.optimize(hf, stage="naive"), tinyllm.STAGES["final"])
    assert other.generate(PROMPT, MASK, max_new_tokens=NEW).tolist() == tokens(hf)


@pytest.mark.parametrize("kind", ["opt", "llama"])
def test_dropout_in_training_mode_is_named_in_a_warning(kind):
    hf = models.tiny(kind, **({"attention_dropout": 0.3} if kind == "llama" else {"dropout": 0.1}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = ours(hf)
        assert ours(models.tiny(kind, dropout=0.0, attention_dropout=0.0).train()) == expected
    with pytest.warns(UserWarning, match=r"training mode and has dropout"):
        assert ours(hf.train()) == expected


@every_stage
def test_weights_edited_in_place_change_both(stage):
    hf = models.tiny()
    model = tinyllm.optimize(hf, stage=stage)
    before = tokens(hf)
    hf.model.layers[0].mlp.up_proj.weight.data.neg_()
    hf.lm_head.weight.data.roll(1)
    expected = tokens(hf)
    assert expected != before
    assert model.generate(PROMPT, MASK, max_new_tokens=NEW).tolist() == expected


def test_no_random_number_is_drawn_and_no_module_stays_changed():
    hf = models.tiny()
    torch.manual_seed(0)
    state = torch.get_rng_state()
    before = {name: type(part) for name, part in hf.named_modules()}
    tinyllm.optimize(hf)
    assert torch.equal(state, torch.get_rng_state())
    assert before == {name: type(part) for name, part in hf.named_modules()}
    assert nn.Linear(2, 2).weight.abs().sum() > 0  # torch initialises as before
