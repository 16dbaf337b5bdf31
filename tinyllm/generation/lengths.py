"""How long a text may become, and how long it must."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyllm.config import DecoderConfig
    from tinyllm.generation.options import CallOptions

DEFAULT_NEW_TOKENS = 20


def total_length(options: CallOptions, prompt_tokens: int, config: DecoderConfig) -> int:
    """Tokens of prompt and answer together."""
    if options.max_new_tokens is not None:
        return prompt_tokens + options.max_new_tokens
    if options.max_length is not None:
        return options.max_length
    return min(prompt_tokens + DEFAULT_NEW_TOKENS, config.max_position_embeddings)


def least_length(options: CallOptions, prompt_tokens: int) -> int:
    """Tokens of prompt and answer before which none may end; `min_new_tokens` goes before `min_length`."""
    if options.min_new_tokens is not None:
        return prompt_tokens + options.min_new_tokens
    return options.min_length or 0


def check_length(
    total: int, prompt_tokens: int, options: CallOptions, config: DecoderConfig
) -> None:
    """Raise ValueError where nothing could be generated or the context is full; warn of a minimum above the maximum."""
    context = config.max_position_embeddings
    least = least_length(options, prompt_tokens)
    if total <= prompt_tokens:
        raise ValueError(
            f"the prompt has {prompt_tokens} tokens and the whole answer may have {total}: nothing can be generated; "
            "pass max_new_tokens of at least 1"
        )
    if total > context:
        raise ValueError(
            f"{prompt_tokens} tokens of prompt and {total - prompt_tokens} new ones: expected at most {context} "
            f"together, the context of this model; shorten the prompt or pass max_new_tokens={context - prompt_tokens}"
        )
    if least > total:
        warnings.warn(
            f"min_new_tokens={least - prompt_tokens} is more than the {total - prompt_tokens} tokens that may be "
            "generated: no sequence ends before them",
            UserWarning,
            stacklevel=5,
        )
