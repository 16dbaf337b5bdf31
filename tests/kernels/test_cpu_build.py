"""How the native kernels of the CPU are built, named and kept, and what is said without them."""

import io
import stat
import sys
import warnings
from pathlib import Path

import pytest
import torch
from cpu_kernels import draw
from kept_files import is_private

import tinyllm
from models import close, tiny
from tinyllm.kernels import compiler, cpu
from tinyllm.kernels.cpu import build
from tinyllm.kernels.file_cache import temporary_folder
from tinyllm.kernels.weights import DenseWeight
from tinyllm.runtime.native import unsupported_reason

pytestmark = pytest.mark.usefixtures("warned_anew")


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def compiler_that(does, version="1.0"):
    """The text of a compiler; "$3" is the library that it writes."""
    return f'case "$1" in --version) echo {version};; *) {does};; esac'


COPIES = compiler_that('echo built > "$3"')


def libraries(folder):
    return [path for path in folder.iterdir() if path.suffix == ".so"]


@pytest.fixture(scope="module")
def real():
    """A library that works, built for this machine."""
    return build.library(build.cache_folder())


@pytest.fixture
def copies_of_real(real, tmp_path):
    """A compiler that writes this library at once."""
    return script(tmp_path / "g++", compiler_that(f'cp {real} "$3"'))


# ---- once ----------------------------------------------------------------------------------------


def test_it_is_built_once(tmp_path, capsys):
    copies = script(tmp_path / "g++", COPIES)
    first = build.library(tmp_path / "cache", (copies,), ("-a",))
    said = capsys.readouterr().err
    assert said.startswith("tinyllm: building the CPU kernels (once) ... ") and said.endswith("s\n")
    assert build.library(tmp_path / "cache", (copies,), ("-a",)) == first
    assert capsys.readouterr().err == ""
    assert build.library(tmp_path / "cache", (copies,), ("-b",)) != first
    script(tmp_path / "g++", COPIES.replace("1.0", "2.0"))
    assert build.library(tmp_path / "cache", (copies,), ("-a",)) != first
    assert len(libraries(tmp_path / "cache")) == 3
    assert all(map(is_private, libraries(tmp_path / "cache")))


def test_its_name_is_a_digest_for_the_processor(tmp_path):
    copies = script(tmp_path / "g++", COPIES)
    expected = tmp_path / "cache" / f"cpu-{build.digest(copies, build.processor_tunings()[0])}.so"
    assert build.library(tmp_path / "cache", (copies,)) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLAGS", build.FLAGS[::-1]),
        ("LIBRARY", ("-fPIC", "-shared")),
        ("SOURCES", build.SOURCES[::-1][:-1]),
        ("openmp", lambda: ("libother.so",)),
        ("system", lambda: ("aarch64", "glibc", "2.17")),
        ("processor", lambda: "flags : fpu"),
    ],
)
def test_what_changes_the_code_changes_the_name(tmp_path, monkeypatch, name, value):
    copies = script(tmp_path / "g++", COPIES)
    before = build.digest(copies, build.NATIVE)
    assert build.digest(copies, build.NATIVE) == before
    monkeypatch.setattr(build, name, value)
    assert build.digest(copies, build.NATIVE) != before


