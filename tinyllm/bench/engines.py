"""Opens and closes the engines of a measurement: in this process on one copy of the weights, or one process each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch

from tinyllm.bench.export import save_folder, save_gguf
from tinyllm.bench.packed_peers import PackedPeer, packed_peers
from tinyllm.bench.peers import Peer, pick_peers, transformers_twin
from tinyllm.bench.rows import INT8_KEYS
from tinyllm.bench.timing import Engine
from tinyllm.bench.worker_client import RemoteEngine, start_engine
from tinyllm.bench.worker_engines import static_options
from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.weight_formats import WeightFormat
from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.linear import packed_formats
from tinyllm.model import Model, load_model, restage, with_kv_dtype
from tinyllm.parallel.ranks import SINGLE, Ranks, is_first_rank
from tinyllm.stages import FASTEST, pick_stage

# Peers that can share our weights, and the options of their `generate`.
SHARED_WEIGHT_PEERS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "hf": lambda device: {},
    "hf-static": static_options,
}


def report(text: str) -> None:
    """Print progress to standard error, on the first rank; standard output holds the results alone."""
    if is_first_rank():
        print(text, file=sys.stderr, flush=True)


@dataclass
class Failures:
    """Engines that failed, and their errors: each is reported once and left out of `activity`; the others continue."""

    activity: str = "this run"
    reasons: dict[str, str] = field(default_factory=dict)

    def attempt(self, engine: Any, act: Callable[[], Any]) -> Any:
        """The result of `act`; None for an engine that failed, now or before."""
        return self.attempt_by_name(engine.name, act)

    def attempt_by_name(self, name: str, act: Callable[[], Any]) -> Any:
        """The same for an engine that is not loaded yet."""
        if name in self.reasons:
            return None
        try:
            return act()
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self.reasons[name] = lines[0]
            report(f"{name} is left out of {self.activity}: {lines[0]}")
            return None


@dataclass(frozen=True)
class EngineSettings:
    """The model, device and dtype of all engines; `pythons` are interpreters of peers in environments of their own.

    `weights` are formats that the last stage and the peers run in too, beside dense weights; `kv_dtype` is a number
    format of keys and values in which the last stage runs too, in each format of the weights. Stages run over `ranks`.
    """

    checkpoint: Checkpoint
    device: torch.device
    dtype: torch.dtype
    pythons: Mapping[str, str] = field(default_factory=dict)
    weights: Sequence[WeightFormat] = ()
    ranks: Ranks = SINGLE
    kv_dtype: str | None = None


def load_stages(settings: EngineSettings, stages: Sequence[str]) -> list[Model]:
    """Stages on one copy of the weights, the fastest if none is named. Raises ValueError for an unknown name."""
    chosen = [pick_stage(stage) for stage in stages or (FASTEST,)]
    place = (settings.device, settings.dtype)
    first = load_model(settings.checkpoint, chosen[0], *place, ranks=settings.ranks)
    return [first, *(restage(first, stage) for stage in chosen[1:])]


def load_formats(settings: EngineSettings, stages: Sequence[str]) -> list[Engine]:
    """The last stage in each other format of the weights, named by the format that most bytes are in."""
    stage = pick_stage(stages[-1]) if stages else None
    found: dict[str, Engine] = {}
    for weight_format in settings.weights if stage else ():
        start = perf_counter()
        model = load_model(
            settings.checkpoint,
            stage,
            settings.device,
            settings.dtype,
            weight_format,
            settings.ranks,
        )
        name = f"{stage.name}, {next(iter(packed_formats(model)), weight_format.name)}"
        if name in found:
            name = f"{stage.name}, {weight_format.name}"
        found[name] = Engine(name, model, load_s=perf_counter() - start)
    return list(found.values())


def in_int8(engines: Sequence[Engine], stages: Sequence[str]) -> list[Engine]:
    """The last stage with keys and values in int8, on each of the weights that it has."""
    last = [engine for engine in engines if engine.name.partition(",")[0] in stages[-1:]]
    return [
        Engine(f"{engine.name}, {INT8_KEYS}", with_kv_dtype(engine.model, "int8"))
        for engine in last
    ]


def load_engines(
    checkpoint: Checkpoint,
    stages: Sequence[str],
    peers: Sequence[str],
    device: torch.device,
    dtype: torch.dtype,
) -> list[Engine]:
    """transformers, then stages, in this process on one copy of the weights. Raises ValueError for other peers."""
    picked = pick_peers(peers)
    if set(peers) - set(SHARED_WEIGHT_PEERS):
        raise ValueError(
            f"peers {list(peers)}: only {list(SHARED_WEIGHT_PEERS)} run in this process; open_engines starts others"
        )
    models = load_stages(EngineSettings(checkpoint, device, dtype), stages)
    twins = [twin(name, peer, models[0], checkpoint) for name, peer in picked.items()]
    return twins + [Engine(model.stage.name, model) for model in models[: len(stages)]]


def twin(name: str, peer: Peer, decoder: Decoder, checkpoint: Checkpoint) -> Engine:
    """A peer in this process that shares our weights."""
    options = SHARED_WEIGHT_PEERS[name](decoder.device, **peer.options)
    return Engine(name, transformers_twin(decoder, checkpoint), options)


@contextmanager
def open_engines(
    settings: EngineSettings,
    stages: Sequence[str],
    peers: Mapping[str, Peer],
    failures: Failures,
    *,
    separate: bool = False,
) -> Iterator[list[Any]]:
    """Peers, each in its own process, then stages; transformers shares ours unless `separate` or given a Python.

    Packed weights come after the dense ones, of peers and of stages.
    """
    start = perf_counter()
    models = load_stages(settings, stages)
    load_s = perf_counter() - start
    ours = [Engine(model.stage.name, model, load_s=load_s) for model in models[: len(stages)]]
    ours += load_formats(settings, stages)
    if settings.kv_dtype is not None:
        ours += in_int8(ours, stages)
    remote = {
        n: peer
        for n, peer in peers.items()
        if peer.dense and (separate or n not in SHARED_WEIGHT_PEERS or n in settings.pythons)
    }
    found = {
        n: twin(n, peer, models[0], settings.checkpoint)
        for n, peer in peers.items()
        if peer.dense and n not in remote
    }
    packed = packed_peers(peers, settings.checkpoint, settings.weights, settings.dtype)
    with ExitStack() as stack:
        if remote or packed:
            folder = stack.enter_context(scratch())
            write_weights(models[0], settings, remote, folder, failures)
            held = (folder, models[0].config, settings)
        starts = {n: partial(start_peer, n, peer, *held) for n, peer in remote.items()}
        starts |= {
            n: partial(start_packed_peer, n, one, peers[one.peer], *held)
            for n, one in packed.items()
        }
        for name, start in starts.items():
            if engine := failures.attempt_by_name(name, start):
                stack.callback(engine.close)
                found[name] = engine
        yield [found[name] for name in (*peers, *packed) if name in found] + ours


def write_weights(
    decoder: Decoder,
    settings: EngineSettings,
    peers: Iterable[str],
    folder: Path,
    failures: Failures,
) -> None:
    """Write the weights to `folder`, in the formats that these peers read."""
    save_folder(decoder, settings.checkpoint, folder)
    if "llama.cpp" in peers:
        failures.attempt_by_name(
            "llama.cpp", lambda: save_gguf(decoder, settings.checkpoint, folder / "model.gguf")
        )


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, in TMPDIR."""
    with TemporaryDirectory(prefix="tinyllm-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def start_peer(
    name: str,
    peer: Peer,
    folder: Path,
    config: DecoderConfig,
    settings: EngineSettings,
    budget: int | None = None,
) -> RemoteEngine:
    """A peer in a process of its own, with its weights loaded; behind its name a format of weights may stand."""
    report(f"starting {name} ...")
    kind = name.partition(",")[0]
    python = settings.pythons.get(kind, sys.executable)
    options = {"python": python, "budget": budget, **peer.options}
    return start_engine(name, kind, folder, config, settings.device, settings.dtype, **options)


