"""Presets of `bench` and the options that replace their values."""

import pytest

import tinyllm
from tinyllm.bench.presets import FIRST, PRESETS, BenchCase, pick_preset
from tinyllm.cli import main
from tinyllm.cli.bench_options import resolve
from tinyllm.stages import FASTEST


def test_cases_of_the_presets():
    assert list(PRESETS) == ["quick", "latency", "throughput", "answers", "ladder"]
    prompts = (32, 128, 1024, 4096)
    assert PRESETS["latency"].cases == [BenchCase(t, w, 1, 128) for t in prompts for w in (1, 4)]
    assert PRESETS["throughput"].cases == [
        BenchCase(1024, 4, None, 128),
        BenchCase(1024, 1, None, 128),
    ]
    assert PRESETS["quick"].cases == [BenchCase(64, 1, 1, 16), BenchCase(64, 4, 1, 16)]
    assert PRESETS["ladder"].cases == [BenchCase(128, 1, 1, 64)]
    assert PRESETS["answers"].cases == [
        BenchCase(t, 1, 1, 128, num_answers=n) for t in (2048, 8192) for n in (1, 4, 16, 64, 256)
    ]
    assert pick_preset(None).cases == [BenchCase(None, 1, 1, 64)]
    assert PRESETS["ladder"].stages == tuple(tinyllm.STAGES)
    assert PRESETS["latency"].stages == (FIRST, FASTEST)
    assert all(preset.repeats >= 5 for preset in PRESETS.values())


def test_options_replace_the_values_of_a_preset():
    options = [
        "--prompts",
        "8",
        "16",
        "--beams",
        "2",
        "--batch",
        "3",
        "--new-tokens",
        "5",
        "--stages",
        FIRST,
    ]
    preset = resolve(parsed(["--preset", "latency", *options, "--peers", "--repeats", "2"]))
    assert preset.cases == [BenchCase(8, 2, 3, 5), BenchCase(16, 2, 3, 5)]
    assert (preset.stages, preset.peers, preset.repeats, preset.separate) == ((FIRST,), (), 2, True)
    assert resolve(parsed(["--preset", "throughput", "--batch", "8"])).batches is None
    assert resolve(parsed(["--preset", "latency", "--one-copy"])).separate is False


def test_a_cpu_has_values_of_its_own():
    preset = resolve(parsed(["--preset", "answers", "--device", "cpu"]))
    assert preset.cases == [BenchCase(512, 1, 1, 32, num_answers=n) for n in (1, 4, 16, 64)]
    given = ["--preset", "answers", "--device", "cpu", "--answers", "3", "--prompts", "8"]
    assert resolve(parsed(given)).cases == [BenchCase(8, 1, 1, 32, num_answers=3)]
    assert PRESETS["ladder"].on("cpu") == PRESETS["ladder"]
    assert PRESETS["answers"].on("cuda") == PRESETS["answers"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--beams", "1", "4"], "--answers with --beams 4: expected one of the two"),
        (["--preset", "latency", "--beams", "1"], "--answers with --preset latency: expected"),
        (["--preset", "throughput", "--beams", "1"], "--answers with --preset throughput: expect"),
        (["--stream"], "--stream with --answers 2: expected 1, as text is shown in order"),
    ],
)
def test_answers_go_with_neither_beams_nor_other_processes(more, message):
    with pytest.raises(ValueError, match=message):
        resolve(parsed(["--answers", "1", "2", *more]))


def parsed(arguments):
    from tinyllm.cli import build_parser

    return build_parser().parse_args(["bench", *arguments])


def test_an_unknown_preset_raises():
    with pytest.raises(ValueError, match="preset 'slow' is unknown: expected one of \\['quick'"):
        pick_preset("slow")


def test_help_names_every_preset_and_its_stages(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    out = capsys.readouterr().out
    assert all(f"  {name}" in out for name in PRESETS) and all(
        stage in out for stage in tinyllm.STAGES
    )
