"""Checkpoints that hypothesis draws, held against transformers: same tokens, or an error on both sides, or a refusal.

Drawn are family, form of config.json (of transformers 4.3x to 5), fields of other families in it, values that cannot be
meant, names with and without prefix, what is stored of a tied matrix, further tensors, number formats, files and index,
and where the options of generation stand. What transformers answers and we refuse stands in `REFUSED`, with the reason.

Few are drawn by default, always the same. A long run draws others each time and prints the first that is wrong, made as
small as possible:

    CHECKPOINT_DRAWS=5000 python -m pytest tests/checkpoint/test_drawn_checkpoints.py
"""

import json
import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

import models
import tinyllm
from tinyllm.families.family import OTHER_HEADS

DRAWS = int(os.environ.get("CHECKPOINT_DRAWS", "0"))
SETTINGS = settings(
    max_examples=DRAWS or 24,
    derandomize=not DRAWS,
    phases=[Phase.generate, Phase.shrink] if DRAWS else [Phase.generate],
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
KINDS = sorted(set(models.CLASSES) - {"starcoder2"})
IDS, MASK = models.ragged(61, (9, 4), seed=3)
SHORT = {"max_new_tokens": 6}

# What transformers answers and we do not, by our message.
REFUSED = {
    r"has the tensor .* does not use": "a tensor without a place: its values would be lost without a word",
    r"rope_type '(dynamic|yarn|longrope)' is not supported": "scalings of the rotation that we do not have",
    r"hidden_act 'quick_gelu' is not supported": "an activation that we do not have",
    r"(do_layer_norm_before|word_embed_proj_dim)=.* is not supported": "OPT of 350M parameters",
    r"dtype torch.float64 is not supported": "a format that no kernel has; dtype='float32' reads it",
    r"weight_map|index\.json: ": "an index that is none, though a whole file stands beside it",
    r"generation_config\.json: ": "options that cannot be read, for which transformers takes none",
    r"are two names of one tensor": "one of them would be lost",
    r"quant_method is ": "quantised weights",
    r"is_causal=False is not supported": "attention in both directions",
}
# Where a wrong value was drawn: transformers takes some of them, and what comes of it is chance.
WRONG_VALUE = r"\w+=.*(: expected | is not supported)"
# What transformers does not answer and we do, by its message.
ANSWERED = {
    r"'NoneType' and 'float'": "a Mistral with layer_types and without head_dim",
    r"Could not find a `sliding_window`": "a mask of a window that no layer has",
    r"must match the existing size": "Bloom with padding and a window of the cache alone",
    r"must match the size of tensor": "Phi 3 with layers of two kinds, of which only the cache takes note",
    r"'tuple' object has no attribute": "outputs as tuples, which are none of ours",
    r"Overflow when unpacking long long": "a token id or a window that no tensor can hold, and that no token meets",
    r"index 0 is out of bounds for dimension 0": "an empty list of end tokens",
}

# Fields as they stray from one family's config.json to another's, and what they may say.
STRAY = {
    "activation_function": ("relu",),
    "architectures": (["LlamaForSequenceClassification"], None),
    "attention_bias": (True, False),
    "attention_chunk_size": (4,),
    "attention_dropout": (0.5,),
    "attn_logit_softcapping": (3.0, None),
    "do_layer_norm_before": (True, False),
    "enable_bias": (True, False),
    "final_logit_softcapping": (3.0, None),
    "head_dim": (8, 12),
    "hidden_act": ("gelu", "gelu_new", "swish", "quick_gelu"),
    "hidden_activation": ("relu", "gelu_fast"),
    "is_causal": (True, False),
    "is_decoder": (True, False),
    "is_encoder_decoder": (True, False),
    "layer_norm_eps": (1e-2,),
    "layer_types": (
        ["full_attention"] * 2,
        ["sliding_attention"] * 2,
        ["sliding_attention", "full_attention"],
        ["full_attention"],
    ),
    "max_window_layers": (0, 1, 2),
    "mlp_bias": (True, False),
    "n_inner": (None, 23),
    "no_rope_layers": ([1, 0], [1, 1]),
    "num_key_value_heads": (None, 1, 2, 4),
    "original_max_position_embeddings": (16,),
    "partial_rotary_factor": (0.5, 1.0),
    "pretraining_tp": (2,),
    "query_pre_attn_scalar": (9,),
    "rms_norm_eps": (1e-2, 1e-2),
    "rope_scaling": (
        None,
        {"type": "linear", "factor": 2.0},
        {"rope_type": "llama3", **models.LLAMA3},
        {"type": "dynamic", "factor": 2.0},
    ),
    "rope_theta": (77.0, 500000),
    "rotary_dim": (2, 6),
    "rotary_pct": (0.5,),
    "sliding_window": (3, 5, 20, None),
    "sliding_window_pattern": (1, 2, 3),
    "tie_word_embeddings": (True, False),
    "use_bidirectional_attention": (None, False),
    "use_cache": (True,),
    "use_parallel_residual": (True, False),
    "use_sliding_window": (True, False),
}
WRONG = (0, -1, 3, "32", "x", [], {}, True, 2.5, 2**63, float("inf"), float("nan"), None)
OPTIONS = {
    "num_beams": (1, 3),
    "max_length": (14,),
    "max_new_tokens": (4,),
    "repetition_penalty": (1.3,),
    "no_repeat_ngram_size": (2,),
    "eos_token_id": (7, [7, 9]),
    "pad_token_id": (0, 5),
    "length_penalty": (0.5,),
    "temperature": (0.7,),
}
ALIASES = {
    "gptj": {
        "n_embd": "hidden_size",
        "n_head": "num_attention_heads",
        "n_layer": "num_hidden_layers",
        "n_positions": "max_position_embeddings",
    },
    "bloom": {
        "hidden_size": "n_embed",
        "n_head": "num_attention_heads",
        "n_layer": "num_hidden_layers",
    },
}


def rarely(draw, one_in=6):
    """Whether something unusual is in this checkpoint."""
    return draw(st.integers(0, one_in - 1)) == one_in - 1


def some_of(draw, fields, most):
    """A few fields, and a value for each."""
    names = draw(st.lists(st.sampled_from(sorted(fields)), max_size=most, unique=True))
    return {name: draw(st.sampled_from(fields[name])) for name in names}


# The configuration


def as_before_5(draw, kind, values):
    """The fields as transformers 4.3x to 4.5x named them."""
    values = dict(values)
    values["transformers_version"] = draw(st.sampled_from(["4.31.0", "4.44.2", "4.56.0"]))
    values["torch_dtype"] = values.pop("dtype", None)
    name = draw(st.sampled_from(["type", "rope_type"]))
    rope = values.pop("rope_parameters", None) or {}
    if kind == "gemma3_text":
        values["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        values["sliding_window_pattern"] = 2
        rope = rope["full_attention"]
    if rope:
        base = {"gpt_neox": "rotary_emb_base"}.get(kind, "rope_theta")
        part = {"gpt_neox": "rotary_pct"}.get(kind, "partial_rotary_factor")
        rest = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
        rest[name] = rest.pop("rope_type")
        values[base] = rope["rope_theta"]
        values["rope_scaling"] = None if rest[name] == "default" else rest
        if "partial_rotary_factor" in rope:
            values[part] = rope["partial_rotary_factor"]
    if draw(st.booleans()):
        values.pop("layer_types", None)
    return values


def configured(draw, kind, hf):
    """config.json: in which form, and with which fields too many."""
    values = hf.config.to_diff_dict() if draw(st.booleans()) else hf.config.to_dict()
    values = json.loads(json.dumps(values, default=str)) | {"model_type": kind}
    if draw(st.booleans()):
        values = as_before_5(draw, kind, hf.config.to_dict() | values)
    if draw(st.booleans()):
        values = {ALIASES.get(kind, {}).get(name, name): value for name, value in values.items()}
    for key in ("dtype", "torch_dtype"):
        if values.get(key) is not None:
            values[key] = draw(st.sampled_from(["float32", "float16", "bfloat16", None]))
    values |= some_of(draw, STRAY, most=2)
    if rarely(draw, 20):
        values["quantization_config"] = {"quant_method": draw(st.sampled_from(["gptq", "fp8"]))}
    return values


# The tensors


def renamed(draw, hf, tensors):
    """Names with and without the prefix of the base model, or as they were before."""
    prefix = f"{hf.base_model_prefix}."
    way = draw(st.sampled_from(["today", "today", "base", "old", "twice"]))
    if way == "base":
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    if way == "old":
        return {name.replace("lm_head.", "embed_out."): tensor for name, tensor in tensors.items()}
    if way == "twice":
        return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    return tensors


def stored(draw, hf):
    """The tensors: what is stored of table and head, what is too many and what is missing, in which formats."""
    tensors = {name: tensor.clone() for name, tensor in hf.state_dict().items()}
    table = next(name for name, p in hf.named_parameters() if p is hf.get_input_embeddings().weight)
    kept = draw(st.sampled_from(["both", "table", "head", "table"]))
    if kept == "table" and (hf.config.tie_word_embeddings or rarely(draw)):
        del tensors["lm_head.weight"]
    if kept == "head" and (hf.config.tie_word_embeddings or rarely(draw)):
        del tensors[table]
    if rarely(draw):
        tensors[f"{table.partition('.')[0]}.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    if rarely(draw):
        tensors[f"{draw(st.sampled_from(OTHER_HEADS))}weight"] = torch.ones(2, 48)
    if rarely(draw, 12):
        tensors[draw(st.sampled_from(["extra.weight", "lm_head.scale"]))] = torch.ones(3)
    if rarely(draw, 12):
        tensors.pop(draw(st.sampled_from(sorted(tensors))))
    tensors = renamed(draw, hf, tensors)
    formats = draw(st.lists(st.sampled_from(FORMATS), min_size=1, max_size=2))
    return {name: t.to(formats[i % len(formats)]) for i, (name, t) in enumerate(tensors.items())}


FORMATS = (*[torch.float32] * 4, *[torch.float16, torch.bfloat16] * 2, torch.float64)


def write_weights(draw, folder, tensors):
    """One file, many with an index, or one beside an index of others; sometimes a shard is missing or cut."""
    way = draw(st.sampled_from(["file", "file", "shards", "file and shards", "file and index"]))
    if way != "shards":
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    if way != "file":
        names = sorted(tensors)
        shards = {f"model-{i}.safetensors": names[i::3] for i in range(3)}
        where = {name: shard for shard, part in shards.items() for name in part}
        for shard, part in shards.items():
            save_file({name: tensors[name] * 2 for name in part}, folder / shard, {"format": "pt"})
        if way == "file and index":
            for shard in shards:
                (folder / shard).unlink()
        index = {"metadata": {"total_size": 1}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    if rarely(draw, 20):
        path = draw(st.sampled_from(sorted(folder.glob("*.safetensors"))))
        path.write_bytes(path.read_bytes()[:-5]) if draw(st.booleans()) else path.unlink()


@st.composite
def checkpoints(draw):
    """A folder with a checkpoint, the stage to run it in, and whether a value in it cannot be meant."""
    kind = draw(st.sampled_from(KINDS))
    branch = draw(st.sampled_from(({}, *models.BRANCHES.get(kind, ()))))
    sizes = {"hidden_size": 48, "tie_word_embeddings": draw(st.booleans())}
    if kind in ("llama", "mistral", "qwen2", "qwen3", "smollm3"):
        sizes["rope_parameters"] = dict(draw(st.sampled_from(models.ROPES)))
    hf = models.tiny(kind, seed=draw(st.integers(0, 9)), **sizes | branch)
    values = configured(draw, kind, hf)
    options = some_of(draw, OPTIONS, most=2)
    where = draw(st.sampled_from(["generation_config.json", "config.json", "nowhere"]))
    folder = Path(tempfile.mkdtemp())
    write_weights(draw, folder, stored(draw, hf))
    damaged = rarely(draw)
    if damaged:
        values[draw(st.sampled_from(sorted(values)))] = draw(st.sampled_from(WRONG))
    if where == "config.json":
        values |= options
    if where == "generation_config.json":
        (folder / where).write_text(json.dumps(options))
    (folder / "config.json").write_text(json.dumps(values))
    return folder, draw(st.sampled_from(list(tinyllm.STAGES))), damaged


# The comparison


def transformers_model(folder):
    """The model; an error too where it would begin with random weights."""
    hf, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        raise ValueError(f"missing: {info['missing_keys']}, mismatched: {info['mismatched_keys']}")
    return hf


def options_of_call(model):
    """A length, where the checkpoint names none."""
    named = model.generation_config
    return {} if named.max_length or named.max_new_tokens else SHORT


def answer_of_transformers(folder):
    """Model, format, logits and tokens, or the error."""
    try:
        named = AutoModelForCausalLM.from_pretrained(folder).dtype
        hf = transformers_model(folder)
        logits = models.logits_of(hf, IDS, MASK)
        tokens = hf.generate(IDS, attention_mask=MASK, **options_of_call(hf)).tolist()
    except Exception as error:  # it raises what it likes
        return error
    return hf, named, logits, tokens


def answer_of_ours(folder, stage):
    """Format, logits and tokens; or the error, which has to be one of those that are promised."""
    try:
        load = tinyllm.from_pretrained
        model = load(folder, stage=stage, device="cpu", dtype="float32")
        named = load(folder, stage="naive", device="cpu").dtype
        logits = model(IDS, MASK)
        tokens = model.generate(IDS, MASK, **options_of_call(model)).tolist()
    except (ValueError, FileNotFoundError) as error:
        return error
    return named, logits, tokens


def compare(folder, stage, damaged):
    """What differs, in words; None where nothing does."""
    ours = answer_of_ours(folder, stage)
    if damaged and isinstance(ours, Exception) and re.search(WRONG_VALUE, str(ours)):
        return None  # transformers may build 2**63 layers
    theirs = answer_of_transformers(folder)
    if isinstance(ours, Exception):
        expected = isinstance(theirs, Exception) or any(re.search(m, str(ours)) for m in REFUSED)
        return None if expected else f"refused, and transformers answers: {ours}"
    if isinstance(theirs, Exception):
        expected = any(re.search(message, str(theirs)) for message in ANSWERED)
        return None if expected else f"answered, and transformers raises {theirs!r}"
    hf, named, logits, tokens = theirs
    if ours[0] != named:
        return f"format {ours[0]}, and {named} in transformers"
    seen = MASK.bool()
    if not torch.allclose(ours[1][seen], logits[seen], rtol=1e-3, atol=1e-3, equal_nan=True):
        return f"logits differ by {(ours[1] - logits)[seen].abs().max():.3g}"
    same = ours[2] == tokens or models.tied(hf, IDS, MASK, tokens, **options_of_call(hf))
    return None if same else f"tokens {ours[2]}, and {tokens} in transformers"


@pytest.fixture(scope="module", autouse=True)
def quiet():
    transformers.utils.logging.disable_progress_bar()
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(verbosity)
    transformers.utils.logging.enable_progress_bar()


@SETTINGS
@given(checkpoints())
def test_a_drawn_checkpoint(drawn):
    folder, stage, damaged = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        difference = compare(folder, stage, damaged)
    shown = f"{difference} (stage {stage})\n{(folder / 'config.json').read_text()}"
    shutil.rmtree(folder)
    assert difference is None, shown
