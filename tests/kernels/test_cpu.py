"""The native kernels of the CPU against float64, and the native step against the ordinary one."""

import re
import sys
from pathlib import Path

import pytest
import torch
from cpu_kernels import DTYPES, OTHER_INSTRUCTION_SETS, draw, kernels_for

from models import close
from tinyllm.check import TABLES, check, references
from tinyllm.check.backends import arranging
from tinyllm.check.tables import TOLERANCES
from tinyllm.kernels import cpu
from tinyllm.kernels.cpu import build, structs
from tinyllm.kernels.weights import DenseWeight

OPERATIONS = ("linear", "segment_attention")
MARGIN = 1024


@pytest.fixture
def margins(monkeypatch):
    """Every result starts as NaN, between NaNs that must still be there afterwards."""
    made = []

    def new_empty(self, *shape):
        shape = torch.Size(shape if isinstance(shape[0], int) else shape[0])
        made.append(
            torch.full(
                (shape.numel() + 2 * MARGIN,), float("nan"), dtype=self.dtype, device=self.device
            )
        )
        return made[-1][MARGIN:-MARGIN].view(shape)

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    yield
    assert all(whole[:MARGIN].isnan().all() and whole[-MARGIN:].isnan().all() for whole in made), (
        "written beside a result"
    )


# ---- single operations -------------------------------------------------------------------------


def test_they_are_here():
    assert cpu.unavailable() is None


@pytest.mark.parametrize(
    ("dtype", "threads"), [*((dtype, 2) for dtype in DTYPES), (DTYPES[0], 1), (DTYPES[0], 5)]
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_table(operation, dtype, threads, margins):
    torch.set_num_threads(threads)
    function = arranging(getattr(cpu, operation), planar=False)
    verdict = check(operation, function, dtypes=[dtype], int8=True)
    assert verdict.right, str(verdict)
    assert verdict.total == len(TABLES[operation].cases)


@pytest.fixture(params=OTHER_INSTRUCTION_SETS)
def older(request):
    """The kernels as they are on a processor that has less."""
    return kernels_for(request.param)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_table_on_older_processors(operation, older, margins):
    torch.set_num_threads(1)
    function = arranging(getattr(older, operation), planar=False)
    verdict = check(operation, function, dtypes=DTYPES, int8=True)
    assert verdict.right, str(verdict)


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_every_number_is_read_and_rounded_as_torch_does(dtype, older):
    numbers = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype)[:, None]
    numbers = numbers[numbers.isfinite()[:, 0]]
    one = torch.ones(1, 1, dtype=dtype)
    for kernels in (older, cpu.kernels()):
        got = kernels.linear(one, DenseWeight(numbers))[0, :, None]
        normal = (numbers.abs() >= torch.finfo(dtype).tiny) | (
            dtype == torch.float16
        )  # bf16 products flush the rest
        assert torch.equal(got[normal], numbers[normal])
    between = torch.cat([draw(5000), draw(5000) * 1e-6, draw(5000) * 1e4])
    halves = between.to(dtype)[:, None]
    sums = older.linear(one, DenseWeight(halves), residuals=((halves.T / 3),))[0]
    assert torch.equal(sums, (halves.T.float() + (halves.T / 3).float()).to(dtype)[0])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("offset", [0, 1])
def test_linear_takes_strided_and_unaligned_tensors(dtype, offset, margins):
    def part(rows, columns):
        return draw(rows, columns + 9, dtype=dtype)[:, offset : offset + columns]

    for rows in (1, 3, 11):
        x, weight, residual = part(rows, 130), part(37, 130) / 11, part(rows, 37)
        norm = references.NormWeights(draw(131, dtype=dtype)[1:], draw(132, dtype=dtype)[2:], 1e-5)
        got = cpu.linear(x, DenseWeight(weight), norm=norm, residuals=(residual,)).double()
        wide = references.NormWeights(norm.weight.double(), norm.bias.double(), 1e-5)
        right = references.linear(
            x.double(), DenseWeight(weight.double()), norm=wide, residuals=(residual.double(),)
        )
        scale = right.abs().clamp(min=right.square().mean().sqrt())
        assert ((got - right).abs() / scale).max() <= TOLERANCES[dtype]


@pytest.mark.parametrize("outputs", range(1, 35))
def test_nothing_is_written_beside_any_number_of_outputs(outputs, margins):
    x, weight = draw(3, 17), draw(outputs, 17)
    torch.set_num_threads(1 + outputs % 2)
    close(cpu.linear(x, DenseWeight(weight)), x @ weight.T)


