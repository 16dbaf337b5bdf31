"""`optimize` refuses a model that computes something else than its configuration, and names what differs."""

import functools

import pytest
import torch
import transformers
from torch import nn
from torch.nn.utils import parametrize, prune

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


def layer(hf):
    return hf.get_decoder().layers[0]


def replaced(name, make):
    """The model with a module of its first layer replaced by one made of it."""

    def change(hf):
        parent, _, child = name.rpartition(".")
        place = layer(hf).get_submodule(parent)
        setattr(place, child, make(getattr(place, child)))

    return change


def assigned(name, value):
    def change(hf):
        parent, _, child = name.rpartition(".")
        setattr(hf.get_submodule(parent), child, value)

    return change


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Linear4bit(nn.Linear):
    def forward(self, x):
        return super().forward(x)


class QuantLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("qweight", torch.zeros(4, 4, dtype=torch.int32))


class Adapted(nn.Module):
    """A matrix with a low-rank update, as adapters wrap it."""

    def __init__(self, base_layer):
        super().__init__()
        self.base_layer = base_layer
        self.lora_A = nn.Linear(base_layer.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, base_layer.out_features, bias=False)

    def forward(self, x):
        return self.base_layer(x) + self.lora_B(self.lora_A(x))


class Negated(nn.Module):
    def forward(self, x):
        return -x


class MarkedTensor(torch.Tensor):
    pass


def doubled(linear):
    twice = Doubled(linear.in_features, linear.out_features, bias=linear.bias is not None)
    twice.load_state_dict(linear.state_dict())
    return twice


def hooked(where, register):
    def change(hf):
        getattr(hf.get_submodule(where), register)(lambda module, *args: None)

    return change


def patched(hf):
    mlp = layer(hf).mlp
    mlp.forward = lambda x: type(mlp).forward(mlp, x) * 3


def marked(hf):
    weight = layer(hf).mlp.up_proj.weight
    layer(hf).mlp.up_proj.weight = nn.Parameter(
        weight.data.as_subclass(MarkedTensor), requires_grad=False
    )


def of_a_subclass(hf):
    class Louder(type(hf)):
        def forward(self, *args, **kwargs):
            return super().forward(*args, **kwargs)

    hf.__class__ = Louder


def dispatched(hf):
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module

    add_hook_to_module(layer(hf), AlignDevicesHook(execution_device="cpu"))


def own_attention(hf):
    def attention(*args, **kwargs):
        raise AssertionError("never called")

    transformers.AttentionInterface.register("of_a_test", attention)
    hf.config._attn_implementation = "of_a_test"


