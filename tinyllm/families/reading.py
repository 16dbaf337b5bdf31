"""What the tables of several families read from a configuration, under the names that transformers gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tinyllm.config import (
    DecoderConfig,
    FrequencyScaling,
    LayerKind,
    LinearScaling,
    Llama3Scaling,
    Rope,
)
from tinyllm.kernels.torch_kernels import ACTIVATIONS

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def frequency_scaling(parameters: Mapping[str, Any]) -> FrequencyScaling:
    """LongRoPE with the same factors for all lengths. Raises ValueError for factors that change with the length."""
    factor = parameters["short_factor"]
    if parameters["long_factor"] != factor or parameters.get("attention_factor") != 1:
        raise ValueError(
            "rope_type 'longrope' is not supported where it depends on the length: expected "
            "short_factor and long_factor alike, and attention_factor=1.0"
        )
    return FrequencyScaling(tuple(factor))


SCALINGS = {
    "default": lambda p: None,
    "linear": lambda p: LinearScaling(positive(p, "factor")),
    "llama3": lambda p: Llama3Scaling(
        positive(p, "factor"),
        positive(p, "low_freq_factor"),
        positive(p, "high_freq_factor"),
        positive(p, "original_max_position_embeddings"),
    ),
    "longrope": frequency_scaling,
}
OTHER_NAMES = {
    "gelu_accurate": "gelu_pytorch_tanh",
    "gelu_fast": "gelu_pytorch_tanh",
    "gelu_new": "gelu_pytorch_tanh",
    "gelu_python": "gelu",
    "swish": "silu",
}
LAYER_TYPES = ("full_attention", "sliding_attention")
# The fields that give transformers' cache a window, and the kinds of layers they belong to.
CACHE_WINDOWS = ("sliding_window", "attention_chunk_size")
LAYER_WINDOWS = {
    "full_attention": None,
    "sliding_attention": "sliding_window",
    "chunked_attention": "attention_chunk_size",
}
NO_WINDOW = 1 << 30  # tokens: no context is as long
# Fields of all configurations by which transformers runs a model as something else than a causal decoder.
CAUSAL_DECODER = {"is_causal": True, "is_encoder_decoder": False}


def described(config: PreTrainedConfig, family: str, **traits: Any) -> DecoderConfig:
    """A decoder of the sizes that all configurations name alike, or of those in `traits`, which say the rest.

    Raises ValueError where transformers runs the model as something else than a causal decoder.
    """
    for name, expected in CAUSAL_DECODER.items():
        if bool(getattr(config, name, expected)) is not expected:
            refuse(config, **{name: expected})
    heads = config.num_attention_heads
    sizes = {
        "family": family,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": heads,
        "num_key_value_heads": getattr(config, "num_key_value_heads", None) or heads,
        "head_dim": head_dim(config),
        "tie_word_embeddings": config.tie_word_embeddings,
    }
    optional = {
        name: getattr(config, name, None)
        for name in ("intermediate_size", "max_position_embeddings")
    }
    return DecoderConfig(**sizes | optional | traits)


def head_dim(config: PreTrainedConfig) -> int:
    """Elements of a head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def heads_of_their_own(config: PreTrainedConfig) -> dict[str, int]:
    """Heads that share no keys, and divide the model's width; of fields of other families nothing is read."""
    heads = config.num_attention_heads
    return {"num_key_value_heads": heads, "head_dim": config.hidden_size // heads}


def activation(name: str) -> str:
    """Our name of an activation. Raises ValueError for one we do not have."""
    known = OTHER_NAMES.get(name, name)
    if known not in ACTIVATIONS:
        raise ValueError(
            f"hidden_act {name!r} is not supported: expected one of {sorted(ACTIVATIONS)}"
        )
    return known


def rope(parameters: Mapping[str, Any], dim: int) -> Rope:
    """The rotary embedding of `dim` elements of a head. Raises ValueError for a scaling we do not have."""
    kind = parameters.get("rope_type", "default")
    if not isinstance(kind, str) or kind not in SCALINGS:
        raise ValueError(f"rope_type {kind!r} is not supported: expected one of {sorted(SCALINGS)}")
    theta = positive(parameters, "rope_theta")
    return Rope(theta=float(theta), dim=dim, scaling=SCALINGS[kind](parameters))


def rope_of_head(config: PreTrainedConfig, parameters: Mapping[str, Any]) -> Rope:
    """The rotary embedding of all elements of a head, in families that rotate no part of one.

    Their classes in transformers ignore a `partial_rotary_factor`, but not where the rotation is scaled: that is an
    error there, and a ValueError here.
    """
    rotary = rope(parameters, head_dim(config))
    part = parameters.get("partial_rotary_factor")
    if rotary.scaling is not None and part not in (None, 1.0):
        given = f"partial_rotary_factor={part!r} with rope_type {parameters['rope_type']!r}"
        raise ValueError(f"{given} is not supported: expected none")
    return rotary


def positive(parameters: Mapping[str, Any], name: str) -> int | float:
    """A parameter of the rotary embedding. Raises ValueError for anything but a positive, finite number."""
    value = parameters.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name}={value!r}: expected a positive number in rope_parameters")
    return value


