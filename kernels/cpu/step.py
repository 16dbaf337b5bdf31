"""A decode step as one call: pointers to all weights, put together once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .operations import MAX_HEAD_DIM, MAX_ROWS, Kernels, sight_of, window_of
from .structs import ACTIVATIONS, FORMATS, Call, LayerMemory, LayerWeights, Model, Workspace, address, checked

POST_NORMS = ("attention_post_norm", "mlp_post_norm")


@dataclass(frozen=True)
class Weights:
    """What a decoder is made of. `layers` name the tensors of `LayerWeights`; a matrix is [outputs, inputs].

    Where a layer has `q_norm` and `k_norm` [d], every head is normalised before it is rotated; `attention_post_norm`
    and `mlp_post_norm` [m] normalise what attention and feed-forward give before it is added to their input.

    `frequencies` [pairs] or [kinds, pairs], float32: radians per position of each pair of elements that is turned;
    `kinds` says for every layer which row is its own, the first unless given. `gated`: `up` holds the rows of the gate,
    and under them those it is multiplied with. `per_head`: `qkv` holds the rows of q, k and v of one head after the
    other, else all of q, all of k, all of v. `parallel`: attention and feed-forward both read the input of the layer,
    and both are added to it. `scale` (1 / sqrt(d) unless given), `softcap`, `slopes` and, for every layer, `windows` as
    in `segment_attention`.
    """

    layers: Sequence[dict[str, Tensor | None]]
    embedding: Tensor
    norm: Tensor
    norm_bias: Tensor | None
    head: Tensor
    frequencies: Tensor
    heads: tuple[int, int, int]  # query heads, key/value heads, head size
    activation: str
    eps: float
    gated: bool = True
    interleaved: bool = False
    slopes: Tensor | None = None
    head_bias: Tensor | None = None
    scale: float | None = None
    softcap: float | None = None
    windows: Sequence[int | None] | None = None
    kinds: Sequence[int] | None = None
    parallel: bool = False
    per_head: bool = False

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Elements of the residual stream, of a feed-forward layer, and of the vocabulary."""
        return *self.layers[0]["down"].shape, len(self.head)

    @property
    def post_norms(self) -> bool:
        """Whether anything is normalised before it is added."""
        return any(layer.get(name) is not None for layer in self.layers for name in POST_NORMS)

    def tensors(self) -> list[Tensor]:
        """All of them."""
        own = [self.embedding, self.norm, self.norm_bias, self.head, self.head_bias, self.frequencies, self.slopes]
        return [x for x in (*own, *(x for layer in self.layers for x in layer.values())) if x is not None]


