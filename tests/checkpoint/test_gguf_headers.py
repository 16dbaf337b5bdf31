"""A GGUF file that is damaged, or whose header lies, gets a ValueError that names it, at once."""

import struct
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gguf_files
import models
import tinyllm
from models import says
from tinyllm.checkpoint.gguf_config import ARCHITECTURES
from tinyllm.checkpoint.gguf_header import Header

NOT_COMPLETE = "{path}: not a complete GGUF file (%s); copy or download it again"
CUT = NOT_COMPLETE % "the file ends inside its header"
U8, I8, U32, STRING, ARRAY, U64 = 0, 1, 4, 8, 9, 10


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "whole.gguf"
    return gguf_files.write(path, models.tiny()).read_bytes()


# A header by hand


def u32(*values):
    return struct.pack(f"<{len(values)}I", *values)


def u64(*values):
    return struct.pack(f"<{len(values)}Q", *values)


def string(text):
    return u64(len(text)) + text


def start(tensors, pairs, version=3):
    return b"GGUF" + u32(version) + u64(tensors, pairs)


def pair(key, kind, value):
    return string(key) + u32(kind) + value


def tensor(name, shape=(1,), kind=0, at=0):
    return string(name) + u32(len(shape)) + u64(*shape) + u32(kind) + u64(at)


def padded(header, size=64):
    return header + bytes(-len(header) % 32 + size)


