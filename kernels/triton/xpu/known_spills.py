"""Kernels that are known to spill registers on Intel GPUs, and why."""

from __future__ import annotations

KNOWN_SPILLS: dict[str, dict[str, int]] = {}
