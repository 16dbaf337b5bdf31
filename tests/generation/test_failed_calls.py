"""Whatever fails in the middle of a call, the model is as it was, and nothing of the call stays in memory."""

import gc
import weakref
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

import models
import tinyllm
from covering import every_pair
from tinyllm.lab.memory import allocations

CPU = torch.device("cpu")
EVEN, PADDED = models.ragged(61, (5, 5)), models.ragged(61, (5, 3))
NEW = 8
SEARCHES = {
    "greedy": {},
    "several answers": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 3},
}
PARTS = ("streamer", "logits_processor", "stopping_criteria")
CASES = [
    (s, p) for s in SEARCHES for p in PARTS if (s, p) != ("beams", "streamer")
]  # beams are not streamed
every_search = pytest.mark.parametrize("search", SEARCHES)


@cache
def model_of(stage):
    return tinyllm.optimize(models.tiny(seed=1), stage=stage)


@pytest.fixture(params=tinyllm.STAGES)
def model(request):
    return model_of(request.param)


@pytest.fixture(autouse=True)
def no_garbage_collection():
    """What is freed is freed by itself."""
    gc.disable()
    yield
    gc.enable()


class MemoryOut(TorchDispatchMode):
    """The operation with this number, and no other, finds no memory; views need none and are not counted."""

    def __init__(self, last):
        super().__init__()
        self.seen, self.last = 0, last

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen += not func.is_view
        if self.seen == self.last and not func.is_view:
            raise torch.OutOfMemoryError("no memory")
        return func(*args, **(kwargs or {}))


class Raises(BaseStreamer, LogitsProcessor, StoppingCriteria):
    """In the place of any part that generation calls at every step: raises at one of the calls."""

    def __init__(self, call, error):
        self.call, self.error = call, error

    def put(self, value):
        self.call -= 1
        if not self.call:
            raise self.error

    def __call__(self, *args, **kwargs):
        self.put(None)
        return False if args[1] is None else args[1]

    def end(self):
        pass


def seeded(model, batch=PADDED, **options):
    torch.manual_seed(0)
    return model.generate(*batch, max_new_tokens=NEW, **options)


def raises(error, call):
    """Whether `call` raised just this; the traceback, which holds every frame, is dropped."""
    try:
        call()
    except error as raised:
        return type(raised) is error
    return False


@contextmanager
def caches_of(model):
    """Weak references to what holds keys and values, of all calls within."""
    seen = []
    hook = model.layers[0].register_forward_pre_hook(
        lambda layer, args: seen.append(weakref.ref(args[3]))
    )
    yield seen
    hook.remove()


def leaves_nothing(model, call):
    """After `call` no byte is held that was not held before, no cache lives, and torch is in the mode it was in."""
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    with caches_of(model) as caches:
        held = allocations(call, CPU)
    assert modes == (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.layers)
    assert not any(cache() for cache in caches)
    assert not held or held[-1][1] == 0
    return caches


@every_search
def test_a_call_leaves_nothing(model, search):
    seeded(model, **SEARCHES[search])
    for asked in ({}, {"return_dict_in_generate": True, "output_scores": True}):
        assert leaves_nothing(model, lambda asked=asked: seeded(model, **SEARCHES[search], **asked))


@every_pair(stage=tinyllm.STAGES, search=SEARCHES, share=[0.001, 0.1, 0.45, 0.99])
def test_out_of_memory_anywhere_in_a_call(stage, search, share):
    model, options = model_of(stage), SEARCHES[search]
    with MemoryOut(0) as counted:
        expected = seeded(model, **options)

    def fail():
        with MemoryOut(1 + int(share * counted.seen)):
            assert raises(torch.OutOfMemoryError, lambda: seeded(model, **options))

    leaves_nothing(model, fail)
    assert seeded(model, **options).tolist() == expected.tolist()


ERRORS = {"an interrupt": KeyboardInterrupt, "an error": RuntimeError}


@every_pair(stage=tinyllm.STAGES, case=CASES, error=ERRORS)
def test_a_part_that_raises(stage, case, error):
    model, error = model_of(stage), ERRORS[error]
    search, place = case
    options = SEARCHES[search]
    expected = seeded(model, **options)

    def fail():
        part = Raises(3, error)
        assert raises(
            error,
            lambda: seeded(model, **options, **{place: part if place == "streamer" else [part]}),
        )

    assert leaves_nothing(model, fail)
    assert seeded(model, **options).tolist() == expected.tolist()


@pytest.mark.parametrize("copies", [1, 3])
def test_a_cache_is_freed_with_the_last_reference(model, copies):
    cache = model.new_cache(2, copies)
    model.step(EVEN[0].repeat_interleave(copies // cache.copies, dim=0), None, cache)
    for _ in range(20):
        model.step(
            torch.ones(2 * copies // cache.copies, cache.copies, dtype=torch.int64), None, cache
        )
    layer, storage = weakref.ref(cache.layers[0]), weakref.ref(cache.layers[1])
    del cache
    assert layer() is None and storage() is None


@every_search
def test_a_further_turn_that_fails_is_never_silently_wrong(model, search):
    """With the same cache again, the answer is right or is refused."""
    options = SEARCHES[search]
    ids, mask = PADDED
    whole = torch.cat([mask, torch.ones(2, 9, dtype=torch.int64)], dim=1)

    def second_turn(last):
        """The answer of a turn whose operation number `last` fails, and of the turn after it; None where refused."""
        first = model.generate(ids, mask, max_new_tokens=4, return_dict_in_generate=True)
        call = lambda: seeded(  # noqa: E731
            model,
            (torch.cat([first.sequences, ids], dim=1), whole),
            past_key_values=first.past_key_values,
            **options,
        )
        with MemoryOut(last) as memory:
            failed = raises(torch.OutOfMemoryError, call)
        assert failed == (0 < last <= memory.seen)
        try:
            return memory.seen, call().tolist()
        except ValueError as refused:
            assert "past_key_values holds" in str(refused)
            return memory.seen, None

    first = model.generate(ids, mask, max_new_tokens=4)
    expected = seeded(model, (torch.cat([first, ids], dim=1), whole), **options).tolist()
    count, again = second_turn(0)
    assert again is None  # the turn is over
    begin = 1 + list(SEARCHES).index(search)  # the searches share the operations of the first pass
    for last in (*range(begin, 24, len(SEARCHES)), *range(24, count, 113)):
        assert second_turn(last)[1] in (expected, None)
