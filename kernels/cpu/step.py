"""A decode step as one call: addresses of all weights, collected once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..kernel_set import KeyValueScales
from ..weights import Weight
from .checks import (
    MAX_HEAD_DIM,
    MAX_ROWS,
    bad_beam_index,
    check_scales,
    check_shape,
    check_tensor,
    check_weight,
    checked_lengths,
    window_size,
)
from .matrices import check_matrix, matrix_of, tensors_of
from .operations import Kernels, attention_mask
from .structs import (
    ACTIVATIONS,
    BAD_BEAM_INDEX,
    BAD_TOKEN,
    DTYPES,
    AttentionShape,
    LayerKV,
    LayerWeights,
    ModelArgs,
    Scratch,
    StepArgs,
    address,
)

KeysAndValues = tuple[Tensor, Tensor, Tensor, Tensor]  # of prompt and response
MATRICES = ("qkv", "o", "gate_up", "down")
POST_NORMS = ("attention_post_norm", "mlp_post_norm")


class Sizes(NamedTuple):
    """Of the residual stream, of the MLP between its two matrices, of the vocabulary."""

    hidden: int
    intermediate: int
    vocab: int


@dataclass(frozen=True)
class DecoderWeights:
    """The weights of a decoder. `layers` have the matrices and tensors of `LayerWeights` by name.

    A matrix [outputs, inputs] is dense or packed. `q_norm` and `k_norm` [d] normalise every head before RoPE;
    `attention_post_norm` and `mlp_post_norm` [m] normalise the output of attention and MLP before
    it is added to their input.

    `frequencies` [pairs] or [sets, pairs], float32: radians per position of each pair of elements
    that RoPE rotates; `frequency_sets`: for every layer a row of it, the first unless given.
    `gated`: `gate_up` holds the rows of the gate, then those it is multiplied with. `per_head`:
    `qkv` holds the rows of q, k and v of one head after the other, else all of q, all of k, all of
    v. `parallel`: attention and MLP both read the input of the layer, and both are added to it.
    `scale` (1 / sqrt(d) unless given), `softcap`, `slopes` and, for every layer, `windows` as in
    `segment_attention`.
    """

    layers: Sequence[dict[str, Weight | Tensor | None]]
    embedding: Weight
    norm: Tensor
    norm_bias: Tensor | None
    lm_head: Weight
    frequencies: Tensor
    heads: tuple[int, int, int]  # query heads, key/value heads, head size
    activation: str
    eps: float
    gated: bool = True
    interleaved: bool = False
    slopes: Tensor | None = None
    lm_head_bias: Tensor | None = None
    scale: float | None = None
    softcap: float | None = None
    windows: Sequence[int | None] | None = None
    frequency_sets: Sequence[int] | None = None
    parallel: bool = False
    per_head: bool = False

    @property
    def sizes(self) -> Sizes:
        """Read from the shapes of the matrices."""
        hidden, intermediate = self.layers[0]["down"].shape
        return Sizes(hidden, intermediate, vocab=self.lm_head.shape[0])

    @property
    def dtype(self) -> torch.dtype:
        """The number format of activations."""
        return self.embedding.dtype

    @property
    def post_norms(self) -> bool:
        """Whether an output is normalised before it is added."""
        return any(layer.get(name) is not None for layer in self.layers for name in POST_NORMS)

    @property
    def frequency_table(self) -> Tensor:
        """`frequencies` as [sets, pairs]."""
        return self.frequencies if self.frequencies.ndim == 2 else self.frequencies[None]

    def tensors(self) -> list[Tensor]:
        """All of them."""
        matrices = [self.embedding, self.lm_head]
        tensors = [
            self.norm,
            self.norm_bias,
            self.lm_head_bias,
            self.frequencies,
            self.slopes,
        ]
        for layer in self.layers:
            matrices.extend(layer[name] for name in MATRICES)
            tensors.extend(x for name, x in layer.items() if name not in MATRICES)
        tensors.extend(x for matrix in matrices for x in tensors_of(matrix))
        return [x for x in tensors if x is not None]


class DecodeStep:
    """The decode step of one model: called with tokens and the tensors of a cache."""

    def __init__(self, kernels: Kernels, weights: DecoderWeights) -> None:
        _check_sizes(weights)
        _check_weights(weights)
        self.weights = weights
        self.step = kernels.library.step
        self.scratch = Scratch(kernels.library)
        self.layers = _layer_weights(weights)
        self.model = _model_args(weights, self.layers)
        self.kv = (LayerKV * len(weights.layers))()
        self.args = StepArgs(layers=ctypes.addressof(self.kv))
        self.bound: Sequence[KeysAndValues] = ()
        self.bound_scales: Sequence[KeyValueScales] | None = None

    def bind(
        self, kv: Sequence[KeysAndValues], scales: Sequence[KeyValueScales] | None = None
    ) -> None:
        """The memory of every layer from now on.

        For each layer prompt_k and prompt_v [b, g, t, d], response_k and response_v [b, g, n, d]; with `scales`, those
        of each layer, they are int8. Raises ValueError where strides differ from layer to layer, or dtypes from the
        weights'.
        """
        prompt, _, response, _ = kv[0]
        check_shape("prompt_k", prompt, "b g t d")
        check_shape("response_k", response, "b g slots d")
        dtype = self.weights.dtype if scales is None else torch.int8
        self._set_addresses(KeyValueScales._fields, kv, dtype)
        args = self.args
        args.prompt_batch, args.prompt_head, args.prompt_token, _ = prompt.stride()
        args.response_batch, args.response_head, args.response_token, _ = response.stride()
        names = [f"{name}_scale" for name in KeyValueScales._fields]
        if scales is None:
            for layer in self.kv:
                for name in names:
                    setattr(layer, name, None)
        else:
            first = scales[0]
            self._set_addresses(names, scales, torch.float32)
            args.prompt_scale_batch, args.prompt_scale_head, _ = first.prompt_k.stride()
            args.response_scale_batch, args.response_scale_head, _ = first.response_k.stride()
        self.bound = kv
        self.bound_scales = scales

    def _set_addresses(
        self, names: Sequence[str], layers: Sequence[tuple[Tensor, ...]], dtype: torch.dtype
    ) -> None:
        """Store where the tensors of every layer begin: those of prompts, then those of responses."""
        first_k, _, first_response_k, _ = layers[0]
        first_of_kind = (first_k, first_k, first_response_k, first_response_k)
        for layer, tensors in zip(self.kv, layers, strict=True):
            for name, x, first in zip(names, tensors, first_of_kind, strict=True):
                check_tensor(name, x, dtype, first.shape)
                if x.stride() != first.stride():
                    raise ValueError(
                        f"{name} has strides {x.stride()} in one layer, {first.stride()} in another"
                    )
                setattr(layer, name, x.data_ptr())

    def __call__(
        self,
        tokens: Tensor,
        positions: Tensor,
        lengths: Tensor,
        beam_index: Tensor | None,
        prompt_positions: Tensor | None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Logits [b * w, vocab], float32, of the tokens after `tokens`; stores keys and values.

        tokens [b, w] and their positions [b or 1, w], int64. `lengths` (steps with this one),
        `beam_index` and `prompt_positions` as in `segment_attention`. inputs_embeds [b, w, m]: the
        input of the first layer, where it is more than the tokens' rows of the embedding. Raises
        ValueError, and IndexError for a token that is not in the vocabulary.
        """
        check_shape("tokens", tokens, "b w")
        check_shape("positions", positions, "b w")
        b, w = tokens.shape
        if not 1 <= b * w <= MAX_ROWS:
            raise ValueError(f"{b * w} sequences: expected 1 to {MAX_ROWS}")
        self._check_memory(b, w, lengths)
        tokens = tokens.contiguous()
        check_tensor("tokens", tokens, torch.int64, [b, w])
        check_tensor("positions", positions, torch.int64, [b if len(positions) > 1 else 1, w])
        inputs_embeds = self._checked_embeds(inputs_embeds, b, w)
        logits = torch.empty(
            (b * w, self.model.vocab_size), dtype=torch.float32, device=tokens.device
        )

        args = self.args
        args.b = b
        args.w = w
        args.tokens = address(tokens)
        args.positions = address(positions)
        args.positions_batch = positions.stride(0) if len(positions) > 1 else 0
        args.inputs_embeds = address(inputs_embeds)
        args.logits = address(logits)
        args.num_threads = torch.get_num_threads()
        h, g, d = self.weights.heads
        shape = AttentionShape(b=b, w=w, h=h, g=g, d=d)
        slopes = self.weights.slopes
        args.mask = attention_mask(shape, lengths, beam_index, prompt_positions, slopes=slopes)
        args.mask.scale = self.weights.scale or d**-0.5
        args.mask.softcap = self.weights.softcap or 0.0
        failed = self.step(self.model, args, self.scratch.address)
        if failed == BAD_TOKEN:
            vocab = self.model.vocab_size
            raise IndexError(f"tokens {tokens.tolist()}: expected ids from 0 to {vocab - 1}")
        if failed == BAD_BEAM_INDEX:
            raise bad_beam_index(beam_index, w)
        if failed:
            raise MemoryError(f"no memory for a step of {b * w} sequences")
        return logits

    def _check_memory(self, b: int, w: int, lengths: Tensor) -> None:
        """Raise ValueError unless there is memory for these lengths."""
        t, steps = checked_lengths(lengths)
        if steps < 1:
            raise ValueError(f"lengths are {[t, steps]}, expected a step to store")
        if not self.bound:
            raise ValueError("the step has no memory for keys and values: expected `bind` before")
        _, g, d = self.weights.heads
        prompt, _, response, _ = self.bound[0]
        check_tensor("prompt", prompt, prompt.dtype, [b, g, t, d])
        check_tensor("response", response, prompt.dtype, [b, g, steps * w, d])
        if self.bound_scales is not None:
            check_scales(self.bound_scales[0], (b, g), t, steps * w)

    def _checked_embeds(self, x: Tensor | None, b: int, w: int) -> Tensor | None:
        """The inputs of the first layer, contiguous; None where tokens are looked up."""
        hidden, _, vocab = self.weights.sizes
        if x is None:
            rows, width = self.weights.embedding.shape
            if rows < vocab or width != hidden:
                raise ValueError(
                    f"embedding has shape {[rows, width]}, expected {[vocab, hidden]}, or inputs_embeds"
                )
            return None
        if x.shape != (b, w, hidden):
            raise ValueError(f"inputs_embeds has shape {list(x.shape)}, expected {[b, w, hidden]}")
        x = x.contiguous()
        check_tensor("inputs_embeds", x, self.weights.dtype, x.shape)
        return x


