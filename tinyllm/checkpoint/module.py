"""A transformers model in memory: its weights, and what of it stands beside the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from tinyllm.checkpoint.weights import Weights
from tinyllm.config import DecoderConfig
from tinyllm.families import Family
from tinyllm.ops.rope import RotaryEmbedding

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
COMPILED = "_orig_mod"  # where torch.compile keeps the module that it was given
# Attributes in which a method of an object keeps the one of its class: torch.compile's, and `InplaceGenerate`'s.
ORIGINALS = ("_torchdynamo_orig_callable", "transformers_generate")


def unwrapped(module: Any) -> Any:
    """The module within `torch.compile`, `DataParallel` and `DistributedDataParallel`, or the module itself."""
    inner = getattr(module, COMPILED, module)
    if isinstance(inner, WRAPPERS):
        inner = inner.module
    return inner if inner is module else unwrapped(inner)


def config_in(hf_model: Any) -> PreTrainedConfig:
    """The configuration of a transformers model. Raises TypeError for anything else."""
    config = getattr(hf_model, "config", None)
    if getattr(config, "model_type", None) is None:
        raise TypeError(_expected(hf_model, "a transformers model in memory"))
    return config


def causal_lm_class(hf_model: PreTrainedModel, family: Family) -> type[PreTrainedModel]:
    """The class of the models of a type that have a head. Raises TypeError where the model is not of it."""
    import transformers

    name = family.architectures[hf_model.config.model_type]
    kind = getattr(transformers, name)
    if not isinstance(hf_model, kind):
        raise TypeError(_expected(hf_model, f"a transformers {name}, a decoder with its head"))
    return kind


def _expected(hf_model: Any, kind: str) -> str:
    given = type(hf_model).__name__
    adapter = "peft" in given.lower() or "lora" in given.lower()
    hint = "; merge the adapter first: hf_model = hf_model.merge_and_unload()" if adapter else ""
    return f"hf_model is a {given}: expected {kind}{hint}"


class ModuleWeights(Weights):
    """The parameters of a transformers model already in memory; a shared one under each of its names."""

    def __init__(self, module: nn.Module, name_today: Callable[[str], str] = str) -> None:
        self.parameters = {
            name_today(name.replace(f"{COMPILED}.", "")): parameter
            for name, parameter in module.named_parameters(remove_duplicate=False)
        }
        self.shapes = {name: tuple(p.shape) for name, p in self.parameters.items()}
        self._name = type(module).__name__

    def check(self, name: str) -> None:
        """`uniform` checks all of them together."""

    def read(self, name: str) -> Tensor:
        return self.parameters[name].data

    def equal(self, name: str, other: str) -> bool:
        """Whether two names stand for one memory: equal numbers in two places may be trained separately."""
        return self.read(name).data_ptr() == self.read(other).data_ptr()

    def file(self, name: str | None) -> str:
        return self._name


def with_embedding_scale(config: DecoderConfig, hf_model: nn.Module) -> DecoderConfig:
    """The configuration with the factor of embeddings that the model holds, where a change of format has rounded it."""
    scales = [x for name, x in hf_model.named_buffers() if name.endswith(".embed_scale")]
    for held in scales:
        if not held.is_meta and held.item() != held.new_tensor(config.embedding_scale).item():
            return replace(config, embedding_scale=held.item())
    return config


def read_frequencies(
    rotary: RotaryEmbedding,
    config: DecoderConfig,
    hf_config: PreTrainedConfig,
    hf_model: nn.Module,
) -> None:
    """Take over the radians per position that the model holds, which need not be those of its configuration."""
    held = {name.rpartition(".")[2]: x for name, x in hf_model.named_buffers()}
    layer_types = getattr(hf_config, "layer_types", None) or [""] * config.num_hidden_layers
    for kind, frequencies in enumerate(rotary.frequencies):
        layer_type = layer_types[config.kind_of_layer.index(kind)]
        inv_freq = held.get(f"{layer_type}_inv_freq", held.get("inv_freq"))
        if rotary.has_rope[kind] and inv_freq is not None:
            frequencies.copy_(inv_freq)
