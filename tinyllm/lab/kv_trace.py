"""Records a beam search from outside: the token in each slot of the cache, and the slots that each beam reads.

Tokens are found in the tensors of the first layer: its values depend on their tokens alone, so that a slot holds the
token whose value it holds. The slots that a beam reads are those visible by the attention metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tinyllm.attention.metadata import DecodeMetadata, Metadata, visible_range
from tinyllm.cache import Cache
from tinyllm.cache.segment import SegmentCache
from tinyllm.cost.workload import Cost
from tinyllm.lab.beam_trace import BeamStep, BeamTrace, Buffer, Place, Slot
from tinyllm.lab.counters import OperationLog, classify, storages
from tinyllm.model import Model, restage
from tinyllm.ops.qkv import naive_norm_qkv

NEAR = 0.05  # largest distance of a value from its token's, relative to its norm: kernels round differently


@torch.inference_mode()
def trace_beams(
    model: Model,
    input_ids: Int[Tensor, "b t"],
    width: int,
    new_tokens: int,
    attention_mask: Int[Tensor, "b t"] | None = None,
) -> BeamTrace:
    """Continue prompts by exactly `new_tokens` tokens in `width` beams, and record the cache after every pass.

    There are `new_tokens` passes, the prompt's among them, since the last token is not an input. Width 1 is greedy.
    Raises ValueError for so many prompts that they need several prefill passes.
    """
    if model.config.learned_positions:
        raise ValueError(
            "tokens are identified by their values, which learned positions change: expected a model without"
        )
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    watch = _Watch(model, input_ids, mask, width)
    answers = watch.model.generate(
        input_ids,
        mask,
        num_beams=width,
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
    )
    return BeamTrace(
        model.stage.name,
        width,
        input_ids.shape[1],
        tuple(watch.steps),
        tuple(map(tuple, answers.tolist())),
    )


class _Piece(NamedTuple):
    """A segment of a layer, keys and values in one storage each; `steps` of all slots, `written` of them used."""

    name: str
    k: Float[Tensor, "rows g slots d"]
    v: Float[Tensor, "rows g slots d"]
    written: int
    steps: Sequence[int]


class _Watch:
    """A model on the same weights, with hooks that record its cache."""

    def __init__(self, model: Model, input_ids: Tensor, mask: Tensor, width: int) -> None:
        runner = model.stage.runner
        watching = replace(runner, step=lambda model: self._watched(runner.step(model)))
        self.model = restage(model, replace(model.stage, runner=watching))
        self.model.layers[0].register_forward_pre_hook(self._record_metadata)
        self.weights = {p.untyped_storage()._cdata for p in model.parameters()}
        self.width, self.prompt_tokens, self.tokens = (
            width,
            input_ids.shape[1],
            set(input_ids.flatten().tolist()),
        )
        rows = [tuple(ids[real.bool()].tolist()) for ids, real in zip(input_ids, mask, strict=True)]
        self.sequences = tuple(row for row in rows for _ in range(width))
        self.beam_idx, self.reorder = tuple(range(len(self.sequences))), Cost()
        self.before: list[
            _Piece
        ] = []  # of the first layer; alive until the next pass, so that no address comes twice
        self.steps: list[BeamStep] = []
        self.metadata: Metadata | None = None

    def _record_metadata(self, layer: nn.Module, args: tuple) -> None:
        self.metadata = args[2]

    def _watched(self, step: Callable) -> Callable:
        def watched(input_ids: Tensor, mask: Tensor | None, cache: Cache) -> Tensor:
            if not self.steps:
                self.cache = cache
                self._watch_reorder(cache)
            elif cache is not self.cache:
                raise ValueError(
                    "these prompts need several prefill passes: expected few enough for one"
                )
            logits, forward = self._counted(cache, lambda: step(input_ids, mask, cache))
            fed = tuple(input_ids.flatten().tolist()) if self.steps else ()
            self.steps.append(self._step(cache, fed, forward))
            return logits

        return watched

    def _watch_reorder(self, cache: Cache) -> None:
        reorder = cache.reorder

        def watched(beam_idx: Tensor) -> None:
            self.beam_idx = tuple(beam_idx.tolist())
            _, self.reorder = self._counted(cache, lambda: reorder(beam_idx))

        cache.reorder = watched

    def _counted(
        self, cache: Cache, run: Callable[[], Tensor | None]
    ) -> tuple[Tensor | None, Cost]:
        before = _storages(cache)
        with OperationLog() as log:
            result = run()
        return result, classify(log.operations, self.weights, {*before, *_storages(cache)})

    def _pieces(self, cache: Cache) -> list[_Piece]:
        """The segments of the first layer, the prompt first."""
        segment, *responses = cache.layers[0].segments
        if not isinstance(cache, SegmentCache):
            steps = [max(0, slot + 1 - self.prompt_tokens) for slot in range(segment.capacity)]
            return [_Piece("beam", *segment, segment.capacity, steps)]
        found = [_Piece("prompt", *segment, cache.prompt_tokens, [0] * segment.capacity)]
        for response in responses:
            steps = [1 + slot // cache.copies for slot in range(response.capacity)]
            found.append(_Piece("response", *response, cache.steps * cache.copies, steps))
        return [piece for piece in found if piece.k.numel()]

    def _step(self, cache: Cache, fed: tuple[int, ...], forward: Cost) -> BeamStep:
        if fed:
            pairs = zip(self.beam_idx, fed, strict=True)
            self.sequences = tuple((*self.sequences[beam], token) for beam, token in pairs)
            self.tokens.update(fed)
        pieces = self._pieces(cache)
        visible = self._visible(pieces)
        buffers = self._buffers(pieces, visible)
        held = sum(storage.nbytes() for storage in _storages(cache).values())
        self.before = pieces
        beam_idx = self.beam_idx if fed else ()
        return BeamStep(
            fed, beam_idx, self.sequences, buffers, visible, held, self.reorder, forward
        )

    def _visible(self, pieces: list[_Piece]) -> tuple[tuple[Place, ...], ...]:
        n = len(self.sequences)
        places = [
            (i, len(piece.k), slot)
            for i, piece in enumerate(pieces)
            for slot in range(piece.written)
        ]
        window = self.model.layers[0].options.window
        seen = visible_slots(self.metadata, n, window).tolist()
        return tuple(
            tuple(
                Place(i, beam * rows // n, slot)
                for (i, rows, slot), on in zip(places, row, strict=True)
                if on
            )
            for beam, row in enumerate(seen)
        )

    def _buffers(
        self, pieces: list[_Piece], visible: Sequence[Sequence[Place]]
    ) -> tuple[Buffer, ...]:
        readers: dict[Place, tuple[int, ...]] = {}
        for beam, places in enumerate(visible):
            for place in places:
                readers[place] = (*readers.get(place, ()), beam)
        stored = [_tokens_in(piece.v[:, :, : piece.written], *self._values()) for piece in pieces]

        def slot(i: int, row: int, n: int) -> Slot:
            token = stored[i][row][n] if n < pieces[i].written else None
            step, state = pieces[i].steps[n], self._state(i, pieces[i], n)
            return Slot(
                token, self._text(token, state), step, readers.get(Place(i, row, n), ()), state
            )

        return tuple(
            Buffer(
                piece.name,
                piece.k.untyped_storage().data_ptr(),
                tuple(piece.k.shape),
                piece.k.untyped_storage().nbytes(),
                tuple(
                    tuple(slot(i, row, n) for n in range(piece.k.shape[2]))
                    for row in range(len(piece.k))
                ),
            )
            for i, piece in enumerate(pieces)
        )

    def _state(self, i: int, piece: _Piece, slot: int) -> str:
        if slot >= piece.written:
            return "free"
        if i >= len(self.before) or slot >= self.before[i].written:
            return "written"
        same = self.before[i].k.untyped_storage()._cdata == piece.k.untyped_storage()._cdata
        return "kept" if same else "copied"

    def _values(self) -> tuple[list[int], Float[Tensor, "n width"]]:
        """The first layer's value of every input token so far; it does not depend on the position."""
        tokens = sorted(self.tokens)
        layer = self.model.layers[0]
        ids = torch.tensor([tokens], dtype=torch.int64, device=self.model.device)
        x = self.model.ops.embed(ids, torch.zeros_like(ids), self.model.embed_tokens)
        _, _, v = naive_norm_qkv(x, layer.attention_norm, layer.qkv_proj)
        return tokens, v[0].transpose(0, 1).flatten(1)

    def _text(self, token: int | None, state: str) -> str:
        if token is None:
            return "" if state == "free" else "?"
        tokenizer = self.model.tokenizer
        return str(token) if tokenizer is None else tokenizer.decode([token])