def start_packed_peer(
    name: str,
    packed: PackedPeer,
    peer: Peer,
    folder: Path,
    config: DecoderConfig,
    settings: EngineSettings,
) -> RemoteEngine:
    """A peer in a process of its own, with packed weights."""
    options = dict(peer.options) | packed.options(folder)
    return start_peer(name, replace(peer, options=options), folder, config, settings)


def start_stage(
    stage: str,
    folder: Path,
    config: DecoderConfig,
    settings: EngineSettings,
    budget: int | None = None,
    *,
    weight_format: WeightFormat | None = None,
    kv_dtype: str | None = None,
) -> RemoteEngine:
    """One of our stages in a process of its own; its name ends with the formats that are not those of `folder`.

    Weights in another format are made of the checkpoint's own file; of `folder`, where it is random.
    """
    name = engine_name(stage, weight_format, kv_dtype)
    report(f"starting {name} ...")
    options: dict[str, Any] = {"stage": stage, "kv_dtype": kv_dtype}
    if weight_format is not None:
        options["weights"] = weight_format.name
        stored = Path(settings.checkpoint.weights.file(None))
        folder = stored if stored.exists() else folder
    engine = start_engine(
        name, "stage", folder, config, settings.device, settings.dtype, budget=budget, **options
    )
    if weight_format is not None:
        engine.weights = weight_format.name
    return engine


def engine_name(stage: str, weight_format: WeightFormat | None, kv_dtype: str | None) -> str:
    """A stage with its formats of weights and of keys, where they are not the model's own."""
    formats = [] if weight_format is None else [weight_format.name]
    formats += [] if kv_dtype is None else [INT8_KEYS]
    return ", ".join([stage, *formats])
