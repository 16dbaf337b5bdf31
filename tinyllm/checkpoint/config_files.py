"""config.json, generation_config.json and the tokenizer's files: checked by hand, then read by transformers.

What stands in a file and cannot be meant is a ValueError that names file and key, before anything is allocated.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tinyllm.config import SIZES
from tinyllm.families import Family

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase

CONFIG, GENERATION_CONFIG, ADAPTER = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
TOKENIZER_CONFIG, CHAT_TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
# The class of transformers that does nothing else than tokenizer.json states.
PLAIN_CLASS = "TokenizersBackend"
LARGEST = 2**31 - 1
COUNTS = (
    *SIZES,
    "ffn_dim",
    "n_embd",
    "n_embed",
    "n_head",
    "n_inner",
    "n_layer",
    "n_positions",
    "no_rope_layer_interval",
    "rotary_dim",
    "sliding_window_pattern",
    "word_embed_proj_dim",
)
FLAGS = (
    "attention_bias",
    "do_layer_norm_before",
    "enable_bias",
    "mlp_bias",
    "output_hidden_states",
    "tie_word_embeddings",
    "use_parallel_residual",
    "use_sliding_window",
)
NUMBERS = (
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "partial_rotary_factor",
    "query_pre_attn_scalar",
    "rope_local_base_freq",
    "rope_theta",
    "rotary_emb_base",
    "rotary_pct",
)
RATES = (
    "attention_dropout",
    "attn_pdrop",
    "dropout",
    "embd_pdrop",
    "embedding_dropout",
    "hidden_dropout",
    "resid_pdrop",
    "residual_dropout",
)
EPSILONS = ("layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps")
ACTIVATIONS = ("activation_function", "hidden_act", "hidden_activation")
DTYPE_KEYS = ("dtype", "torch_dtype")
OBJECTS = ("rope_parameters", "rope_scaling")
LISTS = ("layer_types", "no_rope_layers")
# Keys by which a model differs from its class, or another configuration takes the place of its own.
UNSUPPORTED = (
    "attribute_map",
    "decoder",
    "fusion_config",
    "generator",
    "per_layer_config",
    "text_config",
    "transformers_weights",
)


def is_count(value: Any) -> bool:
    """A size or a number of things."""
    return type(value) is int and 1 <= value <= LARGEST


def is_number(value: Any) -> bool:
    """A finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def is_dtype(value: Any) -> bool:
    """The name that torch has for a number format."""
    return isinstance(value, str) and isinstance(getattr(torch, value, None), torch.dtype)


# What each key may hold, in words and as a test; null leaves the choice to transformers.
EXPECTED: tuple[tuple[tuple[str, ...], str, Callable[[Any], bool]], ...] = (
    (COUNTS, f"a whole number from 1 to {LARGEST}", is_count),
    (FLAGS, "true or false", lambda value: isinstance(value, bool)),
    (NUMBERS, "a positive number", lambda value: is_number(value) and value > 0),
    (EPSILONS, "a small number, 0 or more", lambda value: is_number(value) and value >= 0),
    (RATES, "a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1),
    (ACTIVATIONS, "the name of an activation", lambda value: isinstance(value, str)),
    (DTYPE_KEYS, "the name of a torch.dtype, like 'bfloat16'", is_dtype),
    (OBJECTS, "an object", lambda value: isinstance(value, dict)),
    (LISTS, "a list with a value for each layer", lambda value: isinstance(value, list)),
    (UNSUPPORTED, "none, this is not supported", lambda value: False),
)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ValueError naming the file where there is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({one_line(error)})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: holds a {type(values).__name__}: expected an object")
    return values


def one_line(error: Exception) -> str:
    """The message of an error, or its kind where it has none, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def read_values(folder: Path) -> dict[str, Any]:
    """The values in config.json of a folder, each of its kind.

    Raises FileNotFoundError for a folder without it, saying so of an adapter without its model; ValueError naming file
    and key for a value that cannot be meant.
    """
    path = folder / CONFIG
    if not path.exists():
        raise FileNotFoundError(_without_config(folder))
    values = read_json(path)
    if not isinstance(values.get("model_type"), str):
        given = shorten(repr(values.get("model_type")))
        raise ValueError(f"{path}: model_type={given}: expected the name of a model type")
    for keys, expected, is_right in EXPECTED:
        for key in keys:
            value = values.get(key)
            if value is not None and not is_right(value):
                raise ValueError(f"{path}: {key}={shorten(repr(value))}: expected {expected}")
    return values


def shorten(text: str, longest: int = 80) -> str:
    """A value as a message shows it."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _without_config(folder: Path) -> str:
    if (folder / ADAPTER).exists():
        base = read_json(folder / ADAPTER).get("base_model_name_or_path")
        return (
            f"{folder} holds an adapter (LoRA) of the model {base!r} and not a model: load that model and the adapter "
            "with peft, call merge_and_unload(), save the result with save_pretrained and load its folder"
        )
    files = sorted(path.name for path in folder.glob("*.gguf"))
    hint = f"; for a GGUF file, name the file itself: {folder / files[0]}" if files else ""
    return f"{folder} has no config.json: expected a folder in the Hugging Face format{hint}"


def read_config(folder: Path, family: Family) -> PreTrainedConfig:
    """config.json as transformers reads it. Raises ValueError where it, or the family, cannot."""
    from transformers import AutoConfig

    path = folder / CONFIG
    try:
        config = AutoConfig.from_pretrained(folder)
    except Exception as error:  # it raises what it likes where a value is damaged
        raise ValueError(f"{path}: transformers cannot read it ({one_line(error)})") from error
    try:
        family.describe(config)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"{path}: {one_line(error)}") from error
    return config


def read_generation_config(folder: Path) -> GenerationConfig:
    """The defaults of `generate`: generation_config.json, or else the options that config.json names.

    As in transformers a class's own defaults are none: what config.json does not name is not set, end tokens neither.
    Raises ValueError naming the file that cannot be read.
    """
    from transformers import GenerationConfig

    path = folder / GENERATION_CONFIG
    try:
        if not path.exists():
            path = folder / CONFIG
            return GenerationConfig.from_model_config(read_json(path))
        read_json(path)
        return GenerationConfig.from_pretrained(folder)
    except Exception as error:  # as above
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: transformers cannot read it ({one_line(error)})") from error


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a folder; None where it has none. Raises ValueError naming the files that cannot be read."""
    from transformers import AutoTokenizer

    files = [name for name in TOKENIZER_FILES if (folder / name).exists()]
    if not files:
        return None
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # as above
        raise ValueError(
            f"{folder}: transformers cannot read the tokenizer in {', '.join(files)} ({one_line(error)})"
        ) from error


def warn_of_adapter(folder: Path) -> None:
    """Warn of an adapter beside a model, which is not applied."""
    if (folder / ADAPTER).exists():
        warnings.warn(
            f"{folder / ADAPTER}: the adapter is not applied; merge it with peft's merge_and_unload() and save the "
            "result to load both",
            UserWarning,
            stacklevel=5,
        )
