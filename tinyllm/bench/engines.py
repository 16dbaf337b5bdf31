"""Everything that is measured side by side, opened and closed: stages and `hf` on one copy of the weights, or apart."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tinyllm.bench.export import save_folder, save_gguf
from tinyllm.bench.peers import Peer, pick_peers, transformers_twin
from tinyllm.bench.timing import Engine
from tinyllm.bench.worker_client import RemoteEngine, start_engine
from tinyllm.bench.worker_engines import static_options
from tinyllm.checkpoint import Checkpoint
from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.model import Model, load_model, restage
from tinyllm.stages import FASTEST, pick_stage

# Peers that can look at our weights, and what their `generate` is told.
SHARING: Mapping[str, Callable[..., dict[str, Any]]] = {
    "hf": lambda device: {},
    "hf-static": static_options,
}


def say(text: str) -> None:
    """Tell the user what is going on; results go to standard output, this does not."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Failures:
    """Engines that failed at something, and why: each is said once and left out of it; the others continue."""

    what: str = "this run"
    reasons: dict[str, str] = field(default_factory=dict)

    def attempt(self, engine: Any, act: Callable[[], Any]) -> Any:
        """Let an engine do something; None where it failed, now or before."""
        return self.named(engine.name, act)

    def named(self, name: str, act: Callable[[], Any]) -> Any:
        """The same for an engine that does not exist yet."""
        if name in self.reasons:
            return None
        try:
            return act()
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            self.reasons[name] = said[0]
            say(f"{name} is left out of {self.what}: {said[0]}")
            return None


@dataclass(frozen=True)
class Where:
    """A model, and where and how its engines live; `pythons` are interpreters of peers that need their own."""

    checkpoint: Checkpoint
    device: torch.device
    dtype: torch.dtype
    pythons: Mapping[str, str] = field(default_factory=dict)


def load_stages(where: Where, stages: Sequence[str]) -> list[Model]:
    """Stages on one copy of the weights; at least one, so that there are weights. Raises ValueError for a name."""
    chosen = [pick_stage(stage) for stage in stages or (FASTEST,)]
    first = load_model(where.checkpoint, chosen[0], where.device, where.dtype)
    return [first, *(restage(first, stage) for stage in chosen[1:])]


def load_engines(
    checkpoint: Checkpoint,
    stages: Sequence[str],
    peers: Sequence[str],
    device: torch.device,
    dtype: torch.dtype,
) -> list[Engine]:
    """transformers, then stages, in this process on one copy of the weights. Raises ValueError for other peers."""
    picked = pick_peers(peers)
    if set(peers) - set(SHARING):
        raise ValueError(
            f"peers {list(peers)}: only {list(SHARING)} run in this process; open_engines starts others"
        )
    models = load_stages(Where(checkpoint, device, dtype), stages)
    twins = [twin(name, peer, models[0], checkpoint) for name, peer in picked.items()]
    return twins + [Engine(model.stage.name, model) for model in models[: len(stages)]]


def twin(name: str, peer: Peer, decoder: Decoder, checkpoint: Checkpoint) -> Engine:
    """A peer in this process that looks at our weights."""
    options = SHARING[name](decoder.device, **peer.options)
    return Engine(name, transformers_twin(decoder, checkpoint), options)


@contextmanager
def open_engines(
    where: Where,
    stages: Sequence[str],
    peers: Mapping[str, Peer],
    failures: Failures,
    *,
    separate: bool = False,
) -> Iterator[list[Any]]:
    """Peers, then stages. Peers run in processes of their own; transformers does if `separate` or given a Python."""
    models = load_stages(where, stages)
    ours = [Engine(model.stage.name, model) for model in models[: len(stages)]]
    apart = {
        n: peer for n, peer in peers.items() if separate or n not in SHARING or n in where.pythons
    }
    found = {
        n: twin(n, peer, models[0], where.checkpoint) for n, peer in peers.items() if n not in apart
    }
    with ExitStack() as stack:
        if apart:
            folder = stack.enter_context(scratch())
            write_weights(models[0], where, apart, folder, failures)
        for name, peer in apart.items():
            if engine := failures.named(
                name, partial(start_peer, name, peer, folder, models[0].config, where)
            ):
                stack.callback(engine.close)
                found[name] = engine
        yield [found[name] for name in peers if name in found] + ours


def write_weights(
    decoder: Decoder, where: Where, peers: Iterable[str], folder: Path, failures: Failures
) -> None:
    """The weights, in the formats that these peers read."""
    save_folder(decoder, where.checkpoint, folder)
    if "llama.cpp" in peers:
        failures.named(
            "llama.cpp", lambda: save_gguf(decoder, where.checkpoint, folder / "model.gguf")
        )


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder; TMPDIR says where it is made."""
    with TemporaryDirectory(prefix="tinyllm-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def start_peer(
    name: str,
    peer: Peer,
    folder: Path,
    config: DecoderConfig,
    where: Where,
    budget: int | None = None,
) -> RemoteEngine:
    """A peer in a process of its own, with its weights loaded."""
    say(f"starting {name} ...")
    python = where.pythons.get(name, sys.executable)
    options = {"python": python, "budget": budget, **peer.options}
    return start_engine(name, name, folder, config, where.device, where.dtype, **options)


def start_stage(
    name: str, folder: Path, config: DecoderConfig, where: Where, budget: int | None = None
) -> RemoteEngine:
    """One of our stages in a process of its own."""
    say(f"starting {name} ...")
    return start_engine(
        name, "stage", folder, config, where.device, where.dtype, budget=budget, stage=name
    )
