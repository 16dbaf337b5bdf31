"""What a decoder is made of: one frozen description that every family fills in.

The shape alphabet, used in every annotation of this library:
`b` requests, `w` beams, `t` tokens, `h` query heads, `g` key/value heads, `d` head size,
`m` model size, `f` feed-forward size, `v` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Llama3Scaling:
    """Llama 3.1's stretching of the rotary wavelengths beyond the context the model was first trained on."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int


@dataclass(frozen=True)
class LinearScaling:
    """Position interpolation: every position divided by `factor`."""

    factor: float


@dataclass(frozen=True)
class Rope:
    """Rotary position embedding: base `theta`, over `dim` elements of each head."""

    theta: float
    dim: int
    scaling: Llama3Scaling | LinearScaling | None = None


@dataclass(frozen=True)
class DecoderConfig:
    """A decoder-only transformer, described independently of the family it came from.

    Sizes are counts of elements. `activation` is a key of `tinyllm.kernels.plain.ACTIVATIONS`.
    """

    family: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    norm_eps: float
    rope: Rope
    activation: str = "silu"
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False

    def __post_init__(self) -> None:
        for name in SIZES:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a positive number")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads={self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads={self.num_key_value_heads}: every key/value head serves equally many query heads"
            )


SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
)
