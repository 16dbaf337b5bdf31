"""The model families: for each a table of configuration fields and weight names, nothing else."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from tinyllm.families.bloom import BLOOM
from tinyllm.families.family import Family
from tinyllm.families.gemma import GEMMA2, GEMMA3
from tinyllm.families.gpt_neox import GPT_NEOX
from tinyllm.families.gptj import GPTJ
from tinyllm.families.llama import LLAMA
from tinyllm.families.opt import OPT
from tinyllm.families.phi3 import PHI3
from tinyllm.families.qwen import QWEN2, QWEN3
from tinyllm.families.smollm3 import SMOLLM3

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def registered() -> tuple[Family, ...]:
    """All families, in the order they are shown to users."""
    return (LLAMA, QWEN2, QWEN3, PHI3, GEMMA2, GEMMA3, SMOLLM3, GPTJ, GPT_NEOX, OPT, BLOOM)


def family_of(config: PreTrainedConfig) -> Family:
    """The family that can run a transformers configuration. Raises ValueError naming the closest one supported."""
    return family_named(config.model_type)


def family_named(model_type: object) -> Family:
    """The family of a model type as transformers names it. Raises ValueError naming the closest one supported."""
    supported = {kind: family for family in registered() for kind in family.architectures}
    if model_type in supported:
        return supported[model_type]
    name = str(model_type)
    related = [kind for kind in supported if name.startswith(kind) or kind.startswith(name)]
    close = sorted(related, key=len)[-1:] or get_close_matches(name, supported, n=1, cutoff=0.5)
    hint = f"; the closest supported is {close[0]!r}" if close else ""
    raise ValueError(
        f"model type {model_type!r} is not supported: expected one of {sorted(supported)}{hint}"
    )
