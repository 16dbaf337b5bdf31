"""What a user could run instead of tinyllm, on the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.skeleton import placed
from tinyllm.decoder import Decoder
from tinyllm.measure.timing import Generates

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def transformers_twin(decoder: Decoder, checkpoint: Checkpoint) -> PreTrainedModel:
    """The model of transformers for a checkpoint, in eager mode, looking at the memory of `decoder`'s weights."""
    import transformers

    family, config = checkpoint.family, checkpoint.config
    weights = {
        source: rows
        for name, parameter in decoder.named_parameters()
        for source, rows in placed(decoder, family, name, parameter.data)
    }
    kind = getattr(transformers, family.architectures[config.model_type])
    progress = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        twin = kind.from_pretrained(None, config=config, state_dict=weights, dtype=decoder.dtype)
    finally:
        if progress:
            transformers.utils.logging.enable_progress_bar()
    twin.generation_config = checkpoint.generation_config
    return twin.to(decoder.device).eval()


PEERS: Mapping[str, Callable[[Decoder, Checkpoint], Generates]] = MappingProxyType({"hf": transformers_twin})


def pick_peer(name: str) -> Callable[[Decoder, Checkpoint], Generates]:
    """What makes a peer of that name. Raises ValueError naming those there are."""
    if name not in PEERS:
        raise ValueError(f"peer {name!r} is unknown: expected one of {list(PEERS)}")
    return PEERS[name]
