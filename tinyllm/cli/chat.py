"""`tinyllm chat`: one message after the other; earlier ones are not computed again."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

import torch

from tinyllm.cli.options import add_answer, add_command, check_text, expect_utf8, load, sampling
from tinyllm.cli.streaming import TextStreamer
from tinyllm.generation.output import cache_of
from tinyllm.parallel.ranks import SINGLE, Ranks

if TYPE_CHECKING:
    from tinyllm.cache import Cache
    from tinyllm.model import Model

YOU = "> "


def add_to(commands) -> None:
    """Put the command into the parser."""
    command = add_command(
        commands, "chat", "Talk with a model, turn after turn; end with Ctrl-D.", run
    )
    add_answer(command, longest=512)
    command.add_argument("--system", help="a system message before your first one")


class Chat:
    """A conversation: its messages, and the cache that the model holds of it."""

    def __init__(self, model: Model, system: str | None = None, tokenizer: Any = None) -> None:
        self.model = model
        self.tokenizer = model.tokenizer if tokenizer is None else tokenizer
        self.messages = [{"role": "system", "content": system}] if system else []
        self.tokens = torch.empty(1, 0, dtype=torch.int64, device="cpu")
        self.cache: Cache | None = None

    def answer(self, text: str, **how: object) -> str:
        """Say something and return the answer; only what is new goes through the layers."""
        self.messages.append({"role": "user", "content": text})
        ids = self.tokenizer.apply_chat_template(
            self.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )["input_ids"]
        mask, cache = torch.ones_like(ids), self.held(ids)
        out = self.model.generate(
            ids, mask, past_key_values=cache, return_dict_in_generate=True, **how
        )
        self.tokens, self.cache = out.sequences.cpu(), cache_of(out)
        answer = self.tokenizer.decode(self.tokens[0, ids.shape[1] :], skip_special_tokens=True)
        self.messages.append({"role": "assistant", "content": answer})
        return answer

    def held(self, ids: torch.Tensor) -> Cache | None:
        """The cache, where these tokens continue those that it holds: a template may write history differently."""
        length = 0 if self.cache is None else self.cache.length
        fits = 0 < length < ids.shape[1] and torch.equal(self.tokens[:, :length], ids[:, :length])
        return self.cache if fits else None


def run(options: argparse.Namespace) -> int:
    """Ask, answer, and so on until the input ends."""
    how = {"max_new_tokens": options.max_new_tokens} | sampling(options)
    expect_utf8(sys.stdin)
    check_text(options.system or "")
    model, tokenizer = load(options)
    if tokenizer.chat_template is None:
        raise ValueError(
            f"{options.model} has no chat template: expected a model that was trained to chat"
        )
    streamer = TextStreamer(tokenizer)
    conversation = Chat(model, options.system, tokenizer)
    while (text := ask(model.ranks)) is not None:
        if text.strip():
            conversation.answer(text, streamer=streamer, **how)
    return 0


def ask(ranks: Ranks = SINGLE) -> str | None:
    """The next line, which the first rank reads; None at the end of the input."""
    text = None
    if ranks.rank == 0:
        try:
            text = input(YOU)
        except EOFError:
            print()
    text = ranks.share(text)
    return None if text is None else check_text(text)
