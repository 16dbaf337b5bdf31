"""Times of tokens: a clock that runs after every token, and engines timed in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from tinyllm.bench.machine import versions
from tinyllm.bench.machine_path import stage_path
from tinyllm.bench.torch_path import torch_path
from tinyllm.config import DecoderConfig
from tinyllm.cost.packed import packed_sizes
from tinyllm.cost.workload import PackedSizes
from tinyllm.families import family_of
from tinyllm.lab.memory import peak_bytes
from tinyllm.linear import formats_as_text
from tinyllm.model import Model
from tinyllm.runtime.device import synchronize
from tinyllm.runtime.progress import progress

SEED = 0  # of samples: all engines draw the same


@runtime_checkable
class Generates(Protocol):
    """A model with transformers' `generate`."""

    def generate(self, input_ids: Tensor, **kwargs: Any) -> Tensor: ...


@dataclass
class TokenClock:
    """A stopping criterion that stops no sequence and records the time of each token."""

    stops_nothing: ClassVar[bool] = True  # so that a decode step can still be captured
    device: torch.device
    times: list[float] = field(default_factory=list)

    def __call__(self, input_ids: Tensor, scores: object, **kwargs: object) -> Tensor:
        """Called after every token."""
        synchronize(self.device)
        self.times.append(perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=self.device)


@dataclass(frozen=True)
class Timing:
    """Milliseconds to the first token and from token to token, seconds of the complete call."""

    first_token_ms: float
    next_token_ms: float
    seconds: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Timing:
        """From the time of each token, in seconds since the call; the time per next token is the median of the gaps."""
        gaps = [later - earlier for earlier, later in pairwise(times)]
        return cls(1e3 * times[0], 1e3 * median(gaps), times[-1])


@runtime_checkable
class Measurable(Protocol):
    """An engine in this process or another; it also has a name, a config, a dtype, and the sizes of its weights."""

    def run(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
        **callbacks: object,
    ) -> Tensor: ...

    def time(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
    ) -> Timing: ...

    def peak_bytes(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
    ) -> int | None: ...


@dataclass(frozen=True)
class Engine:
    """A model in this process, under the name it has in tables; `options` go to its `generate`.

    `load_s`: seconds to load its weights; None where they are another engine's.
    """

    name: str
    model: Generates
    options: Mapping[str, Any] = field(default_factory=dict)
    load_s: float | None = None
    prepare_s = 0.0  # preparation of the weights before the first call

    def run(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
        **callbacks: object,
    ) -> Tensor:
        """Continue prompts by exactly `new_tokens` tokens: greedily, by beam search, or in samples of the same seed."""
        options = {
            "max_new_tokens": new_tokens,
            "min_new_tokens": new_tokens,
            "num_beams": num_beams,
            "attention_mask": torch.ones_like(input_ids),
            "do_sample": num_answers is not None,
            "num_return_sequences": num_answers or 1,
        }
        if num_answers is not None:
            torch.manual_seed(SEED)
        return self.model.generate(input_ids, **options | dict(self.options), **callbacks)

    def time(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
    ) -> Timing:
        """One generation, its tokens timed as they arrive."""
        from transformers import StoppingCriteriaList

        clock = TokenClock(input_ids.device)
        synchronize(input_ids.device)
        start = perf_counter()
        criteria = StoppingCriteriaList([clock])
        self.run(
            input_ids, new_tokens, num_beams, num_answers=num_answers, stopping_criteria=criteria
        )
        return Timing.of([time - start for time in clock.times])

    def peak_bytes(
        self,
        input_ids: Tensor,
        new_tokens: int,
        num_beams: int = 1,
        num_answers: int | None = None,
    ) -> int | None:
        """The most bytes that one generation holds beside the weights."""
        return peak_bytes(
            lambda: self.run(input_ids, new_tokens, num_beams, num_answers=num_answers),
            input_ids.device,
        )

    @property
    def config(self) -> DecoderConfig:
        """The description of the model, ours or transformers'."""
        config = self.model.config
        return config if isinstance(self.model, Model) else family_of(config).describe(config)

    @property
    def dtype(self) -> torch.dtype:
        """The format of the weights."""
        return self.model.dtype

    @property
    def kv_dtype(self) -> torch.dtype | None:
        """The format of keys and values; None for that of the weights."""
        return getattr(self.model, "kv_dtype", None)

    @property
    def weight_bytes(self) -> int:
        """The size of the weights; tied weights count once."""
        return sum(parameter.nbytes for parameter in self.model.parameters())

    @property
    def weights(self) -> str:
        """What they are kept in."""
        return formats_as_text(self.model)

    @property
    def path(self) -> str:
        """The path of the machine that decode steps take."""
        return (
            stage_path(self.model)
            if isinstance(self.model, Model)
            else torch_path(self.model.device)
        )

    @property
    def packed_sizes(self) -> PackedSizes | None:
        """What a cost model needs of packed weights; None where they are dense, as transformers' are."""
        return packed_sizes(self.model) if isinstance(self.model, Model) else None

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that the measurement depends on."""
        return versions()


def run_or_raise(engine: Measurable, act: Callable[[], Any]) -> Any:
    """The result of `act`; errors propagate."""
    return act()


def time_in_rounds(
    engines: Sequence[Measurable],
    input_ids: Tensor,
    new_tokens: int,
    repeats: int,
    num_beams: int = 1,
    num_answers: int | None = None,
    *,
    attempt: Callable[[Measurable, Callable[[], Any]], Any] = run_or_raise,
    after_round: Callable[[Mapping[str, Timing]], object] = lambda medians: None,
) -> dict[str, Timing]:
    """Medians over `repeats` rounds; in each, every engine runs once, in reversed order every other round.

    `attempt(engine, act)` may return None instead of raising; `after_round` receives the medians so far.
    """
    runs: dict[str, list[Timing]] = {engine.name: [] for engine in engines}
    with progress(total=repeats * len(engines), desc="measuring", unit="run") as bar:
        for i in range(repeats):
            for engine in list(engines)[:: -1 if i % 2 else 1]:
                timing = attempt(
                    engine,
                    lambda engine=engine: engine.time(
                        input_ids, new_tokens, num_beams, num_answers=num_answers
                    ),
                )
                runs[engine.name] += [timing] if timing else []
                bar.update()
            after_round(_medians(runs, i + 1))
    return _medians(runs, repeats)


def _medians(runs: Mapping[str, Sequence[Timing]], rounds: int) -> dict[str, Timing]:
    """Medians of the engines that ran in every round."""
    return {name: median_of(timings) for name, timings in runs.items() if len(timings) == rounds}


def median_of(timings: Iterable[Timing]) -> Timing:
    """The median of each field."""
    timings = list(timings)
    figures = ("first_token_ms", "next_token_ms", "seconds")
    return Timing(*(median(getattr(timing, figure) for timing in timings) for figure in figures))
