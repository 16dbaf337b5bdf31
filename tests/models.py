"""Tiny random transformers models: a seeded list that covers every branch of the Llama family, and a strategy."""

import random
from functools import cache
from string import ascii_letters

import pytest
import torch
import transformers
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders
from tokenizers import models as vocabularies
from transformers import LogitsProcessor, PreTrainedTokenizerFast

# Model type of a configuration -> how transformers names the configuration and the model.
CLASSES = {
    "llama": "Llama",
    "mistral": "Mistral",
    "ministral": "Ministral",
    "phi3": "Phi3",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "gemma2": "Gemma2",
    "gemma3_text": "Gemma3",
    "smollm3": "SmolLM3",
    "gptj": "GPTJ",
    "gpt_neox": "GPTNeoX",
    "opt": "OPT",
    "bloom": "Bloom",
    "starcoder2": "Starcoder2",
}
# What a kind needs beside the sizes of all, and what it has no field for.
OWN = {
    "mistral": {"sliding_window": None},
    "ministral": {"head_dim": 8, "sliding_window": 40},  # of which transformers takes no None
    "gemma2": {
        "head_dim": 8,
        "query_pre_attn_scalar": 20,
        "attn_implementation": "eager",
    },  # torch's has no soft cap
    "gemma3_text": {"head_dim": 8, "query_pre_attn_scalar": 20, "sliding_window_pattern": 2},
    "smollm3": {"no_rope_layer_interval": 2},
    "gptj": {"rotary_dim": 4},
    "opt": {"ffn_dim": 48},
}
LLAMA3 = {
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
ROPES = (
    {"rope_type": "default", "rope_theta": 10000.0},
    {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.5},
    {"rope_type": "llama3", "rope_theta": 100.0, **LLAMA3},
)
LONG = {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.5}
HALF = dict(ROPES[0]) | {"partial_rotary_factor": 0.5}
BASES = {"sliding_attention": {"rope_type": "default", "rope_theta": 100.0}, "full_attention": LONG}
# For every kind, the branches that its configurations may take.
BRANCHES = {
    "mistral": ({"sliding_window": 5}, {"sliding_window": 40}),
    "ministral": ({"sliding_window": 6},),
    "phi3": ({}, {"rope_parameters": HALF, "sliding_window": 7}),
    "qwen2": (
        {"rope_parameters": LONG},
        {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},
    ),
    "qwen3": (
        {"attention_bias": True},
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 2},
    ),
    "gemma2": (
        {"sliding_window": 5},
        {"attn_logit_softcapping": None, "final_logit_softcapping": None},
    ),
    "gemma3_text": (
        {"sliding_window": 5},
        {"rope_parameters": BASES, "final_logit_softcapping": 9.0},
    ),
    "smollm3": (
        {"attention_bias": True},
        {"use_sliding_window": True, "sliding_window": 5, "mlp_bias": True},
    ),
    "gptj": ({}, {"n_inner": 23}),
    "gpt_neox": ({}, {"use_parallel_residual": False, "attention_bias": False}),
    "opt": ({}, {"enable_bias": False, "ffn_dim": 23}),
    "bloom": ({}, {"num_attention_heads": 6}),
}
CASES = [(kind, branch) for kind, branches in BRANCHES.items() for branch in range(len(branches))]
KINDS = sorted(set(CLASSES) - {"starcoder2"})
every_kind = pytest.mark.parametrize("kind", KINDS)
every_branch = pytest.mark.parametrize(("kind", "branch"), CASES, ids=str)
GROUPS = (1, 2, 3, 4, 5, 7, 8, 16)
HEAD_DIMS = (2, 4, 6, 10, 16, 20)
ACTIVATIONS = ("silu", "gelu", "gelu_pytorch_tanh", "relu")
COUNT = 24