class DecodeStep:
    """The step of one model: called with tokens and the tensors of a cache, returns logits."""

    def __init__(self, kernels: Kernels, weights: Weights) -> None:
        _check(weights)
        self.weights, self.step = weights, kernels.library.step
        self.workspace = Workspace(kernels.library)
        count = len(weights.layers)
        windows, kinds = weights.windows or [None] * count, weights.kinds or [0] * count
        if not len(windows) == len(kinds) == count:
            raise ValueError(f"{len(windows)} windows and {len(kinds)} kinds for {count} layers")
        self.layers = (LayerWeights * count)()
        for there, layer, window, kind in zip(self.layers, weights.layers, windows, kinds, strict=True):
            there.window, there.kind = window_of(window), kind
            for name, x in layer.items():
                setattr(there, name, address(x))
        self.model = self._model(weights)
        self.memory = (LayerMemory * count)()
        self.call = Call(layers=ctypes.addressof(self.memory))

    def _model(self, weights: Weights) -> Model:
        (h, g, d), (hidden, inner, vocabulary) = weights.heads, weights.sizes
        kinds, pairs = _rows(weights.frequencies).shape
        return Model(
            layers=ctypes.addressof(self.layers), embedding=address(weights.embedding), norm=address(weights.norm),
            norm_bias=address(weights.norm_bias), head=address(weights.head), head_bias=address(weights.head_bias),
            frequencies=address(weights.frequencies), slopes=address(weights.slopes), layer_count=len(self.layers),
            hidden=hidden, inner=inner, vocabulary=vocabulary, format=FORMATS[weights.embedding.dtype], h=h, g=g, d=d,
            kinds=kinds, pairs=pairs, interleaved=weights.interleaved, activation=ACTIVATIONS[weights.activation],
            gated=weights.gated, per_head=weights.per_head, parallel=weights.parallel, post_norms=weights.post_norms,
            eps=weights.eps,
        )  # fmt: skip

    def bind(self, memory: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> None:
        """The memory of every layer from now on: prompts k and v [b, g, t, d], responses k and v [b, g, n, d].

        Raises ValueError where strides differ from layer to layer, or formats from that of the weights.
        """
        first, names = memory[0], ("prompt_k", "prompt_v", "response_k", "response_v")
        like = first[0], first[0], first[2], first[2]
        for layer, tensors in zip(self.memory, memory, strict=True):
            for name, x, other in zip(names, tensors, like, strict=True):
                checked(name, x, self.weights.embedding.dtype, other.shape)
                if x.stride() != other.stride():
                    raise ValueError(f"{name} has strides {x.stride()} in one layer, {other.stride()} in another")
                setattr(layer, name, x.data_ptr())
        call = self.call
        call.prompt_batch, call.prompt_head, call.prompt_token = first[0].stride()[:3]
        call.response_batch, call.response_head, call.response_token = first[2].stride()[:3]
        self.bound = memory

    def __call__(
        self,
        tokens: Tensor,
        positions: Tensor,
        lengths: Tensor,
        ancestry: Tensor | None,
        where: Tensor | None,
        sizes: tuple[int, int],
        embedded: Tensor | None = None,
    ) -> Tensor:
        """Logits [b * w, v], float32, of what follows tokens [b, w] that stand at positions [#b, w], both int64.

        `lengths`, `ancestry` and `where` (the positions of the prompts' tokens) as in `segment_attention`; `sizes`:
        tokens of the prompt, and steps with this one, for which there must be memory. Keys and values are written.
        `embedded` [b, w, m]: what the first layer reads, where it is more than the tokens' rows of the embedding.
        """
        (b, w), (t, steps) = tokens.shape, sizes
        h, g, d = self.weights.heads
        if not 1 <= b * w <= MAX_ROWS:
            raise ValueError(f"{b * w} sequences: expected 1 to {MAX_ROWS}")
        prompt, response = self.bound[0][0], self.bound[0][2]
        checked("prompt", prompt, prompt.dtype, [b, g, t, d])
        checked("response", response, prompt.dtype, [b, g, steps * w, d])
        checked("lengths", lengths, torch.int32, [2])
        tokens = tokens.contiguous()
        checked("tokens", tokens, torch.int64, [b, w])
        checked("positions", positions, torch.int64, [1, w])
        logits = torch.empty(b * w, self.model.vocabulary)
        embedded = self._embedded(embedded, b, w)
        call = self.call
        call.embedded = address(embedded)
        call.tokens, call.positions, call.logits = tokens.data_ptr(), positions.data_ptr(), logits.data_ptr()
        call.positions_batch = positions.stride(0) if len(positions) > 1 else 0
        call.sight = sight_of(lengths, ancestry, where, self.weights.slopes, (b, w, h, t, steps))
        call.sight.scale, call.sight.softcap = self.weights.scale or d**-0.5, self.weights.softcap or 0.0
        call.b, call.w, call.threads = b, w, torch.get_num_threads()
        failed = self.step(self.model, call, self.workspace.address)
        if failed == 2:
            raise IndexError(f"tokens {tokens.tolist()}: expected ids from 0 to {self.model.vocabulary - 1}")
        if failed:
            raise MemoryError(f"no memory for a step of {b * w} sequences")
        return logits

    def _embedded(self, x: Tensor | None, b: int, w: int) -> Tensor | None:
        """What was passed instead of the tokens' rows, side by side in memory."""
        if x is None:
            return None
        if x.shape != (b, w, self.model.hidden):
            raise ValueError(f"embedded has shape {list(x.shape)}, expected {[b, w, self.model.hidden]}")
        x = x.contiguous()
        checked("embedded", x, self.weights.embedding.dtype, x.shape)
        return x


def _rows(frequencies: Tensor) -> Tensor:
    """Frequencies [pairs] as [1, pairs], or as they are."""
    return frequencies if frequencies.ndim == 2 else frequencies[None]


def _check(weights: Weights) -> None:
    """Raise ValueError for weights that cannot be read in place, or that belong to no decoder."""
    dtype, (h, g, d), (m, _, v) = weights.embedding.dtype, weights.heads, weights.sizes
    for layer in weights.layers:
        for name, x in layer.items():
            checked(name, x, dtype, () if x is None else x.shape)
        for name, size in (("q_norm", d), ("k_norm", d), *((name, m) for name in POST_NORMS)):
            checked(name, layer.get(name), dtype, [size])
    checked("head_bias", weights.head_bias, dtype, [v])
    checked("slopes", weights.slopes, torch.float32, [h])
    frequencies = _rows(weights.frequencies)
    checked("frequencies", frequencies, torch.float32, [0, 0])
    if not all(0 <= kind < len(frequencies) for kind in weights.kinds or ()):
        raise ValueError(f"kinds {weights.kinds}: expected rows of frequencies, 0 to {len(frequencies) - 1}")
    if d > MAX_HEAD_DIM or 2 * frequencies.shape[1] > d:
        raise ValueError(f"{frequencies.shape[1]} pairs in heads of size {d}, expected at most {MAX_HEAD_DIM} elements")
    if not all(x.is_contiguous() for x in weights.tensors()):
        raise ValueError("weights are strided: expected contiguous ones, which are read in place")
    if weights.per_head and h != g:
        raise ValueError(f"{h} query heads on {g}: stored for every head, there must be as many keys and values")
    if weights.parallel and weights.post_norms:
        raise ValueError("parallel layers whose branches are normalised before they are added: expected one of the two")
