"""What ends a sequence: its length, its end tokens, and the criteria that a call names.

Length and end tokens, which every call has, need no class of transformers. The others are transformers' own, imported
where a call names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tinyllm.generation.values import token_list

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinyllm.generation.options import CallOptions


class MaxLength:
    """Ends every sequence at a number of tokens, prompt and answer together."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def __call__(self, ids: Int[Tensor, "r t"], scores: Any) -> Bool[Tensor, " r"]:
        is_full = ids.shape[1] >= self.max_length
        return torch.full((len(ids),), is_full, dtype=torch.bool, device=ids.device)


class EndTokens:
    """Ends a sequence after any of these tokens, which are on the device, so that no step sends them."""

    def __init__(self, eos_token_id: Int[Tensor, " n"]) -> None:
        self.eos_token_id = eos_token_id

    def __call__(self, ids: Int[Tensor, "r t"], scores: Any) -> Bool[Tensor, " r"]:
        return (ids[:, -1:] == self.eos_token_id).any(dim=1)


class Criteria(list):
    """Ends a sequence where any of its criteria does."""

    def __call__(self, ids: Int[Tensor, "r t"], scores: Any) -> Bool[Tensor, " r"]:
        ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        for criterion in self:
            ended = ended | criterion(ids, scores)
        return ended

    @property
    def max_length(self) -> int:
        """The length at which every sequence ends."""
        return next(part.max_length for part in self if isinstance(part, MaxLength))


def criteria(
    options: CallOptions,
    total: int,
    device: torch.device,
    read_tokenizer: Callable[[], PreTrainedTokenizerBase | None],
    custom: Iterable[Callable],
) -> Criteria:
    """What ends a sequence. Raises ValueError where stop strings are given and there is no tokenizer."""
    chosen = Criteria([MaxLength(total)])
    if options.max_time is not None:
        from transformers import MaxTimeCriteria

        chosen.append(MaxTimeCriteria(max_time=options.max_time))
    if options.stop_strings is not None:
        chosen.append(stop_strings(options.stop_strings, read_tokenizer()))
    if options.eos_token_id is not None:
        ends = torch.tensor(token_list(options.eos_token_id), dtype=torch.int64, device=device)
        chosen.append(EndTokens(ends))
    return with_custom(chosen, [own_kind(part, device) for part in custom])


def stop_strings(texts: Any, tokenizer: PreTrainedTokenizerBase | None) -> Callable:
    """transformers' criterion for texts that end a sequence. Raises ValueError without a tokenizer."""
    from transformers import StopStringCriteria

    if tokenizer is None:
        raise ValueError(
            "stop_strings need a tokenizer: pass tokenizer=, or load a model that has one"
        )
    return StopStringCriteria(tokenizer=tokenizer, stop_strings=texts)


def own_kind(criterion: Callable, device: torch.device) -> Callable:
    """Our criterion in the place of transformers' for length or end tokens; any other one as it is."""
    from transformers import EosTokenCriteria, MaxLengthCriteria

    if type(criterion) is MaxLengthCriteria:
        return MaxLength(criterion.max_length)
    if type(criterion) is EosTokenCriteria:
        return EndTokens(criterion.eos_token_id.to(device))
    return criterion


def with_custom(chosen: list, custom: list) -> list:
    """The caller's own after those `chosen` by options, or in the place of one of the same type, as in transformers."""
    own = {type(part): part for part in reversed(custom)}
    parts = type(chosen)(own.get(type(part), part) for part in chosen)
    parts.extend(part for part in custom if part not in parts)
    return parts
