"""Values of generation options: numbers of numpy and torch become Python's, wrong ones are refused by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from tinyllm.config import DecoderConfig

COUNTS = {  # with the least that each may be
    "max_new_tokens": 0,
    "max_length": 0,
    "min_new_tokens": 0,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "num_beams": 1,
    "num_return_sequences": 1,
    "top_k": 0,
}
FLAGS = (
    "do_sample",
    "return_dict_in_generate",
    "output_scores",
    "output_logits",
    "renormalize_logits",
    "remove_invalid_values",
)
POSITIVES = ("temperature", "repetition_penalty", "encoder_repetition_penalty", "max_time")
FRACTIONS = ("top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
TOKENS = ("eos_token_id", "pad_token_id", "bos_token_id")


def python_values(options: dict[str, Any]) -> dict[str, Any]:
    """The options with Python's own numbers and lists of token ids. Raises ValueError for a wrong value."""
    checked = dict(options)
    for name, value in options.items():
        if name in COUNTS:
            checked[name] = _count(name, value, COUNTS[name])
        elif name in FLAGS and not isinstance(value, bool):
            raise ValueError(f"{name}={value!r}: expected True or False")
        elif name in POSITIVES:
            checked[name] = _number(value)
            if not 0 < checked[name] < math.inf:
                raise ValueError(f"{name}={value!r}: expected a positive, finite number")
        elif name in FRACTIONS:
            checked[name] = _number(value)
            if not 0 <= checked[name] <= 1:
                raise ValueError(f"{name}={value!r}: expected a number from 0 to 1")
        elif name in TOKENS:
            checked[name] = _tokens(name, value)
    return checked


def check_beams(options: dict[str, Any], config: DecoderConfig) -> None:
    """Raise ValueError for widths, numbers of answers and penalties that have no meaning together."""
    width = options.get("num_beams", 1)
    answers = options.get("num_return_sequences", 1)
    if width == 1 and answers > 1 and not options.get("do_sample"):
        raise ValueError(
            f"num_return_sequences={answers}: greedy decoding has one answer only; pass do_sample=True, or "
            f"num_beams={answers}"
        )
    if width == 1:
        return
    if answers > width:
        raise ValueError(f"num_return_sequences={answers}: expected at most num_beams, {width}")
    ends = options.get("eos_token_id", [])
    if max(2, 1 + len(ends)) > config.vocab_size:
        raise ValueError(f"eos_token_id={ends!r}: expected fewer than there are tokens, all end")
    early = options.get("early_stopping", False)
    if not isinstance(early, bool) and early != "never":
        raise ValueError(f"early_stopping={early!r}: expected True, False or 'never'")
    penalty = options.get("length_penalty", 1.0)
    if not math.isfinite(_number(penalty)):
        raise ValueError(
            f"length_penalty={penalty!r}: expected a finite number; above 0 favours long sequences"
        )


def token_list(tokens: Any) -> list[int]:
    """One or many token ids, of Python, numpy or torch, as a list; empty for None."""
    return [] if tokens is None else _array(tokens).flatten().tolist()


def _count(name: str, value: Any, least: int) -> int:
    try:
        number = value.__index__()
    except (AttributeError, TypeError, ValueError):
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"{name}={value!r}: expected a whole number, {least} or more")
    return number


def _number(value: Any) -> float:
    """NaN for what is no number."""
    if isinstance(value, bool | str):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _tokens(name: str, value: Any) -> list[int] | int:
    """End tokens as a list, another as a number; an id that the vocabulary lacks is one that never comes."""
    many = name == "eos_token_id"
    try:
        tokens = _array(value)
    except ValueError:  # rows of unequal lengths
        tokens = np.asarray(None)
    count = tokens.size
    if (count and tokens.dtype.kind not in "iu") or (count != 1 and not many):
        expected = "whole numbers, token ids" if many else "a whole number, a token id"
        raise ValueError(f"{name}={value!r}: expected {expected}")
    return token_list(tokens) if many else int(tokens)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.cpu() if isinstance(value, torch.Tensor) else value)
