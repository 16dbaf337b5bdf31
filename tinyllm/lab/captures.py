"""Experiments with steps that are recorded and replayed, and with the host's part of a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaConfig, LlamaForCausalLM

from tinyllm.bench.machine import seconds
from tinyllm.check import Verdict
from tinyllm.check.verdicts import verdict
from tinyllm.cost.model import pass_cost
from tinyllm.cost.workload import Workload
from tinyllm.drop_in import optimize
from tinyllm.generation import session
from tinyllm.generation.replay import replayable, session_key
from tinyllm.generation.sessions import Sessions
from tinyllm.kernels import TORCH
from tinyllm.lab.counters import Operation, observe, observe_passes, record
from tinyllm.lab.replay import Replayed, host_reads
from tinyllm.model import Model, restage
from tinyllm.runtime import runner
from tinyllm.stages import STAGES

TOKENS, STEPS = 16, 64  # of a prompt, and reserved after it
PAD, EOS = 0, 2


class Launches(NamedTuple):
    """Launches of a token: as predicted and counted on this device, and as predicted for our kernels on a GPU."""

    predicted: int
    counted: int
    on_gpu: int


def token_of(model: Model) -> Tensor:
    """A token id [1, 1] on the model's device."""
    return torch.full((1, 1), 17, dtype=torch.int64, device=model.device)


def cache_after_prompt(model: Model) -> Any:
    """A cache that holds a prompt of 16 tokens, with memory for 64 more."""
    cache = model.new_cache(1, 1, STEPS)
    model.step(token_of(model).expand(1, TOKENS), None, cache)
    return cache


def workload(kernels: str) -> Workload:
    """One token after such a prompt."""
    return Workload(1, 1, TOKENS, size=4, reserved_steps=STEPS, kernels=kernels)


def launches_of_token(model: Model) -> Launches:
    """Launches of an eager step of a model."""
    here, gpu = (workload(name) for name in ("torch", "triton"))
    here = here if model.device.type == "cpu" else gpu
    counted = observe(model, token_of(model), None, cache_after_prompt(model)).total.launches
    predicted, on_gpu = (
        pass_cost(model.stage, model.config, work).launches for work in (here, gpu)
    )
    return Launches(predicted, counted, on_gpu)


def with_little_data(model: Model) -> Model:
    """A model in the same stage, with as many layers and heads, so the same launches, and almost no data."""
    config = model.config
    heads = {"num_attention_heads": config.num_attention_heads, "head_dim": 8}
    heads |= {"num_key_value_heads": config.num_key_value_heads, "hidden_size": 72}
    sizes = {"num_hidden_layers": config.num_hidden_layers, "intermediate_size": 16}
    small = LlamaForCausalLM(LlamaConfig(**heads, **sizes, vocab_size=64))
    return optimize(small.to(model.device), stage=model.stage.name)


def ms_of_step(model: Model, threads: int | None = None) -> float:
    """Milliseconds of a step as the model's stage runs it; `threads` of torch's on a CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        step = model.stage.runner.step(model)
        run = partial(step, token_of(model), None, cache_after_prompt(model))
        return 1e3 * seconds(run, model.device, 3)
    finally:
        torch.set_num_threads(before)


def changes_of_step(model: Model) -> str:
    """How many tensors of the cache move, and how many operations have another size, from one step to the next."""
    token, cache, logs, held = token_of(model), cache_after_prompt(model), [], []
    for _ in range(3):
        logs.append(record(lambda: model.step(token, None, cache)))
        held.append([x for kv in cache.layers for segment in kv.segments for x in segment])
    moved = sum(a.data_ptr() != b.data_ptr() for a, b in zip(*held[1:], strict=True))
    sizes = [list(map(_sizes, log)) for log in logs[1:]]
    other = sum(a != b for a, b in zip(*sizes, strict=True))
    return f"{moved} of {len(held[0])} tensors moved, {other} of {len(logs[0])} of another size"


def _sizes(operation: Operation) -> tuple[str, list[int]]:
    return operation.name, [size for _, size in operation.reads + operation.writes]


def host_reads_of_step(model: Model) -> Counter[str]:
    """How often a step of `generate` reads a value to the host, by operation."""
    found, prompt = [], token_of(model).expand(1, TOKENS)
    for tokens in (2, 4):
        length = {"max_new_tokens": tokens, "min_new_tokens": tokens}
        found.append(host_reads(partial(model.generate, prompt, **length)))
    few, more = found
    return Counter({name: (more[name] - few[name]) // 2 for name in more if more[name] > few[name]})


class LateFlag:
    """The stop flag as it works on a GPU: the host reads the value of the step before."""

    late = True

    def __init__(self, device: torch.device, *, sync: bool) -> None:
        self.answers = [False]

    def __call__(self, stopped: Tensor) -> bool:
        """Whether all sequences had ended one step ago."""
        self.answers.append(bool(stopped))
        return self.answers[-2]


def passes_until_end(
    model: Model, prompt: Tensor, late: bool, **options: Any
) -> tuple[int, Tensor]:
    """The passes that a generation takes until it ends, and its token ids; `late`: with the stop flag of a GPU."""
    flag = LateFlag if late else session.AsyncStopFlag
    with patch.object(session, "AsyncStopFlag", flag), observe_passes(model) as passes:
        ids = model.generate(prompt, **options)
    return len(passes), ids


@dataclass
class Capturing:
    """A model whose steps are recorded and replayed on any device: `lab.Replayed` in place of a graph.

    `steps` are those of all captures so far. `attend` and `store` replace attention and the write to the cache.
    """

    base: Model
    attend: Callable[..., Tensor] | None = None
    store: Callable[..., Any] | None = None
    steps: list[Replayed] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = {
            "segment_attention": self.attend or attend_by_length,
            "rope_and_store": self.store or store_by_index,
        }
        methods = {name: staticmethod(function) for name, function in own.items()}
        kernels = type("Replayable", (type(TORCH),), methods)()
        eager = replace(runner.EAGER, repeat=self._keep)
        self.model = restage(self.base, replace(STAGES["final"], runner=eager, kernels=kernels))

    def _keep(self, work: Callable[[], None], device: torch.device) -> Replayed:
        self.steps.append(Replayed(work))
        return self.steps[-1]


def store_by_index(
    q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, k_slot: Tensor, v_slot: Tensor,
    interleaved: bool, start: Tensor | None = None, norms: object = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Rotate and write to the cache, at slots whose number is read on the device."""
    if start is None:
        return TORCH.rope_and_store(q, k, v, cos, sin, k_slot, v_slot, interleaved)
    new = torch.empty_like(k), torch.empty_like(v)
    q, k, v = TORCH.rope_and_store(q, k, v, cos, sin, *new, interleaved)
    at = start + torch.arange(k.shape[2], dtype=torch.int64, device=k.device)
    return q, k_slot.index_copy_(2, at, k), v_slot.index_copy_(2, at, v)


