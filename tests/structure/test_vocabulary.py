"""The words of identifiers: a learner can search for every name, and use it in the next codebase.

A word in an identifier of the core or of the kernels is PyTorch's, transformers' or Triton's, or is in the glossary of
the book, or in `vocabulary.txt` beside this file: other terms of the field, and plain English. The words of `INSTEAD`
are refused in all packages of tinyllm.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("config.py", "decoder.py", "drop_in.py", "linear.py", "model.py", "stages.py")
FOLDERS = ("attention", "cache", "cost", "generation", "ops", "parallel", "runtime")
CORE = [
    *(ROOT / "tinyllm" / name for name in FILES),
    *(path for folder in FOLDERS for path in sorted((ROOT / "tinyllm" / folder).glob("*.py"))),
    *sorted((ROOT / "kernels").rglob("*.py")),
]
LISTED = Path(__file__).with_name("vocabulary.txt")
OTHERS = [
    path
    for path in sorted((ROOT / "tinyllm").rglob("*.py"))
    if path not in CORE and "kernels" not in path.parts
]
# Private words, and the field's words for them.
INSTEAD = {
    "asked": "request, workload or settings",
    "parents": "beam_idx",
    "ancestry": "beam_index",
    "follow": "reorder_beam_index",
    "sight": "metadata, or VisibleRange",
    "admit": "prepare",
    "forget": "reset",
    "settled": "sync_from_device",
    "whole": "replayable",
    "renew": "rebind",
    "told": "a noun that says what is passed",
    "said": "source",
    "rides": "epilogue or prologue",
    "product": "matmul or GEMV",
    "drawn": "sample",
    "waves": "batches",
    "bent": "softcapped",
    "fallen": "ALiBi bias",
    "turned": "rotated",
    "spelled": "unfused",
    "leave": "store_partial",
    "join": "reduce_partials",
    "shares": "splits",
    "bury": "mask_invalid_keys",
    "somebody": "the caller, or a beam",
}


def words_of(name):
    """`NormQKVRope` and `norm_qkv_rope` have the same words."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names_in(tree):
    """The names that a file defines: classes, functions, parameters, variables."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


@cache
def vocabulary():
    """All known words."""
    import torch
    import torch.nn.functional
    import transformers
    import triton
    import triton.language

    places = [torch, torch.nn, torch.nn.functional, torch.Tensor, triton, triton.language]
    names = [name for place in places for name in dir(place)]
    names += transformers.GenerationConfig().to_dict()
    for config in ("Llama", "Qwen3", "Gemma2", "Bloom", "OPT", "GPTJ", "GPTNeoX"):
        names += getattr(transformers, f"{config}Config")().to_dict()
    known = {word for name in names for word in words_of(name)}
    glossary = (ROOT / "book" / "glossary.md").read_text().split("```{glossary}")[1]
    known |= set(re.findall(r"[a-z]+", " ".join(re.findall(r"^\S.*$", glossary, re.M)).lower()))
    return known | listed()


def listed():
    """The words of `vocabulary.txt`; a line that starts with # is a heading."""
    lines = LISTED.read_text().splitlines()
    return {word for line in lines if not line.startswith("#") for word in line.split()}


def unknown(path):
    """Unknown or refused words, each with a name that has it."""
    found = {}
    for name in names_in(ast.parse(path.read_text())):
        for word in words_of(name):
            if len(word) > 1 and (word in INSTEAD or word not in vocabulary()):
                found.setdefault(word, name)
    return found


def refused(path):
    """Words of `INSTEAD`, each with a name that has it."""
    names = names_in(ast.parse(path.read_text()))
    return {word: name for name in names for word in words_of(name) if word in INSTEAD}


def by_name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", OTHERS, ids=by_name)
def test_no_private_words_in_other_packages(path):
    advice = [f"{word!r} in {name}: use {INSTEAD[word]}" for word, name in refused(path).items()]
    assert not advice, "\n".join(advice)


@pytest.mark.parametrize("path", CORE, ids=by_name)
def test_identifiers_use_known_words(path):
    found = unknown(path)
    advice = [
        f"{word!r} in {name}: use {INSTEAD[word]}"
        if word in INSTEAD
        else f"{word!r} in {name}: use the field's word, or add it to {LISTED.name}"
        for word, name in found.items()
    ]
    assert not advice, "\n".join(advice)


def test_the_list_is_sorted_and_used():
    used = {
        word
        for path in CORE
        for name in names_in(ast.parse(path.read_text()))
        for word in words_of(name)
    }
    assert not listed() - used, "words that no name has any longer"
    assert not listed() & set(INSTEAD)


def test_private_words_are_found(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("def follow_ancestry(zorp): ...\n")
    assert set(unknown(file)) == {"follow", "ancestry", "zorp"}
    assert set(refused(file)) == {"follow", "ancestry"}