LLAMA = pair(b"general.architecture", STRING, string(b"llama"))
ALIGNMENT = b"general.alignment"
POWER = "expected a power of two"
LYING = {
    "nothing": (b"", NOT_COMPLETE % "it starts with b'': expected b'GGUF'"),
    "another magic": (b"GGML", NOT_COMPLETE % "it starts with b'GGML': expected b'GGUF'"),
    "version 1": (
        start(0, 0, version=1),
        NOT_COMPLETE % "version 1: expected one of (2, 3), little-endian",
    ),
    "big-endian": (
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        NOT_COMPLETE % "it is big-endian: expected little-endian",
    ),
    "2**60 tensors": (start(2**60, 0), CUT),
    "2**60 pairs": (start(0, 2**60), CUT),
    "a key of 2**63 bytes": (start(0, 1) + u64(2**63) + bytes(9), CUT),
    "a string of 2**64 - 1 bytes": (start(0, 1) + pair(b"a", STRING, u64(2**64 - 1)), CUT),
    "2**60 numbers": (start(0, 1) + pair(b"a", ARRAY, u32(U64) + u64(2**60)), CUT),
    "2**60 strings": (start(0, 1) + pair(b"a", ARRAY, u32(STRING) + u64(2**60)), CUT),
    "a string too many": (
        start(0, 1) + pair(b"a", ARRAY, u32(STRING) + u64(2) + string(b"x" * 99)),
        CUT,
    ),
    "a string beyond the end": (
        start(0, 1) + pair(b"a", ARRAY, u32(STRING) + u64(1) + u64(2**63)),
        CUT,
    ),
    "arrays of arrays": (
        start(0, 1) + pair(b"a", ARRAY, (u32(ARRAY) + u64(1)) * 5000),
        NOT_COMPLETE % "'a': an array of arrays: expected one of numbers or strings",
    ),
    "a type that is none": (
        start(0, 1) + pair(b"a", 99, b""),
        NOT_COMPLETE % "'a': metadata type 99 is unknown",
    ),
    "an array of a type that is none": (
        start(0, 1) + pair(b"a", ARRAY, u32(99) + u64(1)),
        NOT_COMPLETE % "'a': metadata type 99 is unknown",
    ),
    "a key twice": (
        start(0, 2) + pair(b"a", U8, b"1") * 2,
        NOT_COMPLETE % "its metadata has 'a' twice",
    ),
    "alignment 0": (
        padded(start(1, 1) + pair(ALIGNMENT, U32, u32(0)) + tensor(b"t")),
        NOT_COMPLETE % f"'general.alignment' is 0: {POWER}",
    ),
    "alignment 24": (
        padded(start(1, 1) + pair(ALIGNMENT, U32, u32(24)) + tensor(b"t")),
        NOT_COMPLETE % f"'general.alignment' is 24: {POWER}",
    ),
    "alignment below 0": (
        padded(start(1, 1) + pair(ALIGNMENT, I8, b"\xff") + tensor(b"t")),
        NOT_COMPLETE % f"'general.alignment' is -1: {POWER}",
    ),
    "alignment of a string": (
        padded(start(1, 1) + pair(ALIGNMENT, STRING, string(b"x")) + tensor(b"t")),
        NOT_COMPLETE % f"'general.alignment' is 'x': {POWER}",
    ),
    "2**32 - 1 dimensions": (
        padded(start(1, 0) + string(b"t") + u32(2**32 - 1)),
        NOT_COMPLETE % "tensor 't' has 4294967295 dimensions: expected at most 4",
    ),
    "a tensor of 2**62 rows": (
        padded(start(1, 0) + tensor(b"t", shape=(2**62, 4))),
        NOT_COMPLETE % "the file ends inside tensor 't'",
    ),
    "a tensor beyond the file": (
        padded(start(1, 0) + tensor(b"t", at=2**40)),
        NOT_COMPLETE % "the file ends inside tensor 't'",
    ),
    "a tensor out of line": (
        padded(start(1, 0) + tensor(b"t", at=8)),
        NOT_COMPLETE % "tensor 't' starts at 8: expected a multiple of 32",
    ),
    "an empty tensor": (
        padded(start(1, 0) + tensor(b"t", shape=(4, 0))),
        NOT_COMPLETE % "tensor 't' has shape [0, 4]: expected rows of whole blocks of 1",
    ),
    "a row of half a block": (
        padded(start(1, 0) + tensor(b"t", shape=(48, 2), kind=8), size=512),
        NOT_COMPLETE % "tensor 't' has shape [2, 48]: expected rows of whole blocks of 32",
    ),
    "an encoding that is none": (
        padded(start(1, 0) + tensor(b"t", kind=200)),
        NOT_COMPLETE % "tensor 't' has the unknown encoding 200",
    ),
    "a tensor twice": (
        padded(start(2, 0) + tensor(b"t") + tensor(b"t", at=32)),
        NOT_COMPLETE % "it has the tensor 't' twice",
    ),
    "tensors that overlap": (
        padded(start(2, 0) + tensor(b"t", shape=(12,)) + tensor(b"u", at=32)),
        NOT_COMPLETE % "tensors 't' and 'u' overlap",
    ),
    "no architecture": (
        start(0, 0),
        "{path}: its metadata has no 'general.architecture'; copy or convert it again",
    ),
    "an architecture of a list": (
        start(0, 1) + pair(b"general.architecture", ARRAY, u32(STRING) + u64(1) + string(b"llama")),
        "{path}: general.architecture is 1 strings: expected a string",
    ),
    "an architecture of a number": (
        start(0, 1) + pair(b"general.architecture", U32, u32(7)),
        "{path}: general.architecture is 7: expected a string",
    ),
    "an architecture that is none": (
        start(0, 1) + pair(b"general.architecture", STRING, string(b"lamma")),
        f"{{path}}: architecture 'lamma' is not supported: expected one of {sorted(ARCHITECTURES)}",
    ),
    "nothing but an architecture": (
        start(0, 1) + LLAMA,
        "{path}: its metadata has no 'llama.attention.head_count'; copy or convert it again",
    ),
}


@pytest.mark.parametrize("what", LYING)
def test_header_that_lies(tmp_path, own_cache, what):
    data, message = LYING[what]
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    says(ValueError, message.format(path=path), lambda: tinyllm.from_pretrained(path, device="cpu"))
    assert not list(own_cache.rglob("*.json"))


