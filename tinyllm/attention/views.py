"""What the tokens of a pass may look at, for every kind of layer that a model has."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.attention.mask import alibi_slopes, attention_bias
from tinyllm.config import DecoderConfig
from tinyllm.kernels.partial import aligned


class Views:
    """The rules of a model for keys of one format on one device."""

    def __init__(self, config: DecoderConfig, like: Float[Tensor, ...]) -> None:
        self.like, self.windows = like, [kind.window for kind in config.kinds]
        self.slopes = alibi_slopes(config.num_attention_heads).to(like.device) if config.alibi else None
        self.group, self.bent = config.group, config.score_softcap is not None

    @property
    def plain(self) -> bool:
        """Whether a causal mask and padding are all there is."""
        return self.slopes is None and not self.bent and not any(self.windows)

    def of(
        self, mask: Int[Tensor, "b total"] | None, held: int, tokens: int
    ) -> list[Float[Tensor, "#b #h tokens total"] | None]:
        """The bias of each kind of layer for the last `tokens` of a prompt; kinds with the same window share it."""
        rules = {
            window: attention_bias(mask, held, tokens, self.like, window, self.slopes, self.bent)
            for window in set(self.windows)
        }
        return [rules[window] for window in self.windows]

    def fallen(self, distances: Int[Tensor, "#b n"], w: int) -> Float[Tensor, "#b g rows n"]:
        """What ALiBi adds to the scores of keys so far away, counted below zero; a head's `w` sequences are rows."""
        slopes = self.slopes[:, None].expand(-1, w).reshape(1, -1, self.group * w, 1)
        return (slopes * distances[:, None, None]).to(self.like.dtype)


def added(
    bias: Float[Tensor, "#b #g #rows n"] | None, more: Float[Tensor, "#b g rows n"]
) -> Float[Tensor, "#b g rows n"]:
    """Both, where there are two; aligned as kernels want it."""
    return aligned(more if bias is None else bias + more)
