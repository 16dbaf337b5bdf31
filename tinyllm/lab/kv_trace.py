"""A beam search watched from outside: which token lies in which slot of the cache, and which slots each beam reads.

What is recorded is read off the tensors of the first layer. Its values depend on nothing but their tokens, so the
token of a slot is the one whose value lies there; and a beam reads the slots that the metadata of attention leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tinyllm.attention.metadata import DecodeMetadata, Metadata, visible_range
from tinyllm.cache import Cache
from tinyllm.cache.segment import SegmentCache
from tinyllm.cost.workload import Cost
from tinyllm.lab.counters import OperationLog, classify, storages
from tinyllm.model import Model, restage
from tinyllm.ops.qkv import naive_norm_qkv

MARKS = {"written": "+", "copied": "~", "kept": " ", "free": "_"}
NEAR = 0.05  # how far a value may be from that of its token, as a share of its length: kernels round differently


@dataclass(frozen=True)
class Slot:
    """Room for one key and value. `token` is None where it is free, or where no token has such a value.

    `step` is the pass it belongs to, 0 for the prompt; `readers` are the beams that look at it; `state` says whether
    it was "written" in this step, "copied" to where it is now, "kept" in its place, or is "free".
    """

    token: int | None
    text: str
    step: int
    readers: tuple[int, ...]
    state: str


@dataclass(frozen=True)
class Buffer:
    """One storage of keys: its address, the shape `[rows, g, slots, d]` and bytes of its tensor, its slots by row.

    Its name is "prompt" or "response" where the two are kept apart, else "beam".
    """

    name: str
    address: int
    shape: tuple[int, ...]
    bytes: int
    rows: tuple[tuple[Slot, ...], ...]


class Place(NamedTuple):
    """A slot by its buffer, its row there and its number in the row."""

    buffer: int
    row: int
    slot: int


@dataclass(frozen=True)
class BeamStep:
    """The cache after one pass, and what it took to get there.

    `tokens` are those that each beam was fed, `parents` the rows that they continue (none in the prompt's pass);
    `sequences` is all that each was fed so far, without padding. `paths` are the slots that each beam reads.
    `reorder` and `forward` are counted over all layers; `held` are bytes of keys and values, free room included.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    sequences: tuple[tuple[int, ...], ...]
    buffers: tuple[Buffer, ...]
    paths: tuple[tuple[Place, ...], ...]
    held: int
    reorder: Cost
    forward: Cost

    @property
    def copied(self) -> int:
        """Bytes of keys and values that were there already and have been moved."""
        return self.reorder.kv_copied + self.forward.kv_copied

    @property
    def written(self) -> int:
        """Bytes of new keys and values, as far as torch's operations show them."""
        return self.forward.kv_written

    def slot(self, place: Place) -> Slot:
        """What lies at a place."""
        return self.buffers[place.buffer].rows[place.row][place.slot]

    def read(self, beam: int) -> tuple[int | None, ...]:
        """The tokens that a beam finds in memory, in order; where all is well, its sequence."""
        return tuple(self.slot(place).token for place in self.paths[beam])


@dataclass(frozen=True)
class BeamTrace:
    """A beam search, pass by pass; `steps[0]` is the prompt's. `answers` are the best sequences, as generated."""

    stage: str
    width: int
    prompt_tokens: int
    steps: tuple[BeamStep, ...]
    answers: tuple[tuple[int, ...], ...]


@torch.inference_mode()
def trace_beams(
    model: Model,
    input_ids: Int[Tensor, "b t"],
    width: int,
    new_tokens: int,
    attention_mask: Int[Tensor, "b t"] | None = None,
) -> BeamTrace:
    """Continue prompts by exactly `new_tokens` tokens with so many beams, and record the cache after every pass.

    The last token is never looked at: `new_tokens` passes, that of the prompt among them. Width 1 is greedy. Raises
    ValueError where the prompts are so many that they are taken in one after the other.
    """
    if model.config.learned_positions:
        raise ValueError(
            "tokens are told by their values, which learned positions change: expected a model without"
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
    """Keys and values of a layer that lie in one storage each; `steps` of its slots, of which some are written."""

    name: str
    k: Float[Tensor, "rows g slots d"]
    v: Float[Tensor, "rows g slots d"]
    written: int
    steps: Sequence[int]


class _Watch:
    """Stands between a model of its own, on the same weights, and its cache."""

    def __init__(self, model: Model, input_ids: Tensor, mask: Tensor, width: int) -> None:
        runner = model.stage.runner
        watching = replace(runner, step=lambda model: self._watched(runner.step(model)))
        self.model = restage(model, replace(model.stage, runner=watching))
        self.model.layers[0].register_forward_pre_hook(self._see_metadata)
        self.weights = {p.untyped_storage()._cdata for p in model.parameters()}
        self.width, self.prompt_tokens, self.tokens = (
            width,
            input_ids.shape[1],
            set(input_ids.flatten().tolist()),
        )
        rows = [tuple(ids[real.bool()].tolist()) for ids, real in zip(input_ids, mask, strict=True)]
        self.sequences = tuple(row for row in rows for _ in range(width))
        self.parents, self.reorder = tuple(range(len(self.sequences))), Cost()
        self.before: list[
            _Piece
        ] = []  # of the first layer; alive until the next pass, so that no address comes twice
        self.steps: list[BeamStep] = []
        self.metadata: Metadata | None = None

    def _see_metadata(self, layer: nn.Module, args: tuple) -> None:
        self.metadata = args[2]

    def _watched(self, step: Callable) -> Callable:
        def watched(input_ids: Tensor, mask: Tensor | None, cache: Cache) -> Tensor:
            if not self.steps:
                self.cache = cache
                self._watch_reorder(cache)
            elif cache is not self.cache:
                raise ValueError(
                    "these prompts are taken in by several passes: expected so few that one is enough"
                )
            logits, forward = self._counted(cache, lambda: step(input_ids, mask, cache))
            fed = tuple(input_ids.flatten().tolist()) if self.steps else ()
            self.steps.append(self._step(cache, fed, forward))
            return logits

        return watched

    def _watch_reorder(self, cache: Cache) -> None:
        reorder = cache.reorder

        def watched(parents: Tensor) -> None:
            self.parents = tuple(parents.tolist())
            _, self.reorder = self._counted(cache, lambda: reorder(parents))

        cache.reorder = watched

    def _counted(
        self, cache: Cache, run: Callable[[], Tensor | None]
    ) -> tuple[Tensor | None, Cost]:
        before = _storages(cache)
        with OperationLog() as log:
            result = run()
        return result, classify(log.operations, self.weights, {*before, *_storages(cache)})

    def _pieces(self, cache: Cache) -> list[_Piece]:
        """The storages of the first layer, the prompt's first."""
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
            pairs = zip(self.parents, fed, strict=True)
            self.sequences = tuple((*self.sequences[parent], token) for parent, token in pairs)
            self.tokens.update(fed)
        pieces = self._pieces(cache)
        paths = self._paths(pieces)
        buffers = self._buffers(pieces, paths)
        held = sum(storage.nbytes() for storage in _storages(cache).values())
        self.before, parents = pieces, self.parents if fed else ()
        return BeamStep(fed, parents, self.sequences, buffers, paths, held, self.reorder, forward)

    def _paths(self, pieces: list[_Piece]) -> tuple[tuple[Place, ...], ...]:
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
        self, pieces: list[_Piece], paths: Sequence[Sequence[Place]]
    ) -> tuple[Buffer, ...]:
        readers: dict[Place, tuple[int, ...]] = {}
        for beam, path in enumerate(paths):
            for place in path:
                readers[place] = (*readers.get(place, ()), beam)
        lying = [_tokens_in(piece.v[:, :, : piece.written], *self._values()) for piece in pieces]

        def slot(i: int, row: int, n: int) -> Slot:
            token = lying[i][row][n] if n < pieces[i].written else None
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
        """What the first layer keeps as the value of every token that was fed so far, wherever it stands."""
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
    """The token whose value lies in each slot, None where none does."""
    lying = v.transpose(1, 2).flatten(2).float()
    apart = torch.cdist(lying, values.float()[None], compute_mode="donot_use_mm_for_euclid_dist")
    distance, nearest = apart.min(dim=-1)
    near = distance <= NEAR * lying.norm(dim=-1)
    return [
        [tokens[i] if known else None for i, known in zip(*row, strict=True)]
        for row in zip(nearest.tolist(), near.tolist(), strict=True)
    ]


def visible_slots(
    metadata: Metadata, beams: int, window: int | None
) -> Bool[Tensor, "beams slots"]:
    """Which of the written slots, those of the prompt first, each beam may look at with its last token."""
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
    """All but padding, from the first token within the window."""
    near = torch.arange(tokens, dtype=torch.int64, device="cpu") >= first
    rows = torch.ones_like(near)[None] if mask is None else mask.bool().cpu()
    return (rows & near).repeat_interleave(beams // len(rows), dim=0)


def _visible_response(
    metadata: DecodeMetadata, beams: int, first_step: int
) -> Bool[Tensor, "beams slots"]:
    """At every step within the window the slot that the beam index names; without one there is no other."""
    near = torch.arange(metadata.steps, dtype=torch.int64, device="cpu") >= first_step
    if metadata.beam_index is None:
        return near.expand(beams, -1)
    width = metadata.beam_index.shape[1]
    index = metadata.beam_index[:, :, : metadata.steps, None].cpu()
    paths = index == torch.arange(width, dtype=torch.int32, device="cpu")
    return (paths & near[:, None]).reshape(beams, -1)


def shown(text: str) -> str:
    """A token's text as a cell shows it: without the blanks around it, line ends as `\\n`."""
    return repr(text.strip(" ") or text)[1:-1]


class Line(NamedTuple):
    """A row of slots as it is shown: the buffer it lies in, and the column of its first; columns are time."""

    name: str
    column: int
    places: tuple[Place, ...]


def lines(trace: BeamTrace, step: int) -> list[Line]:
    """The memory of a step, laid out: a buffer's rows as they are, those of a response as slots x steps."""
    laid, column = [], 0
    for i, buffer in enumerate(trace.steps[step].buffers):
        side_by_side = trace.width if buffer.name == "response" else 1
        for row, slots in enumerate(buffer.rows):
            for first in range(side_by_side):
                places = tuple(Place(i, row, n) for n in range(first, len(slots), side_by_side))
                laid.append(Line(f"{buffer.name} {row * side_by_side + first}", column, places))
        column += len(slots) // side_by_side
    return laid


def as_text(trace: BeamTrace, step: int) -> str:
    """One step in words: its slots line by line, then what each beam reads.

    `+` stands before what was written in this step, `~` before what was copied, `_` for a free slot.
    """
    at = trace.steps[step]
    told = [
        f"{trace.stage}, step {step}: {at.held:,} bytes held, {at.copied:,} copied, parents {list(at.parents)}"
    ]
    for line in lines(trace, step):
        slots = [at.slot(place) for place in line.places]
        told.append(
            f"{line.name}: " + "|".join(MARKS[slot.state] + shown(slot.text) for slot in slots)
        )
    for beam, path in enumerate(at.paths):
        told.append(f"beam {beam} reads " + repr("".join(at.slot(place).text for place in path)))
    return "\n".join(told)
