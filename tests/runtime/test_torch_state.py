"""Settings of torch that a caller may have made: the tokens are those of transformers without them."""

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
import torch
from torch.overrides import BaseTorchFunctionMode

import tinyllm
from models import ragged, tiny
from tinyllm.runtime.graph import captured_settings

NEW_TOKENS = 6


def setting(read, write, value):
    """A setting of torch, and what it was again at the end."""

    @contextmanager
    def changed():
        before = read()
        write(value)
        try:
            yield
        finally:
            write(before)

    return changed


@contextmanager
def default_device(name):
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def forked_generator():
    with torch.random.fork_rng(devices=[]):
        torch.rand(7)
        yield


def flush_denormal():
    return setting(lambda: False, torch.set_flush_denormal, True)()


def dtype_of(dtype):
    return setting(torch.get_default_dtype, torch.set_default_dtype, dtype)


STATES = {
    "float64": dtype_of(torch.float64),
    "float16": dtype_of(torch.float16),
    "bfloat16": dtype_of(torch.bfloat16),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference mode": torch.inference_mode,
    "gradients": torch.enable_grad,
    "default device meta": lambda: default_device("meta"),
    "device meta": lambda: torch.device("meta"),
    "deterministic": setting(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "one thread": setting(torch.get_num_threads, torch.set_num_threads, 1),
    "many threads": setting(torch.get_num_threads, torch.set_num_threads, 5),
    "denormals flushed": flush_denormal,
    "function mode": BaseTorchFunctionMode,
    "forked generator": forked_generator,
}
WAYS = {
    "greedy": {"do_sample": False},
    "beams": {"num_beams": 3, "do_sample": False, "length_penalty": 0.7},
    "samples": {"do_sample": True, "top_p": 0.9, "num_return_sequences": 2},
}
every_state = pytest.mark.parametrize("state", STATES)


@pytest.fixture(scope="module")
def hf():
    return tiny("llama")


@pytest.fixture(scope="module")
def prompts():
    return ragged(61, [7, 4, 1], seed=3)


def answers(model, prompts):
    """Tokens in every way, and the second turn of a conversation."""
    ids, mask = prompts
    found = {}
    for name, options in WAYS.items():
        torch.manual_seed(5)
        options = {**options, "max_new_tokens": NEW_TOKENS, "pad_token_id": 0}
        found[name] = model.generate(ids, attention_mask=mask, **options)
    options = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True}
    first = model.generate(ids[:1], **options)
    longer = torch.cat([first.sequences, ids[:1, :2]], dim=1)
    again = model.generate(longer, past_key_values=first.past_key_values, **options)
    return found | {"second turn": again.sequences}


@pytest.fixture(scope="module")
def expected(hf, prompts):
    return answers(hf, prompts)


def check_answers(model, prompts, expected):
    got = answers(model, prompts)
    different = [name for name, tokens in got.items() if not torch.equal(tokens, expected[name])]
    assert different == []


@pytest.fixture(scope="module", params=tinyllm.STAGES)
def model(request, hf):
    return tinyllm.optimize(hf, stage=request.param)


@every_state
def test_generation_does_not_depend_on_torchs_settings(state, model, prompts, expected):
    with STATES[state]():
        check_answers(model, prompts, expected)


@every_state
def test_nor_does_a_model_made_under_them(state, hf, prompts, expected):
    with STATES[state]():
        models = [tinyllm.optimize(hf, stage=stage) for stage in ("naive", "final")]
    for model in models:
        check_answers(model, prompts, expected)


@every_state
def test_nor_does_a_checkpoint_read_under_them(state, hf, prompts, expected, tmp_path):
    hf.save_pretrained(tmp_path)
    with STATES[state]():
        model = tinyllm.from_pretrained(tmp_path, device="cpu")
    assert model.dtype == torch.float32 and model.device.type == "cpu"
    check_answers(model, prompts, expected)


@pytest.fixture(scope="module")
def family(request, prompts):
    """A model of a family, and what transformers answers."""
    hf = tiny(request.param)
    return hf, answers(hf, prompts)


@pytest.mark.parametrize("family", ["bloom", "gemma2", "opt", "gptj"], indirect=True)
@pytest.mark.parametrize("state", ["float64", "bfloat16", "autocast", "default device meta"])
def test_families_do_not_depend_on_them(state, family, prompts):
    hf, expected = family
    for stage in ("naive", "sdpa", "final"):
        with STATES[state]():
            check_answers(tinyllm.optimize(hf, stage=stage), prompts, expected)


