"""A decode step in native code on a CPU: one call for a token, every weight read once, in place."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.attention.mask import alibi_slopes
from tinyllm.cache.fixed import FixedSegmentCache
from tinyllm.kernels import cpu
from tinyllm.ops import FUSED
from tinyllm.ops.embedding import embed, softcapped

Step = Callable[[Tensor, Tensor | None, object], Tensor]


def native_step(model: nn.Module) -> Step | None:
    """`model.step` with decode steps in native code; None where `why_not` gives a reason against it.

    The function takes token ids [b, w], None and a `FixedSegmentCache`, and returns logits [b * w, v], in float32
    whatever format the model has. A prompt, more sequences than the kernels take, and all that hooks on the layers want
    to see goes through `model.step`.
    """
    return None if why_not(model) else NativeStep(model)


def why_not(model: nn.Module) -> str | None:
    """Why a model's decode steps cannot run in native code, and what helps; None where they can."""
    weight = model.embed_tokens.weight
    if weight.device.type != "cpu":
        return f"native steps run on a cpu, the model is on {weight.device}"
    if weight.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return f"native steps do not know {weight.dtype}"
    if model.config.head_dim > cpu.MAX_HEAD_DIM:
        return f"heads of size {model.config.head_dim}: native steps take at most {cpu.MAX_HEAD_DIM}"
    if model.stage.ops is not FUSED:
        return f"stage {model.stage.name!r} has operations of its own, which a native step would not run"
    if not all(x.is_contiguous() and x.dtype == weight.dtype for x in model.parameters()):
        return "some weights are strided, or of another format than the rest"
    return cpu.unavailable()


class NativeStep:
    """See `native_step`. Pointers to weights and memory are put together again whenever an answer begins."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.ordinary, self.step = model, model.step, None
        self.cache: Callable[[], object | None] = lambda: None
        self.known: list[int] = []
        self.memory = 0

    def __call__(
        self, input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "b t"] | None, cache: object
    ) -> Float[Tensor, "r v"]:
        """Take the tokens into the cache, and return the logits of what follows."""
        if attention_mask is not None or self.model.hooked or not goes_on(cache, input_ids):
            return self.ordinary(input_ids, attention_mask, cache)
        with torch.inference_mode():
            positions, (sight, *_) = cache.admit(input_ids.shape[1], None)
            self.prepare(cache)
            embedding, sizes = self.model.embed_tokens, (cache.prompt_tokens, cache.steps)
            x = None if embedding.bare else embed(input_ids, positions, embedding)
            who = sight.lengths, sight.ancestry, sight.positions
            logits = self.step(input_ids, positions, *who, sizes, embedded=x)
            return softcapped(logits, self.model.config.logit_softcap)

    def prepare(self, cache: FixedSegmentCache) -> None:
        """Find the weights and the memory, where they may have moved since the last step."""
        new = self.cache() is not cache or cache.steps == 1
        if new:
            self.find_weights()
        first = cache.layers[0].slots(cache.copies).k.data_ptr()
        if new or first != self.memory:
            self.step.bind([(*layer.prompt, *layer.slots(cache.copies)[:2]) for layer in cache.layers])
            self.cache, self.memory = weakref.ref(cache), cache.layers[0].slots(cache.copies).k.data_ptr()

    def find_weights(self) -> None:
        """Build the native step, unless all weights are where they were."""
        where = [x.data_ptr() for x in self.model.parameters()]
        if where != self.known:
            self.step, self.known = cpu.DecodeStep(cpu.kernels(), weights_of(self.model)), where


def goes_on(cache: object, input_ids: Int[Tensor, "b t"]) -> bool:
    """Whether tokens are one step of every sequence, and few enough for the kernels."""
    return (
        isinstance(cache, FixedSegmentCache)
        and cache.length > 0
        and not cache.new_turn
        and input_ids.shape[1] == cache.copies
        and input_ids.numel() <= cpu.MAX_ROWS
    )


def weights_of(model: nn.Module) -> cpu.Weights:
    """The weights of a decoder under the names the kernels have for them, where they are."""
    config, scores = model.config, [layer.scores for layer in model.layers]
    return cpu.Weights(
        layers=[layer_weights(layer) for layer in model.layers],
        embedding=model.embed_tokens.weight.detach(),
        norm=model.norm.weight.detach(),
        norm_bias=_detached(model.norm.bias),
        head=model.lm_head.weight.detach(),
        head_bias=_detached(model.lm_head.bias),
        frequencies=model.rotation.frequencies.float().contiguous(),
        kinds=[layer.kind for layer in model.layers],
        windows=[one.window for one in scores],
        scale=scores[0].scale,
        softcap=scores[0].softcap,
        slopes=alibi_slopes(config.num_attention_heads) if config.alibi else None,
        heads=(config.num_attention_heads, config.num_key_value_heads, config.head_dim),
        activation=config.activation,
        eps=model.norm.eps,
        gated=config.gated,
        interleaved=model.rotation.interleaved,
        parallel=config.parallel,
        per_head=config.qkv_per_head,
    )


def layer_weights(layer: nn.Module) -> dict[str, Tensor | None]:
    """Those of one layer."""
    parts = {
        "attention_norm": layer.attention_norm,
        "qkv": layer.qkv_proj,
        "o": layer.o_proj,
        "mlp_norm": layer.mlp_norm,
        "up": layer.gate_up_proj,
        "down": layer.down_proj,
    }
    weights = {name: part.weight.detach() for name, part in parts.items()}
    weights |= {f"{name}_bias": _detached(part.bias) for name, part in parts.items()}
    norms, after = layer.qkv_proj.norms, (layer.attention_post_norm, layer.mlp_post_norm)
    weights |= {} if norms is None else {"q_norm": norms.q.detach(), "k_norm": norms.k.detach()}
    names = ("attention_post_norm", "mlp_post_norm")
    return weights | {name: norm.weight.detach() for name, norm in zip(names, after, strict=True) if norm is not None}


def _detached(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.detach()
