"""Which generation options there are, which are supported, and what one call of `generate` makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from tinyllm.generation.values import (
    COUNTS,
    FLAGS,
    FRACTIONS,
    POSITIVES,
    TOKENS,
    check_beams,
    python_values,
    token_list,
)

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from tinyllm.config import DecoderConfig

SUPPORTED = {*COUNTS, *FLAGS, *POSITIVES, *FRACTIONS, *TOKENS}
SUPPORTED |= {"length_penalty", "early_stopping", "stop_strings"}
SUPPORTED |= {"sequence_bias", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"}
SUPPORTED |= {"forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty"}
SUPPORTED |= {"watermarking_config"}
# Options that change how transformers computes an answer, not the answer. A call that passes one is refused, unless
# the value is among these, with which it changes nothing there either; in a saved configuration they are ignored.
NEUTRAL: dict[str, tuple] = {
    "use_cache": (True,),
    "cache_config": (),
    "max_cache_len": (),
    "prefill_chunk_size": (),
    "compile_config": (),
    "disable_compile": (False, True),
    "continuous_batching_config": (),
    "diversity_penalty": (0.0,),
    "decoder_start_token_id": (),
    "max_matching_ngram_size": (),
    "num_assistant_tokens": (),
    "num_assistant_tokens_schedule": (),
    "assistant_confidence_threshold": (),
    "assistant_ensemble_weight": (),
    "assistant_lookbehind": (),
    "target_lookbehind": (),
    "speculation_type": (),
    "transformers_version": (),
}
# Options that are not supported, with the values that change no answer.
NOT_SUPPORTED: dict[str, tuple] = {
    "output_attentions": (False,),
    "output_hidden_states": (False,),
    "guidance_scale": (1,),
    "token_healing": (False,),
    "is_assistant": (False,),
    "use_mtp": (False,),
    "prompt_lookup_num_tokens": (),
    "assistant_early_exit": (),
    "dola_layers": (),
    "penalty_alpha": (0,),
    "num_beam_groups": (1,),
    "low_memory": (False,),
    "constraints": (),
    "force_words_ids": (),
    "cache_implementation": (),
}
# Where transformers has no use for one of them, so that a saved value of it is ignored.
RECORD_ONLY = ("output_attentions", "output_hidden_states")
BEAMS_ONLY = ("num_beam_groups", "low_memory")
NEVER_WITH_BEAMS = ("use_mtp", "prompt_lookup_num_tokens", "assistant_early_exit", "dola_layers")
# Arguments of transformers' `generate` and of its models that are none of `GenerationConfig`, with what to do instead.
NO_OPTIONS = {
    "assistant_model": "",
    "assistant_tokenizer": "",
    "custom_generate": "",
    "trust_remote_code": "",
    "synced_gpus": "",
    "negative_prompt_ids": "",
    "negative_prompt_attention_mask": "",
    "position_ids": "; positions follow from attention_mask",
    "cache_position": "; positions follow from attention_mask",
    "inputs_embeds": "; pass input_ids",
    "token_type_ids": "; call the tokenizer with return_token_type_ids=False",
    "logits_to_keep": "",
    "labels": "",
}
# Options of sampling and of beam search, with the values that say nothing.
SAMPLING = {
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "min_p": None,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}
BEAMS = {"length_penalty": 1.0, "early_stopping": False}
DEFAULT_TOP_K = 50  # transformers' own default of sampling


def resolve(
    defaults: GenerationConfig | None,
    given: GenerationConfig | None,
    kwargs: dict[str, Any],
    config: DecoderConfig,
) -> GenerationConfig:
    """The options of one call: `kwargs` over `given` over the model's `defaults`.

    Raises TypeError for a name that is no option, ValueError for a value that is wrong or not supported. What only
    `given` or `defaults` hold, which may come from files, is ignored where transformers has no use for it.
    """
    from transformers import GenerationConfig

    if not isinstance(given, GenerationConfig | None):
        raise TypeError(
            f"generation_config is a {type(given).__name__}: expected a transformers.GenerationConfig"
        )
    known = known_names()
    _check_names(kwargs, known)
    options: dict[str, Any] = {}
    for source in (defaults, given):
        saved = {} if source is None else source.to_dict()
        options |= {k: v for k, v in saved.items() if k in known and v is not None}
    options |= {name: value for name, value in kwargs.items() if name in known}
    options = {k: v for k, v in options.items() if v is not None}  # None unsets a default
    if options.get("do_sample") and "top_k" not in kwargs:
        options.setdefault("top_k", DEFAULT_TOP_K)
    _check_supported(options, kwargs)
    options = {name: value for name, value in options.items() if name in SUPPORTED}
    do_sample = options.get("do_sample")
    options = python_values(
        {name: value for name, value in options.items() if do_sample or name not in SAMPLING}
    )
    check_beams(options, config)
    _warn_of_idle(SAMPLING, kwargs, do_sample, "without do_sample=True")
    _warn_of_idle(BEAMS, kwargs, options.get("num_beams", 1) > 1, "without num_beams of 2 or more")
    return GenerationConfig(**options)


def check_output_logprobs(output_logprobs: Any, options: GenerationConfig) -> None:
    """Raise ValueError unless this is True or False, and the call returns an output that can hold them."""
    if not isinstance(output_logprobs, bool):
        raise ValueError(f"output_logprobs={output_logprobs!r}: expected True or False")
    if output_logprobs and not options.return_dict_in_generate:
        raise ValueError(
            "output_logprobs=True without return_dict_in_generate: expected an output that holds more than the "
            "sequences; pass return_dict_in_generate=True"
        )


def check_on_answer(on_answer: Any, options: GenerationConfig) -> None:
    """Raise TypeError unless this is a function or None, ValueError where answers do not end one by one."""
    if on_answer is None:
        return
    if not callable(on_answer):
        raise TypeError(
            f"on_answer is a {type(on_answer).__name__}: expected a function of the answer's number and its token ids"
        )
    width = options.num_beams or 1
    if width > 1:
        raise ValueError(
            f"on_answer with num_beams={width}: expected num_beams=1; beams are not final before the end"
        )


@cache
def known_names() -> tuple[str, ...]:
    """The names of all options that this release of transformers has."""
    from transformers import GenerationConfig

    return tuple(GenerationConfig().to_dict())


def _check_names(kwargs: dict[str, Any], known: Sequence[str]) -> None:
    """Raise TypeError for a name that nothing has; transformers' other arguments may be None or False."""
    for name, value in kwargs.items():
        if name in known or value is None:
            continue
        if name in NO_OPTIONS:
            if value is not False:
                raise ValueError(
                    f"{name} is not supported by this version of generate(){NO_OPTIONS[name]}"
                )
            continue
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise TypeError(f"generate() got {name}={value!r}, which is no option of generation{hint}")


