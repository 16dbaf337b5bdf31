"""Whether a transformers model computes what its configuration describes: compared with a new one of transformers.

What was changed in memory would be left out without a word: hooks, replaced modules, patched functions, constants.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import getclosurevars
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from tinyllm.checkpoint.module import ORIGINALS, unwrapped

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TRUSTED = {"torch", "transformers", *sys.stdlib_module_names}  # packages whose code may run
CONSTANTS = (bool, int, float, str, type(None))
METHODS = (FunctionType, property, classmethod, staticmethod)
# Attributes that change no logits of an answer, or only in training.
WITHOUT_EFFECT = {
    "gradient_checkpointing",
    "kernel_config",
    "loss_type",
    "max_seq_len_cached",
    "name_or_path",
    "original_max_seq_len",
    "padding_idx",
    "scale_grad_by_freq",
    "sparse",
    "training",
    "vocab_size",  # the shapes of the weights are compared
}
READ_BUFFERS = (
    "inv_freq",
    "embed_scale",
)  # endings of those that `optimize` takes over as they are
# Where the functions are from that accelerate wraps around `forward` for mixed precision, and TRL for its losses.
AUTOCAST = ("torch.amp.autocast_mode", "accelerate.utils.operations")
FUSED_LOSS = "trl.trainer.utils"
ADAPTERS = ("lora", "peft")
QUANTISED = ("quant", "bitsandbytes", "4bit", "8bit", "fp8", "awq", "gptq", "hqq", "eetq")
MERGE = "merge the adapter first: hf_model = hf_model.merge_and_unload()"
LOAD_UNQUANTISED = "quantised weights are not supported, load the model without quantization_config"
# Words in the names of modules -> what helps where one stands in the place of another.
REMEDIES = {
    **dict.fromkeys(ADAPTERS, MERGE),
    **dict.fromkeys(QUANTISED, LOAD_UNQUANTISED),
    "parametrized": "call torch.nn.utils.parametrize.remove_parametrizations first",
}


class Part(NamedTuple):
    """A module of a model, by its name, and the one that transformers makes in its place."""

    name: str
    module: nn.Module
    expected: nn.Module


def check_parts(hf_model: PreTrainedModel, hf_class: type[PreTrainedModel]) -> None:
    """Raise ValueError naming the first part that computes something else than its configuration describes."""
    made_anew = _made_anew(hf_model, hf_class)
    _check_hooks("torch", vars(nn.modules.module), "_global")
    parts = list(_parts(Part("hf_model", hf_model, made_anew)))
    for part in parts:
        _check_methods(part)
        _check_weights(part)
        _check_hooks(part.name, vars(part.module))
        _check_constants(part)
        _check_tables(part, made_anew)
    _check_functions(hf_model, parts)


def _made_anew(hf_model: PreTrainedModel, hf_class: type[PreTrainedModel]) -> PreTrainedModel:
    """The model that transformers makes from the configuration, without memory."""
    from transformers.initialization import no_init_weights

    config = copy.deepcopy(hf_model.config)
    config._attn_implementation = "eager"
    with torch.device("meta"), no_init_weights():
        return hf_class(config)


def _parts(part: Part) -> Iterator[Part]:
    """All modules, from the outermost in, each checked for its class before its own parts are looked for."""
    module = unwrapped(part.module)
    _check_class(part.name, module, type(part.expected))
    yield part._replace(module=module)
    if isinstance(part.expected, nn.ModuleList) and len(module) != len(part.expected):
        raise ValueError(
            f"{part.name} holds {len(module)} layers: expected {len(part.expected)}, the num_hidden_layers of "
            "hf_model.config; change both, and layer_types with them"
        )
    for name, expected in part.expected.named_children():
        inner = getattr(module, name, None)
        if not (isinstance(expected, nn.Dropout) and isinstance(inner, nn.Identity)):
            yield from _parts(Part(f"{part.name}.{name}", inner, expected))


def _check_class(name: str, module: nn.Module | None, expected: type[nn.Module]) -> None:
    """A subclass may add to what it inherits, and replace nothing of it but how it is made."""
    given = type(module)
    subclasses = (
        given.__mro__[: given.__mro__.index(expected)] if issubclass(given, expected) else ()
    )
    if given is expected or (
        subclasses and not any(_replaces(cls, expected) for cls in subclasses)
    ):
        return
    title = f"{given.__module__}.{given.__qualname__}"
    inner = [] if module is None else [name for name, _ in module.named_children()]
    words = " ".join([title, *inner]).lower()
    remedies = (remedy for word, remedy in REMEDIES.items() if word in words)
    raise ValueError(
        f"{name} is a {title}: expected a {expected.__module__}.{expected.__qualname__}; "
        f"{next(remedies, 'put the original module back')}"
    )


def _replaces(subclass: type, expected: type) -> bool:
    """Whether a class has a method that replaces one of another class."""
    return any(
        isinstance(value, METHODS) and name in dir(expected) and name != "__init__"
        for name, value in vars(subclass).items()
    )


def _check_methods(part: Part) -> None:
    """No method is replaced in the object."""
    own = vars(part.module)
    kind = type(part.module)
    if "_hf_hook" in own:
        hook = type(own["_hf_hook"]).__name__
        raise ValueError(
            f"{part.name} has a hook of accelerate ({hook}), which moves weights or inputs: expected none; load the "
            "model onto one device, or call accelerate.hooks.remove_hook_from_module(hf_model, recurse=True)"
        )
    for name, value in own.items():
        inherited = getattr(kind, name, None)
        if not (callable(value) and callable(inherited)):
            continue
        function = _original(value)
        if not (isinstance(function, MethodType) and function.__func__ is inherited):
            raise ValueError(
                f"{part.name} has a method {name!r} of its own: expected that of {kind.__name__}; "
                f"delete the attribute {name!r}"
            )


def _original(function: Any) -> Any:
    """The method within what torch.compile, `optimize(inplace=True)`, accelerate and TRL put in its place."""
    for kept in ORIGINALS:
        function = getattr(function, kept, function)
    inner = getattr(function, "__func__", None)
    if _module_of(inner) in AUTOCAST:
        return _original(MethodType(inner.__wrapped__, function.__self__))
    if _module_of(inner) == FUSED_LOSS and "original_forward" in getclosurevars(inner).nonlocals:
        return _original(getclosurevars(inner).nonlocals["original_forward"])
    return function


def _module_of(function: Any) -> str:
    """Where a function was written, which `functools.wraps` hides; of an object, where its class was."""
    if isinstance(function, FunctionType):
        return function.__globals__["__name__"]
    return type(function).__module__


def _check_functions(hf_model: PreTrainedModel, parts: list[Part]) -> None:
    """No function is replaced in a class, in the file of a class, or among the kinds of attention."""
    from transformers import PreTrainedModel
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    kinds = dict.fromkeys(cls for part in parts for cls in type(part.expected).__mro__)
    files = dict.fromkeys(sys.modules[type(part.expected).__module__] for part in parts)
    for place in (*kinds.keys() - set(PreTrainedModel.__mro__), *files):
        for name, function in vars(place).items():
            _check_owner(f"{place.__name__}.{name}", function)
    name = hf_model.config._attn_implementation
    for registered in (ALL_ATTENTION_FUNCTIONS, ALL_MASK_ATTENTION_FUNCTIONS):
        _check_owner(f"attn_implementation {name!r}", registered.get(name))


def _check_owner(name: str, function: Any) -> None:
    """Raise ValueError where a function of transformers is not its own, nor one that it is wrapped in."""
    while isinstance(function, FunctionType):
        package = function.__globals__.get("__name__", "").partition(".")[0]
        if package not in TRUSTED:
            raise ValueError(
                f"{name} is replaced by {function.__qualname__} of {package}: expected the function of transformers; "
                "put it back before the model is optimized"
            )
        function = getattr(function, "__wrapped__", None)


def _check_hooks(name: str, attributes: Mapping[str, Any], prefix: str = "") -> None:
    """No hook but those by which transformers itself collects outputs."""
    for kind in ("forward_hooks", "forward_pre_hooks"):
        for hook in attributes[f"{prefix}_{kind}"].values():
            package = getattr(hook, "__module__", None) or type(hook).__module__
            if package.partition(".")[0] != "transformers":
                called = getattr(hook, "__qualname__", type(hook).__qualname__)
                raise ValueError(
                    f"{name} has a {kind.replace('_', ' ').removesuffix('s')}, {called}, which would not be called: "
                    "expected none; remove it, or register it on a layer of the model that optimize returns"
                )


def _check_constants(part: Part) -> None:
    """Epsilons, scales, sizes and kinds are those of the configuration."""
    for name, expected in vars(part.expected).items():
        if name.startswith("_") or name in WITHOUT_EFFECT or "drop" in name:
            continue
        value = getattr(part.module, name, expected)
        is_same = not callable(expected) or _innermost(value) is _innermost(expected)
        if isinstance(expected, CONSTANTS):
            is_same = isinstance(value, CONSTANTS) and value == expected
        if not is_same and not isinstance(part.expected, nn.Dropout):
            raise ValueError(
                f"{part.name}.{name} is {value!r}: expected {expected!r}, as hf_model.config has it; "
                "change the configuration and load the model again"
            )


def _innermost(function: Callable) -> Callable:
    """The function behind a bound or partial one."""
    return getattr(function, "__func__", getattr(function, "func", function))


def _check_weights(part: Part) -> None:
    """Every weight is a plain parameter."""
    held = part.module._parameters
    for name, expected in part.expected._parameters.items():
        if expected is not None and name not in held:
            found = ", ".join([*held, *part.module._buffers]) or "none"
            raise ValueError(
                f"{part.name} has no parameter {name!r}, but {found}: expected a weight that is not computed from "
                "others; make pruning, weight norm or spectral norm permanent first, by its function in torch.nn.utils"
            )
    for name, parameter in held.items():
        if parameter is not None and type(parameter.data) is not Tensor:
            kind = type(parameter.data)
            raise ValueError(
                f"{part.name}.{name} is a {kind.__module__}.{kind.__qualname__}: expected an ordinary tensor; "
                "quantised and distributed weights are not supported"
            )


def _check_tables(part: Part, made_anew: PreTrainedModel) -> None:
    """Tables that are computed and not stored hold what the configuration gives, but for their format's rounding."""
    held_tables = part.module._buffers
    compared = [
        name
        for name in part.expected._buffers.keys() & held_tables.keys()
        if not name.endswith(READ_BUFFERS) and not held_tables[name].is_meta
    ]
    if not compared:
        return
    with _torch_defaults():
        made_anew._init_weights(part.expected.float().to_empty(device="cpu", recurse=False))
    for name in compared:
        held = held_tables[name].cpu()
        expected = part.expected._buffers[name].to(held.dtype)
        tolerance = max(1e-5, torch.finfo(held.dtype).eps)
        if held.shape != expected.shape or not torch.allclose(
            held, expected, rtol=tolerance, atol=tolerance
        ):
            raise ValueError(
                f"{part.name}.{name} holds other numbers than hf_model.config gives: expected those, in the format "
                "of the weights; load the model again in the format that it is to have"
            )


@contextmanager
def _torch_defaults() -> Iterator[None]:
    """float32 and the CPU as default, whatever the caller's are: transformers' tables state neither."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


def drops_out(hf_model: nn.Module) -> bool:
    """Whether a part of a model is in training mode, and leaves something out in it."""
    return any(_drops_out(module) for module in hf_model.modules())


def _drops_out(module: nn.Module) -> bool:
    """Whether a module is in training mode, and leaves something out in it."""
    rates = {name: x for name, x in vars(module).items() if isinstance(x, float)}
    is_dropout = isinstance(module, nn.Dropout)
    return module.training and any(x > 0 and (is_dropout or "drop" in n) for n, x in rates.items())