def _layer_weights(weights: DecoderWeights) -> ctypes.Array:
    count = len(weights.layers)
    windows = weights.windows or [None] * count
    frequency_sets = weights.frequency_sets or [0] * count
    if not len(windows) == len(frequency_sets) == count:
        raise ValueError(
            f"{len(windows)} windows and {len(frequency_sets)} frequency_sets for {count} layers"
        )
    structs = (LayerWeights * count)()
    for struct, layer, window, frequency_set in zip(
        structs, weights.layers, windows, frequency_sets, strict=True
    ):
        struct.window = window_size(window)
        struct.frequency_set = frequency_set
        for name, x in layer.items():
            setattr(struct, name, matrix_of(x) if name in MATRICES else address(x))
    return structs


def _model_args(weights: DecoderWeights, layers: ctypes.Array) -> ModelArgs:
    h, g, d = weights.heads
    sizes = weights.sizes
    num_frequency_sets, num_pairs = weights.frequency_table.shape
    return ModelArgs(
        layers=ctypes.addressof(layers),
        embedding=matrix_of(weights.embedding),
        norm=address(weights.norm),
        norm_bias=address(weights.norm_bias),
        lm_head=matrix_of(weights.lm_head),
        lm_head_bias=address(weights.lm_head_bias),
        frequencies=address(weights.frequencies),
        slopes=address(weights.slopes),
        num_layers=len(layers),
        hidden_size=sizes.hidden,
        intermediate_size=sizes.intermediate,
        vocab_size=sizes.vocab,
        dtype=DTYPES[weights.dtype],
        h=h,
        g=g,
        d=d,
        num_frequency_sets=num_frequency_sets,
        num_pairs=num_pairs,
        interleaved=weights.interleaved,
        activation=ACTIVATIONS[weights.activation],
        gated=weights.gated,
        per_head=weights.per_head,
        parallel=weights.parallel,
        post_norms=weights.post_norms,
        eps=weights.eps,
    )


