"""What a decoder is made of: one frozen description that every family fills in.

The shape alphabet, used in every annotation of this library:
`b` requests, `w` beams, `t` tokens, `h` query heads, `g` key/value heads, `d` head size,
`m` model size, `f` feed-forward size, `v` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


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
class FrequencyScaling:
    """A divisor of its own for the frequency of every pair, fastest first."""

    factor: tuple[float, ...]


@dataclass(frozen=True)
class Rope:
    """Rotary position embedding: base `theta`, over the first `dim` elements of each head.

    Pairs are an element and the one `dim / 2` further on, or neighbours where `interleaved`.
    """

    theta: float
    dim: int
    scaling: Llama3Scaling | LinearScaling | FrequencyScaling | None = None
    interleaved: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.scaling, FrequencyScaling) and len(self.scaling.factor) != self.dim // 2:
            raise ValueError(
                f"{len(self.scaling.factor)} factors of RoPE: expected one for each of {self.dim // 2} pairs"
            )


@dataclass(frozen=True)
class LayerKind:
    """What may differ from layer to layer: the rotation of q and k (None: none), and how many tokens a query sees.

    `window` counts the query's own token; None stands for all of them. With `windowed_cache` it is the
    cache that has the window: a query sees all tokens of its own pass before it, and of those held
    before the pass the last `window - 1`. Raises ValueError for a window of no tokens.
    """

    rope: Rope | None
    window: int | None = None
    windowed_cache: bool = False

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise ValueError(f"window={self.window}: expected a number of tokens, 1 or more")


@dataclass(frozen=True)
class DecoderConfig:
    """A decoder-only transformer, described independently of the family it came from: sizes are counts of elements.

    Layers: `kinds`, which `pattern` repeats over the layers. Norms: RMSNorm, or LayerNorm where
    `layer_norm`; with `post_norms` another one behind attention and feed-forward block, with
    `head_norms` one for every head of q and k. `parallel`: both blocks read what the layer was
    given, through one norm where `shared_norm`. Feed-forward: `activation`, a key of
    `tinyllm.kernels.torch_kernels.ACTIVATIONS`, of a gate where `gated`. Attention: scores are q k
    times `score_scale` (None: 1 / sqrt(head_dim)), bent by `score_softcap`, and fall with the
    distance where `alibi`. `qkv_per_head`: rows of the merged matrix are q, k and v of the first
    head, then of the next. Embeddings: times `embedding_scale`, plus a row of a table of
    `learned_positions`, which starts `position_offset` rows early, then `embedding_norm`. Logits:
    bent by `logit_softcap`. Raises ValueError for what does not go together.
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
    kinds: tuple[LayerKind, ...]
    pattern: tuple[int, ...] = (0,)
    activation: str = "silu"
    gated: bool = True
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    head_bias: bool = False
    qkv_per_head: bool = False
    tie_word_embeddings: bool = False
    layer_norm: bool = False
    post_norms: bool = False
    head_norms: bool = False
    parallel: bool = False
    shared_norm: bool = False
    score_scale: float | None = None
    score_softcap: float | None = None
    alibi: bool = False
    embedding_scale: float = 1.0
    embedding_norm: bool = False
    learned_positions: int = 0
    position_offset: int = 0
    logit_softcap: float | None = None

    def __post_init__(self) -> None:
        for name in SIZES:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a positive number")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads={self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads={self.num_key_value_heads}: every key/value head serves equally many query heads"
            )
        if self.qkv_per_head and self.group > 1:
            raise ValueError(
                f"qkv_per_head with {self.group} query heads to a key/value head: expected one"
            )
        if self.post_norms and (self.layer_norm or self.parallel):
            raise ValueError(
                "post_norms with layer_norm or parallel: expected RMSNorms and blocks in sequence"
            )

    @property
    def kind_of_layer(self) -> tuple[int, ...]:
        """For every layer, which of the kinds it is."""
        return tuple(self.pattern[i % len(self.pattern)] for i in range(self.num_hidden_layers))

    @property
    def rope(self) -> Rope | None:
        """The rotation of the first kind of layer; in all kinds it turns as many elements."""
        return self.kinds[0].rope

    @property
    def rotated(self) -> int:
        """How many elements of a head are turned: pairs, of which the last may have an element beyond `dim`."""
        return max(
            (kind.rope.dim + kind.rope.dim % 2 for kind in self.kinds if kind.rope is not None),
            default=0,
        )

    @property
    def group(self) -> int:
        """Query heads that share a key/value head."""
        return self.num_attention_heads // self.num_key_value_heads

    def of_kind(self, kind: int) -> DecoderConfig:
        """The same with all layers of one kind, to tell what such a layer costs."""
        return replace(self, kinds=(self.kinds[kind],), pattern=(0,))


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
