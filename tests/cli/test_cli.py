"""The command line as a user types it: output, exit status, errors, files."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from tinyllm.bench.machine_path import machine_paths
from tinyllm.check import backends
from tinyllm.checkpoint.sources import default_model_file
from tinyllm.cli import main
from tinyllm.cli.check import advice, check_kernels
from tinyllm.runtime.device import size_as_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    models.tiny().save_pretrained(path)
    return path


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    monkeypatch.setattr("tinyllm.bench.machine.BUFFER_BYTES", {"cpu": 1 << 20})


@pytest.mark.parametrize(
    "command", [[], ["generate"], ["chat"], ["check"], ["bench"], ["quantize"], ["report"]]
)
def test_help_helps(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert "usage: tinyllm" in capsys.readouterr().out


def test_as_a_module():
    run = subprocess.run(
        [sys.executable, "-m", "tinyllm", "--help"], capture_output=True, text=True, check=True
    )
    assert "bench" in run.stdout


def test_chat_needs_a_chat_template(folder, capsys):
    assert main(["chat", "--model", str(folder)]) == 2
    assert "has no tokenizer" in capsys.readouterr().err


def test_plan_says_what_fits_and_loads_nothing(capsys, monkeypatch):
    monkeypatch.setattr("tinyllm.model.load_model", None)
    sizes = ["--prompt-tokens", "1024", "--new-tokens", "128", "--num-beams", "4", "--memory", "64"]
    assert main(["bench", "--plan", "--random", "llama-2-7b", *sizes]) == 0
    lines = {
        line.split()[0]: line.split()
        for line in capsys.readouterr().out.splitlines()
        if line.split()
    }
    fits = {name: int(lines[name][-1]) for name in tinyllm.STAGES}
    assert fits["segment"] > 3 * fits["fused"] > 0
    assert main(["bench", "--plan", "--batch", "3"]) == 0
    printed = capsys.readouterr().out
    assert "3 x 37 tokens, 64 new ones" in printed and "final  513.1 MiB" in printed
    assert "final, stored   92.1 MiB" in printed
    packed = [*sizes, "--stages", "final", "--weights", "q4_1"]
    assert main(["bench", "--plan", "--random", "llama-2-7b", *packed]) == 0
    assert "final, q4_1   4.0 GiB" in capsys.readouterr().out
    assert main(["bench", "--plan", "--random", "llama-2-7b", *packed, "--kv-dtype", "int8"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    fits = {line.partition("  ")[0]: line.split()[-1] for line in lines}
    assert int(fits["final, int8 keys"]) > 1.9 * int(fits["final"])
    assert int(fits["final, q4_1, int8 keys"]) > 1.9 * int(fits["final, q4_1"])


def test_plan_of_several_ranks(capsys):
    shape = ["bench", "--random", "llama-2-70b", "--prompts", "1024", "--stages", "final"]
    assert main([*shape, "--plan", "--ranks", "4", "--memory-budget", "64"]) == 0
    first, *_, last = capsys.readouterr().out.strip().splitlines()
    assert first == "each of 4 devices that run the model together"
    assert last.split()[:5] == ["final", "32.5", "GiB", "80.0", "MiB"]
    assert main([*shape, "--plan", "--ranks", "12"]) == 2
    assert "64 query heads and 8 key/value heads do not divide" in capsys.readouterr().err
    assert main([*shape, "--ranks", "2"]) == 2
    assert "torchrun --nproc-per-node 2 -m tinyllm bench ..." in capsys.readouterr().err


def test_bench_prints_records_and_draws(folder, tmp_path, capsys):
    json_file, png = tmp_path / "rows.json", tmp_path / "ladder.png"
    arguments = [
        "--model",
        str(folder),
        "--new-tokens",
        "4",
        "--repeats",
        "1",
        "--batch",
        "2",
        "--prompt-tokens",
        "5",
    ]
    assert main(["bench", *arguments, "--stream", "--json", str(json_file), "--png", str(png)]) == 0
    out = capsys.readouterr().out
    assert "hf" in out and "naive" in out and str(png) in out and str(json_file) in out
    assert {row["batch"] for row in json.loads(json_file.read_text())} == {2}
    assert png.read_bytes().startswith(b"\x89PNG")


def test_bench_measures_the_last_stage_with_keys_in_int8_too(folder, tmp_path):
    out = tmp_path / "rows.json"
    numbers = ["--new-tokens", "6", "--repeats", "1", "--prompt-tokens", "5", "--beams", "1", "4"]
    arguments = ["--model", str(folder), "--stages", "naive", "final", "--peers", *numbers]
    assert main(["bench", *arguments, "--kv-dtype", "int8", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())
    formats = [("naive", None), ("final", None), ("final, int8 keys", "int8")]
    assert [(row["stage"], row["kv_dtype"]) for row in rows] == formats * 2
    for _, exact, rounded in (rows[:3], rows[3:]):
        assert rounded["predicted_bytes_per_token"] < exact["predicted_bytes_per_token"]
        assert rounded["moved_bytes_per_token"] == rounded["counted_bytes_per_token"]


def test_bench_takes_as_many_tokens_of_text_as_asked(tmp_path):
    out = tmp_path / "rows.json"
    arguments = [
        "--prompt-tokens",
        "37",
        "--new-tokens",
        "2",
        "--repeats",
        "1",
        "--stages",
        "naive",
        "--peers",
        "--json",
        str(out),
    ]
    assert main(["bench", *arguments]) == 0
    (row,) = [row for row in json.loads(out.read_text()) if row["stage"] == "naive"]
    assert (row["prompt_tokens"], row["first_difference"]) == (37, None)


def test_check_is_ready(capsys, monkeypatch):
    """With the sets of kernels that the tests of kernels do not run through `check` themselves."""
    quick = [
        backend
        for backend in backends.backends(torch.device("cpu"))
        if backend.name not in ("triton", "sycl")
    ]
    monkeypatch.setattr(backends, "backends", lambda device: quick)
    assert main(["check", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert (
        f"path      {'; '.join(machine_paths(torch.device('cpu')))}\n" in out
        and "rms_norm: all" in out
        and "use       " in out
        and "naive tokens: all" in out
        and out.endswith("ready\n")
    )


def test_check_says_which_kernels_to_use():
    times = {"torch": 3e-4, "triton": 2e-4, "sycl": 1e-4}
    assert 'kernels="sycl"' in advice("sycl", "triton", times)
    assert "by default" in advice("triton", "triton", times)


def test_check_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr(
        backends.sycl, "unavailable", lambda device: "g++ is not installed: apt-get install g++"
    )
    monkeypatch.setattr(backends, "backends", lambda device: [])
    check_kernels(torch.device("cpu"), 1e9)
    assert (
        "sycl      not here: g++ is not installed: apt-get install g++" in capsys.readouterr().out
    )


def test_check_fails_where_a_kernel_is_wrong(capsys, monkeypatch):
    wrong = {"rms_norm": lambda x, weight, eps: backends.rms_norm(x, weight, 0.0)}
    monkeypatch.setattr(
        backends, "backends", lambda device: [replace(backends.NAIVE, functions=wrong)]
    )
    assert main(["check"]) == 1
    assert "1 of" in capsys.readouterr().out.splitlines()[-1]


def test_quantize_writes_a_file_that_answers(tmp_path, capsys):
    models.tiny(hidden_size=64, intermediate_size=96).save_pretrained(tmp_path)
    out = tmp_path / "out.gguf"
    assert main(["quantize", str(tmp_path), str(out), "--weights", "q8_0"]) == 0
    before = (tmp_path / "model.safetensors").stat().st_size
    sizes = [size_as_text(size) for size in (before, out.stat().st_size)]
    line = f"{out}: 16 x Q8_0, 5 x F32; {sizes[0]} before, {sizes[1]} after\n"
    assert capsys.readouterr().out == line
    assert tinyllm.from_pretrained(out, device="cpu").config.hidden_size == 64
    assert main(["quantize", str(tmp_path), str(out)]) == 2
    assert f"{out} exists: name another file, or pass --force" in capsys.readouterr().err
    assert main(["quantize", str(tmp_path), str(out), "--force"]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: 15 x Q4_1, 5 x F32, 1 x Q8_0; ")


def test_quantize_without_a_model_takes_the_default_one(tmp_path, capsys):
    """Which is stored in q4_1: nothing changes."""
    out = tmp_path / "out.gguf"
    assert main(["quantize", str(out)]) == 0
    assert out.read_bytes() == default_model_file().read_bytes()
    assert (
        "210 x Q4_1, 61 x F32, 1 x Q8_0; 93.8 MiB before, 93.8 MiB after" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "hello", "--model", "./nowhere"], "./nowhere does not exist"),
        (["generate", "hello", "--device", "tpu"], "device 'tpu'"),
        (
            ["generate", "hello", "--max-new-tokens", "-1"],
            "max_new_tokens=-1: expected a whole number, 0 or more",
        ),
        (["generate", "hello", "--seed", "1"], "--top-k, --top-p and --seed need sampling"),
        (
            ["generate", "hello", "--temperature", "-1"],
            "temperature=-1.0: expected a positive, finite number",
        ),
        (
            ["bench", "--peers", "vllm"],
            "peer 'vllm' is unknown: expected one of ['hf', 'hf-static'",
        ),
        (["bench", "--peer-python", "ipex"], "--peer-python ipex: expected PEER=PATH, as in ipex="),
        (
            ["bench", "--peer-python", "ipex=/no/python"],
            "/no/python is no program: expected a Python interpreter",
        ),
        (["bench", "--stages", "fastest"], "stage 'fastest' is unknown: expected one of ['naive'"),
        (
            ["bench", "--stages", "--peers"],
            "--stages and --peers are both empty: expected at least one engine",
        ),
        (
            ["bench", "--json", "/no/folder/x.json"],
            "--json /no/folder/x.json: expected a file in a folder that exists",
        ),
        (
            ["bench", "--preset", "throughput", "--memory-budget", "-1"],
            "--memory-budget -1.0: expected a number of GB",
        ),
        (
            ["bench", "--preset", "throughput", "--memory-budget", "0.05"],
            "the weights alone take 92.1 MiB",
        ),
        (
            ["bench", "--preset", "throughput", "--one-copy"],
            "--one-copy with --preset throughput: there each engine is",
        ),
        (
            ["bench", "--stream", "--beams", "1", "4"],
            "--stream with --num-beams 4: beams are not final before the end",
        ),
        (
            ["bench", "--stages", "fused", "--kv-dtype", "int8"],
            "kv_dtype='int8' in the stage 'fused', whose ContiguousCache keeps no scales: expected one of the stages",
        ),
        (
            ["generate", "hello", "--stage", "naive", "--kv-dtype", "int8"],
            "kv_dtype='int8' in the stage 'naive'",
        ),
        (["bench", "--prompts", "32", "0"], "--prompt-tokens 0: expected 1 or more"),
        (["bench", "--random", "gpt-9"], "shape 'gpt-9' is unknown"),
        (["bench", "--new-tokens", "1"], "--new-tokens 1: expected 2 or more"),
        (["bench", "--batch", "0"], "--batch 0: expected 1 or more"),
        (["quantize", "./nowhere", "out.gguf"], "./nowhere does not exist"),
        (["quantize", "./nowhere", "/no/out.gguf"], "/no is no folder; create it, or name another"),
        (["quantize", "./nowhere", "out.bin"], "out.bin: expected a name that ends in .gguf"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments, message, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err.splitlines()[-1] and "Traceback" not in err


def test_no_tokenizer_is_said(folder, capsys):
    assert main(["generate", "hello", "--model", str(folder)]) == 2
    assert "has no tokenizer" in capsys.readouterr().err
