"""Triton's interpreter at less than half of its time: it repeats work in every operation and call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import triton
import triton.language as tl
from triton.runtime import interpreter

PATCHED = ("interpreter_builder", "_get_np_dtype", "_patch_lang")


def speed_up() -> None:
    """Leave out what the interpreter repeats, and what it checks to no effect.

    Nothing changes where kernels are compiled, or where a release of Triton has other names.
    """
    knobs = getattr(triton, "knobs", None)  # releases before 3.4 have none
    is_on = knobs is not None and knobs.runtime.interpret
    if not (is_on and all(hasattr(interpreter, name) for name in PATCHED)):
        return
    options = interpreter.interpreter_builder.options
    # Overflow is asserted where `debug` is on, and only there.
    interpreter.interpreter_builder.options = replace(options, sanitize_overflow=options.debug)
    scalar_type = functools.cache(interpreter._get_np_dtype)
    interpreter._get_np_dtype = lambda dtype: scalar_type(
        tl.uint64 if dtype.scalar.is_ptr() else dtype.scalar
    )
    patch = interpreter._patch_lang

    def patch_once(function: Callable) -> object:
        """The language as the interpreter has it, for a launch; a function called within finds it so."""
        known = [x for x in function.__globals__.values() if x is tl or x is tl.core]
        is_patched = not any(tl.core.is_builtin(language.load) for language in known)
        return None if is_patched else patch(function)

    interpreter._patch_lang = patch_once
