"""Which words a release of Triton has, and what `check` prints of the kernels that it compiled."""

import pytest

pytest.importorskip("triton")

from tinyllm.kernels.triton.release import Compiled, grf_modes, missing_modes, report_lines
from tinyllm.kernels.triton.tuning import LAUNCHES, LaunchConfig

LARGE = [kernel for kernel, row in LAUNCHES["xpu"].items() if row.grf_mode == "256"]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.2.0", "small large auto default"),
        ("3.3.0b1", "small large auto default"),
        ("3.5.1", "small large auto default"),
        ("3.6.0", "128 256 auto default"),
        ("3.6", "128 256 auto default"),
        ("3.7.1+gitabc", "128 256 auto default"),
        ("3.7.2", "128 256 512 auto default"),
        ("4.0.0", "128 256 512 auto default"),
        ("2.1.0", "small large auto default"),
    ],
)
def test_words_for_the_register_file(version, words):
    assert grf_modes(version) == tuple(words.split())


def test_a_version_without_numbers_is_refused():
    with pytest.raises(ValueError, match="'main': expected three numbers"):
        grf_modes("main")


def test_launches_fit_the_release_of_torch_but_not_the_one_for_a_machine_without_a_gpu():
    assert LARGE
    assert missing_modes("3.7.1") == []
    assert [kernel for kernel, _ in missing_modes("3.3.0b1")] == LARGE
    assert missing_modes("3.7.1", {"norm": LaunchConfig({}, grf_mode="large")}) == [
        ("norm", "large")
    ]


def test_the_report_states_what_does_not_fit_and_what_spills():
    made = [Compiled("_norm_rows", 16, 128, 0), Compiled("_linear", 8, 128, 64)]
    made += [Compiled("_attention", 8, 256, 4096)] * 2
    lines = report_lines("xpu", "3.7.1", made)
    assert lines == [
        "3.7.1, which has the grf_mode of every launch",
        "3 kernels compiled, 2 of them spill registers",
        "_attention, 8 warps: 256 registers, 4096 spilled",
        "_linear, 8 warps: 128 registers, 64 spilled",
    ]
    old = report_lines("xpu", "3.3.0b1", [])
    assert "small, large, auto, default" in old[1] and all(kernel in old[1] for kernel in LARGE)
    assert report_lines("cuda", "3.3.0", []) == [
        "3.3.0",
        "0 kernels compiled, 0 of them spill registers",
    ]
