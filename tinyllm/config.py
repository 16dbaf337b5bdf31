"""What a decoder is made of: one frozen description that every family fills in.

The shape alphabet, used in every annotation of this library:
`b` requests, `w` beams, `t` tokens, `h` query heads, `g` key/value heads, `d` head size,
`m` model size, `f` feed-forward size, `v` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise


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


DENSE_UNITS = (64, 32, 16, 8, 4, 2, 1)  # columns: a cut between larger units keeps rows aligned


@dataclass(frozen=True)
class RankPart:
    """One rank's part of a decoder that `size` ranks run together, in the numbering of the complete decoder.

    Ranks may have the same key/value head, where there are fewer heads than ranks. The ranges of feed-forward columns
    and of the vocabulary need not be equally long.
    """

    rank: int
    size: int
    num_attention_heads: int  # of the complete decoder
    heads: range
    key_value_heads: range
    columns: range
    vocabulary: range


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
    bent by `logit_softcap`. `part`: these are the sizes of one rank's part; None: of a complete
    decoder. Raises ValueError for what does not go together.
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
    part: RankPart | None = None

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

    @property
    def down_bias(self) -> bool:
        """Whether the down projection has a bias: of several ranks the first adds it to the sum."""
        return self.mlp_bias and (self.part is None or self.part.rank == 0)

    @property
    def head_rows(self) -> int:
        """Words of the vocabulary whose logits the head makes: on one of several ranks a part of them."""
        return self.vocab_size if self.part is None else len(self.part.vocabulary)

    @property
    def embedding_rows(self) -> int:
        """Rows of the table of tokens: every rank has all of them, unless it shares its rows with the head."""
        return self.head_rows if self.tie_word_embeddings else self.vocab_size

    def of_kind(self, kind: int) -> DecoderConfig:
        """The same with all layers of one kind, to tell what such a layer costs."""
        return replace(self, kinds=(self.kinds[kind],), pattern=(0,))

    def of_rank(self, rank: int, size: int, unit: int = 0) -> DecoderConfig:
        """The part of one of `size` ranks: its heads, its feed-forward columns, its rows of the head.

        Columns are cut between units of so many (0: of one to 64), such as the blocks of packed weights. The first rank
        has the biases that are added once, to sums over all ranks. Raises ValueError where heads cannot be cut.
        """
        if size == 1:
            return self
        heads, key_value_heads = self._heads_of_rank(rank, size)
        f = self.intermediate_size
        units = (n for n in DENSE_UNITS if f % n == 0 and f >= n * size)
        columns = split_evenly(f, size, unit or next(units, 1))
        vocabulary = split_evenly(self.vocab_size, size)
        part = RankPart(
            rank,
            size,
            self.num_attention_heads,
            heads=heads,
            key_value_heads=key_value_heads,
            columns=columns[rank],
            vocabulary=vocabulary[rank],
        )
        return replace(
            self,
            num_attention_heads=len(heads),
            num_key_value_heads=len(key_value_heads),
            intermediate_size=len(part.columns),
            o_bias=self.o_bias and rank == 0,
            part=part,
        )

    def _heads_of_rank(self, rank: int, size: int) -> tuple[range, range]:
        """Query heads of one rank, and the key/value heads that they read: complete groups, or equal parts of one.

        Some ranks have a group more than others where the groups do not divide evenly.
        """
        self._check_heads_divide(size)
        groups = self.num_key_value_heads
        if size <= groups:
            own = split_evenly(groups, size)[rank]
            return range(own.start * self.group, own.stop * self.group), own
        heads = self.num_attention_heads // size
        group = rank * groups // size
        return range(rank * heads, (rank + 1) * heads), range(group, group + 1)

    def _check_heads_divide(self, size: int) -> None:
        """Raise ValueError where some of `size` ranks would have no complete group, and no equal part of one."""
        heads = self.num_attention_heads
        groups = self.num_key_value_heads
        shared = [n for n in range(groups + 1, heads + 1) if n % groups == 0 and heads % n == 0]
        divides = [*range(1, groups + 1), *shared]
        if size not in divides:
            raise ValueError(
                f"{heads} query heads and {groups} key/value heads do not divide among {size} ranks: "
                f"expected one of {divides} ranks"
            )


def split_evenly(total: int, size: int, unit: int = 1) -> list[range]:
    """`total` columns in `size` consecutive ranges, cut between units; some are a unit longer than others.

    Raises ValueError for fewer units than ranges.
    """
    units = -(-total // unit)
    if units < size:
        raise ValueError(
            f"{total} columns in units of {unit} do not divide among {size} ranks: expected at most {units} ranks"
        )
    ends = [min(total, unit * (units * i // size)) for i in range(size + 1)]
    return [range(*pair) for pair in pairwise(ends)]


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
