"""The tokenizer of a GGUF file, as transformers reads it, kept in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tinyllm.checkpoint.config_files import (
    CHAT_TEMPLATE,
    PLAIN_CLASS,
    TOKENIZER_CONFIG,
    TOKENIZER_FILES,
    read_json,
    read_tokenizer,
)
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.lazy import Lazy, LazyTokenizer
from tinyllm.kernels.file_cache import cache_folder, cached
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

BESIDE_TOKENIZER = (*TOKENIZER_FILES, TOKENIZER_CONFIG, CHAT_TEMPLATE)


def tokenizer_of_gguf(file: GGUFFile, config: Lazy[PreTrainedConfig]) -> LazyTokenizer:
    """The tokenizer of a GGUF file, as transformers reads it; None where the file has none.

    transformers needs seconds for it, so what it found is kept in the user's cache, and read from there when it is
    first used.
    """
    if not file.has_tokenizer:
        return LazyTokenizer.of(None)
    path, stat = file.path, file.path.stat()
    times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
    key = f"{path.resolve()} {stat.st_size} {times} {version('transformers')}"
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]

    def make(folder: Path) -> None:
        title = f"reading {path.name} for the first time"
        for part in progress([_tokenizer_class(file)], desc=title, unit="part", delay=1):
            tokenizer = _as_transformers_reads_it(part, path)
        try:
            config.value.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        except Exception as error:  # tokenizers' errors have no type of their own
            raise OSError(f"the tokenizer cannot be saved: {error}") from error

    try:
        folder = cached(cache_folder("gguf") / name, make)
    except OSError:  # no folder can be written
        return LazyTokenizer.of(tokenizer_in_gguf(file))
    return LazyTokenizer(partial(read_kept, folder), folder)


def read_kept(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer saved in a folder; without AutoTokenizer, which imports models, where its class is plain."""
    if read_json(folder / TOKENIZER_CONFIG).get("tokenizer_class") != PLAIN_CLASS:
        return read_tokenizer(folder)
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def tokenizer_in_gguf(file: GGUFFile) -> PreTrainedTokenizerBase:
    """The same, read anew. Raises ValueError where transformers cannot read it."""
    return _as_transformers_reads_it(_tokenizer_class(file), file.path)


def _tokenizer_class(file: GGUFFile) -> type:
    """The class that reads a tokenizer: AutoTokenizer, for the architectures whose configuration it can read."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

    return AutoTokenizer if file.architecture in GGUF_CONFIG_MAPPING else PreTrainedTokenizerFast


def _as_transformers_reads_it(part: type, path: Path) -> PreTrainedTokenizerBase:
    with ExitStack() as stack:
        folder = path.parent
        if any((folder / name).exists() for name in BESIDE_TOKENIZER):
            folder = stack.enter_context(_folder_with(path))
        try:
            return part.from_pretrained(folder, gguf_file=path.name)
        except Exception as error:  # it raises what it likes where a value is damaged
            raise ValueError(
                f"{path}: transformers' {part.__name__} cannot read its metadata ({error!r})"
            ) from error


@contextmanager
def _folder_with(path: Path) -> Iterator[Path]:
    """A temporary folder with one file: transformers reads a tokenizer beside a GGUF file instead of the file's."""
    with TemporaryDirectory(prefix="tinyllm-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.resolve())
        yield link.parent