ATTENTION = "model.layers.0.self_attn"
MLP = "model.layers.0.mlp"
CHANGES = {
    **{
        f"{register.removeprefix('register_')} on {where}": (hooked(where, register), where, "hook")
        for register in ("register_forward_hook", "register_forward_pre_hook")
        for where in (
            "lm_head",
            "model.embed_tokens",
            "model.norm",
            "model.layers.1",
            ATTENTION,
            MLP,
            f"{MLP}.down_proj",
            f"{MLP}.act_fn",
            "model",
        )
    },
    "forward of a module": (patched, MLP, "'forward'"),
    "subclass of the model": (of_a_subclass, "hf_model is a", "Louder"),
    "subclass of a matrix": (replaced("mlp.up_proj", doubled), f"{MLP}.up_proj", "Doubled"),
    "activation": (replaced("mlp.act_fn", lambda old: nn.ReLU()), f"{MLP}.act_fn", "ReLU"),
    "activation of one's own": (
        replaced("mlp.act_fn", lambda old: Negated()),
        f"{MLP}.act_fn",
        "Negated",
    ),
    "norm left out": (
        replaced("input_layernorm", lambda old: nn.Identity()),
        "input_layernorm",
        "Identity",
    ),
    "part taken away": (replaced("mlp", lambda old: None), MLP, "NoneType"),
    "scale of the scores": (assigned(f"{ATTENTION}.scaling", 0.5), f"{ATTENTION}.scaling", "0.5"),
    "scale as a tensor": (
        assigned(f"{ATTENTION}.scaling", torch.tensor(0.5)),
        f"{ATTENTION}.scaling",
        "tensor(0.5",
    ),
    "epsilon": (assigned("model.norm.variance_epsilon", 0.5), "model.norm.variance_epsilon", "0.5"),
    "factor of the rotation": (
        assigned("model.rotary_emb.attention_scaling", 1.5),
        "rotary_emb.attention_scaling",
        "1.5",
    ),
    "layers exchanged": (
        lambda hf: assigned("model.layers", nn.ModuleList(reversed(hf.model.layers)))(hf),
        "layer_idx",
        "expected 0",
    ),
    "layer taken away": (
        lambda hf: hf.model.layers.pop(1),
        "model.layers holds 1 layers",
        "num_hidden_layers",
    ),
    "configuration with fewer layers": (
        lambda hf: setattr(hf.config, "num_hidden_layers", 1),
        "model.layers holds 2 layers",
        "num_hidden_layers",
    ),
    "attention in both directions": (
        lambda hf: setattr(hf.config, "is_causal", False),
        "is_causal=False",
        "expected True",
    ),
    "encoder and decoder": (
        lambda hf: setattr(hf.config, "is_encoder_decoder", True),
        "is_encoder_decoder=True",
        "expected False",
    ),
    "adapter": (replaced("mlp.up_proj", Adapted), f"{MLP}.up_proj", "merge_and_unload"),
    "4 bits": (replaced("mlp.up_proj", lambda x: Linear4bit(32, 48, bias=False)), "Linear4bit", "quantised"),
    "quantised module": (
        replaced("mlp.up_proj", lambda x: QuantLinear()),
        "QuantLinear",
        "quantization_config",
    ),
    "tensor of another class": (marked, f"{MLP}.up_proj.weight", "MarkedTensor"),
    "parametrized weight": (
        lambda hf: parametrize.register_parametrization(layer(hf).mlp.up_proj, "weight", Negated()),
        f"{MLP}.up_proj",
        "remove_parametrizations",
    ),
    "pruned weight": (
        lambda hf: prune.l1_unstructured(layer(hf).mlp.up_proj, "weight", amount=0.5),
        f"{MLP}.up_proj has no parameter 'weight'",
        "permanent",
    ),
    "hook of accelerate": (dispatched, "model.layers.0", "accelerate"),
    "attention of one's own": (own_attention, "of_a_test", "attention"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_is_refused_by_the_name_of_the_change(change):
    act, *words = CHANGES[change]
    hf = models.tiny()
    tinyllm.optimize(hf)
    act(hf)
    before = {name: p.data_ptr() for name, p in hf.named_parameters()}
    with pytest.raises(ValueError) as refused:
        tinyllm.optimize(hf)
    assert all(word in str(refused.value) for word in words), str(refused.value)
    assert before == {name: p.data_ptr() for name, p in hf.named_parameters()}


@pytest.mark.parametrize("kind", ["gptj", "gemma2", "bloom", "opt", "gpt_neox"])
def test_a_changed_constant_is_refused_in_every_family(kind):
    hf = models.tiny(kind)
    names = (
        "scaling",
        "inv_norm_factor",
        "scale_attn",
    )  # GPT-J's had the last to transformers 5.23
    part, name = next((part, n) for part in hf.modules() for n in names if n in vars(part))
    setattr(part, name, 0.123)
    with pytest.raises(ValueError, match=rf"{name} is 0\.123: expected"):
        tinyllm.optimize(hf)


def test_hooks_on_all_modules_are_refused():
    hf = models.tiny()
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, out: None)
    try:
        with pytest.raises(ValueError, match="torch has a forward hook"):
            tinyllm.optimize(hf)
    finally:
        handle.remove()
    assert ours(hf) == tokens(hf)


@every_stage
def test_hooks_on_all_modules_are_called_afterwards(stage):
    model = tinyllm.optimize(models.tiny(), stage=stage)
    seen = []
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, args, out: seen.append(type(module).__name__)
    )
    try:
        model.generate(PROMPT, MASK, max_new_tokens=3)
    finally:
        handle.remove()
    assert seen.count("DecoderLayer") == 3 * 2


@pytest.mark.parametrize("place", ["class", "wrapped", "file"])
def test_functions_patched_for_all_models_are_refused(monkeypatch, place):
    from transformers.models.llama import modeling_llama

    def forward(self, x):
        return x

    target = modeling_llama if place == "file" else modeling_llama.LlamaMLP
    name = "apply_rotary_pos_emb" if place == "file" else "forward"
    mine = functools.wraps(getattr(target, name))(forward) if place == "wrapped" else forward
    hf = models.tiny()
    monkeypatch.setattr(target, name, mine)
    with pytest.raises(ValueError, match=f"{name} is replaced by"):
        tinyllm.optimize(hf)


def test_other_classes_are_refused_with_the_one_that_is_expected():
    config = models.tiny().config
    peft = type("PeftModelForCausalLM", (nn.Module,), {"config": config})()
    bare = type("PeftModel", (nn.Module,), {})()
    scores = transformers.LlamaForSequenceClassification(config)
    for given, word in (
        (models.tiny().model, "LlamaModel"),
        (scores, "LlamaForSequenceClassification"),
        (peft, "merge_and_unload"),
        (bare, "merge_and_unload"),
        (tinyllm.optimize(models.tiny()), "hf_model is a Model"),
    ):
        with pytest.raises(TypeError, match=r"expected a transformers .*") as refused:
            tinyllm.optimize(given)
        assert word in str(refused.value)
