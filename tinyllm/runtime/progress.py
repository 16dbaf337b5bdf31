"""Progress bars for people: in a terminal or a notebook, and not in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm

from tinyllm.parallel.ranks import is_first_rank


def progress(items: Iterable | None = None, **options: Any) -> tqdm:
    """tqdm's bar, which writes nothing where standard error is a file or a pipe."""
    in_terminal = sys.stderr is not None and sys.stderr.isatty()
    if not is_first_rank() or (not in_terminal and not _in_notebook()):
        options["disable"] = True
    return tqdm(items, leave=False, **options)


def _in_notebook() -> bool:
    """Whether cells of a notebook are being run: IPython is then loaded, and has a shell."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