def _check_supported(options: dict[str, Any], kwargs: dict[str, Any]) -> None:
    """Raise ValueError for what would change the answer, and for what a call passes in vain."""
    for name, value in options.items():
        idle = {**NEUTRAL, **NOT_SUPPORTED}.get(name, ())
        if name not in SUPPORTED and value not in idle and (name in kwargs or _used(name, options)):
            raise ValueError(f"{name}={value!r} is not supported by this version of generate()")


def _used(name: str, options: dict[str, Any]) -> bool:
    """Whether transformers' answer depends on an option that is not supported."""
    beams = options.get("num_beams", 1) != 1
    if name in RECORD_ONLY:
        return bool(options.get("return_dict_in_generate"))
    if name in BEAMS_ONLY:
        return beams
    if name in NEVER_WITH_BEAMS:
        return not beams
    if name == "penalty_alpha":
        return (
            not beams and not options.get("do_sample") and options.get("top_k", DEFAULT_TOP_K) > 1
        )
    if name == "cache_implementation":
        return options[name] == "quantized"  # the only cache that rounds what it holds
    return name in NOT_SUPPORTED


def _warn_of_idle(
    names: dict[str, Any], kwargs: dict[str, Any], used: bool | None, when: str
) -> None:
    idle = [name for name, default in names.items() if kwargs.get(name) not in (None, default)]
    if idle and not used:
        warnings.warn(f"{', '.join(idle)} has no effect {when}", UserWarning, stacklevel=5)


def pad_token(options: GenerationConfig) -> int | None:
    """What ended sequences are filled with: the pad token, or else the first that ends one."""
    return next(iter([*token_list(options.pad_token_id), *token_list(options.eos_token_id)]), None)
