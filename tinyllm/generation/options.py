"""Which generation options there are, what they may be, and what is refused."""

from __future__ import annotations

import math
import warnings
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from tinyllm.config import DecoderConfig

DEFAULT_NEW_TOKENS = 20
COUNTS = (
    "max_new_tokens",
    "max_length",
    "min_new_tokens",
    "min_length",
    "no_repeat_ngram_size",
    "top_k",
)
FLAGS = ("do_sample", "return_dict_in_generate", "output_scores", "output_logits")
POSITIVES = ("temperature", "repetition_penalty", "max_time")
FRACTIONS = ("top_p", "min_p")
TOKENS = ("eos_token_id", "pad_token_id", "bos_token_id")
SUPPORTED = {*COUNTS, *FLAGS, *POSITIVES, *FRACTIONS, *TOKENS}
SUPPORTED |= {"num_beams", "num_return_sequences", "length_penalty", "early_stopping"}
SUPPORTED |= {"stop_strings", "transformers_version"}
# Values of other options with which they change nothing.
NEUTRAL = {
    "num_beam_groups": (1,),
    "use_cache": (True,),
    "diversity_penalty": (0.0,),
    "encoder_repetition_penalty": (1.0,),
    "encoder_no_repeat_ngram_size": (0,),
    "typical_p": (1.0,),
    "epsilon_cutoff": (0.0,),
    "eta_cutoff": (0.0,),
    "renormalize_logits": (False,),
    "remove_invalid_values": (False,),
    "output_attentions": (False,),
    "output_hidden_states": (False,),
    "token_healing": (False,),
    "disable_compile": (False, True),
    "low_memory": (False, True),
}
SAMPLING = ("temperature", "top_k", "top_p", "min_p")
BEAMS = ("length_penalty", "early_stopping")
DEFAULT_TOP_K = 50  # transformers' own default of sampling
ASSISTED_GENERATION = ("assistant", "num_assistant", "lookbehind", "continuous_batching")


def resolve(
    defaults: GenerationConfig | None,
    given: GenerationConfig | None,
    kwargs: dict[str, Any],
    config: DecoderConfig,
) -> GenerationConfig:
    """The options of one call: `kwargs` over `given` over the model's `defaults`.

    Raises TypeError for a name that is no option, ValueError for a value that is wrong or not supported.
    """
    from transformers import GenerationConfig

    if not isinstance(given, GenerationConfig | None):
        raise TypeError(
            f"generation_config is a {type(given).__name__}: expected a transformers.GenerationConfig"
        )
    known = GenerationConfig().to_dict()
    for name in kwargs:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(
                f"generate() got {name}={kwargs[name]!r}, which is no option of generation{hint}"
            )
    layers = [source.to_dict() for source in (defaults, given) if source is not None]
    options = {
        k: v
        for layer in layers
        for k, v in layer.items()
        if v is not None and not k.startswith("_")
    }
    options = {
        k: v for k, v in (options | kwargs).items() if v is not None
    }  # None in a call unsets a default
    options = {
        k: v
        for k, v in options.items()
        if not any(part in k for part in ASSISTED_GENERATION) or k in kwargs
    }
    if options.get("do_sample") and "top_k" not in kwargs:
        options.setdefault("top_k", DEFAULT_TOP_K)
    _check_supported(options)
    _check_values(options, config)
    _warn_of_idle(SAMPLING, kwargs, options.get("do_sample"), "without do_sample=True")
    _warn_of_idle(BEAMS, kwargs, options.get("num_beams", 1) > 1, "without num_beams of 2 or more")
    return GenerationConfig(**options)


def _warn_of_idle(
    names: tuple[str, ...], kwargs: dict[str, Any], used: bool | None, when: str
) -> None:
    idle = [name for name in names if kwargs.get(name) is not None]
    if idle and not used:
        warnings.warn(f"{', '.join(idle)} has no effect {when}", UserWarning, stacklevel=5)


