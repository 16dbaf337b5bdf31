"""How many requests each engine can answer at a time in a memory budget, and its tokens per second at that batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from torch import Tensor

from tinyllm.bench.compare import COUNTS, Facts, Plan, make_row
from tinyllm.bench.engines import say
from tinyllm.bench.machine import Machine
from tinyllm.bench.rows import Row, is_ours
from tinyllm.bench.timing import Timing, median_of
from tinyllm.bench.worker import is_out_of_memory
from tinyllm.bench.worker_client import RemoteEngine
from tinyllm.cost.model import weight_elements
from tinyllm.generation.memory import CallShape, max_prompts
from tinyllm.runtime.progress import progress
from tinyllm.stages import STAGES, pick_stage

GROWTH = 4  # from one timed batch to the next


@dataclass(frozen=True)
class Search:
    """`prompts` `[many, t]` are continued by `new_tokens` in `num_beams`: as many at a time as fit into `budget` bytes.

    `batches` are timed on the way where they are smaller; None stands for powers of four.
    """

    model: str
    prompts: Tensor
    new_tokens: int
    num_beams: int
    repeats: int
    budget: int
    batches: Sequence[int] | None = None

    def plan(self, batch: int) -> Plan:
        """The first `batch` prompts."""
        return Plan(self.model, self.prompts[:batch], self.new_tokens, self.repeats, self.num_beams)

    def sizes(self, largest: int) -> list[int]:
        """The batches to time, the largest one last."""
        powers = [GROWTH**i for i in range(16)]
        way = powers if self.batches is None else self.batches
        return [*sorted({batch for batch in way if batch < largest}), largest]


def largest_batch(fits: Callable[[int], bool], guess: int, most: int) -> int:
    """The largest batch up to `most` that fits, to within 2%; 0 where not even one does.

    From a guess in doubling steps while it fits, or until it does, then by bisection.
    """
    low, high, step, batch = 0, most + 1, max(1, guess // 50), max(1, min(guess, most))
    while high - low > max(1, low // 50):
        low, high = (batch, high) if fits(batch) else (low, batch)
        further = min(low + step, most) if low else max(high - step, 1)
        batch = (low + high) // 2 if low and high <= most else further
        step *= 2
    return low


def planned_batch(engine: RemoteEngine, search: Search) -> int | None:
    """What the planner says of one of our stages; None for a peer, which it does not know."""
    return _max_prompts(engine, search, engine.name) if is_ours(engine.name) else None


def _max_prompts(engine: RemoteEngine, search: Search, stage: str) -> int:
    size = engine.dtype.itemsize
    beams = search.num_beams
    call = CallShape(1, search.prompts.shape[1], search.new_tokens, beams, beams=beams > 1)
    free = search.budget - weight_elements(engine.config) * size
    return max_prompts(pick_stage(stage), engine.config, call, size, free)


def find_largest(engine: RemoteEngine, search: Search) -> int:
    """Try batches: whole answers of our stages, whose memory depends on how they grow; two tokens of others.

    What others hold depends on the whole length alone, so that a long prompt stands for a long answer.
    """
    ours = planned_batch(engine, search)
    guess = ours if ours is not None else _max_prompts(engine, search, next(iter(STAGES))) // 2
    whole = search.prompts.shape[1] + search.new_tokens - 2
    longer = search.prompts.repeat(1, 1 + whole // search.prompts.shape[1])[:, :whole]
    ids, tokens = (longer, 2) if ours is None else (search.prompts, search.new_tokens)
    trial = replace(search, prompts=ids, new_tokens=tokens)
    return largest_batch(
        lambda batch: _fits(engine, trial.plan(batch)) is not None, guess, len(ids)
    )


def _fits(engine: RemoteEngine, plan: Plan) -> Facts | None:
    """What a call of this size gives; None where there is too little memory for it."""
    asked, start = (plan.input_ids, plan.new_tokens, plan.num_beams), perf_counter()
    try:
        answer = engine.run(*asked)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        say(f"  {engine.name}: batch {len(plan.input_ids)} does not fit")
        return None
    say(f"  {engine.name}: batch {len(plan.input_ids)} fits")
    return Facts(
        answer,
        engine.prepare_s + perf_counter() - start,
        engine.seen_peak(*asked),
        dict.fromkeys(COUNTS),
    )


def answer_at_most(engine: RemoteEngine, search: Search, batch: int) -> tuple[int, Facts]:
    """The answer at this batch; at a smaller one, should that of the trials not fit after all."""
    while batch > 0:
        if facts := _fits(engine, search.plan(batch)):
            return batch, facts
        batch = _smaller(batch)
    budget = f"{search.budget / 1e9:.1f} GB"
    raise MemoryError(
        f"not even one prompt fits into {budget}, weights included: pass a larger --memory-budget"
    )


def _smaller(batch: int) -> int:
    return batch - max(1, batch // 50)


def measure(
    engine: RemoteEngine,
    search: Search,
    machine: Machine,
    oracle: Tensor | None = None,
    record: Callable[[list[Row]], object] = lambda rows: None,
) -> Tensor:
    """Record rows of one engine, small batches to its largest, timed in turns; returns its answers at the largest.

    `oracle` are transformers' answers to the same prompts, of which as many are compared as both have.
    """
    batch = find_largest(engine, search)
    while True:
        batch, facts = answer_at_most(engine, search, batch)
        try:
            _time_batches(engine, search, machine, batch, facts, oracle, record)
            return facts.answer
        except Exception as error:  # what fits once need not fit again: memory has holes
            if not is_out_of_memory(error):
                raise
            say(f"  {engine.name}: batch {batch} does not fit every time")
            batch = _smaller(batch)


def _time_batches(
    engine: RemoteEngine,
    search: Search,
    machine: Machine,
    largest: int,
    facts: Facts,
    oracle: Tensor | None,
    record: Callable[[list[Row]], object],
) -> None:
    """Time every batch up to the largest, in changing order."""
    sizes = search.sizes(largest)
    known = {size: _fits(engine, search.plan(size)) for size in sizes[:-1]} | {largest: facts}
    found = {
        "largest_batch": largest,
        "planned_batch": planned_batch(engine, search),
        "memory_budget_bytes": search.budget,
    }
    timings: dict[int, list[Timing]] = {size: [] for size in sizes}
    for i in progress(range(search.repeats), desc=f"measuring {engine.name}", unit="round"):
        for size in sizes[:: -1 if i % 2 else 1]:
            timings[size].append(
                engine.time(search.prompts[:size], search.new_tokens, search.num_beams)
            )
        rows = [
            make_row(
                engine,
                search.plan(size),
                machine,
                median_of(runs),
                *compared(known[size], oracle),
                i + 1,
                **found,
            )
            for size, runs in timings.items()
        ]
        record(rows)


def compared(facts: Facts, oracle: Tensor | None) -> tuple[Facts, Tensor | None]:
    """Answers to the prompts that both engines were given."""
    if oracle is None:
        return facts, None
    both = min(len(facts.answer), len(oracle))
    return replace(facts, answer=facts.answer[:both]), oracle[:both]
