"""The metadata of a GGUF file that is written: copied from another one, or made from a checkpoint and checked."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tinyllm.checkpoint.config_files import shorten
from tinyllm.checkpoint.gguf_config import config_of_gguf
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.gguf_tokenizer import tokenizer_in_gguf
from tinyllm.checkpoint.gguf_writer_config import add_config, differences
from tinyllm.checkpoint.gguf_writer_tokenizer import (
    NO_VOCABULARY,
    add_special_tokens,
    add_template,
    add_vocabulary,
    special_tokens,
    vocabulary_of,
)
from tinyllm.checkpoint.sources import Checkpoint
from tinyllm.checkpoint.weight_formats import WeightFormat
from tinyllm.config import DecoderConfig
from tinyllm.families import family_of

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from transformers import PreTrainedTokenizerBase

ALIGNMENT = "general.alignment"
ARCHITECTURE = "general.architecture"  # which the gguf package writes itself
SPLIT = "split."  # the beginning of the keys of a file in parts
# What a tokenizer is compared on.
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "  Two spaces,\n\ttabs and lines\n\n  it's 1234567 = 3.14!",
    "Na\u00efve caf\u00e9, \u5317\u4eac, \u043c\u0438\u0440 \U0001f642",
)


def format_keys(weight_format: WeightFormat) -> dict[str, int]:
    """The keys that name the format of most matrices."""
    import gguf

    name = weight_format.blocks_of(embedding=False).name
    types = gguf.LlamaFileType
    return {
        gguf.Keys.General.FILE_TYPE: types.ALL_F32 if name == "F32" else types[f"MOSTLY_{name}"],
        gguf.Keys.General.QUANTIZATION_VERSION: gguf.GGML_QUANT_VERSION,
    }


def copy_metadata(writer: GGUFWriter, source: GGUFFile, weight_format: WeightFormat) -> None:
    """All keys and values but those of formats, and but empty arrays, which the gguf package does not write."""
    import gguf

    writer.data_alignment = source.metadata.get(ALIGNMENT, writer.data_alignment)
    changed = format_keys(weight_format)
    for key, (kind, element) in source.header.types.items():
        value = changed[key] if key in changed else source.header.value(key)
        if key == ARCHITECTURE or key.startswith(SPLIT) or value == []:
            continue
        element_type = None if element is None else gguf.GGUFValueType(element)
        writer.add_key_value(key, value, gguf.GGUFValueType(kind), sub_type=element_type)
    for key in changed:
        if key not in source.metadata:
            writer.add_uint32(key, changed[key])


def add_metadata(writer: GGUFWriter, checkpoint: Checkpoint, weight_format: WeightFormat) -> None:
    """Name, configuration and tokenizer of a checkpoint; warns of a tokenizer that a file cannot hold."""
    writer.add_type("model")
    writer.add_name(checkpoint.name)
    add_config(writer, checkpoint.config)
    for key, value in format_keys(weight_format).items():
        writer.add_uint32(key, value)
    tokenizer = checkpoint.tokenizer
    try:
        vocabulary = tokenizer and vocabulary_of(tokenizer, checkpoint.config.vocab_size)
    except ValueError as error:
        vocabulary = None
        warn(
            f"{checkpoint.name}: the tokenizer is left out, as a GGUF file cannot hold it ({error})"
        )
    if vocabulary is None:
        writer.add_tokenizer_model(NO_VOCABULARY)
    else:
        add_vocabulary(writer, vocabulary)
        add_template(writer, tokenizer)
    add_special_tokens(writer, special_tokens(tokenizer, checkpoint.generation_config))


def check_metadata(checkpoint: Checkpoint, config: DecoderConfig, path: Path) -> None:
    """Read the metadata again. Raises ValueError for a configuration that they do not hold; warns of a tokenizer."""
    file = GGUFFile(path)
    cannot = f"{checkpoint.name} cannot be written as GGUF"
    try:
        read = config_of_gguf(file)
    except ValueError as error:
        raise ValueError(f"{cannot}: {error}") from error
    found = differences(config, family_of(read).describe(read))
    if found:
        raise ValueError(f"{cannot}, which has no key for all of it: {'; '.join(found)}")
    if file.has_tokenizer:
        check_tokenizer(checkpoint, tokenizer_in_gguf(file))


def check_tokenizer(checkpoint: Checkpoint, read: PreTrainedTokenizerBase) -> None:
    """Warn of the first text of which a reader of the file makes other tokens."""
    added = checkpoint.tokenizer.get_added_vocab()
    for text in (*TEXTS, " and".join(["one", *added, "two"])):
        expected = checkpoint.tokenizer(text)["input_ids"]
        ids = read(text)["input_ids"]
        if ids != expected:
            warn(
                f"{checkpoint.name}: transformers makes other tokens of {shorten(repr(text))} with the "
                f"tokenizer of the GGUF file, {shorten(repr(ids))}, than with the original one, "
                f"{shorten(repr(expected))}: to be exact, use the original one with the file"
            )
            return


def warn(message: str) -> None:
    """A warning for the caller."""
    warnings.warn(message, UserWarning, stacklevel=4)