def _check_sizes(weights: DecoderWeights) -> None:
    """Raise ValueError for sizes and options that belong to no decoder."""
    h, g, d = weights.heads
    table = weights.frequency_table
    check_tensor("frequencies", table, torch.float32, [0, 0])
    if not all(0 <= index < len(table) for index in weights.frequency_sets or ()):
        raise ValueError(
            f"frequency_sets {weights.frequency_sets}: expected rows of frequencies, 0 to {len(table) - 1}"
        )
    pairs = table.shape[1]
    if d > MAX_HEAD_DIM or 2 * pairs > d:
        raise ValueError(
            f"{pairs} pairs in heads of size {d}, expected at most {MAX_HEAD_DIM} elements"
        )
    if h % g:
        raise ValueError(f"{h} query heads on {g}: expected a multiple")
    if weights.per_head and h != g:
        raise ValueError(
            f"{h} query heads on {g}: stored for every head, there must be as many keys and values"
        )
    if weights.parallel and weights.post_norms:
        raise ValueError(
            "parallel layers whose branches are normalised before they are added: expected one of the two"
        )


def _check_weights(weights: DecoderWeights) -> None:
    """Raise ValueError for weights that cannot be read in place."""
    dtype = weights.dtype
    if dtype not in DTYPES:
        raise ValueError(f"embedding is {dtype}: expected one of {list(DTYPES)}")
    hidden, _, vocab = weights.sizes
    matrices, vectors = _layer_shapes(weights)
    for layer in weights.layers:
        for name, shape in matrices.items():
            check_matrix(name, layer[name], dtype, shape)
        for name, shape in vectors.items():
            check_weight(name, layer.get(name), dtype, shape)
    check_weight("norm", weights.norm, dtype, [hidden])
    check_weight("norm_bias", weights.norm_bias, dtype, [hidden])
    check_matrix("lm_head", weights.lm_head, dtype, [vocab, hidden])
    check_matrix("embedding", weights.embedding, dtype, weights.embedding.shape)
    check_weight("lm_head_bias", weights.lm_head_bias, dtype, [vocab])
    check_weight("slopes", weights.slopes, torch.float32, [weights.heads[0]])
    check_weight("frequencies", weights.frequencies, torch.float32, weights.frequencies.shape)


def _layer_shapes(weights: DecoderWeights) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """The shapes of the matrices of a layer, and of its vectors."""
    h, g, d = weights.heads
    m, f, _ = weights.sizes
    matrices = {
        "qkv": [(h + 2 * g) * d, m],
        "o": [m, h * d],
        "gate_up": [2 * f if weights.gated else f, m],
        "down": [m, f],
    }
    biases = {f"{name}_bias": shape[:1] for name, shape in matrices.items()}
    norms = {"attention_norm": [m], "mlp_norm": [m], "q_norm": [d], "k_norm": [d]}
    norm_biases = {"attention_norm_bias": [m], "mlp_norm_bias": [m]}
    return matrices, biases | norms | norm_biases | {name: [m] for name in POST_NORMS}
