"""A decode step as one call: pointers to all weights, put together once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .operations import MAX_ROWS, Kernels, sight_of
from .structs import ACTIVATIONS, FORMATS, Call, LayerMemory, LayerWeights, Model, Workspace, address, checked


@dataclass(frozen=True)
class Weights:
    """What a decoder is made of. `layers` name the tensors of `LayerWeights`; a matrix is [outputs, inputs].

    `frequencies` [pairs], float32: radians per position of each pair of elements that is turned. `gated`: `up` holds
    the rows of the gate, and under them those it is multiplied with.
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

    def tensors(self) -> list[Tensor]:
        """All of them."""
        own = [self.embedding, self.norm, self.norm_bias, self.head, self.frequencies, self.slopes]
        return [x for x in (*own, *(x for layer in self.layers for x in layer.values())) if x is not None]


class DecodeStep:
    """The step of one model: called with tokens and the tensors of a cache, returns logits."""

    def __init__(self, kernels: Kernels, weights: Weights) -> None:
        for layer in weights.layers:
            for name, x in layer.items():
                checked(name, x, weights.embedding.dtype, () if x is None else x.shape)
        if not all(x.is_contiguous() for x in weights.tensors()):
            raise ValueError("weights are strided: expected contiguous ones, which are read in place")
        self.weights, self.step = weights, kernels.library.step
        self.workspace = Workspace(kernels.library)
        self.layers = (LayerWeights * len(weights.layers))(
            *(LayerWeights(**{name: address(x) for name, x in layer.items()}) for layer in weights.layers)
        )
        self.model = self._model(weights)
        self.memory = (LayerMemory * len(weights.layers))()
        self.call = Call(layers=ctypes.addressof(self.memory))

    def _model(self, weights: Weights) -> Model:
        h, g, d = weights.heads
        down = weights.layers[0]["down"]
        return Model(
            layers=ctypes.addressof(self.layers), embedding=address(weights.embedding), norm=address(weights.norm),
            norm_bias=address(weights.norm_bias), head=address(weights.head), frequencies=address(weights.frequencies),
            slopes=address(weights.slopes), layer_count=len(self.layers), hidden=down.shape[0], inner=down.shape[1],
            vocabulary=len(weights.head), format=FORMATS[weights.embedding.dtype], h=h, g=g, d=d,
            pairs=len(weights.frequencies), interleaved=weights.interleaved,
            activation=ACTIVATIONS[weights.activation], gated=weights.gated, eps=weights.eps, scale=d**-0.5,
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
    ) -> Tensor:
        """Logits [b * w, v], float32, of what follows tokens [b, w] that stand at positions [#b, w], both int64.

        `lengths`, `ancestry` and `where` (the positions of the prompts' tokens) as in `segment_attention`; `sizes`:
        tokens of the prompt, and steps with this one, for which there must be memory. Keys and values are written.
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
        call = self.call
        call.tokens, call.positions, call.logits = tokens.data_ptr(), positions.data_ptr(), logits.data_ptr()
        call.positions_batch = positions.stride(0) if len(positions) > 1 else 0
        call.sight = sight_of(lengths, ancestry, where, self.weights.slopes, (b, w, h, t, steps))
        call.sight.scale = self.model.scale
        call.b, call.w, call.threads = b, w, torch.get_num_threads()
        failed = self.step(self.model, call, self.workspace.address)
        if failed == 2:
            raise IndexError(f"tokens {tokens.tolist()}: expected ids from 0 to {self.model.vocabulary - 1}")
        if failed:
            raise MemoryError(f"no memory for a step of {b * w} sequences")
        return logits