def test_text_that_is_no_utf8(tmp_path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(start(0, 1) + pair(b"a", STRING, string(b"\xff")))
    with pytest.raises(
        ValueError, match=r"bad\.gguf: not a complete GGUF file \('a': 'utf-8' codec"
    ):
        Header(path)


# Tensors that do not fit the metadata

ANOTHER = {
    "a tensor too few": (
        lambda data: data.replace(b"blk.1.attn_q.weight", b"blk.1.attn_x.weight"),
        "{path} has no tensor 'model.layers.1.self_attn.q_proj.weight': expected one of shape [32, 32]",
    ),
    "another shape": (
        lambda data: (
            data.replace(b"blk.1.attn_q.weight", b"blk.1.attn_z.weight")
            .replace(b"blk.1.attn_k.weight", b"blk.1.attn_q.weight")
            .replace(b"blk.1.attn_z.weight", b"blk.1.attn_k.weight")
        ),
        "{path}: tensor 'model.layers.1.self_attn.q_proj.weight' has shape [16, 32]: expected [32, 32]",
    ),
    "no embedding": (
        lambda data: data.replace(b"token_embd", b"token_emba"),
        "{path} has no tensor 'token_embd.weight'; copy or convert it again",
    ),
    "cut off in the last tensor": (
        lambda data: data[:-200],
        NOT_COMPLETE % "the file ends inside tensor 'output.weight'",
    ),
}


@pytest.mark.parametrize("what", ANOTHER)
def test_tensors_that_do_not_fit(tmp_path, own_cache, whole, what):
    change, message = ANOTHER[what]
    path = tmp_path / "bad.gguf"
    path.write_bytes(change(whole))
    says(ValueError, message.format(path=path), lambda: tinyllm.from_pretrained(path, device="cpu"))


def test_file_that_does_not_exist(tmp_path):
    path = tmp_path / "none.gguf"
    says(
        FileNotFoundError,
        f"{path} does not exist: expected a GGUF file",
        lambda: tinyllm.from_pretrained(path),
    )


# Any damage


def test_cut_anywhere(tmp_path, whole):
    path = tmp_path / "bad.gguf"
    header = whole.index(b"output.weight")
    for size in [*range(0, header, 37), len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="not a complete GGUF file"):
            Header(path)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_byte_of_the_header(tmp_path_factory, whole, data):
    """It loads, or it says what is wrong in which file; it never fails in another way."""
    header = whole.index(b"output.weight") + 60
    at = data.draw(st.integers(4, header))
    value = data.draw(st.sampled_from([whole[at] ^ 1, whole[at] ^ 128, 0, 255]))
    folder = tmp_path_factory.mktemp("any")
    path = folder / "bad.gguf"
    path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("XDG_CACHE_HOME", str(folder))
        warnings.simplefilter("ignore")
        try:
            tinyllm.from_pretrained(path, stage="naive", device="cpu")
        except ValueError as error:
            assert str(path) in str(error)


# Time and what is kept


LARGE = {
    "numbers": start(0, 1) + pair(b"a", ARRAY, u32(U8) + u64(10**7) + bytes(10**7)),
    "a vocabulary": start(0, 2)
    + pair(b"a", ARRAY, u32(STRING) + u64(256_000) + string(b"abcdefgh") * 256_000)
    + pair(b"b", ARRAY, u32(STRING) + u64(500_000) + string(b"abc def") * 500_000),
    "empty strings": start(0, 1) + pair(b"a", ARRAY, u32(STRING) + u64(10**6) + bytes(8 * 10**6)),
}


@pytest.mark.parametrize("what", LARGE)
def test_large_arrays_take_no_time(tmp_path, what):
    path = tmp_path / "large.gguf"
    path.write_bytes(LARGE[what])
    began = time.process_time()
    Header(path)
    assert time.process_time() - began < 1


def test_values(tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(
        start(0, 4)
        + pair(b"number", I8, b"\xfe")
        + pair(b"text", STRING, string("é".encode()))
        + pair(b"numbers", ARRAY, u32(U32) + u64(3) + u32(1, 2, 3))
        + pair(b"texts", ARRAY, u32(STRING) + u64(2) + string(b"a") + string(b""))
    )
    found = Header(path).metadata
    assert found["number"] == -2
    assert found["text"] == "é"
    assert found["texts"].count == 2
    assert found["numbers"].dtype == np.uint32
    assert found["numbers"].tolist() == [1, 2, 3]
