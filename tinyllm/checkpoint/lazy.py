"""Values that are made when they are first used: for some, transformers is imported, which takes a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerBase

T = TypeVar("T")


class Lazy(Generic[T]):
    """A value that `make` makes when it is first used."""

    make: Callable[[], T]

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make

    @classmethod
    def of(cls, value: T) -> Lazy[T]:
        """A value that exists already."""
        lazy = cls.__new__(cls)
        lazy.value = value
        return lazy

    @cached_property
    def value(self) -> T:
        """The value, the same one each time."""
        return self.make()

    @property
    def is_made(self) -> bool:
        """Whether the value exists, so that its user may have changed it."""
        return "value" in vars(self)


class LazyTokenizer(Lazy["PreTrainedTokenizerBase | None"]):
    """A tokenizer, and the folder that transformers saved it in; None for one that exists already."""

    folder: Path | None = None

    def __init__(self, make: Callable[[], PreTrainedTokenizerBase], folder: Path) -> None:
        super().__init__(make)
        self.folder = folder


class LazyGenerationConfig(Lazy["GenerationConfig | None"]):
    """The defaults of `generate`; `known` are all options that are set in one that does not exist yet."""

    known: dict[str, Any]

    def __init__(self, make: Callable[[], GenerationConfig], known: dict[str, Any]) -> None:
        super().__init__(make)
        self.known = known

    @property
    def options(self) -> dict[str, Any]:
        """The options by name."""
        if not self.is_made:
            return self.known
        return {} if self.value is None else self.value.to_dict()
