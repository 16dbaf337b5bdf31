"""The segment cache: a prompt is stored once per request, what follows once per sequence, and nothing is moved.

The sequences of a request (beams, or samples) are treated as what they are to its prompt: tokens side by side. The
response segment holds their keys and values step by step, `copies` slots to a step. A beam reorder writes indices:
`ancestry[request, sequence, step]` is the slot that holds the token of that step on the sequence's own path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from tinyllm.attention.mask import grown_mask, token_positions
from tinyllm.attention.views import Views, added
from tinyllm.cache import TakesTokens
from tinyllm.config import DecoderConfig
from tinyllm.kernels.partial import visible_bias

TOKENS_AT_ONCE = 16384  # of prompts, in one pass: enough for any device to be busy
FIRST_BLOCK = 16  # steps reserved where their number is not known; every further block doubles the room


def prompts_at_once(tokens: int) -> int:
    """How many prompts of so many tokens are taken in by one pass."""
    return max(1, TOKENS_AT_ONCE // tokens)


class KV(NamedTuple):
    """Keys and values."""

    k: Float[Tensor, "b g n d"]
    v: Float[Tensor, "b g n d"]

    def part(self, start: int, end: int) -> KV:
        """Those from `start` to `end`, in place."""
        return KV(self.k[:, :, start:end], self.v[:, :, start:end])

    def of(self, requests: slice) -> KV:
        """Those of some requests, in place."""
        return KV(self.k[requests], self.v[requests])


def fill(slots: KV, k: Float[Tensor, "b g n d"], v: Float[Tensor, "b g n d"]) -> None:
    """Write keys and values into their place."""
    slots.k.copy_(k)
    slots.v.copy_(v)


class SegmentBias(NamedTuple):
    """What a decode step may see of each segment; None: all of it. `rows` counts the queries of one key/value head."""

    prompt: Float[Tensor, "#b #g #rows t"] | None
    response: Float[Tensor, "#b #g rows slots"] | None


class SegmentLayer:
    """Keys and values of one layer: prompts `[b, g, t, d]`, and blocks of `[b, g, slots, d]` of what follows."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        self.prompt = segments.empty(0)
        self.blocks: list[KV] = []
        self.free = 0  # slots of the last block that are not written yet

    @property
    def response(self) -> list[KV]:
        """What is written of every block."""
        if not self.blocks:
            return []
        *full, last = self.blocks
        return [*full, last.part(0, last.k.shape[2] - self.free)]

    def slots(self, tokens: int) -> KV:
        """Room for new keys and values, to be written in place: at the end of the prompt, or of the response."""
        if self.segments.in_prompt:
            return self._more_prompt(tokens)
        if not self.free:
            self._add_block()
        block, start = self.blocks[-1], self.blocks[-1].k.shape[2] - self.free
        self.free -= tokens
        return block.part(start, start + tokens)

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Take new keys and values in, by copying them into their slots."""
        fill(self.slots(k.shape[2]), k, v)

    def _add_block(self) -> None:
        room = sum(block.k.shape[2] for block in self.blocks) or self.segments.first_block
        self.blocks.append(self.segments.empty(room))
        self.free = room

    def _more_prompt(self, tokens: int) -> KV:
        """A prompt gets its memory once; a further turn takes prompt and answer into a longer one."""
        old = [part for part in (self.prompt, *self.response) if part.k.shape[2]]
        total = sum(part.k.shape[2] for part in old)
        self.prompt, start = self.segments.empty(total + tokens), 0
        for part in old:
            end = start + part.k.shape[2]
            fill(self.prompt.part(start, end), *part)
            start = end
        self.blocks, self.free = [], 0
        return self.prompt.part(total, total + tokens)


class Segments:
    """What the layers of a segment cache have in common; it knows none of them, so that memory is freed at once."""

    def __init__(self, config: DecoderConfig, prompts: int, copies: int, steps: int | None, like: Tensor) -> None:
        self.shape = prompts, config.num_key_value_heads, config.head_dim
        self.first_block = (steps or FIRST_BLOCK) * copies
        self.like = like
        self.in_prompt = True
        self.written = 0  # slots of a response whose memory is handed out whole

    def empty(self, tokens: int) -> KV:
        """Memory for so many keys and values of every request, not written."""
        b, g, d = self.shape
        return KV(self.like.new_empty(b, g, tokens, d), self.like.new_empty(b, g, tokens, d))


class SegmentCache:
    """A `SegmentLayer` for each layer, and the ancestry they share."""

    layer_type: type[SegmentLayer] = SegmentLayer
    fixed = False

    def __init__(
        self,
        config: DecoderConfig,
        prompts: int,
        copies: int,
        steps: int | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.config, self.prompts = config, prompts
        self.like = torch.empty(0, dtype=dtype, device=device)
        self.views = Views(config, self.like)
        self.mask: Int[Tensor, "b t"] | None = None
        self.prompt_tokens = self.steps = 0
        self.prompt_bias: Float[Tensor, "b 1 1 t"] | None = None
        self.starts: Int[Tensor, "b 1"] | None = None  # where the token after each padded prompt stands
        self.new_turn = False  # the next pass takes what was answered over into the prompt
        self._share(copies, steps)
        self.segments = Segments(config, prompts, copies, steps, self.like)
        self.layers = [self.layer_type(self.segments) for _ in range(config.num_hidden_layers)]

    def _share(self, copies: int, steps: int | None) -> None:
        self.copies = copies
        self.own = torch.arange(copies, dtype=torch.int32, device=self.like.device)
        self.ancestry = self._paths_of_their_own(steps or FIRST_BLOCK)

    def _paths_of_their_own(self, steps: int) -> Int32[Tensor, "b w steps"]:
        return self.own[:, None].repeat(self.prompts, 1, steps)  # never a view: it is written to

    @property
    def rows(self) -> int:
        """Sequences held."""
        return self.prompts if self.new_turn else self.prompts * self.copies

    @property
    def length(self) -> int:
        """Tokens held per sequence."""
        return self.prompt_tokens + self.steps

    @property
    def branches(self) -> int:
        """How many tokens of a row are continued: the last of a prompt, or every sequence's own."""
        return 1 if self.segments.in_prompt else self.copies

    def admit(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> tuple[Int[Tensor, "#b t"], Sequence[object]]:
        """Get ready for a prompt, for more of it, or for one token of every sequence."""
        self.segments.in_prompt = not self.length or self.new_turn or mask is not None or tokens != self.copies
        return self._admit_prompt(tokens, mask) if self.segments.in_prompt else self._admit_step()

    @torch.inference_mode()  # as the step is, in which the ancestry may have grown
    def reorder(self, parents: Int[Tensor, " r"]) -> None:
        """Let every sequence go on from another of its request: its ancestry is rewritten, no key and no value."""
        if self.steps and self.copies > 1:
            past = self.ancestry[:, :, : self.steps]
            past.copy_(past.gather(1, (parents % self.copies).view(self.prompts, self.copies, 1).expand_as(past)))

    def prompt_parts(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> list[tuple[slice, TakesTokens]]:
        """The requests of a large batch in parts, for one pass each: their keys and values go to the same memory."""
        some = prompts_at_once(tokens)
        if self.length or self.prompts <= some:
            return [(slice(None), self)]
        self._note_prompt(tokens, mask)
        for layer in self.layers:
            layer.slots(tokens)
        starts = range(0, self.prompts, some)
        return [(part, PromptPart(self, part)) for part in (slice(start, start + some) for start in starts)]

    def resume(self, copies: int, steps: int | None) -> None:
        """Get ready for a further turn: what was answered becomes part of the prompt."""
        if self.steps and self.copies > 1 and not self.new_turn:
            raise ValueError(f"{self.copies} sequences share a prompt: expected one that the next turn goes on from")
        self.new_turn = True
        self.segments.first_block = (steps or FIRST_BLOCK) * copies
        self._share(copies, steps)

    def _admit_prompt(self, tokens: int, mask: Tensor | None) -> tuple[Tensor, Sequence[object]]:
        if self.steps and not self.new_turn:
            self.resume(1, None)
        held = self.length
        self._note_prompt(tokens, mask)
        positions = token_positions(self.mask, held, tokens, self.like.device)
        return positions, self._prompt_view(self.mask, held, tokens)

    def _prompt_view(self, mask: Tensor | None, held: int, tokens: int) -> Sequence[object]:
        """What the last `tokens` of a prompt may look at, for attention in each kind of layer."""
        return self.views.of(mask, held, tokens)

    def _note_prompt(self, tokens: int, mask: Tensor | None) -> None:
        """Account for more prompt, and for padding in it, before it is there."""
        held = self.length
        answered = grown_mask(self.mask, None, self.prompt_tokens, self.steps)
        grown = grown_mask(answered, mask, held, tokens)
        if grown is not None:
            self.starts = grown.sum(dim=1, keepdim=True)
            self.prompt_bias = visible_bias(grown[:, None, None, :].bool(), self.like.dtype)
        self.mask, self.prompt_tokens, self.steps, self.new_turn = grown, held + tokens, 0, False

    def _admit_step(self) -> tuple[Tensor, Sequence[SegmentBias]]:
        self.steps += 1
        if self.steps > self.ancestry.shape[2]:
            self.ancestry = torch.cat([self.ancestry, self._paths_of_their_own(self.ancestry.shape[2])], dim=2)
        if self.starts is None:
            positions = torch.full((1, self.copies), self.length - 1, device=self.like.device)
        else:
            positions = (self.starts + (self.steps - 1)).expand(-1, self.copies).contiguous()
        return positions, [self._step_bias()] * len(self.config.kinds)

    def _step_bias(self) -> SegmentBias:
        """Windows aside, which attention sees to by not reading what is out of sight."""
        seen, w, device = self._response_bias(), self.copies, self.like.device
        if self.views.slopes is None:
            return SegmentBias(self.prompt_bias, seen)
        where = token_positions(self.mask, 0, self.prompt_tokens, device)
        prompt = where - (where[:, -1:] + self.steps)
        response = torch.arange(self.steps * w, device=device) // w - (self.steps - 1)
        fallen = self.views.fallen(prompt, w), self.views.fallen(response[None], w)
        return SegmentBias(added(self.prompt_bias, fallen[0]), added(seen, fallen[1]))

    def _response_bias(self) -> Tensor | None:
        """A sequence sees at every step the slot on its own path, whichever sequence wrote it."""
        if self.copies == 1:
            return None
        group = self.config.group
        paths = self.ancestry[:, None, :, : self.steps, None].expand(-1, group, -1, -1, -1)
        visible = paths == self.own  # [b, group, w, steps, w]
        return visible_bias(
            visible.view(self.prompts, 1, group * self.copies, self.steps * self.copies), self.like.dtype
        )


class PromptLayer:
    """The prompts of some requests in one layer, whose memory is there already."""

    def __init__(self, layer: SegmentLayer, requests: slice) -> None:
        self.prompt = layer.prompt.of(requests)
        self.response: list[KV] = []

    def slots(self, tokens: int) -> KV:
        """All of it."""
        return self.prompt

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Take new keys and values in, by copying them into their slots."""
        fill(self.slots(k.shape[2]), k, v)


class PromptPart:
    """Some requests of a segment cache, while their prompts are taken in."""

    copies = branches = 1
    length = 0

    def __init__(self, cache: SegmentCache, requests: slice) -> None:
        self.mask = None if cache.mask is None else cache.mask[requests]
        self.like, self.view = cache.like, cache._prompt_view
        self.layers = [PromptLayer(layer, requests) for layer in cache.layers]

    def admit(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> tuple[Int[Tensor, "#b t"], Sequence[object]]:
        """Positions of the tokens, and for each kind of layer the bias that says what they may look at."""
        positions = token_positions(self.mask, 0, tokens, self.like.device)
        return positions, self.view(self.mask, 0, tokens)
