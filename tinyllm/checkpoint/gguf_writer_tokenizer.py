"""From a tokenizer of transformers to the metadata of a GGUF file, under the keys of llama.cpp's converter.

A GGUF file names the kind of a tokenizer and holds no pipeline of its own. Two kinds can be written: byte-level BPE
("gpt2"), whose pre-tokenizer is one of those with a name, and BPE over characters with a token for each byte ("llama"),
as SentencePiece trains it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from transformers import GenerationConfig, PreTrainedTokenizerBase

Json = dict[str, Any]
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
NO_VOCABULARY = "no_vocab"
# llama.cpp's names of pre-tokenizers, those first whose expression transformers lists under several.
NAMED_SPLITS = ("llama-bpe", "tekken", "qwen2", "qwen35", "gpt-4o")
BLOOM_SPLIT = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
LLAMA3_SPLIT_MERGES = "smaug-bpe"  # the same, where merges make complete words too
SPECIAL = ("bos", "eos", "unk", "sep", "pad", "mask")


class Vocabulary(NamedTuple):
    """What a file has of a vocabulary: tokens and types in the order of ids, and how text is cut and merged.

    `scores` are those of SentencePiece, the best first; `space_prefix`: a space is put before a text.
    """

    model: str
    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str]
    scores: list[float]
    space_prefix: bool


def add_vocabulary(writer: GGUFWriter, vocabulary: Vocabulary) -> None:
    """Add a vocabulary."""
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_add_space_prefix(vocabulary.space_prefix)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)


def add_special_tokens(writer: GGUFWriter, ids: Mapping[str, int | list[int] | None]) -> None:
    """Add the ids of special tokens by their names, the first where there are several."""
    add = {
        "bos": writer.add_bos_token_id,
        "eos": writer.add_eos_token_id,
        "unk": writer.add_unk_token_id,
        "sep": writer.add_sep_token_id,
        "pad": writer.add_pad_token_id,
        "mask": writer.add_mask_token_id,
    }
    for name, given in ids.items():
        first = given[0] if isinstance(given, list) else given
        if first is not None:
            add[name](first)


def special_tokens(
    tokenizer: PreTrainedTokenizerBase | None, generation: GenerationConfig
) -> dict[str, int | list[int] | None]:
    """The ids of special tokens: those of `generate`, and where it has none or several the tokenizer's."""
    ids = {name: getattr(generation, f"{name}_token_id", None) for name in SPECIAL}
    for name, given in ids.items():
        own = getattr(tokenizer, f"{name}_token_id", None)
        if given is None or (isinstance(given, list) and own in given):
            ids[name] = own
    return ids


def add_template(writer: GGUFWriter, tokenizer: PreTrainedTokenizerBase) -> None:
    """Add the chat template, and whether a text begins and ends with special tokens."""
    ids = tokenizer("a")["input_ids"]
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    bos = tokenizer.bos_token_id
    eos = tokenizer.eos_token_id
    writer.add_add_bos_token(bos is not None and ids != plain and ids[0] == bos)
    writer.add_add_eos_token(eos is not None and ids != plain and ids[-1] == eos)
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = [{"name": name, "template": text} for name, text in template.items()]
    if template:
        writer.add_chat_template(template)


def vocabulary_of(tokenizer: PreTrainedTokenizerBase, rows: int) -> Vocabulary:
    """The vocabulary of a tokenizer for an embedding of `rows` tokens.

    Raises ValueError for a tokenizer that a GGUF file cannot hold.
    """
    from transformers import PreTrainedTokenizerFast

    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(f"{type(tokenizer).__name__} is not of the package tokenizers")
    pipeline = json.loads(tokenizer.backend_tokenizer.to_str())
    model = pipeline["model"]
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= rows:
        raise ValueError(f"its token {largest} is beyond the {rows} rows of the embedding")
    if model["type"] != "BPE":
        raise ValueError(f"its model is {model['type']}, not BPE")
    if any(" " in part for merge in model["merges"] for part in merge):
        raise ValueError("its merges have spaces")
    types = [step["type"] for step in steps(pipeline["pre_tokenizer"])]
    if "ByteLevel" in types:
        return byte_level(tokenizer, pipeline, rows)
    if not model["byte_fallback"]:
        raise ValueError("its BPE has neither ByteLevel nor byte_fallback")
    return sentencepiece(tokenizer, pipeline, rows)


