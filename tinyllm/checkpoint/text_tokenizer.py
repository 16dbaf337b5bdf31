"""Texts to token ids and back without transformers, whose import takes a second.

`text_tokenizer` reads the folder that transformers saved a tokenizer in. A tokenizer or chat template that needs more
than the packages tokenizers and jinja2 is left to transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from tinyllm.checkpoint.config_files import (
    CHAT_TEMPLATE,
    PLAIN_CLASS,
    TOKENIZER_CONFIG,
    read_json,
)
from tinyllm.checkpoint.lazy import LazyTokenizer

if TYPE_CHECKING:
    from jinja2 import Template
    from transformers import PreTrainedTokenizerBase

# Settings of others that change the tokens or the text.
OTHER_SETTINGS = ("clean_up_tokenization_spaces", "split_special_tokens")
# What a chat template may read besides special tokens, so that nothing of transformers is missing.
PLAIN_NAMES = {"messages", "add_generation_prompt"}


class TextTokenizer:
    """A tokenizer with the part of transformers' interface that a text in and a text out need."""

    def __init__(
        self, folder: Path, special_tokens: dict[str, str], chat_template: Template | None
    ) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.special_tokens = special_tokens
        self.chat_template = chat_template

    def __call__(
        self, text: str, *, add_special_tokens: bool = True, return_tensors: str = "pt"
    ) -> dict[str, Int[Tensor, "1 t"]]:
        """Token ids and mask of a text."""
        encoding = self.tokenizer.encode(text, add_special_tokens=add_special_tokens)
        ids = torch.tensor([encoding.ids], dtype=torch.int64, device="cpu")
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def apply_chat_template(
        self,
        messages: list[dict[str, str]],
        *,
        add_generation_prompt: bool,
        return_tensors: str = "pt",
        return_dict: bool = True,
    ) -> dict[str, Int[Tensor, "1 t"]]:
        """Token ids and mask of a conversation."""
        text = self.chat_template.render(
            messages=messages, add_generation_prompt=add_generation_prompt, **self.special_tokens
        )
        return self(text, add_special_tokens=False)

    def decode(self, token_ids: Any, *, skip_special_tokens: bool = False) -> str:
        """The text of token ids."""
        ids = token_ids.tolist() if isinstance(token_ids, Tensor) else token_ids
        return self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)


def text_tokenizer(lazy: LazyTokenizer) -> TextTokenizer | PreTrainedTokenizerBase | None:
    """A model's tokenizer for texts: transformers' own where it is read already, or needs more; None without one."""
    if lazy.is_made or lazy.folder is None:
        return lazy.value
    values = read_json(lazy.folder / TOKENIZER_CONFIG)
    if values.get("tokenizer_class") != PLAIN_CLASS or any(map(values.get, OTHER_SETTINGS)):
        return lazy.value
    named = {name: value for name, value in values.items() if name.endswith("_token")}
    special_tokens = {name: value for name, value in named.items() if isinstance(value, str)}
    template = lazy.folder / CHAT_TEMPLATE
    if not template.exists():
        return TextTokenizer(lazy.folder, special_tokens, None)
    compiled = compile_template(template.read_text(encoding="utf-8"), special_tokens)
    return lazy.value if compiled is None else TextTokenizer(lazy.folder, special_tokens, compiled)


def compile_template(chat_template: str, special_tokens: dict[str, str]) -> Template | None:
    """A chat template, which comes from a file and is sandboxed; None where it needs functions of transformers."""
    from jinja2 import TemplateError, meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals.clear()
    del environment.filters["tojson"]  # which transformers replaces
    try:
        names = meta.find_undeclared_variables(environment.parse(chat_template))
        template = environment.from_string(chat_template)
    except TemplateError:
        return None
    return template if names <= {*PLAIN_NAMES, *special_tokens} else None
