"""The checks themselves: a case table must find each kind of error."""

import pytest
import torch
import torch.nn.functional as F

from tinyllm.check import TABLES, _widen, check, references
from tinyllm.check.backends import NAIVE, naive_linear, of_module
from tinyllm.check.cases import Draw, sampled_runs
from tinyllm.check.packed_cases import PACKED
from tinyllm.kernels import TORCH, int8, torch_kernels
from tinyllm.kernels.block_formats import FORMATS

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def right(x, weight, eps):
    return F.rms_norm(x, weight.shape, weight, eps)


@pytest.mark.parametrize(
    "backend", [NAIVE, of_module("torch", TORCH)], ids=lambda backend: backend.name
)
@pytest.mark.parametrize("operation", TABLES)
def test_naive_and_torch_kernels(backend, operation):
    if operation in backend.functions:
        verdict = check(operation, backend.functions[operation], dtypes=DTYPES, int8=True)
        assert verdict.right, verdict


def in_place(table):
    """The reference with narrowed results, which writes in place as the operation does."""

    def run(**arguments):
        dtype = arguments.get("dtype") or next(iter(arguments.values())).dtype
        results = table.reference(**_widen(arguments))
        if isinstance(results, torch.Tensor):
            return results.to(dtype)
        written = [name for name in table.written if name in arguments]
        for name, result in zip(reversed(written), results[::-1], strict=False):
            arguments[name].copy_(result)
        returned = len(results) - sum(name in table.unreturned for name in written)
        return tuple(
            result if result.dtype == torch.int8 else result.to(dtype)
            for result in results[:returned]
        )

    return run


@pytest.mark.parametrize("operation", TABLES)
def test_the_reference_is_right_by_its_own_table(operation):
    verdict = check(operation, in_place(TABLES[operation]), dtypes=DTYPES, int8=True)
    assert verdict.right and verdict.passed == verdict.total == len(DTYPES) * len(
        TABLES[operation].cases
    )


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda x, weight, eps: right(x, weight, 0.0), "element"),
        (lambda x, weight, eps: right(x, weight, eps)[:, :0], "shape"),
        (lambda x, weight, eps: right(x, weight, eps) * float("nan"), "element"),
        (lambda x, weight, eps: x.nothing(), "AttributeError"),
        (lambda x, weight, eps: x.copy_(right(x, weight, eps)), "the argument x was overwritten"),
        (lambda x, weight, eps: right(x.half().float(), weight, eps), "element"),
    ],
)
def test_every_kind_of_error_is_found(wrong, complaint):
    verdict = check("rms_norm", wrong)
    assert not verdict.right and verdict.passed < verdict.total
    assert complaint in str(verdict)


def test_a_missing_write_in_place_is_found():
    def new_tensors(k_slot, v_slot, **arguments):
        return TORCH.rope_and_store(k_slot=k_slot.clone(), v_slot=v_slot.clone(), **arguments)

    assert not check("rope_and_store", new_tensors).right


@pytest.mark.parametrize("activation", references.ACTIVATIONS)
def test_references_agree_with_torch(activation):
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    theirs = {"gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh")}.get(
        activation
    ) or getattr(F, activation)
    torch.testing.assert_close(references.ACTIVATIONS[activation](x), theirs(x))


def test_an_operation_without_a_table_raises():
    with pytest.raises(ValueError, match="operation 'softmax' has no table: expected one of"):
        check("softmax", torch.softmax)


@pytest.mark.parametrize("name", PACKED)
def test_packed_weights_have_the_size_of_trained_ones(name):
    rows = Draw(0, torch.float32, torch.device("cpu")).packed(FORMATS[name], 16, 512)
    rms = rows.unpack().square().mean().sqrt()
    torch.testing.assert_close(rms, torch.tensor(512**-0.5), rtol=0.05, atol=0.0)


def test_packed_weights_are_left_out():
    """For functions that take a dense weight alone, as a reader's own."""
    table = TABLES["linear"]
    dense = [case for case in table.cases if not case.packed]
    assert 0 < len(dense) < len(table.cases)
    verdict = check("linear", references.linear, packed=False)
    assert verdict.right and verdict.total == len(dense)


def rounded_down(x):
    x = x.float()
    scale = x.abs().amax(dim=-1) / 127
    return (x / torch.where(scale > 0, scale, 1)[..., None]).trunc().to(torch.int8), scale


def with_one_scale(x):
    codes, scale = int8.quantize(x.flatten(-2))
    return codes.view(x.shape), scale[..., None].expand(x.shape[:-1])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("quantize", [rounded_down, with_one_scale])
def test_another_way_to_round_keys_is_found(quantize, dtype, monkeypatch):
    monkeypatch.setattr(torch_kernels, "quantize", quantize)
    verdict = check("rope_and_store", TORCH.rope_and_store, dtypes=[dtype], int8=True)
    assert not verdict.right and "of the codes, torch.int8, differ" in verdict.failure


def test_a_tie_becomes_the_even_code():
    x = torch.tensor([[127.0, 0.5, 1.5, -2.5, -126.5], [0.0, 0.0, 0.0, 0.0, 0.0]])
    codes, scale = int8.quantize(x)
    assert codes.tolist() == [[127, 0, 2, -2, -126], [0] * 5]
    assert scale.tolist() == [1.0, 0.0]
    assert int8.dequantize(codes, scale, torch.float32)[1].eq(0).all()


@pytest.mark.parametrize("operation", TABLES)
def test_a_sample_has_a_case_of_every_kind(operation):
    cases = TABLES[operation].cases
    dtypes = torch.float32, torch.bfloat16
    runs = sampled_runs(cases, dtypes)
    assert runs[0] == (cases[0], torch.float32)
    sampled = [case for case, dtype in runs if dtype == torch.bfloat16]
    assert {case.kind for case in sampled} == {case.kind for case in cases}
    assert len(runs) == 1 + len({case.kind for case in cases})


@pytest.mark.parametrize("name", ["residuals", "norm"])
def test_a_sample_finds_what_is_wrong_in_a_later_kind(name):
    def wrong(**arguments):
        out = naive_linear(**arguments)
        return out + 1 if name in arguments else out

    assert check("linear", naive_linear, sample=True).right
    verdict = check("linear", wrong, sample=True)
    assert not verdict.right and verdict.passed < verdict.total < len(TABLES["linear"].cases)


def test_a_sample_has_one_row_and_several():
    def wrong(**arguments):
        out = naive_linear(**arguments)
        return out if arguments["x"].shape[0] == 1 else out + 1

    assert not check("linear", wrong, sample=True, without=["bias"]).right