def attend_by_length(
    q: Tensor, prompt_k: Tensor, prompt_v: Tensor, response_k: Tensor, response_v: Tensor,
    lengths: Tensor, beam_index: Tensor | None = None, *_: Any, **__: Any,
) -> Tensor:  # fmt: skip
    """Attention over all reserved slots, of which a length in device memory hides those that are not written yet."""
    (b, _, w, _), n, t = q.shape, response_k.shape[2], prompt_k.shape[2]
    slot, beam = (torch.arange(x, dtype=torch.int64, device=q.device) for x in (n, w))
    written = slot // w < lengths[1]
    k, v = (x.masked_fill(~written[:, None], 0.0) for x in (response_k, response_v))
    paths = beam[:, None].expand(1, w, n // w) if beam_index is None else beam_index
    own = ((paths[..., None] == beam).flatten(2) & written).expand(b, w, n)
    seen = torch.cat([own.new_ones(b, w, t), own], dim=2)[:, None]
    kv = torch.cat([prompt_k, k], 2), torch.cat([prompt_v, v], 2)
    out = scaled_dot_product_attention(q, *kv, seen, enable_gqa=True)
    return out.transpose(1, 2).flatten(2)


@contextmanager
def watched_sessions(model: Model) -> Iterator[list[int | None]]:
    """A list that receives the kind of each request of a model, numbered; None: its steps cannot be captured."""
    kinds: dict[tuple, int] = {}
    found: list[int | None] = []

    class Watched(Sessions):
        def take(self, decoder: Any, stage: Any, request: Any) -> Any:
            key = session_key(request) if replayable(request) else None
            found.append(None if key is None else kinds.setdefault(key, len(kinds)))
            return super().take(decoder, stage, request)

    model.sessions, before = Watched(), model.sessions
    try:
        yield found
    finally:
        model.sessions = before


def new_state() -> SimpleNamespace:
    """The end of a decode step: logits [4, 6], sequences [4, 14], which are unfinished, and the column to write."""
    return SimpleNamespace(
        logits=torch.zeros(4, 6, dtype=torch.float32, device="cpu"),
        sequences=torch.full((4, 14), 9, dtype=torch.int64, device="cpu"),
        unfinished=torch.ones(4, dtype=torch.bool, device="cpu"),
        column=torch.tensor([2], dtype=torch.int64, device="cpu"),
        n=2,
    )


def eager_end(state: SimpleNamespace) -> None:
    """End a step of greedy decoding: choose a token for each row, note which rows end."""
    chosen = torch.where(state.unfinished, state.logits.argmax(dim=-1), PAD)
    state.sequences[:, state.n] = chosen
    state.n += 1
    state.unfinished = state.unfinished & (chosen != EOS)


def check_end_step(end_step: Callable[[SimpleNamespace], None]) -> Verdict:
    """Whether a step that is recorded and replayed writes what `eager_end` writes."""
    cases: Mapping[str, int] = {"1 step": 1, "2 steps, the second recorded": 2}
    cases |= {"3 steps, the third replayed": 3, "12 steps, rows end": 12}
    eager = {
        steps: _sequences_after(lambda step: step, eager_end, steps) for steps in cases.values()
    }
    of_title = {title: ((steps,), eager[steps]) for title, steps in cases.items()}
    return verdict("end_step", partial(_sequences_after, Replayed, end_step), of_title)


def _sequences_after(repeat: Callable, end_step: Callable, steps: int) -> Tensor:
    state, generator = new_state(), torch.Generator().manual_seed(1)
    run = repeat(partial(end_step, state))
    for _ in range(steps):
        logits = torch.randn(4, 6, dtype=torch.float32, device="cpu", generator=generator)
        state.logits.copy_(logits)
        run()
    return state.sequences
