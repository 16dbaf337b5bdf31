"""What a description has that Llama's has not, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tinyllm.config import DecoderConfig


def traits(config: DecoderConfig) -> list[str]:
    """Everything in which a decoder differs from one of RMSNorm, full rotation and a SiLU gate without biases."""
    return [
        *_norms(config),
        *_positions(config),
        *_feed_forward(config),
        *_attention(config),
        *_ends(config),
    ]


def _norms(config: DecoderConfig) -> Iterator[str]:
    if config.layer_norm:
        yield "LayerNorm"
    if config.post_norms:
        yield "norms behind both blocks too"
    if config.head_norms:
        yield "heads of q and k normalised"
    if config.parallel:
        yield "blocks side by side" + (" behind one norm" if config.shared_norm else "")


def _positions(config: DecoderConfig) -> Iterator[str]:
    ropes = {kind.rope for kind in config.kinds}
    rotary = ropes - {None}
    if config.alibi:
        yield "ALiBi"
    if config.learned_positions:
        yield "learned positions"
    if rotary and None in ropes:
        yield "some layers without rotation"
    if len(rotary) > 1:
        yield "several bases of rotation"
    if 0 < config.rotated < config.head_dim:
        yield f"{config.rotated} of {config.head_dim} elements rotated"
    if any(rope.interleaved for rope in rotary):
        yield "neighbours rotated"
    windows = sorted({kind.window for kind in config.kinds if kind.window is not None})
    if windows:
        layers = (
            "some layers see" if any(kind.window is None for kind in config.kinds) else "layers see"
        )
        yield f"{layers} {' or '.join(map(str, windows))} tokens"


def _feed_forward(config: DecoderConfig) -> Iterator[str]:
    if config.activation != "silu" or not config.gated:
        yield f"{config.activation}{'' if config.gated else ' without a gate'}"
    where = {
        "qkv": config.qkv_bias,
        "o": config.o_bias,
        "mlp": config.mlp_bias,
        "head": config.head_bias,
    }
    biased = [name for name, bias in where.items() if bias]
    if biased:
        yield f"biases ({', '.join(biased)})"


def _attention(config: DecoderConfig) -> Iterator[str]:
    if config.qkv_per_head:
        yield "q, k and v stored head by head"
    if config.score_scale is not None and config.score_scale != config.head_dim**-0.5:
        yield f"scores scaled by {config.score_scale:.3g}"
    if config.score_softcap is not None:
        yield f"scores capped at {config.score_softcap:g}"


def _ends(config: DecoderConfig) -> Iterator[str]:
    if config.embedding_scale != 1:
        yield "embeddings scaled"
    if config.embedding_norm:
        yield "embeddings normalised"
    if config.logit_softcap is not None:
        yield f"logits capped at {config.logit_softcap:g}"
    if config.tie_word_embeddings:
        yield "tied head"