def _check_supported(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name not in SUPPORTED and value not in NEUTRAL.get(name, ()):
            raise ValueError(f"{name}={value!r} is not supported by this version of generate()")


def _check_values(options: dict[str, Any], config: DecoderConfig) -> None:
    for name in COUNTS:
        value = options.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name}={value!r}: expected a whole number, 0 or more")
    for name in FLAGS:
        if not isinstance(options.get(name, False), bool):
            raise ValueError(f"{name}={options[name]!r}: expected True or False")
    for name in ("num_beams", "num_return_sequences"):
        value = options.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: expected a whole number, 1 or more")
    _check_beams(options, config)
    for name in POSITIVES:
        value = options.get(name, 1.0)
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise ValueError(f"{name}={value!r}: expected a positive, finite number")
    for name in FRACTIONS:
        value = options.get(name, 1.0)
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{name}={value!r}: expected a number from 0 to 1")
    for name in TOKENS:
        for token in token_list(options.get(name)):
            if (
                isinstance(token, bool)
                or not isinstance(token, int)
                or not 0 <= token < config.vocab_size
            ):
                raise ValueError(
                    f"{name}={options[name]!r}: expected token ids from 0 to {config.vocab_size - 1}"
                )


def _check_beams(options: dict[str, Any], config: DecoderConfig) -> None:
    width = options.get("num_beams", 1)
    answers = options.get("num_return_sequences", 1)
    if answers > 1 and width == 1 and not options.get("do_sample"):
        raise ValueError(
            f"num_return_sequences={answers}: greedy decoding has one answer only; pass do_sample=True, or "
            f"num_beams={answers}"
        )
    if width > 1 and answers > width:
        raise ValueError(f"num_return_sequences={answers}: expected at most num_beams, {width}")
    candidates = max(2, 1 + len(token_list(options.get("eos_token_id"))))
    if width > 1 and candidates > config.vocab_size:
        raise ValueError(
            f"eos_token_id={options['eos_token_id']!r}: expected fewer than there are tokens, all end"
        )
    early = options.get("early_stopping", False)
    if not isinstance(early, bool) and early != "never":
        raise ValueError(f"early_stopping={early!r}: expected True, False or 'never'")
    penalty = options.get("length_penalty", 1.0)
    if (
        isinstance(penalty, bool)
        or not isinstance(penalty, int | float)
        or not math.isfinite(penalty)
    ):
        raise ValueError(
            f"length_penalty={penalty!r}: expected a finite number; above 0 favours long sequences"
        )


def token_list(tokens: Any) -> list:
    """One or several token ids as a list."""
    if tokens is None:
        return []
    return list(tokens) if isinstance(tokens, list | tuple) else [tokens]


def pad_token(options: GenerationConfig) -> int | None:
    """What ended sequences are filled with: the pad token, or else the first that ends one."""
    return next(iter([*token_list(options.pad_token_id), *token_list(options.eos_token_id)]), None)


def total_length(options: GenerationConfig, prompt_tokens: int, config: DecoderConfig) -> int:
    """Tokens of prompt and answer together."""
    if options.max_new_tokens is not None:
        return prompt_tokens + options.max_new_tokens
    if options.max_length is not None:
        return options.max_length
    return min(prompt_tokens + DEFAULT_NEW_TOKENS, config.max_position_embeddings)


def least_length(options: GenerationConfig, prompt_tokens: int) -> int:
    """Tokens of prompt and answer before which none may end; `min_new_tokens` goes before `min_length`."""
    if options.min_new_tokens is not None:
        return prompt_tokens + options.min_new_tokens
    return options.min_length or 0


def check_length(
    total: int, prompt_tokens: int, options: GenerationConfig, config: DecoderConfig
) -> None:
    """Raise ValueError where nothing could be generated, or more than there is room for, or less than is asked."""
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
        raise ValueError(
            f"min_new_tokens={least - prompt_tokens} is more than the {total - prompt_tokens} tokens that may be "
            "generated: raise max_new_tokens"
        )