def test_what_a_kernel_cannot_take_is_named():
    x, weight = draw(2, 64), DenseWeight(draw(8, 64))
    with pytest.raises(ValueError, match="17 rows: expected 1 to 16"):
        cpu.linear(draw(17, 64), weight)
    with pytest.raises(ValueError, match=r"weight has shape \[8, 64\], expected \[8, 32\]"):
        cpu.linear(draw(2, 32), weight)
    with pytest.raises(ValueError, match=r"weight is torch.float16 on cpu, expected torch.float32"):
        cpu.linear(x, DenseWeight(weight.data.half()))
    with pytest.raises(ValueError, match="activation 'swish'"):
        cpu.linear(x, weight, activation="swish")
    with pytest.raises(ValueError, match=r"x is torch\.float64"):
        cpu.linear(x.double(), DenseWeight(weight.data.double()))
    with pytest.raises(ValueError, match="last axis"):
        cpu.linear(draw(64, 2).T, weight)
    q, memory, lengths = (
        draw(1, 4, 1, 64),
        draw(1, 2, 5, 64),
        torch.tensor([5, 2], dtype=torch.int32),
    )
    with pytest.raises(
        ValueError, match=r"response_k has shape \[1, 2, 1, 64\], expected at least \[1, 2, 2, 64\]"
    ):
        cpu.segment_attention(q, memory, memory, memory[:, :, :1], memory[:, :, :1], lengths)
    with pytest.raises(ValueError, match=r"lengths is torch\.int64"):
        cpu.segment_attention(q, memory, memory, memory, memory, lengths.long())
    with pytest.raises(ValueError, match="a window of 0 tokens: expected at least 1"):
        cpu.segment_attention(q, memory, memory, memory, memory, lengths, window=0)
    with pytest.raises(ValueError, match="expected the same"):
        cpu.segment_attention(q, memory, draw(1, 2, 6, 64)[:, :, :5], memory, memory, lengths)


def members_in_cpp(name):
    """The members of a C++ structure in order, without its functions."""
    sources = (build.HERE / file for file in ("interface.hpp", "segments.hpp", "matrix.hpp"))
    text = "\n".join(re.sub(r"//.*", "", path.read_text()) for path in sources)
    body = re.search(rf"struct {name} {{\s*\n(.*?)\n}};", text, re.DOTALL)[1]
    lines = [line for line in re.split(r"\n.*\(", body)[0].split(";") if line.strip()]
    return [re.findall(r"\w+", member)[-1] for line in lines for member in line.split(",")]


STRUCTURES = (
    "AttentionMask AttentionShape GemvArgs KVSegment LayerKV LayerWeights Matrix MatrixPart"
    " ModelArgs SegmentAttentionArgs StepArgs UnpackArgs"
)


@pytest.mark.parametrize("name", STRUCTURES.split())
def test_structures_have_the_same_members_in_python_and_cpp(name):
    assert [member for member, _ in getattr(structs, name)._fields_] == members_in_cpp(name)


def test_threads_are_those_of_torch():
    cpu.linear(draw(1, 64), DenseWeight(draw(64, 64)))
    maps = Path("/proc/self/maps").read_text() if sys.platform == "linux" else ""
    assert (
        len({line.split()[-1] for line in maps.splitlines() if "gomp" in line or "iomp" in line})
        <= 1
    )


def attention_arguments(t=5, steps=2, w=1):
    """Queries, four times keys, and lengths."""
    memory = draw(1, 2, 8, 64)
    lengths = torch.tensor([t, steps], dtype=torch.int32)
    return draw(1, 4, w, 64), memory, memory, memory, memory, lengths


@pytest.mark.parametrize("window", [7, 2**31, 2**63 - 1, 2**63, 2**80])
def test_a_window_of_all_tokens_hides_none(window):
    arguments = attention_arguments()
    close(cpu.segment_attention(*arguments, window=window), cpu.segment_attention(*arguments))


@pytest.mark.parametrize("lengths", [(0, 0), (-1, 1), (5, -1)])
def test_lengths_of_no_keys_are_refused(lengths):
    with pytest.raises(ValueError, match="expected at least one key"):
        cpu.segment_attention(*attention_arguments(*lengths))


@pytest.mark.parametrize("slot", [-1, 3, 2**30])
def test_a_beam_index_of_other_slots_is_refused(slot):
    index = torch.zeros(1, 3, 4, dtype=torch.int32)
    index[0, 2, 1] = slot
    arguments = attention_arguments(w=3)
    with pytest.raises(IndexError, match="expected slots of a step, 0 to 2"):
        cpu.segment_attention(*arguments, beam_index=index)
    index[0, 2, 1] = 0
    index[0, 2, 2] = slot  # a step that is not taken yet
    cpu.segment_attention(*arguments, beam_index=index)


def test_no_sequences_have_no_attention():
    assert cpu.segment_attention(*attention_arguments(w=0)).shape == (1, 0, 256)


def test_positions_of_an_empty_prompt_are_not_read():
    arguments = attention_arguments(t=0)
    positions = torch.zeros(1, 0, dtype=torch.int32)
    close(
        cpu.segment_attention(*arguments, prompt_positions=positions),
        cpu.segment_attention(*arguments),
    )


def test_axes_that_are_missing_are_named():
    with pytest.raises(ValueError, match=r"x has shape \[64\], expected \[rows k\]"):
        cpu.linear(draw(64), DenseWeight(draw(8, 64)))
    with pytest.raises(ValueError, match=r"prompt_k has shape \[8, 64\], expected \[b g t d\]"):
        q, _, *rest = attention_arguments()
        cpu.segment_attention(q, draw(8, 64), *rest)


def test_memory_that_was_given_back_is_refused():
    weight = draw(8, 64)
    weight.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="its storage was given back"):
        cpu.linear(draw(1, 64), DenseWeight(weight))