@pytest.mark.parametrize("state", ["float64", "bfloat16", "autocast", "default device meta"])
@pytest.mark.parametrize("kernels", ["torch", "cpu", "triton", "sycl"])
def test_kernel_sets_do_not_depend_on_them(kernels, state, hf, prompts):
    if kernels in ("triton", "sycl"):
        hf = tiny(head_dim=64, num_hidden_layers=1)
        pytest.importorskip("triton" if kernels == "triton" else "tinyllm.kernels.sycl")
    ids, mask = prompts
    options = {"max_new_tokens": 3, "num_beams": 2, "do_sample": False}
    expected = hf.generate(ids, attention_mask=mask, **options)
    model = tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["sdpa"], kernels=kernels))
    with STATES[state]():
        assert torch.equal(model.generate(ids, attention_mask=mask, **options), expected)


@every_state
def test_logits_do_not_depend_on_them(state, model, prompts):
    expected = model(*prompts)
    with STATES[state]():
        got = model(*prompts)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_all_of_them_at_once(model, prompts, expected):
    names = ("bfloat16", "autocast", "inference mode", "deterministic", "many threads")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(STATES[name]())
        check_answers(model, prompts, expected)


def test_what_is_returned_under_inference_mode_is_used_outside(model, prompts):
    options = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True}
    ids = prompts[0][:1]
    with torch.inference_mode():
        first = model.generate(ids, **options)
    assert not first.sequences.is_inference()
    first.sequences.add_(0)
    longer = torch.cat([first.sequences, ids], dim=1)
    again = model.generate(longer, past_key_values=first.past_key_values, **options)
    assert torch.equal(again.sequences, model.generate(longer, **options).sequences)


def test_the_number_of_threads_may_change_between_calls(hf, prompts, expected):
    model = tinyllm.optimize(hf)
    for threads in (1, 6, 2, 9, 1):
        with setting(torch.get_num_threads, torch.set_num_threads, threads)():
            check_answers(model, prompts, expected)


@pytest.mark.parametrize("stage", ["naive", "sdpa", "final"])
def test_a_model_that_is_moved_between_calls_reads_its_weights_anew(stage, hf, prompts):
    model = tinyllm.optimize(tiny("llama"), stage=stage)
    ids, mask = prompts
    options = {"attention_mask": mask, "max_new_tokens": NEW_TOKENS, "do_sample": False}
    rounded = tiny("llama")
    for parameter in rounded.parameters():
        parameter.data = parameter.data.bfloat16().float()
    assert torch.equal(model.generate(ids, **options), hf.generate(ids, **options))
    for dtype in (torch.bfloat16, torch.float64, torch.float32):
        model.to(dtype)
        assert model.generate(ids, **options).shape == (3, 7 + NEW_TOKENS)
    assert torch.equal(model.generate(ids, **options), rounded.generate(ids, **options))
    exact = tinyllm.optimize(hf, stage=stage).rotary.frequencies
    assert torch.equal(model.rotary.frequencies, exact), "rounded on the way"


def test_a_kept_session_ends_with_the_memory_of_its_weights(monkeypatch, prompts):
    model, kept = tinyllm.optimize(tiny("llama")), []
    monkeypatch.setattr(model.sessions, "put", kept.append)
    model.generate(prompts[0], max_new_tokens=3, do_sample=False)
    (session,) = kept
    assert session.fits(session.request)
    model.layers[1].o_proj.weight.data = model.layers[1].o_proj.weight.clone()
    assert not session.fits(session.request)


def test_captured_work_is_that_of_the_settings_it_was_captured_under():
    before = captured_settings()
    with STATES["deterministic"]():
        assert captured_settings() != before
    precision = (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "high")
    with setting(*precision)():
        assert captured_settings() != before


SCRIPT = """
import sys
import tinyllm, torch

folder, answer = sys.argv[1:]
ids, mask, expected = torch.load(answer)
model = tinyllm.from_pretrained(folder, device="cpu", dtype="float32")
for dtype in (torch.bfloat16, torch.float16, torch.float64):
    torch.set_default_dtype(dtype)
    got = model.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False)
    assert torch.equal(got, expected), dtype
"""


def test_no_memory_is_corrupted(hf, tmp_path):
    """In a process of its own, which a crash may end."""
    ids, mask = ragged(61, [7, 4])
    expected = hf.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False)
    hf.save_pretrained(tmp_path)
    torch.save((ids, mask, expected), tmp_path / "answer")
    command = [sys.executable, "-c", SCRIPT, tmp_path, tmp_path / "answer"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
