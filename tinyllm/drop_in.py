"""`optimize`: tinyllm for a transformers model in memory, as a model of its own or in the place of `generate`."""

from __future__ import annotations

import warnings
from types import MethodType
from typing import TYPE_CHECKING, Any, no_type_check

import torch
from torch import nn

from tinyllm.checkpoint.module import causal_lm_class, unwrapped
from tinyllm.checkpoint.module_check import check_parts, drops_out
from tinyllm.checkpoint.module_state import CopiedWeight, copied_weights, parts_of, weight_places
from tinyllm.decoder import Decoder
from tinyllm.families import Family, family_of
from tinyllm.generation.inputs import pick_cache
from tinyllm.generation.request import Request
from tinyllm.generation.session import GenerationSession
from tinyllm.generation.sessions import Sessions
from tinyllm.model import Model, from_module
from tinyllm.stages import FASTEST, Stage, pick_kv_dtype, pick_stage

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DROPOUT = "hf_model is in training mode and has dropout"
BY_TRANSFORMERS = "transformers answers, not tinyllm"
UNSUPPORTED = (TypeError, ValueError)  # for a model or an argument that tinyllm does not support


@torch.inference_mode(mode=False)  # weights made in inference mode could not be moved or converted
@no_type_check  # what users pass is checked below, with messages of our own
def optimize(
    hf_model: PreTrainedModel | nn.Module,
    *,
    stage: str | Stage = FASTEST,
    inplace: bool = False,
    kv_dtype: str | torch.dtype | None = None,
) -> Model | PreTrainedModel:
    """Run a loaded transformers model through one of our stages, on the same weights in the same memory.

    Returns a `Model`, or with `inplace=True` `hf_model` itself, whose `generate` is then answered by tinyllm, as long
    as tinyllm supports model and arguments; transformers' own answers other calls, and a warning states each reason
    once. Everything else of `hf_model` is as before; `del hf_model.generate` restores its own `generate`.

    Shared are all weights but norms whose stored weights lack one (Gemma), and matrices of layers that share a
    parameter: parameters of `hf_model` that are merged here become rows of the merged matrix. In-place edits, an
    optimizer's step or `load_state_dict` change both models, and what was captured stays valid. In place, the copied
    weights are read again at each call, and so is `hf_model` where a parameter, a module or a hook was replaced; for a
    `Model`, those are not seen. `torch.compile` and `DataParallel` around the model are left out, and for a `Model`
    dropout, with a warning. `kv_dtype="int8"` keeps keys and values in eight bits, as in `tinyllm.from_pretrained`.
    Raises TypeError for anything else, ValueError for a model type that is not supported, and for a
    model that computes something else than its configuration describes: hooks, a forward of its own,
    replaced or changed parts, adapters, quantised weights.
    """
    stage = pick_stage(stage)
    kv_dtype = pick_kv_dtype(kv_dtype, stage)
    module = unwrapped(hf_model)
    if inplace:
        module.generate = InplaceGenerate(module, stage, kv_dtype)
        return hf_model
    model = from_module(module, stage, kv_dtype)
    if drops_out(module):
        warnings.warn(
            f"{DROPOUT}: tinyllm computes what hf_model.eval() does, without it",
            UserWarning,
            stacklevel=3,
        )
    return model


class WatchedSessions(Sessions):
    """Sessions that record whether a call took one: its arguments are accepted then, and its work has begun."""

    was_taken = False

    def take(self, decoder: Decoder, stage: Stage, request: Request) -> GenerationSession:
        """See `Sessions.take`."""
        self.was_taken = True
        return super().take(decoder, stage, request)


class InplaceGenerate:
    """The `generate` of a transformers model, answered by `model`, a tinyllm model on the same weights.

    A copy or a pickle of the transformers model has one of its own, which shares the weights of the copy.
    """

    def __init__(
        self, hf_model: PreTrainedModel, stage: Stage, kv_dtype: torch.dtype | None = None
    ) -> None:
        self.hf_model = hf_model
        self.stage = stage
        self.kv_dtype = kv_dtype
        self.known_reasons: set[str] = set()
        self._reset()
        self._share()

    def _reset(self) -> None:
        self.model: Model | None = None
        self.copied: list[CopiedWeight] = []
        self.places: list[tuple] = []
        self.parts: list = []
        self.unsupported_reason: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: vars(self)[name] for name in ("hf_model", "stage", "kv_dtype", "known_reasons")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Arguments and result are those of `transformers.GenerationMixin.generate`."""
        self._update()
        reason = self.unsupported_reason
        if reason is None:
            self.model.sessions.was_taken = False
            try:
                return self.model.generate(*args, **kwargs)
            except UNSUPPORTED as error:
                if self.model.sessions.was_taken:
                    raise
                reason = str(error)
        cache = pick_cache(kwargs.get("cache"), kwargs.get("past_key_values"))
        if isinstance(cache, self.stage.cache):  # which transformers cannot read
            raise ValueError(reason)
        if reason not in self.known_reasons:
            self.known_reasons.add(reason)
            warnings.warn(f"{BY_TRANSFORMERS}: {reason}", UserWarning, stacklevel=2)
        return self.transformers_generate(*args, **kwargs)

    @property
    def transformers_generate(self) -> MethodType:
        """The method that the class of the transformers model has."""
        return MethodType(type(self.hf_model).generate, self.hf_model)

    @property
    def _family(self) -> Family:
        return family_of(self.hf_model.config)

    @torch.inference_mode(mode=False)
    def _update(self) -> None:
        """Make the tinyllm model what the transformers model is now, or keep why it cannot be."""
        places = weight_places(self.hf_model)
        now = parts_of(self.hf_model)
        if places != self.places or now != self.parts:
            if places != self.places:
                self.model = None
                self.copied = []
            self.places = places
            self.parts = now
            self.unsupported_reason = self._find_unsupported_reason()
        if self.unsupported_reason is None:
            self.model.generation_config = self.hf_model.generation_config
            for weight in self.copied:
                weight.refresh()

    def _find_unsupported_reason(self) -> str | None:
        """Why tinyllm cannot answer for the transformers model; None where it can, on weights that are shared."""
        if drops_out(self.hf_model):
            return f"{DROPOUT}: expected a model in evaluation; call hf_model.eval()"
        try:
            if self.model is None:
                self._share()
            else:
                check_parts(self.hf_model, causal_lm_class(self.hf_model, self._family))
        except UNSUPPORTED as error:
            return str(error)
        return None

    def _share(self) -> None:
        """Make a tinyllm model on the weights where they are now."""
        self.model = from_module(self.hf_model, self.stage, self.kv_dtype)
        self.model.sessions = WatchedSessions()
        self.copied = copied_weights(self.model, self._family, self.hf_model)
        self.places = weight_places(self.hf_model)
