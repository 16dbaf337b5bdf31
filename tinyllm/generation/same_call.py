"""Calls over several ranks: every rank decides alike, since all have the same logits, arguments and random numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from jaxtyping import Int
from torch import Tensor

from tinyllm.decoder import Decoder
from tinyllm.generation.request import Request
from tinyllm.runtime.device import random_state

if TYPE_CHECKING:
    from tinyllm.generation.options import CallOptions

DIGEST_BYTES = 16


def check_same_call(
    decoder: Decoder, request: Request, options: CallOptions, **settings: Any
) -> None:
    """Raise ValueError on every rank where they make different calls, or would draw different samples."""
    if decoder.ranks.size == 1:
        return
    parts = [type(x).__name__ for x in (*request.processors, *request.criteria)]
    values = sorted(vars(options).items())
    held = 0 if request.cache is None else request.cache.length
    call = (values, parts, request.copies, request.total, request.watched, held, settings)
    digest = digest_of(call, request.input_ids, request.mask)
    decoder.ranks.check_same(digest, "the arguments of generate")
    if options.do_sample:
        state = random_state(decoder.device)
        decoder.ranks.check_same(digest_of((), state, None), "the states of random numbers")


def check_same_ids(
    decoder: Decoder, input_ids: Int[Tensor, "b t"], mask: Int[Tensor, "b t"] | None
) -> None:
    """The same for a forward pass."""
    if decoder.ranks.size > 1:
        digest = digest_of((), input_ids, mask)
        decoder.ranks.check_same(digest, "input_ids and attention_mask")


def digest_of(call: tuple, ids: Tensor, mask: Tensor | None) -> bytes:
    """A digest of arguments, token ids and mask."""
    digest = hashlib.blake2b(repr(call).encode(), digest_size=DIGEST_BYTES)
    for x in (ids, mask):
        digest.update(repr(None if x is None else x.shape).encode())
        digest.update(b"" if x is None else x.cpu().numpy().tobytes())
    return digest.digest()
