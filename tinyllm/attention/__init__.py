"""Attention over a cache: the third seam."""

from __future__ import annotations

from typing import NamedTuple

from tinyllm.config import DecoderConfig


class Scores(NamedTuple):
    """How the scores of a layer are made of q k: factor (None: 1 / sqrt(d)), bend, and how far back they reach."""

    scale: float | None = None
    softcap: float | None = None
    window: int | None = None


PLAIN = Scores()


def scores_of(config: DecoderConfig, kind: int) -> Scores:
    """Those of a kind of layer."""
    return Scores(config.score_scale, config.score_softcap, config.kinds[kind].window)