@pytest.mark.parametrize(
    ("missing", "best"),
    [
        (set(), "avx512-bf16"),
        ({"avx512_bf16"}, "avx512"),
        ({"avx512_bf16", "avx512vl"}, "avx2"),
        ({"avx512f"}, "avx2"),
        ({"fma", "avx512f"}, "generic"),
    ],
)
def test_the_features_of_a_processor_choose_the_instruction_set(monkeypatch, missing, best):
    features = build.INSTRUCTION_SETS["avx512-bf16"][0] - missing
    lines = f"processor : 0\nflags : fpu {' '.join(features)}\n"
    monkeypatch.setattr(build.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(build, "_processor_lines", lambda: lines.splitlines())
    assert build.instruction_sets()[0] == best
    flags = build.INSTRUCTION_SETS[best][1]
    assert build.processor_tunings() == (flags, build.NATIVE, build.GENERIC)


@pytest.mark.parametrize(
    ("capability", "best"), [("AVX512", "avx512"), ("AVX2", "avx2"), ("DEFAULT", "generic")]
)
def test_without_a_list_of_features_torch_has_them(monkeypatch, capability, best):
    monkeypatch.setattr(build.platform, "machine", lambda: "AMD64")
    monkeypatch.setattr(build, "_processor_lines", list)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert build.instruction_sets()[0] == best


def test_other_architectures_are_built_for_the_native_processor(monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    assert build.instruction_sets() == []
    assert build.processor_tunings() == (build.NATIVE, build.GENERIC)


def test_a_release_of_torch_and_an_edited_source_change_the_name(tmp_path, monkeypatch):
    copies = script(tmp_path / "g++", COPIES)
    source = tmp_path / "cpu.cpp"
    source.write_text("one")
    monkeypatch.setattr(build, "SOURCES", (source,))
    names = {build.digest(copies, build.NATIVE)}
    source.write_text("two")
    names.add(build.digest(copies, build.NATIVE))
    monkeypatch.setattr(torch, "__version__", "0.1")
    names.add(build.digest(copies, build.NATIVE))
    assert len(names) == 3


def test_flags_have_an_order_and_ends(tmp_path, monkeypatch):
    copies = script(tmp_path / "g++", COPIES)
    tunings = [("-a", "-b"), ("-b", "-a"), ("-a -b",), ("-a\0-b",), ("-a",), ()]
    assert len({build.digest(copies, tuning) for tuning in tunings}) == len(tunings)


CPUINFO = "processor\t: 0\nmodel name\t: A\nflags\t\t: fpu {}\ncpu MHz\t\t: {}\n"


def test_features_of_a_processor_change_the_name_and_its_clock_does_not(monkeypatch):
    texts = [("sse", 800), ("sse", 3000), ("sse avx", 800)]
    found = []
    for values in texts:
        monkeypatch.setattr(Path, "read_text", lambda path, v=values: CPUINFO.format(*v))
        monkeypatch.setattr(Path, "exists", lambda path: True)
        found.append(build.processor())
    assert found[0] == found[1] != found[2]


def test_the_users_language_does_not_change_the_name(tmp_path, monkeypatch):
    speaks = script(tmp_path / "g++", 'echo "$LC_ALL $LANG"')
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANG", "C")
    before = build.digest(speaks, build.NATIVE)
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert build.digest(speaks, build.NATIVE) == before


# ---- damage and disks ----------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0, 0.35, 0.9])
def test_a_truncated_library_is_built_anew(tmp_path, real, copies_of_real, share):
    path = build.library(tmp_path / "cache", (copies_of_real,))
    whole = real.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert build.library(tmp_path / "cache", (copies_of_real,)) == path
    assert path.read_bytes() == whole
    x, weight = draw(2, 20), draw(3, 20)
    close(cpu.Kernels(path).linear(x, DenseWeight(weight)), x @ weight.T)


def test_without_a_folder_it_is_built_in_a_temporary_one(tmp_path, own_cache, monkeypatch, real):
    fake = script(tmp_path / "g++", compiler_that(f'cp {real} "$3"'))
    own_cache.write_text("")
    monkeypatch.setattr(build.shutil, "which", lambda name: fake)
    with pytest.warns(UserWarning, match="Not a directory; set XDG_CACHE_HOME"):
        assert cpu.unavailable() is None
    assert list((temporary_folder() / "cpu").glob("*.so"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cpu.unavailable() is None


FULL = "as: cannot write: No space left on device"


def test_where_the_disk_is_full_it_is_built_in_a_temporary_folder(tmp_path):
    full = f'case "$3" in {tmp_path}/cache/*) echo "{FULL}" >&2; exit 1;; esac; echo built > "$3"'
    fills = script(tmp_path / "g++", compiler_that(full))
    with pytest.warns(UserWarning, match="No space left on device"):
        path = build.library(tmp_path / "cache", (fills,))
    assert path.is_relative_to(temporary_folder())
    assert not list((tmp_path / "cache").glob("*.part"))


def test_where_every_disk_is_full_there_is_a_reason(tmp_path):
    fills = script(tmp_path / "g++", compiler_that(f'echo "{FULL}" >&2; exit 1'))
    with (
        pytest.warns(UserWarning, match="No space left on device"),
        pytest.raises(build.BuildError, match=r"no place for the CPU kernels.*No space left"),
    ):
        build.library(tmp_path / "cache", (fills,))


def test_a_compilers_own_files_lie_beside_what_it_writes(tmp_path):
    says = script(tmp_path / "g++", compiler_that('echo "$TMPDIR" > "$3"'))
    path = build.library(tmp_path / "cache", (says,))
    assert Path(path.read_text().strip()).parent == tmp_path / "cache"


# ---- compilers that fail -------------------------------------------------------------------------


def test_without_a_compiler_what_to_install_is_said_once(own_cache, monkeypatch):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    expected = "there is no C++ compiler (g++ or clang++): apt install g++"
    with pytest.warns(UserWarning, match=r"more slowly: there is no C\+\+ compiler") as warned:
        model = tinyllm.optimize(tiny())
        assert model.stage.runner.step(model) == model.step
    assert len(warned) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cpu.unavailable() == expected
        assert unsupported_reason(model) == expected
    with pytest.raises(cpu.BuildError, match="no C\\+\\+ compiler"):
        cpu.linear(draw(1, 4), DenseWeight(draw(2, 4)))


def test_a_compiler_that_fails_is_quoted(tmp_path, capsys):
    broken = script(tmp_path / "g++", compiler_that('echo "no such header" >&2; exit 1'))
    with pytest.raises(
        build.BuildError, match=r"g\+\+ could not build the CPU kernels:\nno such header"
    ):
        build.library(tmp_path / "cache", (broken,))
    assert capsys.readouterr().err == "tinyllm: building the CPU kernels (once) ... failed\n"
    assert not libraries(tmp_path / "cache")


def test_a_compiler_that_writes_nothing_or_has_died_is_said(tmp_path):
    for does, reason in (("true", "exit status 0"), ("kill -9 $$", "exit status -9")):
        fake = script(tmp_path / "g++", compiler_that(does))
        with pytest.raises(build.BuildError, match=reason):
            build.library(tmp_path / "cache", (fake,))


def test_a_compiler_that_cannot_be_started_is_named(tmp_path):
    (tmp_path / "g++").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "g++").chmod(0o700)
    with pytest.raises(build.BuildError, match=rf"{tmp_path}/g\+\+ cannot be started"):
        build.library(tmp_path / "cache", (str(tmp_path / "g++"),))


def test_without_native_tuning_any_processor_will_do(tmp_path, capsys):
    picky = script(tmp_path / "g++", 'case "$*" in *-march=*) exit 1;; esac\nexec g++ "$@" -O0')
    path = build.library(tmp_path / "cache", (picky,))
    x, weight = draw(2, 20), draw(3, 20)
    close(cpu.Kernels(path).linear(x, DenseWeight(weight)), x @ weight.T)
    capsys.readouterr()
    assert build.library(tmp_path / "cache", (picky,)) == path
    assert capsys.readouterr().err == "", "the flags that failed are not tried again"


def test_a_library_that_does_not_load_is_a_reason(tmp_path, own_cache, monkeypatch):
    fake = script(tmp_path / "g++", compiler_that('echo nonsense > "$3"'))
    monkeypatch.setattr(build.shutil, "which", lambda name: fake)
    with pytest.warns(UserWarning, match="no CPU kernels.*file too short"):
        assert "file too short" in cpu.unavailable()


class BrokenPipe(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, BrokenPipe()], ids=["none", "broken"])
def test_without_a_place_for_messages_it_is_built(tmp_path, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with compiler.report_build("a library"):
        built = build.library(tmp_path / "cache", (script(tmp_path / "g++", COPIES),))
    assert built.is_relative_to(tmp_path)
