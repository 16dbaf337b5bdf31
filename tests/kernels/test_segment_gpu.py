"""On a GPU: attention that tells the logarithm of its sum, and generation that is asked late whether it is over."""

import gc

import pytest
import torch
from transformers import StoppingCriteriaList

import models
import tinyllm
from tinyllm.kernels.torch_attention import attention_with_lse, bias_of_mask
from tinyllm.runtime.graph import CapturedGraph
from tinyllm.runtime.stop import AsyncStopFlag

pytestmark = pytest.mark.gpu
TOLERANCE = {torch.float32: 1e-4, torch.float16: 4e-3, torch.bfloat16: 3e-2}
SHAPES = [
    (1, 1, 1, 1, 64),
    (2, 3, 4, 17, 64),
    (3, 2, 5, 100, 128),
    (2, 2, 12, 33, 80),
    (1, 4, 1, 1000, 128),
    (2, 1, 3, 9, 20),
    (70, 8, 4, 130, 64),  # many enough for cuDNN
]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_attention_and_the_logarithm_of_its_sum(shape, dtype, accelerator):
    for masked in ("no bias", "prompt", "response"):
        check_attention(*shape, masked, dtype, accelerator)


def check_attention(b, g, rows, n, d, masked, dtype, accelerator):
    generator = torch.Generator().manual_seed(n)
    q, k, v = (
        torch.randn(b, g, m, d, generator=generator).to(accelerator, dtype) for m in (rows, n, n)
    )
    visible = torch.rand(b, 1, 1 if masked == "prompt" else rows, n, generator=generator) < 0.5
    visible[..., -1] = True
    bias = None if masked == "no bias" else bias_of_mask(visible.to(accelerator), dtype)
    scores = q.double() @ k.double().mT / d**0.5 + (0 if bias is None else bias.double())
    for fixed_length in (False, True):
        out, lse = attention_with_lse(q, k, v, bias, fixed_length=fixed_length)
        torch.testing.assert_close(
            out.double(), scores.softmax(-1) @ v.double(), rtol=0, atol=TOLERANCE[dtype]
        )
        torch.testing.assert_close(
            lse.double(), scores.logsumexp(-1), rtol=0, atol=TOLERANCE[dtype]
        )


def watcher(input_ids, scores, **kwargs):
    return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 4}, {"num_beams": 3, "early_stopping": True}], ids=str
)
@pytest.mark.parametrize("stage", tinyllm.STAGES)
def test_the_same_tokens_asked_late_or_at_once_or_on_the_cpu(stage, how, accelerator):
    assert AsyncStopFlag(accelerator, sync=False).late
    ids, mask = models.ragged(61, (2, 5, 8), seed=8)
    for ends in ([], [7], [3, 9, 20, 33, 41, 55]):
        model = tinyllm.optimize(models.tiny(seed=2, hidden_size=64, head_dim=16), stage=stage)
        options = how | {"max_new_tokens": 12, "eos_token_id": ends or None, "pad_token_id": 1}
        expected = model.generate(ids, mask, **options).tolist()
        model.to(accelerator)
        late = model.generate(ids, mask, **options)
        at_once = model.generate(
            ids, mask, stopping_criteria=StoppingCriteriaList([watcher]), **options
        )
        assert late.tolist() == at_once.tolist() == expected


def test_seeds_draw_the_same_again_and_memory_is_given_back(accelerator):
    model = tinyllm.optimize(models.tiny(seed=2, hidden_size=64, head_dim=16)).to(accelerator)
    ids, backend = torch.ones(2, 5, dtype=torch.int64), getattr(torch, accelerator.type)
    gc.collect()  # what earlier tests left behind
    before, drawn = backend.memory_allocated(), []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(
            model.generate(ids, max_new_tokens=9, do_sample=True, num_return_sequences=4).tolist()
        )
    assert drawn[0] == drawn[1]
    model.sessions.clear()
    assert backend.memory_allocated() == before


def test_a_capture_that_fails_leaves_drawing_and_capturing_as_they_were(accelerator):
    x = torch.zeros(4, device=accelerator)

    def waits_for_the_host():
        x.exponential_()
        x.sum().item()

    failing, drawing = (
        CapturedGraph(waits_for_the_host, accelerator),
        CapturedGraph(x.exponential_, accelerator),
    )
    stream = getattr(torch, accelerator.type).current_stream()
    for _ in range(3):
        failing()
    assert failing.failure
    assert getattr(torch, accelerator.type).current_stream() == stream
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawing()
        drawn.append(x.tolist())
    assert drawing.failure is None
    assert drawn[0] == drawn[1]
    assert torch.rand(3, device=accelerator).tolist() != torch.rand(3, device=accelerator).tolist()
