"""The native decode step with matrices in blocks: against float64, and against the step with the same weights dense."""

from dataclasses import replace
from itertools import count

import pytest
import torch
from cpu_decoders import KINDS, MATRICES, compare, dense, weights
from cpu_kernels import DTYPES, draw
from packed_weights import packed_weight
from torch import nn

import tinyllm
from models import close, tiny
from packed_models import draw_blocks
from tinyllm.kernels import cpu
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import DenseWeight, PackedWeight
from tinyllm.runtime.native import unsupported_reason

SIZES = {"m": 256, "f": 512, "d": 64, "h": 4, "g": 2}  # rows of whole blocks in every format


def maker(names, dtype=torch.float32):
    """Every matrix in these formats, in another order each time."""
    number = count()

    def matrix(n, k):
        i = next(number)
        return packed_weight([*names[i % len(names) :], *names[: i % len(names)]], n, k, dtype, i)

    return matrix


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_step_against_float64(kind, dtype):
    changes = SIZES | ({"g": 4} if KINDS[kind].get("per_head") else {})
    changes |= {"slopes": 2.0 ** -torch.arange(1.0, 5.0)} if "slopes" in KINDS[kind] else {}
    for threads, w in ((1, 1), (3, 4)):
        torch.set_num_threads(threads)
        matrix = maker(["Q4_1", "Q6_K", "Q8_0"], dtype)
        compare(kind, dtype, 1, w, padded=False, matrix=matrix, **changes)


def greedy_tokens(model, steps=12):
    """Logits and tokens of some steps of one sequence without a prompt."""
    native = cpu.DecodeStep(cpu.kernels(), model)
    _, g, d = model.heads
    native.bind([tuple(torch.zeros(1, g, n, d) for n in (1, 1, 16, 16)) for _ in model.layers])
    token = torch.tensor([[3]])
    for step in range(steps):
        lengths = torch.tensor([0, step + 1], dtype=torch.int32)
        logits = native(token, torch.tensor([[step]]), lengths, None, None)
        token = logits.argmax(-1, keepdim=True)
        yield logits, token


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("threads", [1, 3])
def test_tokens_are_those_of_dense_weights(name, threads):
    torch.set_num_threads(threads)
    packed = weights(torch.float32, matrix=maker([name]), **SIZES)
    as_dense = lambda weight: DenseWeight(dense(weight))  # noqa: E731
    layers = [layer | {one: as_dense(layer[one]) for one in MATRICES} for layer in packed.layers]
    plain = replace(
        packed,
        layers=layers,
        embedding=as_dense(packed.embedding),
        lm_head=as_dense(packed.lm_head),
    )
    steps = zip(greedy_tokens(packed), greedy_tokens(plain), strict=True)
    for (mine, token), (right, right_token) in steps:
        close(mine, right)
        assert torch.equal(token, right_token)


def test_matrices_are_read_in_place():
    model = weights(torch.float32, matrix=maker(["Q4_0", "Q5_K"]), **SIZES)
    blocks = model.lm_head.parts[0].blocks
    assert blocks.data_ptr() in {x.data_ptr() for x in model.tensors()}
    native = cpu.DecodeStep(cpu.kernels(), model)
    native.bind([tuple(torch.zeros(1, 2, n, 64) for n in (1, 1, 4, 4)) for _ in model.layers])
    rest = (torch.tensor([[0]]), torch.tensor([0, 1], dtype=torch.int32), None, None)
    before = native(torch.tensor([[3]]), *rest)
    blocks.zero_()
    after = native(torch.tensor([[3]]), *rest)
    assert not after[:, : len(blocks)].any() and torch.equal(
        after[:, len(blocks) :], before[:, len(blocks) :]
    )


def test_matrices_that_do_not_fit_are_named():
    model = weights(torch.float32, matrix=maker(["Q8_0"]), **SIZES)
    for name in MATRICES:
        right = model.layers[1][name]
        short = PackedWeight((draw_blocks(7, right.shape[1], "Q8_0"),), torch.float32)
        layers = [model.layers[0], model.layers[1] | {name: short}]
        with pytest.raises(ValueError, match=rf"{name} has shape \[7, .*, expected \["):
            cpu.DecodeStep(cpu.kernels(), replace(model, layers=layers))
    half = model.lm_head._replace(dtype=torch.float16)
    with pytest.raises(ValueError, match=r"lm_head is for activations in torch\.float16"):
        cpu.DecodeStep(cpu.kernels(), replace(model, lm_head=half))
    planar = PackedWeight((model.embedding.parts[0].arranged(planar=True),), torch.float32)
    with pytest.raises(ValueError, match="embedding has planar blocks"):
        cpu.DecodeStep(cpu.kernels(), replace(model, embedding=planar))


def test_parameters_of_bytes_have_a_native_step():
    model = tinyllm.optimize(tiny())
    blocks = nn.Parameter(torch.zeros(4, dtype=torch.uint8), requires_grad=False)
    model.lm_head.register_parameter("blocks", blocks)
    assert unsupported_reason(model) is None
    model.lm_head.bias = nn.Parameter(draw(61).half(), requires_grad=False)
    assert "of another format" in unsupported_reason(model)
