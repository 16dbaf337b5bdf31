"""The native decode step of every kind of decoder, against float64."""

from dataclasses import replace

import pytest
import torch
from cpu_decoders import KINDS, MATRICES, SLOPES, compare, in_int8, weights
from cpu_kernels import DTYPES, OTHER_INSTRUCTION_SETS, draw, kernels_for

from tinyllm.kernels import cpu
from tinyllm.kernels.weights import DenseWeight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("b", "w", "padded"), [(1, 1, False), (2, 3, True), (1, 16, False), (3, 1, True)]
)
def test_step_against_float64(kind, b, w, padded):
    for threads in (1, 2, 5) if w < 16 else (2,):  # 5: more than this machine may have
        torch.set_num_threads(threads)
        compare(kind, torch.float32, b, w, padded)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_step_in_every_format(kind, dtype):
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for w in (1, 4):
            compare(kind, dtype, 1, w, padded=False)


@pytest.mark.parametrize("instruction_set", OTHER_INSTRUCTION_SETS)
@pytest.mark.parametrize("kind", KINDS)
def test_step_on_older_processors(kind, instruction_set):
    """Of every instruction set that this processor can execute."""
    torch.set_num_threads(2)
    older = kernels_for(instruction_set)
    for dtype in DTYPES:
        compare(kind, dtype, 1, 1, padded=False, kernels=older)
        compare(kind, dtype, 2, 3, padded=True, kernels=older)
    compare(kind, torch.bfloat16, 1, 4, padded=False, stores_int8=True, kernels=older)


@pytest.mark.parametrize("kind", KINDS)
def test_step_on_keys_and_values_in_int8(kind):
    for threads in (1, 2):
        torch.set_num_threads(threads)
        compare(kind, torch.float32, 2, 3, padded=True, stores_int8=True)
    compare(kind, torch.bfloat16, 1, 4, padded=False, stores_int8=True)
    compare(kind, torch.float16, 1, 1, padded=False, stores_int8=True)


def test_scales_that_do_not_fit_are_named():
    model = weights(torch.float32)
    native = cpu.DecodeStep(cpu.kernels(), model)
    codes, scales = in_int8([tuple(draw(1, 2, 8, 16) for _ in range(4)) for _ in model.layers])
    with pytest.raises(
        ValueError, match=r"prompt_k is torch\.int8 on cpu, expected torch\.float32"
    ):
        native.bind(codes)
    wide = [one._replace(prompt_v=one.prompt_v.double()) for one in scales]
    with pytest.raises(ValueError, match=r"prompt_v_scale is torch\.float64"):
        native.bind(codes, wide)
    short = [one._replace(**{n: x[..., :3] for n, x in one._asdict().items()}) for one in scales]
    native.bind(codes, short)
    lengths = torch.tensor([8, 2], dtype=torch.int32)
    with pytest.raises(ValueError, match=r"scales\.prompt_k has shape \[1, 2, 3\]"):
        native(torch.tensor([[3]]), torch.tensor([[9]]), lengths, None, None)


def test_a_step_says_what_it_cannot_take():
    model = weights(torch.float32)
    native = cpu.DecodeStep(cpu.kernels(), model)
    memory = [tuple(draw(1, 2, 8, 16) for _ in range(4)) for _ in model.layers]
    native.bind(memory)
    one, position, lengths = (
        torch.tensor([[3]]),
        torch.tensor([[9]]),
        torch.tensor([8, 2], dtype=torch.int32),
    )
    with pytest.raises(IndexError, match=r"tokens \[\[51\]\]: expected ids from 0 to 50"):
        native(torch.tensor([[51]]), position, lengths, None, None)
    with pytest.raises(IndexError, match="expected ids from 0 to 50"):
        native(torch.tensor([[-1]]), position, lengths, None, None)
    with pytest.raises(ValueError, match="response has shape"):
        native(one, position, torch.tensor([8, 9], dtype=torch.int32), None, None)
    with pytest.raises(ValueError, match="17 sequences: expected 1 to 16"):
        native(one.expand(1, 17), position, lengths, None, None)
    with pytest.raises(
        ValueError, match=r"prompt_k is torch\.float16 on cpu, expected torch\.float32"
    ):
        native.bind([tuple(x.half() for x in layer) for layer in memory])
    with pytest.raises(ValueError, match="in one layer"):
        native.bind([memory[0], tuple(draw(1, 2, 9, 16)[:, :, :8] for _ in range(4))])
    with pytest.raises(ValueError, match="contiguous"):
        cpu.DecodeStep(cpu.kernels(), replace(model, lm_head=DenseWeight(draw(40, 51).T)))
    with pytest.raises(
        ValueError, match=r"inputs_embeds has shape \[1, 1, 39\], expected \[1, 1, 40\]"
    ):
        native(one, position, lengths, None, None, draw(1, 1, 39))
    with pytest.raises(
        ValueError, match=r"inputs_embeds is torch\.float16 on cpu, expected torch\.float32"
    ):
        native(one, position, lengths, None, None, draw(1, 1, 40).half())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": (4, 0)}, "a window of 0 tokens: expected at least 1"),
        ({"windows": (4,)}, "1 windows and 2 frequency_sets for 2 layers"),
        (
            {"frequency_sets": (0, 1)},
            r"frequency_sets \(0, 1\): expected rows of frequencies, 0 to 0",
        ),
        (
            {"per_head": True},
            "6 query heads on 2: stored for every head, there must be as many keys and values",
        ),
        ({"parallel": True, "post_norms": True}, "parallel layers whose branches are normalised"),
        ({"rotated": 18}, "9 pairs in heads of size 16"),
        ({"slopes": SLOPES[:5]}, r"slopes has shape \[5\], expected at least \[6\]"),
        ({"slopes": SLOPES.double()}, "slopes is torch.float64"),
    ],
)
def test_weights_that_are_of_no_decoder_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        cpu.DecodeStep(cpu.kernels(), weights(torch.float32, **options))


