"""Emulated graphs: recorded operations are replayed on the same memory, and host reads raise."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

import models
import tinyllm
from tinyllm.kernels import TorchKernels
from tinyllm.lab.replay import HostRead, Recording, Replayed, host_reads
from tinyllm.runtime.runner import EAGER
from tinyllm.stages import pick_stage


def works(x, out, memory, counter):
    """All kinds of operations: views, allocations, results, `out=`, in place, with an index in memory."""
    y = (x.view(2, 3) + 1).t().contiguous()
    torch.mul(y, 2, out=out)
    memory.index_copy_(0, counter, out.sum().view(1))
    spare = torch.empty_like(out)
    spare.copy_(out)
    out += spare[:, :1].expand(-1, 2)
    counter += 1


def test_a_replay_repeats_the_run_on_current_memory():
    mine, theirs = (
        [torch.zeros(6), torch.zeros(3, 2), torch.zeros(9), torch.zeros(1).long()] for _ in range(2)
    )
    replay = Replayed(partial(works, *mine))
    for number in range(9):
        for x in (mine[0], theirs[0]):
            x.copy_(torch.arange(6.0) * number)
        replay()
        works(*theirs)
        assert all(map(torch.equal, mine, theirs)), number
    assert replay.calls == 9


def test_views_and_allocations_are_no_launches():
    x = torch.ones(4)
    recording = Recording(lambda: (torch.empty(2), x.view(2, 2)[0].t(), x.add_(1)))
    assert [one.func.name() for one in recording.launches] == ["aten::add_.Tensor"]


def test_python_numbers_are_recorded_as_constants():
    memory, at = torch.zeros(5), []

    def step():
        at.append(len(at))
        memory[at[-1]] = 1.0

    replay = Replayed(step)
    for _ in range(4):
        replay()
    assert memory.tolist() == [1, 1, 0, 0, 0]


QUESTIONS = {
    "_local_scalar_dense": lambda x: int(x[0]),
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy(),
    "nonzero": lambda x: x.nonzero(),
    "masked_select": lambda x: x.masked_select(x > 0),
    "index": lambda x: x[x > 0],
    "equal": lambda x: torch.equal(x, x),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_host_read_is_counted_and_raises(name):
    read = QUESTIONS[name]
    x = torch.ones(3)
    assert host_reads(lambda: (read(x), read(x))) == {name: 2}
    replay = Replayed(lambda: read(x))
    replay()
    with pytest.raises(HostRead, match=f"^{name}: the host reads a value"):
        replay()


def test_an_index_in_memory_is_no_host_read():
    x, at = torch.ones(3), torch.tensor([1])
    assert not host_reads(lambda: (x[at], x.index_select(0, at), x.where(x > 0, 0.0)))


class ReadsInLayers(TorchKernels):
    """Attention on torch's operations without host reads: all reserved slots, invalid ones masked."""

    def segment_attention(
        self, q, prompt_k, prompt_v, response_k, response_v, lengths, beam_index=None, *_, **__
    ):
        (b, _, w, _), t, n = q.shape, prompt_k.shape[2], response_k.shape[2]
        held = torch.cat([torch.arange(t) < lengths[0], torch.arange(n) // w < lengths[1]])
        both = ((prompt_k, response_k), (prompt_v, response_v))
        k, v = (torch.cat(pair, dim=2).masked_fill(~held[:, None], 0.0) for pair in both)
        paths = torch.arange(w)[:, None].expand(b, w, n // w) if beam_index is None else beam_index
        visible = (paths[..., None] == torch.arange(w)).flatten(2)
        visible = torch.cat([visible.new_ones(b, w, t), visible], dim=2) & held
        return sdpa(q, k, v, visible[:, None], enable_gqa=True).transpose(1, 2).flatten(2)


class WithoutHostReads(ReadsInLayers):
    """And writes to the cache at an index in memory."""

    def rope_and_store(
        self, q, k, v, cos, sin, k_slot, v_slot, interleaved, start=None, norms=None
    ):
        if start is None:
            return super().rope_and_store(
                q, k, v, cos, sin, k_slot, v_slot, interleaved, start, norms
            )
        new = torch.empty_like(k), torch.empty_like(v)
        rotated, *_ = super().rope_and_store(q, k, v, cos, sin, *new, interleaved, None, norms)
        for memory, x in zip((k_slot, v_slot), new, strict=True):
            memory.index_copy_(2, start + torch.arange(k.shape[2]), x)
        return rotated, k_slot, v_slot


def replaying(hf, made, kernels):
    repeat = lambda work, device: made.append(Replayed(work)) or made[-1]  # noqa: E731
    runner = replace(EAGER, repeat=repeat)
    return tinyllm.optimize(hf, stage=replace(pick_stage("final"), runner=runner, kernels=kernels))


@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"do_sample": True, "num_return_sequences": 2}], ids=str
)
def test_replayed_steps_give_the_tokens_of_transformers(how):
    hf, made = models.tiny(seed=2), []
    ids, _ = models.ragged(61, (5, 5), seed=8)
    options = {
        "max_new_tokens": 9,
        "min_new_tokens": 9,
        "do_sample": False,
        "pad_token_id": 1,
    } | how
    answers = []
    for model in (hf, replaying(hf, made, WithoutHostReads())):
        torch.manual_seed(0)
        answers.append(model.generate(ids, attention_mask=torch.ones_like(ids), **options).tolist())
    assert answers[0] == answers[1]
    assert [one.calls for one in made] == [7, 1] and made[0].recording.launches


def test_host_reads_in_layers_cannot_be_recorded():
    model = replaying(models.tiny(), [], ReadsInLayers())
    with pytest.raises(HostRead):
        model.generate(torch.ones(1, 3).long(), max_new_tokens=6)
