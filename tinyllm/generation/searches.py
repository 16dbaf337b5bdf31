"""Searches that are kept for the next call of their kind, with the memory and the captured turns they have."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from tinyllm.generation.beams import Beams
from tinyllm.generation.one_by_one import OneByOne
from tinyllm.runtime.device import total_bytes
from tinyllm.runtime.graph import Replay

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder
    from tinyllm.generation.request import Request
    from tinyllm.generation.search import Search

MOST = 4  # kinds of call that are kept
SHARE = 1 / 16  # of the device's memory, for the keys and values of all that is kept


class Searches:
    """Of each kind of call the last search, where something of it was captured; the oldest go first."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple | None, Search] = OrderedDict()

    @property
    def captures(self) -> list[Replay]:
        """The captured work that is kept; each knows how long its capture took."""
        return [replay for search in self.kept.values() for replay in search.captures]

    @property
    def bytes(self) -> int:
        """Keys and values of what is kept."""
        return sum(search.cache.bytes for search in self.kept.values())

    def take(self, model: Decoder, request: Request) -> Search:
        """A search for a request: the one that was kept where it has room, else a new one."""
        from tinyllm.generation.parts import kind, replayable

        key = kind(request) if replayable(request) and not model.hooked else None
        old = self.kept.pop(key, None) if request.cache is None else None
        if old is not None:
            if old.fits(request):
                old.renew(request)
                return old
            old.close()
        return (OneByOne if request.beams is None else Beams)(model, request, key)

    def put(self, search: Search) -> None:
        """Keep a search that has ended, or close it."""
        limit = SHARE * total_bytes(search.device) if search.captures and search.whole else 0
        if not limit or search.cache.bytes > limit:
            search.close()
            return
        self.kept[search.key] = search
        while len(self.kept) > MOST or self.bytes > limit:
            self.kept.popitem(last=False)[1].close()

    def clear(self) -> None:
        """Give all memory back."""
        while self.kept:
            self.kept.popitem()[1].close()
