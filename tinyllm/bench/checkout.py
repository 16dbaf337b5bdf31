"""tinyllm from a checkout, in a Python where it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def find_tinyllm() -> None:
    """Make a checkout importable without installing it: its kernels are in a folder beside the package."""
    try:
        version("tinyllm-xpu")
    except PackageNotFoundError:
        if str(ROOT) not in sys.path:
            sys.path.append(str(ROOT))
        spec = importlib.util.spec_from_file_location(
            "tinyllm.kernels", ROOT / "kernels" / "__init__.py"
        )
        kernels = importlib.util.module_from_spec(spec)
        sys.modules["tinyllm.kernels"] = kernels
        spec.loader.exec_module(kernels)
