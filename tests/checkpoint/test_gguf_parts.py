"""A split GGUF file is read with all its parts, wherever one points; what is missing or foreign is named."""

import struct

import pytest
from test_checkpoint import assert_weights

import gguf_files
import models
import tinyllm
from models import says
from tinyllm.checkpoint.sources import open_checkpoint


@pytest.fixture(autouse=True)
def cache_of_the_test(own_cache):
    """Nothing is written elsewhere."""


@pytest.fixture
def hf():
    return models.tiny()


@pytest.fixture
def parts(tmp_path, hf):
    gguf_files.write(tmp_path / "m.gguf", hf, parts=3, **gguf_files.vocabulary(61))
    found = sorted(tmp_path.glob("*.gguf"))
    assert len(found) == 3
    return found


@pytest.mark.parametrize("number", range(3))
def test_every_part_leads_to_all(parts, hf, number):
    model = tinyllm.from_pretrained(parts[number], stage="naive", device="cpu")
    assert_weights(model, hf)
    assert model.tokenizer("cab")["input_ids"] == [2, 8]


def test_tensors_say_which_part_they_are_in(parts):
    weights = open_checkpoint(parts[0]).weights
    assert {weights.file(name) for name in weights.shapes} == {str(part) for part in parts}


def test_missing_parts(parts):
    parts[0].unlink()
    parts[2].unlink()
    message = (
        f"{parts[1]} is one of 3 parts of a split file, and {parts[1].parent} does not have "
        f"{parts[0].name}, {parts[2].name}: copy or download all parts"
    )
    says(FileNotFoundError, message, lambda: open_checkpoint(parts[1]))


@pytest.mark.parametrize("name", ["alone.gguf", "m-00001-of-00002.gguf"])
def test_part_of_another_name(parts, name):
    path = parts[0].rename(parts[0].with_name(name))
    message = (
        f"{path} is one of 3 parts of a split file: expected a name that ends in "
        "-00001-of-00003.gguf, and the other parts beside it"
    )
    says(ValueError, message, lambda: open_checkpoint(path))


def test_parts_in_each_others_places(parts):
    swapped = parts[1].read_bytes()
    parts[1].write_bytes(parts[2].read_bytes())
    parts[2].write_bytes(swapped)
    message = f"{parts[1]} says that it is part 3 of 3: expected part 2 of 3"
    says(ValueError, message, lambda: open_checkpoint(parts[0]))


def test_tensor_in_two_parts(parts):
    data = parts[2].read_bytes()
    parts[2].write_bytes(data.replace(b"blk.1.ffn_norm.weight", b"blk.0.ffn_norm.weight"))
    with pytest.raises(ValueError, match=r"has the tensor 'blk\.0\.ffn_norm\.weight', as "):
        open_checkpoint(parts[0])


def declare(path, key, value):
    """Another value of an integer of 2 or 4 bytes."""
    data = path.read_bytes()
    at = data.index(key) + len(key)
    size = {2: 2, 4: 4, 5: 4}[data[at]]
    code = {2: "<H", 4: "<I", 5: "<i"}[data[at]]
    changed = data[: at + 4] + struct.pack(code, value) + data[at + 4 + size :]
    path.write_bytes(changed)


def test_tensors_that_are_missing(parts):
    for part in parts:
        declare(part, b"split.tensors.count", 22)
    says(
        ValueError,
        f"{parts[0]}: its parts hold 21 tensors: expected 22",
        lambda: open_checkpoint(parts[0]),
    )


def test_count_below_zero(parts):
    declare(parts[0], b"split.tensors.count", -1)
    message = f"{parts[0]}: split.tensors.count is -1: expected a count"
    says(ValueError, message, lambda: open_checkpoint(parts[0]))


def test_damaged_part(parts):
    parts[2].write_bytes(parts[2].read_bytes()[:-64])
    with pytest.raises(ValueError, match=r"m-00003-of-00003\.gguf: not a complete GGUF file"):
        open_checkpoint(parts[0])


def test_one_part_is_a_whole_file(tmp_path, hf):
    path = gguf_files.write(tmp_path / "m.gguf", hf, parts=1)
    assert_weights(tinyllm.from_pretrained(path, stage="naive", device="cpu"), hf)
