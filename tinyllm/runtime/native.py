"""A decode step in native code on a CPU: one call for a token, every weight read once, in place."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.attention.kernel import kernel_attention, scales_of
from tinyllm.attention.mask import slopes_of
from tinyllm.cache import PrefillCache
from tinyllm.cache.segment import SegmentCache
from tinyllm.decoder import Decoder, DecoderLayer
from tinyllm.kernels import cpu
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import DenseWeight, PackedWeight, Weight
from tinyllm.ops import FUSED
from tinyllm.ops.embedding import embed, softcap_logits

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def unsupported_reason(decoder: Decoder) -> str | None:
    """Why a decoder's steps cannot run in native code, and what helps; None where they can."""
    if decoder.device.type != "cpu":
        return f"native steps run on a cpu, the model is on {decoder.device}"
    if decoder.ranks.size > 1:
        return f"a native step makes no sums over {decoder.ranks.size} ranks"
    if decoder.dtype not in DTYPES:
        return f"native steps do not know {decoder.dtype}"
    if decoder.config.head_dim > cpu.MAX_HEAD_DIM:
        return (
            f"heads of size {decoder.config.head_dim}: native steps take at most {cpu.MAX_HEAD_DIM}"
        )
    if decoder.operations != FUSED:  # a pickled model has an equal table
        return "the stage has operations of its own, which a native step would not run"
    if decoder.attention is not kernel_attention:
        return "the stage has an attention of its own, which a native step would not run"
    if not decoder.kernels.native_step:
        return f"the stage asks for the kernels {decoder.kernels.name!r}"
    dtypes = (decoder.dtype, torch.uint8)  # packed weights are bytes
    if not all(x.is_contiguous() and x.dtype in dtypes for x in decoder.parameters()):
        return "some weights are strided, or of another format than the rest"
    missing = [name for name in decoder.packed_formats if name not in FORMATS]
    if missing:
        return f"native steps do not read weights packed in {', '.join(missing)}"
    return cpu.unavailable()


class NativeStep:
    """`decoder.step` with decode steps in native code, for a decoder without `unsupported_reason`.

    Called with token ids [b, w], None and a `SegmentCache`, it returns logits [b * w, v] in float32
    whatever format the model has. A prefill, more sequences than the kernels take, and layers with
    hooks go through `decoder.step`. Pointers to weights and memory are put together again whenever
    an answer begins.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.step: cpu.DecodeStep | None = None
        self.cache: Callable[[], SegmentCache | None] = lambda: None
        self.weight_addresses: list[int] = []
        self.response_address = 0

    def __call__(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None,
        cache: PrefillCache,
    ) -> Float[Tensor, "r v"]:
        """Take the tokens into the cache, and return the logits of what follows."""
        if self.decoder.has_hooks or not takes(cache, input_ids, attention_mask):
            return self.decoder.step(input_ids, attention_mask, cache)
        with torch.inference_mode():
            positions, metadata = cache.prepare(input_ids.shape[1], None)
            self.bind(cache)
            embedding = self.decoder.embed_tokens
            x = None if embedding.only_looks_up else embed(input_ids, positions, embedding)
            logits = self.step(
                input_ids,
                positions,
                metadata.lengths(input_ids.device),
                beam_index=metadata.beam_index,
                prompt_positions=metadata.positions,
                inputs_embeds=x,
            )
            return softcap_logits(logits, self.decoder.config.logit_softcap)

    def bind(self, cache: SegmentCache) -> None:
        """Find the weights and the memory, where they may have moved since the last step."""
        new = self.cache() is not cache or cache.steps == 1
        if new:
            self.bind_weights()
        response_address = cache.layers[0].response.k.data_ptr()
        if new or response_address != self.response_address:
            segments = [layer.segments for layer in cache.layers]
            scales = [scales_of(*both) for both in segments]
            self.step.bind(
                [(*prompt, *response) for prompt, response in segments],
                None if scales[0] is None else scales,
            )
            self.cache = weakref.ref(cache)
            self.response_address = response_address

    def bind_weights(self) -> None:
        """Build the native step, unless all weights are where they were."""
        addresses = self.decoder.weight_addresses
        if addresses != self.weight_addresses:
            self.step = cpu.DecodeStep(cpu.kernels(), weights_of(self.decoder))
            self.weight_addresses = addresses


def takes(
    cache: PrefillCache,
    input_ids: Int[Tensor, "b t"],
    attention_mask: Int[Tensor, "b t"] | None,
) -> bool:
    """Whether tokens are one decode step of every sequence, and few enough for the kernels."""
    return (
        isinstance(cache, SegmentCache)
        and cache.is_decode_step(input_ids.shape[1], attention_mask)
        and input_ids.numel() <= cpu.MAX_ROWS
    )


def weights_of(decoder: Decoder) -> cpu.DecoderWeights:
    """The weights of a decoder under the names the kernels have for them, where they are."""
    config = decoder.config
    options = [layer.options for layer in decoder.layers]
    return cpu.DecoderWeights(
        layers=[layer_weights(layer) for layer in decoder.layers],
        embedding=_detached_weight(decoder.embed_tokens.storage),
        norm=decoder.norm.weight.detach(),
        norm_bias=_detached(decoder.norm.bias),
        lm_head=_detached_weight(decoder.lm_head.storage),
        lm_head_bias=_detached(decoder.lm_head.bias),
        frequencies=decoder.rotary.frequencies.float().contiguous(),
        frequency_sets=[layer.kind for layer in decoder.layers],
        windows=[one.window for one in options],
        scale=options[0].scale,
        softcap=options[0].softcap,
        slopes=slopes_of(config, decoder.device),
        heads=(config.num_attention_heads, config.num_key_value_heads, config.head_dim),
        activation=config.activation,
        eps=decoder.norm.eps,
        gated=config.gated,
        interleaved=decoder.rotary.interleaved,
        parallel=config.parallel,
        per_head=config.qkv_per_head,
    )


def layer_weights(layer: DecoderLayer) -> dict[str, Weight | Tensor | None]:
    """Those of one layer."""
    matrices = {
        "qkv": layer.qkv_proj,
        "o": layer.o_proj,
        "gate_up": layer.gate_up_proj,
        "down": layer.down_proj,
    }
    norms = {"attention_norm": layer.attention_norm, "mlp_norm": layer.mlp_norm}
    post_norms = {
        "attention_post_norm": layer.attention_post_norm,
        "mlp_post_norm": layer.mlp_post_norm,
    }
    weights = {name: _detached_weight(matrix.storage) for name, matrix in matrices.items()}
    weights |= {name: norm.weight.detach() for name, norm in norms.items()}
    weights |= {f"{name}_bias": _detached(x.bias) for name, x in (matrices | norms).items()}
    weights |= {name: x.weight.detach() for name, x in post_norms.items() if x is not None}
    head_norms = layer.qkv_proj.head_norms
    if head_norms is not None:
        weights |= {"q_norm": head_norms.q.detach(), "k_norm": head_norms.k.detach()}
    return weights


def _detached_weight(weight: Weight) -> Weight:
    """The same memory, which stays when a parameter is given another."""
    if isinstance(weight, DenseWeight):
        return DenseWeight(weight.data.detach())
    parts = [rows._replace(blocks=rows.blocks.detach()) for rows in weight.parts]
    return PackedWeight(tuple(parts), weight.dtype)


def _detached(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.detach()