def _storages(cache: Cache) -> dict[int, torch.UntypedStorage]:
    return {storage._cdata: storage for layer in cache.layers for storage in storages(layer)}


def _tokens_in(
    v: Float[Tensor, "rows g slots d"], tokens: Sequence[int], values: Float[Tensor, "n width"]
) -> list[list[int | None]]:
    """The token whose value each slot holds; None for a value of no token."""
    stored = v.transpose(1, 2).flatten(2).float()
    distances = torch.cdist(
        stored, values.float()[None], compute_mode="donot_use_mm_for_euclid_dist"
    )
    distance, nearest = distances.min(dim=-1)
    near = distance <= NEAR * stored.norm(dim=-1)
    return [
        [tokens[i] if known else None for i, known in zip(*row, strict=True)]
        for row in zip(nearest.tolist(), near.tolist(), strict=True)
    ]


def visible_slots(
    metadata: Metadata, beams: int, window: int | None
) -> Bool[Tensor, "beams slots"]:
    """Whether each written slot is visible to the last token of each beam; prompt slots first."""
    if not isinstance(metadata, DecodeMetadata):
        first = visible_range(metadata.length, 0, window).first_token
        return _visible_prompt(metadata.mask, beams, metadata.length, first)
    visible = visible_range(metadata.prompt_tokens, metadata.steps, window)
    prompt = _visible_prompt(metadata.mask, beams, metadata.prompt_tokens, visible.first_token)
    response = _visible_response(metadata, beams, visible.first_step)
    return torch.cat([prompt, response], dim=1)


def _visible_prompt(
    mask: Int[Tensor, "b n"] | None, beams: int, tokens: int, first: int
) -> Bool[Tensor, "beams n"]:
    """All but padding, from the first token in the window."""
    near = torch.arange(tokens, dtype=torch.int64, device="cpu") >= first
    rows = torch.ones_like(near)[None] if mask is None else mask.bool().cpu()
    return (rows & near).repeat_interleave(beams // len(rows), dim=0)


def _visible_response(
    metadata: DecodeMetadata, beams: int, first_step: int
) -> Bool[Tensor, "beams slots"]:
    """At every step in the window, the slot on the beam's path."""
    near = torch.arange(metadata.steps, dtype=torch.int64, device="cpu") >= first_step
    visible = metadata.visible_slots(torch.device("cpu"))[:, 0] & near[:, None]
    rows = visible.flatten(2).expand(beams // metadata.copies, -1, -1)
    return rows.reshape(beams, -1)
