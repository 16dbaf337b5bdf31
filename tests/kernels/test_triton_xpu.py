"""The Triton kernels through Intel's own compiler: machine code of a GPU, and compiled runs on the CPU."""

import json
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("triton")

import tinyllm.kernels.sycl as sycl
from tinyllm.check import compiled
from tinyllm.kernels.machine_code import MachineCode
from tinyllm.kernels.sycl import ocloc
from tinyllm.kernels.sycl.packages import ToolchainError
from tinyllm.kernels.triton import isa
from tinyllm.kernels.triton.xpu import compiler, gpu_functions, spirv
from tinyllm.kernels.triton.xpu.known_spills import KnownSpill

MISSING = compiler.unsupported()
if MISSING is None and "CI" not in os.environ:
    if not compiler.is_installed():
        MISSING = f"python -m {compiler.__name__} fetches the compiler"
    elif shutil.which("ocloc") is None or sycl.unavailable("cpu"):
        MISSING = "needs ocloc and Intel's OpenCL for the CPU"
needs_compiler = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

MATRIX = "linear_matrix, LayerNorm, gelu, odd"  # by pointers: the installed ocloc lacks 2D blocks
ALL_REDUCE = "all_reduce, 1 row of 2 ranks"
NAMES = (
    "rms_norm", "rope, half-split", "silu", "linear_vector, output and residual", MATRIX, ALL_REDUCE,
)  # fmt: skip
# Few cases of each kernel: one that fills its blocks, one that does not, and where there are more kinds, those.
CASES = {
    "rms_norm": "^3 x 576$|^7 x 576 strided|^3 x 5$",
    "layer_norm": "^3 x 576$|^3 x 1000$",
    "norm_and_add": "^33 x 80$|^3 x 4096$",
    "rope_and_store": "b2 h6 g2 t5 d64, 32 rotated, .*own|d80, 80 rotated, interleaved, own|normalised",
    "activate_and_multiply": "^2 x (7|1000) (silu|gelu)$",
    "bias_and_activate": "^2 x (7|255) (gelu|gelu_pytorch_tanh|relu)$",
    "linear": "^1 x 64 -> 7$|^1 strided|^3 x 5 -> 3$|^4 rows, bias$",
    "unpack": "^Q6_K",
    "qkv_rope_and_store": "^b1 t1 h4 g2 d64, 32 rotated, interleaved, norm rms|^packed Q4_K",
    "segment_attention": "^b2 h6 g2 w4 d64, 33 . 5 tokens, independent",
    "prefill_attention": "^b1 h4 g4 d64, 5 tokens of 5, padded$",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where SPIR-V of some variants is written."""
    return tmp_path_factory.mktemp("spirv")


@pytest.fixture(scope="module")
def rows(folder):
    """Their machine code for Max."""
    offline = replace(ocloc.installed(), gpus={"pvc": 16})
    return isa.reports(offline, folder, NAMES, ["bf16"])


@needs_compiler
def test_machine_code_of_a_gpu(rows):
    code = {row.name: row.code for row in rows}
    assert sorted(code) == sorted(NAMES)
    assert isa.unexpected_spills(rows) == []
    assert [name for name, c in code.items() if c.spilled] == [MATRIX]
    assert {name: c.simd for name, c in code.items()} == dict.fromkeys(NAMES, 32) | {MATRIX: 16}
    assert [name for name, c in code.items() if c.dpas] == [MATRIX]
    assert code[MATRIX].registers == 128
    assert code[MATRIX].local_memory > 0
    assert [name for name, c in code.items() if c.wide_loads == 0] == [MATRIX]
    assert all(c.loads >= c.wide_loads and c.stores for c in code.values())


CODE = MachineCode(
    simd=16, registers=256, spilled=0, local_memory=0, instructions=9, loads=2, wide_loads=1,
    blocks=0, stores=1, dpas=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("spilled", "known", "message"),
    [
        (0, None, None),
        (64, None, "64 bytes spilled, 0 known"),
        (64, 64, None),
        (128, 64, "128 bytes spilled, 64 known"),
        (0, 64, "spills no longer"),
    ],
)
def test_spills_are_held_against_those_known(spilled, known, message, monkeypatch):
    spills = () if known is None else (KnownSpill("a kernel", "why", {"pvc": known}),)
    monkeypatch.setattr(isa, "KNOWN_SPILLS", spills)
    row = isa.Report("a kernel", "bf16", "pvc", 8, replace(CODE, spilled=spilled))
    other = isa.Report("another kernel", "bf16", "pvc", 8, CODE)
    found = isa.unexpected_spills([row, other])
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


@needs_compiler
def test_compiled_kernels_are_right():
    """One test, and one process: an import of torch takes longer than most kernels."""
    jobs = [
        job
        for kernel, match in CASES.items()
        for job in compiled.jobs_of(kernel, tuple(compiled.DTYPES), 1, match)
    ]
    outcomes = list(compiled.run_jobs(jobs))
    assert [
        (o.job.kernel, o.job.dtype, o.job.case.title, o.wrong) for o in outcomes if o.wrong
    ] == []
    assert [outcome.job for outcome in outcomes] == jobs
    assert {(job.kernel, job.dtype) for job in jobs} == {*product(CASES, compiled.DTYPES)}


# Cases with the kinds of calls that the code of a GPU makes; the functions for them are seen to matter.
GPU_CASES = {
    "linear": ("^5 x 576 -> 192$", {"DPAS", "READ", "READ_TRANSPOSE", "PREFETCH"}),
    "prefill_attention": (
        CASES["prefill_attention"],
        {"DPAS", "READ", "READ_TRANSPOSE", "READ_TRANSFORM", "PREFETCH", "WRITE"},
    ),
}


@needs_compiler
@pytest.mark.parametrize("kernel", GPU_CASES)
def test_code_of_a_gpu_is_right(kernel):
    match, calls = GPU_CASES[kernel]
    (outcome,) = compiled.run_kernel(kernel, ["bf16"], match=match, gpu="pvc")
    assert outcome.wrong is None
    assert 0 < outcome.error < 1e-2
    assert {call.partition("(")[0] for call in outcome.gpu_calls} == calls


@needs_compiler
def test_answers_of_a_model_on_compiled_kernels_are_those_of_transformers():
    program = Path(__file__).with_name("compiled_generation.py")
    done = subprocess.run(
        [sys.executable, program],
        env=compiler.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert {call["call"]: call["same"] for call in calls} == {"greedy": True, "beams": True}
    greedy, beams = (set(call["launched"]) for call in calls)
    assert greedy == {"_norm_rows", "_qkv_rope_and_store", "_linear", "_segment_attention"}
    assert beams - greedy == {"_reorder_beam_index", "_list_live_slots"}


@needs_compiler
def test_known_fault_a_barrier_is_missing_after_a_reduction():
    """Where this fails, the fault is gone: take `missing_barrier.py` and what says so out of the book."""
    program = Path(__file__).with_name("missing_barrier.py")
    done = subprocess.run(
        [sys.executable, program],
        env=compiler.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[True, False, True, True]"


# Of SPIR-V: opcodes, the scope of all devices, and an acquire and a release in one.
CONSTANT = 43
ATOMICS = (234, 241)  # an addition; of 0, which changes nothing, an or
CROSS_DEVICE = 0
ACQUIRE_RELEASE = 8


@needs_compiler
@pytest.mark.usefixtures("rows")
def test_atomics_of_the_all_reduce_order_memory_across_devices(folder):
    """One for the epoch, and one in the loop that waits for each of two ranks."""
    modules = (path.read_bytes() for path in folder.glob("*.spv"))
    (binary,) = (module for module in modules if b"_one_shot_all_reduce" in module)
    words = struct.unpack(f"<{len(binary) // 4}I", binary)
    constants = {}
    atomics = []
    for instruction in spirv.instructions(words):
        opcode = instruction[0] & 0xFFFF
        if opcode == CONSTANT:
            constants[instruction[2]] = instruction[3]
        if opcode in ATOMICS:
            atomics.append([constants[operand] for operand in instruction[4:6]])
    assert atomics == [[CROSS_DEVICE, ACQUIRE_RELEASE]] * 3


@needs_compiler
def test_compiled_all_reduce_of_processes_that_wait_for_each_other():
    program = Path(__file__).with_name("all_reduce_ranks.py")
    done = subprocess.run(
        [sys.executable, program],
        env=compiler.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(run["ranks"], run["dtype"]) for run in runs] == [
        (2, "torch.bfloat16"),
        (3, "torch.float32"),
    ]
    assert [run["faults"] for run in runs] == [[], []]


ONE_LAUNCH = """
import torch
from tinyllm.kernels.triton.xpu import driver
driver.run_on_cpu()
from tinyllm.kernels.triton import norm
from tinyllm.kernels.triton.release import compiled_kernels
print(list(compiled_kernels()))
norm.rms_norm(torch.ones(2, 8), torch.ones(8), 1e-5)
print([one.name for one in compiled_kernels()])
"""


@needs_compiler
def test_kernels_are_listed_once_they_are_compiled():
    done = subprocess.run(
        [sys.executable, "-c", ONE_LAUNCH],
        env=compiler.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[]", "['_norm_rows']"]


def module(*instructions):
    """SPIR-V: five words of a header, and instructions whose first words get their lengths."""
    words = [0x07230203, 0x10500, 0, 9, 0]
    for opcode, *operands in instructions:
        words += [(len(operands) + 1) << 16 | opcode, *operands]
    return struct.pack(f"<{len(words)}I", *words)


def test_a_hint_is_left_out_of_a_module():
    text = struct.unpack("<7I", b"SPV_INTEL_kernel_attributes\0")
    other = struct.unpack("<4I", b"SPV_KHR_other\0\0\0")
    kernel = (spirv.CAPABILITY, 6)
    lanes = (spirv.EXECUTION_MODE, 4, 35, 16)
    hint = (
        (spirv.CAPABILITY, spirv.KERNEL_ATTRIBUTES),
        (spirv.EXTENSION, *text),
        (spirv.EXECUTION_MODE, 4, spirv.MAX_WORK_GROUP_SIZE, 64, 1, 1),
    )
    whole = module(kernel, *hint, (spirv.EXTENSION, *other), lanes)
    assert spirv.for_cpu(whole) == module(kernel, (spirv.EXTENSION, *other), lanes)


def test_functions_of_a_gpu_are_found_in_a_module():
    def words(text: bytes) -> tuple[int, ...]:
        text += bytes(4 - len(text) % 4)
        return struct.unpack(f"<{len(text) // 4}I", text)

    dpas = b"_Z40intel_sub_group_bf16_bf16_matrix_mad_k16Dv8_sDv8_iDv8_f"
    block = b"_Z51intel_sub_group_2d_block_read_transpose_32b_16r8x1cPU3AS1viiiDv2_iPj"
    names = (dpas, block, b"_Z27__spirv_ConvertFToBF16INTELf")
    linkage = (gpu_functions.DECORATE, 7, gpu_functions.LINKAGE_ATTRIBUTES)
    whole = module(
        *((*linkage, *words(name), gpu_functions.IMPORT) for name in (*names, dpas)),
        (*linkage, *words(b"own"), 0),  # an export
        (gpu_functions.DECORATE, 8, 4),
    )
    found = gpu_functions.missing_functions(whole)
    assert found == [name.decode() for name in names]
    calls = gpu_functions.calls_of(found)
    assert calls == ["DPAS(bf16)", "READ_TRANSPOSE(32, 16, 8, 1)"]
    source = gpu_functions.source_of(calls)
    assert source.endswith("DPAS(bf16)\nREAD_TRANSPOSE(32, 16, 8, 1)\n")
    for call in calls:
        assert f"#define {call.partition('(')[0]}(" in source
    assert gpu_functions.source_of(gpu_functions.calls_of(["_Z3ownv"])) == ""


def test_other_pythons_are_told(monkeypatch, own_cache):
    monkeypatch.setattr(compiler, "HASHES", {(3, 10): "", (3, 9): ""})
    with pytest.raises(ToolchainError, match=r"has wheels for Python 3\.10 and 3\.9 on Linux"):
        compiler.install()


@pytest.mark.skipif(compiler.unsupported() is not None, reason="a Python without a wheel")
def test_no_network_is_told_and_leaves_nothing(monkeypatch, own_cache):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(ToolchainError, match="needs a network and a package index"):
        compiler.install()
    assert not compiler.is_installed()
    assert list(compiler.cache_folder().iterdir()) == []


def test_another_kernel_than_those_with_a_table_is_refused(capsys):
    with pytest.raises(SystemExit):
        compiled.main(["softmax"])
    assert "expected some of" in capsys.readouterr().err
