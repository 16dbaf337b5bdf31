"""The tokenizer of a GGUF file is kept, and is only a cache: without it the file loads all the same."""

import os
import shutil
import tempfile

import pytest
from transformers import AutoTokenizer

import gguf_files
import models
import tinyllm
from tinyllm.kernels.file_cache import temporary_folder

pytestmark = pytest.mark.usefixtures("warned_anew")
TOKENS = [8, 2]


@pytest.fixture
def model_file(tmp_path):
    return gguf_files.write(tmp_path / "tiny.gguf", models.tiny(), **gguf_files.vocabulary(61))


def opened(path):
    """The tokens of a text."""
    return tinyllm.from_pretrained(path, device="cpu").tokenizer("abc")["input_ids"]


def entries(folder):
    """The tokenizers that a cache holds."""
    return [path for path in (folder / "tinyllm" / "gguf").iterdir() if path.is_dir()]


@pytest.fixture
def reads(monkeypatch):
    """How often transformers reads a tokenizer from a GGUF file."""
    made = []
    read = AutoTokenizer.from_pretrained

    def from_pretrained(*args, **kwargs):
        made.extend(["gguf"] * ("gguf_file" in kwargs))
        return read(*args, **kwargs)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", from_pretrained)
    return made


def test_a_file_is_read_once(model_file, own_cache, reads):
    tokens = opened(model_file)
    assert opened(model_file) == tokens
    assert len(reads) == len(entries(own_cache)) == 1


def test_a_file_that_was_written_again_is_read_again(model_file, own_cache, reads):
    opened(model_file)
    info = model_file.stat()
    os.utime(model_file, ns=(info.st_atime_ns, info.st_mtime_ns))  # a copy that keeps its date
    opened(model_file)
    assert len(reads) == len(entries(own_cache)) == 2


def other_tokens(entry):
    path = entry / "tokenizer.json"
    path.write_text(path.read_text().replace('"abc"', '"abd"').replace(": 8", ": 9"))


DAMAGES = {
    "truncated": lambda entry: (entry / "tokenizer.json").write_text("{"),
    "empty": lambda entry: (entry / "tokenizer.json").write_text(""),
    "altered": other_tokens,
    "missing": lambda entry: (entry / "tokenizer.json").unlink(),
    "added": lambda entry: (entry / "added_tokens.json").write_text("{}"),
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tokenizer_is_made_anew(model_file, own_cache, reads, damage):
    tokens = opened(model_file)
    (entry,) = entries(own_cache)
    DAMAGES[damage](entry)
    assert opened(model_file) == tokens == TOKENS
    assert len(reads) == 2
    assert opened(model_file) == tokens
    assert len(reads) == 2


def test_without_a_folder_it_is_kept_for_the_process(model_file, own_cache, reads):
    own_cache.write_text("")
    with pytest.warns(UserWarning, match="gguf is not used, .*set XDG_CACHE_HOME"):
        opened(model_file)
    opened(model_file)
    assert len(reads) == len(list((temporary_folder() / "gguf").glob("*.sha256"))) == 1


def test_a_tokenizer_in_a_folder_of_others_is_not_used(model_file, own_cache):
    tokens = opened(model_file)
    other_tokens(entries(own_cache)[0])
    (own_cache / "tinyllm" / "gguf").chmod(0o777)
    with pytest.warns(UserWarning, match="another user could have written"):
        assert opened(model_file) == tokens == TOKENS


def test_without_any_folder_it_loads(model_file, own_cache, monkeypatch, reads):
    own_cache.write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(own_cache))
    with pytest.warns(UserWarning, match="is not used"):
        assert opened(model_file) == TOKENS
    assert opened(model_file) == TOKENS
    assert len(reads) == 2


def test_what_cannot_be_saved_loads(model_file, own_cache, monkeypatch, reads):
    def save_pretrained(self, folder, **options):
        raise Exception("No space left on device (os error 28)")  # as the library tokenizers does

    monkeypatch.setattr("transformers.PreTrainedTokenizerBase.save_pretrained", save_pretrained)
    with pytest.warns(UserWarning, match="cannot be saved: No space left on device"):
        assert opened(model_file) == TOKENS