def byte_level(tokenizer: PreTrainedTokenizerBase, pipeline: Json, rows: int) -> Vocabulary:
    """BPE over bytes, as GPT-2 has it. Raises ValueError for a pre-tokenizer without a name."""
    unlike = [s["type"] for s in steps(pipeline["normalizer"]) if s["type"] != "NFC"]
    if unlike:
        raise ValueError(f"its normalizer is {', '.join(unlike)}")
    tokens, types = listed(tokenizer, pipeline, rows)
    merges = [" ".join(merge) for merge in pipeline["model"]["merges"]]
    pre = pre_tokenizer_name(pipeline)
    return Vocabulary("gpt2", pre, tokens, types, merges, scores=[], space_prefix=False)


def pre_tokenizer_name(pipeline: Json) -> str:
    """llama.cpp's name of a pre-tokenizer. Raises ValueError for one without a name."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    *first, last = steps(pipeline["pre_tokenizer"])
    kinds = [step["type"] for step in first]
    if last["type"] == "ByteLevel" and not last["add_prefix_space"]:
        if kinds == [] and last["use_regex"]:
            return "gpt-2"
        if kinds == ["Digits"] and first[0]["individual_digits"] and last["use_regex"]:
            return "smollm"
        if kinds == ["Split"] and not last["use_regex"]:
            names = {GGUF_PRE_TOKENIZER_SPLITS[name]: name for name in reversed(NAMED_SPLITS)}
            name = (names | {BLOOM_SPLIT: "bloom"}).get(first[0]["pattern"].get("Regex"))
            if name == "llama-bpe" and not pipeline["model"]["ignore_merges"]:
                return LLAMA3_SPLIT_MERGES
            if name is not None:
                return name
    raise ValueError("llama.cpp has no name for its pre-tokenizer")


def sentencepiece(tokenizer: PreTrainedTokenizerBase, pipeline: Json, rows: int) -> Vocabulary:
    """BPE over characters with a token for every byte; the score of a token is the rank of its first merge."""
    import gguf

    tokens, types = listed(tokenizer, pipeline, rows)
    kinds = gguf.TokenType
    for i, token in enumerate(tokens):
        if types[i] == kinds.NORMAL and BYTE.fullmatch(token):
            types[i] = kinds.BYTE
        if token == pipeline["model"]["unk_token"]:
            types[i] = kinds.UNKNOWN
    merges = pipeline["model"]["merges"]
    ranks = {"".join(merge): rank for rank, merge in reversed(list(enumerate(merges)))}
    scores = [-float(ranks.get(token, len(merges))) for token in tokens]
    cut = steps(pipeline["pre_tokenizer"]) + steps(pipeline["normalizer"])
    prefix = any(
        step["type"] == "Prepend" or step.get("prepend_scheme", "never") != "never" for step in cut
    )
    joined = [" ".join(merge) for merge in merges]
    return Vocabulary("llama", "default", tokens, types, joined, scores=scores, space_prefix=prefix)


def listed(
    tokenizer: PreTrainedTokenizerBase, pipeline: Json, rows: int
) -> tuple[list[str], list[int]]:
    """Tokens and types in the order of ids, with unused tokens where the embedding has more rows."""
    import gguf

    kinds = gguf.TokenType
    tokens = [f"[PAD{i}]" for i in range(rows)]
    types = [int(kinds.UNUSED)] * rows
    for token, i in tokenizer.get_vocab().items():
        tokens[i] = token
        types[i] = kinds.NORMAL
    for added in pipeline["added_tokens"]:
        types[added["id"]] = kinds.CONTROL if added["special"] else kinds.USER_DEFINED
    return tokens, types


def steps(node: Json | None) -> list[Json]:
    """The steps of a normalizer or a pre-tokenizer, one by one."""
    if node is None:
        return []
    if node["type"] != "Sequence":
        return [node]
    inner = node.get("pretokenizers") or node.get("normalizers") or []
    return [step for part in inner for step in steps(part)]
