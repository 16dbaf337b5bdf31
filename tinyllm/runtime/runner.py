"""How a decode step is executed: one call at a time, or (on the way) as a captured graph."""

from __future__ import annotations

from collections.abc import Callable

Step = Callable[..., object]


def eager(step: Step) -> Step:
    """Run each operation as Python reaches it."""
    return step
