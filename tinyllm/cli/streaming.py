"""The text of an answer, printed as its tokens come."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class TextStreamer:
    """Prints the answer to one prompt, which it leaves out.

    Letters and digits are printed immediately; what may be part of a character waits for the next of them, or for the
    end of the word. The interface is that of transformers' streamers.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._reset()

    def _reset(self) -> None:
        self.tokens: list[int] = []
        self.printed = 0  # characters
        self.in_prompt = True

    def put(self, tokens: Tensor) -> None:
        """The prompt, and then one new token after the other."""
        if self.in_prompt:
            self.in_prompt = False
            return
        self.tokens += tokens.flatten().tolist()
        text = self._text()
        complete_words = text[: max(text.rfind(" "), text.rfind("\n")) + 1]
        self._print(text if text[-1:].isalnum() else complete_words)

    def end(self) -> None:
        """The rest of the answer, and the end of the line."""
        self._print(self._text())
        print()
        self._reset()

    def _text(self) -> str:
        return self.tokenizer.decode(self.tokens, skip_special_tokens=True)

    def _print(self, text: str) -> None:
        print(text[self.printed :], end="", flush=True)
        self.printed = max(self.printed, len(text))