def tiny(kind="llama", *, seed=0, **changes):
    """A model with random weights, biases and norms, large enough that its logits differ widely."""
    name = CLASSES[kind]
    make_config = getattr(
        transformers, f"{name}TextConfig" if kind == "gemma3_text" else f"{name}Config"
    )
    make_model = getattr(transformers, f"{name}ForCausalLM")
    defaults = {
        "vocab_size": 61,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    model = make_model(make_config(**(defaults | OWN.get(kind, {}) | changes)))
    return randomize(model, seed).eval().requires_grad_(False)


def randomize(model, seed):
    """Norms around one, biases that matter, matrices that keep the scale of what they multiply."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.data = 0.5 * values + ("norm" in name)
        else:
            parameter.data = values if "embed" in name else values * 1.5 / parameter.shape[1] ** 0.5
    return model


def describe(rng, index):
    """The configuration of one model of the list: the index walks the branches, `rng` the sizes."""
    kv_heads = rng.choice((1, 2, 3))
    heads = GROUPS[index % len(GROUPS)] * kv_heads
    kind = "mistral" if index % 6 == 5 else "llama"
    biases = (
        {"attention_bias": index % 3 == 0, "mlp_bias": index % 5 < 2} if kind == "llama" else {}
    )
    return kind, biases | {
        "vocab_size": rng.choice((17, 61, 97, 128)),
        "hidden_size": heads
        * rng.choice((5, 7, 12) if heads < 8 else (1, 2, 3)),  # transformers asks for a multiple
        "intermediate_size": rng.choice((5, 23, 48, 71)),
        "num_hidden_layers": rng.choice((2, 3, 4)),  # the first one also makes the masks of all
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": HEAD_DIMS[rng.randrange(len(HEAD_DIMS))],
        "rope_parameters": dict(ROPES[index // 2 % len(ROPES)]),
        "rms_norm_eps": rng.choice((1e-6, 1e-5, 1e-3, 0.1)),
        "hidden_act": ACTIVATIONS[index // 3 % len(ACTIVATIONS)],
        "tie_word_embeddings": index % 2 == 0,
    }


def listed(index):
    """Model `index` of the list."""
    kind, changes = describe(random.Random(index), index)
    return tiny(kind, seed=index, **changes)


@st.composite
def drawn(draw):
    """Any model of the family, sizes at random."""
    kind, changes = describe(draw(st.randoms(use_true_random=False)), draw(st.integers(0, 10**6)))
    return tiny(kind, seed=draw(st.integers(0, 2**31)), **changes)


def ragged(vocab_size, lengths, *, seed=0, side="left"):
    """Token ids `[b, t]` of sequences of these lengths, padded with token 0, and their mask."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, vocab_size, (len(lengths), max(lengths)), generator=generator)
    column = torch.arange(max(lengths))
    real = torch.tensor(lengths)[:, None]
    mask = (column >= max(lengths) - real if side == "left" else column < real).long()
    return ids * mask, mask


@cache
def letters():
    """A tokenizer of 61 tokens: token i is letter i, or for the last nine a pair of letters."""
    pairs = [first + second for first in "xyz" for second in "XYZ"]
    texts = {text: i for i, text in enumerate([*ascii_letters, *pairs])}
    made = Tokenizer(vocabularies.BPE(texts, merges=[]))
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=made)


@torch.no_grad()
def logits_of(hf, ids, mask=None):
    """What transformers makes of a batch; positions count the real tokens, as its `generate` counts them."""
    positions = None if mask is None else (mask.cumsum(-1) - 1).clamp(min=0)
    return hf(ids, attention_mask=mask, position_ids=positions, return_dict=True).logits


class Noise(LogitsProcessor):
    """Rounding made visible: every score is moved by a hundred thousandth of the largest."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids, scores):
        return scores + 1e-5 * scores.abs().max() * torch.randn(
            scores.shape, generator=self.generator
        )


def tied(hf, ids, mask, expected, **way):
    """Whether rounding decides between two answers of transformers itself: then neither is the right one."""
    answers = (
        hf.generate(ids, attention_mask=mask, logits_processor=[Noise(seed)], **way)
        for seed in range(20)
    )
    return any(answer.tolist() != expected for answer in answers)


def look_at_one_memory(kind, folder, device):
    """Transformers' twin of a checkpoint holds no weight of its own, but norms that it shifts itself."""
    from tinyllm.bench.engines import load_engines
    from tinyllm.checkpoint import open_checkpoint

    tiny(kind, tie_word_embeddings=kind == "opt").save_pretrained(folder)
    engines = load_engines(open_checkpoint(folder), ["naive"], ["hf"], device, torch.float32)
    twin, decoder = (engine.model for engine in engines)
    ids = torch.ones(1, 4, dtype=torch.int64, device=device)
    close(twin(ids).logits, decoder(ids))
    ours = {parameter.untyped_storage().data_ptr() for parameter in decoder.parameters()}
    own = {
        name for name, p in twin.named_parameters() if p.untyped_storage().data_ptr() not in ours
    }
    assert all("norm" in name for name in own) and bool(own) == kind.startswith("gemma")


def close(mine, theirs, tolerance=1e-4):
    torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def says(kind, message, act):
    """`act` raises exactly `kind` with exactly this message."""
    with pytest.raises(kind) as caught:
        act()
    assert caught.type is kind
    assert str(caught.value) == message


def rounding_cache(hf):
    """A cache of transformers that rounds keys and values to int8, a scale for each token and head."""

    class RoundingCache(transformers.DynamicCache):
        def update(self, k, v, layer_idx, *args, **kwargs):
            k, v = (rounded_to_int8(x) for x in (k, v))
            return super().update(k, v, layer_idx, *args, **kwargs)

    return RoundingCache(config=hf.config)


def rounded_to_int8(x):
    """Rows of x, each rounded to 255 numbers from minus its largest magnitude to this."""
    scale = x.float().abs().amax(dim=-1, keepdim=True) / 127
    return (torch.round(x / scale.clamp(min=1e-30)) * scale).to(x.dtype)