def window(config: PreTrainedConfig, layer: int) -> int | None:
    """How many tokens a query of a layer sees. Raises ValueError for a kind of layer we do not have."""
    kinds = getattr(config, "layer_types", None)
    if not kinds:
        return sliding_window(config)
    if kinds[layer] not in LAYER_TYPES:
        raise ValueError(
            f"layer type {kinds[layer]!r} is not supported: expected one of {list(LAYER_TYPES)}"
        )
    if kinds[layer] == "full_attention":
        return None
    return checked_window("sliding_window", config.sliding_window)


def sliding_window(config: PreTrainedConfig) -> int | None:
    """How many tokens a query of every layer sees; None for all. Raises ValueError for what is no number of tokens."""
    given = getattr(config, "sliding_window", None)
    return None if given is None else checked_window("sliding_window", given)


def checked_window(name: str, tokens: Any) -> int | None:
    """A window of so many tokens; None where it hides nothing. Raises ValueError for what is no number of tokens."""
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise ValueError(f"{name}={tokens!r}: expected a number of tokens, 1 or more")
    if tokens == 1:  # transformers keeps the last `window - 1` tokens as [-0:], which is all
        raise ValueError(f"{name}=1 is not supported: expected 2 tokens or more")
    return tokens if tokens < NO_WINDOW else None


def cache_window(config: PreTrainedConfig) -> int | None:
    """The window of transformers' cache in families whose attention has none: fields that a conversion left behind.

    Raises ValueError where layers differ in it, which transformers cannot run.
    """
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        fields = [name for name in CACHE_WINDOWS if getattr(config, name, None) is not None][:1]
    else:
        fields = list(dict.fromkeys(LAYER_WINDOWS.get(kind, kind) for kind in kinds))
    if len(fields) > 1 or not {*fields} <= {None, *CACHE_WINDOWS}:
        raise ValueError(f"layer_types={kinds!r}: expected none, or all of them 'full_attention'")
    if fields in ([], [None]):
        return None
    return checked_window(fields[0], getattr(config, fields[0], None))


def kind_without_window(config: PreTrainedConfig, rotary: Rope | None) -> LayerKind:
    """All layers of a family whose attention has no window; transformers' cache may have one all the same."""
    tokens = cache_window(config)
    return LayerKind(rotary, tokens, windowed_cache=tokens is not None)


def kind_with_window(config: PreTrainedConfig, rotary: Rope | None) -> LayerKind:
    """All layers of a family whose attention has the window that a configuration names; without one as above."""
    tokens = sliding_window(config)
    return kind_without_window(config, rotary) if tokens is None else LayerKind(rotary, tokens)


def layers(config: PreTrainedConfig, kind_of: Callable[[int], LayerKind]) -> dict[str, tuple]:
    """The kinds of layers that there are, and the shortest pattern in which they come."""
    each = [kind_of(i) for i in range(config.num_hidden_layers)]
    kinds = tuple(dict.fromkeys(each))
    numbers = [kinds.index(kind) for kind in each]
    repeats = (
        p for p in range(1, len(each)) if all(n == numbers[i % p] for i, n in enumerate(numbers))
    )
    period = next(repeats, len(each))
    return {"kinds": kinds, "pattern": tuple(numbers[:period])}


def refuse(config: PreTrainedConfig, **expected: object) -> None:
    """Raise ValueError where a configuration has a value that is not supported: for each name the one value we take."""
    for name, value in expected.items():
        given = getattr(config, name, value)
        if given != value:
            raise ValueError(f"{name}={given!r} is not supported: expected {value!r}")
