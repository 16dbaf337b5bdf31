"""The presets of `bench`, and the cases that each of them runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType
from typing import Any

from tinyllm.bench.peers import PEERS
from tinyllm.stages import FASTEST, STAGES

FIRST = next(iter(STAGES))


@dataclass(frozen=True)
class BenchCase:
    """One workload; `prompt_tokens` None means the prompt's text, `batch` None the largest batch that fits.

    `num_answers` samples of every prompt; None: greedy decoding or beam search.
    """

    prompt_tokens: int | None
    num_beams: int
    batch: int | None
    new_tokens: int
    num_answers: int | None = None

    def __str__(self) -> str:
        prompt = "the prompt" if self.prompt_tokens is None else f"{self.prompt_tokens} tokens in"
        batch = "largest batch" if self.batch is None else f"batch {self.batch}"
        many, what = self.num_answers or self.num_beams, "answer" if self.num_answers else "beam"
        return f"{batch}, {prompt}, {self.new_tokens} out, {many} {what}{'s' * (many > 1)}"


@dataclass(frozen=True)
class Preset:
    """A measurement: every engine runs every combination of prompts, beams, batches and numbers of answers.

    With `separate`, transformers has a process and weights of its own, as all other peers have; otherwise it shares
    ours. With `batches` None, each engine's largest batch is searched, one engine at a time, each in its own process.
    `on_cpu` are the fields that a CPU has other values of.
    """

    help: str
    stages: tuple[str, ...] = tuple(STAGES)
    peers: tuple[str, ...] = ("hf",)
    prompts: tuple[int | None, ...] = (None,)
    beams: tuple[int, ...] = (1,)
    batches: tuple[int, ...] | None = (1,)
    answers: tuple[int | None, ...] = (None,)
    new_tokens: int = 64
    repeats: int = 5
    separate: bool = False
    on_cpu: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cases(self) -> list[BenchCase]:
        """All workloads, in order."""
        batches = self.batches or (None,)
        return [
            BenchCase(tokens, beams, batch, self.new_tokens, num_answers=answers)
            for tokens, beams, batch, answers in product(
                self.prompts, self.beams, batches, self.answers
            )
        ]

    def on(self, device_type: str) -> Preset:
        """The preset as this kind of device measures it."""
        return self.changed(**self.on_cpu) if device_type == "cpu" else self

    def changed(self, **given: object) -> Preset:
        """The preset with some fields replaced; None leaves a field as it is."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


ONE_PROMPT = Preset("one prompt through every stage and transformers")
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "quick": Preset(
            "this machine in a minute or two: greedy and 4 beams, 64 tokens in, 16 out",
            prompts=(64,),
            beams=(1, 4),
            new_tokens=16,
        ),
        "latency": Preset(
            "batch 1, greedy and 4 beams, prompts of 32 to 4096 tokens, 128 out, beside every installed peer",
            stages=(FIRST, FASTEST),
            peers=tuple(PEERS),
            prompts=(32, 128, 1024, 4096),
            beams=(1, 4),
            new_tokens=128,
            separate=True,
        ),
        "throughput": Preset(
            "1024 tokens in, 128 out, 4 beams and greedy, each engine up to its own largest batch in a memory budget",
            stages=tuple(name for name in STAGES if name != FIRST),
            prompts=(1024,),
            beams=(4, 1),
            batches=None,
            new_tokens=128,
            separate=True,
        ),
        "answers": Preset(
            "1 to 256 samples of a prompt of 2048 and 8192 tokens, 128 out; on a CPU 1 to 64 of 512 tokens, 32 out",
            stages=(FASTEST,),
            prompts=(2048, 8192),
            answers=(1, 4, 16, 64, 256),
            new_tokens=128,
            on_cpu={"prompts": (512,), "answers": (1, 4, 16, 64), "new_tokens": 32, "repeats": 3},
        ),
        "ladder": Preset(
            "every stage and transformers, greedy, 128 tokens in, 64 out",
            prompts=(128,),
        ),
    }
)


def pick_preset(name: str | None) -> Preset:
    """A preset by name; None is one prompt. Raises ValueError, with the known names, for an unknown one."""
    if name is None:
        return ONE_PROMPT
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is unknown: expected one of {list(PRESETS)}")
    return PRESETS[name]
