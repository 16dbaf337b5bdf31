"""Sessions that are kept for the next call of their kind, with their memory and captured steps."""

from __future__ import annotations

from collections import OrderedDict

from tinyllm.decoder import Decoder
from tinyllm.generation.beam_search import BeamSearch
from tinyllm.generation.greedy_sample import GreedyOrSampling
from tinyllm.generation.replay import replayable, session_key
from tinyllm.generation.request import Request
from tinyllm.generation.session import GenerationSession
from tinyllm.runtime.device import total_bytes
from tinyllm.runtime.graph import CapturedGraph, captured_settings
from tinyllm.stages import Stage

MAX_SESSIONS = 4  # kinds of call that are kept
MEMORY_SHARE = 1 / 16  # of the device's memory, for the keys and values of all that is kept


class Sessions:
    """Of each kind of call the last session, where something of it was captured; the oldest are dropped first."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple | None, GenerationSession] = OrderedDict()

    @property
    def captures(self) -> list[CapturedGraph]:
        """The captured graphs that are kept; each records how long its capture took."""
        return [graph for session in self.kept.values() for graph in session.captures]

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values that are kept."""
        return sum(session.cache.nbytes for session in self.kept.values())

    def take(self, decoder: Decoder, stage: Stage, request: Request) -> GenerationSession:
        """A session for a request: the one that was kept, where the request fits, else a new one."""
        key = None
        if replayable(request) and not decoder.has_hooks:
            key = (*session_key(request), *captured_settings(), decoder.kv_dtype)
        old = self.kept.pop(key, None) if request.cache is None else None
        if old is not None:
            if old.fits(request):
                old.rebind(request)
                return old
            old.close()
        session = GreedyOrSampling if request.beams is None else BeamSearch
        return session(decoder, stage, request, key)

    def put(self, session: GenerationSession) -> None:
        """Keep a session that has ended, or close it."""
        limit = 0
        if session.captures and session.replayable and session.live_rows is None:
            limit = MEMORY_SHARE * total_bytes(session.device)
        if not limit or session.cache.nbytes > limit:
            session.close()
            return
        self.kept[session.key] = session
        while len(self.kept) > MAX_SESSIONS or self.nbytes > limit:
            self.kept.popitem(last=False)[1].close()

    def clear(self) -> None:
        """Give all memory back."""
        while self.kept:
            self.kept.popitem()[1].close()