def test_norms_of_another_size_are_named():
    model = weights(torch.float32, head_norms=True, post_norms=True)
    for name, size in (
        ("q_norm", 16),
        ("k_norm", 16),
        ("attention_post_norm", 40),
        ("mlp_post_norm", 40),
    ):
        layers = [model.layers[0], model.layers[1] | {name: draw(size - 1)}]
        with pytest.raises(
            ValueError, match=rf"{name} has shape \[{size - 1}\], expected at least \[{size}\]"
        ):
            cpu.DecodeStep(cpu.kernels(), replace(model, layers=layers))


def test_what_is_embedded_is_for_one_step():
    model = weights(torch.float32)
    native = cpu.DecodeStep(cpu.kernels(), model)
    native.bind([tuple(draw(1, 2, 8, 16) for _ in range(4)) for _ in model.layers])
    rest = torch.tensor([[9]]), torch.tensor([8, 2], dtype=torch.int32), None, None
    token = torch.tensor([[3]])
    plain = native(token, *rest)
    assert torch.equal(native(token, *rest, inputs_embeds=model.embedding.data[token]), plain)
    assert not torch.equal(
        native(token, *rest, inputs_embeds=2 * model.embedding.data[token + 2]), plain
    )
    assert torch.equal(native(token, *rest), plain)


def test_results_do_not_depend_on_torchs_default_dtype():
    model = weights(torch.bfloat16)
    native = cpu.DecodeStep(cpu.kernels(), model)
    native.bind(
        [tuple(draw(1, 2, 8, 16, dtype=torch.bfloat16) for _ in range(4)) for _ in model.layers]
    )
    arguments = (
        torch.tensor([[3]]),
        torch.tensor([[9]]),
        torch.tensor([8, 2], dtype=torch.int32),
        None,
        None,
    )
    logits = native(*arguments)
    try:
        torch.set_default_dtype(torch.bfloat16)
        again = native(*arguments)
    finally:
        torch.set_default_dtype(torch.float32)
    assert logits.dtype == again.dtype == torch.float32 and torch.equal(logits, again)


@pytest.mark.parametrize("name", ["qkv", "o", "gate_up", "down", "mlp_norm", "qkv_bias"])
def test_weights_of_another_shape_are_named(name):
    model = weights(torch.float32, bias=True)
    right = model.layers[1][name]
    short = right[:-1] if name not in MATRICES else DenseWeight(right.data[:-1])
    wrong = model.layers[1] | {name: short}
    with pytest.raises(ValueError, match=rf"{name} has shape .*, expected at least"):
        cpu.DecodeStep(cpu.kernels(), replace(model, layers=[model.layers[0], wrong]))


def test_positions_of_some_requests_are_refused():
    model = weights(torch.float32)
    native = cpu.DecodeStep(cpu.kernels(), model)
    native.bind([tuple(draw(3, 2, 8, 16) for _ in range(4)) for _ in model.layers])
    lengths = torch.tensor([8, 2], dtype=torch.int32)
    with pytest.raises(
        ValueError, match=r"positions has shape \[2, 1\], expected at least \[3, 1\]"
    ):
        native(torch.tensor([[3]] * 3), torch.tensor([[9]] * 2), lengths, None, None)
    with pytest.raises(ValueError, match=r"embedding has shape \[50, 40\], expected \[51, 40\]"):
        short = cpu.DecodeStep(
            cpu.kernels(), replace(model, embedding=DenseWeight(model.embedding.data[:50]))
        )
        short.bind(native.bound)
        short(torch.tensor([[3]] * 3), torch.tensor([[9]]), lengths, None, None)
