"""The largest batch of each engine in a memory budget, and its tokens per second at that batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from torch import Tensor

from tinyllm.bench.compare import COUNTS, FirstRun, Plan, make_row
from tinyllm.bench.engines import report
from tinyllm.bench.machine import Machine
from tinyllm.bench.rows import INT8_KEYS, Row, is_ours
from tinyllm.bench.timing import Timing, median_of
from tinyllm.bench.worker import is_out_of_memory
from tinyllm.bench.worker_client import RemoteEngine
from tinyllm.generation.memory import CallShape, max_prompts
from tinyllm.runtime.progress import progress
from tinyllm.stages import STAGES, pick_stage

GROWTH = 4  # factor from one timed batch to the next


@dataclass(frozen=True)
class BatchSearch:
    """A search for the largest batch: the prompts `[n, t]` that fit into `budget` bytes in one call.

    Each is continued by `new_tokens` in `num_beams`. Those of `batches` that are smaller are timed too; None means
    powers of four.
    """

    model: str
    prompts: Tensor
    new_tokens: int
    num_beams: int
    repeats: int
    budget: int
    batches: Sequence[int] | None = None
    device_type: str = "cpu"

    def plan(self, batch: int) -> Plan:
        """The measurement of the first `batch` prompts."""
        return Plan(self.model, self.prompts[:batch], self.new_tokens, self.repeats, self.num_beams)

    def sizes(self, largest: int) -> list[int]:
        """The batches to time, the largest one last."""
        powers = [GROWTH**i for i in range(16)]
        batches = powers if self.batches is None else self.batches
        return [*sorted({batch for batch in batches if batch < largest}), largest]


def largest_batch(fits: Callable[[int], bool], guess: int, most: int) -> int:
    """The largest batch up to `most` that fits, to within 2%; 0 where not even one prompt fits.

    From `guess` in doubling steps, up while the batch fits or down until it does, then by bisection.
    """
    low, high, step, batch = 0, most + 1, max(1, guess // 50), max(1, min(guess, most))
    while high - low > max(1, low // 50):
        low, high = (batch, high) if fits(batch) else (low, batch)
        further = min(low + step, most) if low else max(high - step, 1)
        batch = (low + high) // 2 if low and high <= most else further
        step *= 2
    return low


def planned_batch(engine: RemoteEngine, search: BatchSearch) -> int | None:
    """The largest batch that the planner predicts for one of our stages; None for a peer."""
    return _max_prompts(engine, search, engine.name) if is_ours(engine.name) else None


def _max_prompts(engine: RemoteEngine, search: BatchSearch, name: str) -> int:
    """What fits beside the weights that the engine holds; behind a stage's name stand formats that are not its own."""
    stage, *formats = name.split(", ")
    int8 = INT8_KEYS in formats
    packed = len(formats) > int8
    beams = search.num_beams
    tokens = search.prompts.shape[1]
    call = CallShape(1, tokens, search.new_tokens, beams, beams=beams > 1, int8=int8)
    return max_prompts(
        pick_stage(stage),
        engine.config,
        call,
        size=engine.dtype.itemsize,
        free=search.budget - engine.weight_bytes,
        unpack_device=search.device_type if packed else None,
    )


def find_largest(engine: RemoteEngine, search: BatchSearch) -> int:
    """Try batches: complete answers for our stages, whose memory depends on how a response grows.

    The memory of a peer depends on the total length alone: a long prompt and two new tokens need as much.
    """
    ours = planned_batch(engine, search)
    guess = ours if ours is not None else _max_prompts(engine, search, next(iter(STAGES))) // 2
    length = search.prompts.shape[1] + search.new_tokens - 2
    long_prompts = search.prompts.repeat(1, 1 + length // search.prompts.shape[1])[:, :length]
    ids, tokens = (long_prompts, 2) if ours is None else (search.prompts, search.new_tokens)
    trial = replace(search, prompts=ids, new_tokens=tokens)
    return largest_batch(
        lambda batch: _fits(engine, trial.plan(batch)) is not None, guess, len(ids)
    )


def _fits(engine: RemoteEngine, plan: Plan) -> FirstRun | None:
    """The first call at this batch; None where memory is too small."""
    start = perf_counter()
    try:
        answer = engine.run(plan.input_ids, plan.new_tokens, plan.num_beams)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        report(f"  {engine.name}: batch {len(plan.input_ids)} does not fit")
        return None
    report(f"  {engine.name}: batch {len(plan.input_ids)} fits")
    return FirstRun(
        answer,
        engine.prepare_s + perf_counter() - start,
        engine.recorded_peak(plan.input_ids, plan.new_tokens, plan.num_beams),
        dict.fromkeys(COUNTS),
    )


def answer_at_most(engine: RemoteEngine, search: BatchSearch, batch: int) -> tuple[int, FirstRun]:
    """The answer at this batch, or at a smaller one where this batch does not fit a second time."""
    while batch > 0:
        if first_run := _fits(engine, search.plan(batch)):
            return batch, first_run
        batch = _smaller(batch)
    budget = f"{search.budget / 1e9:.1f} GB"
    raise MemoryError(
        f"not even one prompt fits into {budget}, weights included: pass a larger --memory-budget"
    )


def _smaller(batch: int) -> int:
    return batch - max(1, batch // 50)


def measure(
    engine: RemoteEngine,
    search: BatchSearch,
    machine: Machine,
    oracle: Tensor | None = None,
    record: Callable[[list[Row]], object] = lambda rows: None,
) -> Tensor:
    """Record rows of one engine, from small batches to its largest, timed in rounds; returns the largest's answers.

    `oracle` are transformers' answers to the same prompts; the prompts that both engines answered are compared.
    """
    batch = find_largest(engine, search)
    while True:
        batch, first_run = answer_at_most(engine, search, batch)
        try:
            _time_batches(engine, search, machine, batch, first_run, oracle, record)
            return first_run.answer
        except Exception as error:  # a batch that fits once may not fit again: memory is fragmented
            if not is_out_of_memory(error):
                raise
            report(f"  {engine.name}: batch {batch} does not fit every time")
            batch = _smaller(batch)


def _time_batches(
    engine: RemoteEngine,
    search: BatchSearch,
    machine: Machine,
    largest: int,
    first_run: FirstRun,
    oracle: Tensor | None,
    record: Callable[[list[Row]], object],
) -> None:
    """Time every batch up to the largest; each round reverses the order."""
    sizes = search.sizes(largest)
    known = {size: _fits(engine, search.plan(size)) for size in sizes[:-1]} | {largest: first_run}
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


def compared(first_run: FirstRun, oracle: Tensor | None) -> tuple[FirstRun, Tensor | None]:
    """Answers to the prompts that both engines answered."""
    if oracle is None:
        return first_run, None
    both = min(len(first_run.answer), len(oracle))
    return replace(first_run, answer=first_run.answer[:both]), oracle[:both]
