"""Other engines that are measured beside tinyllm, on the same weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from tinyllm.bench.worker_client import environment_of
from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.loading import source_tensors
from tinyllm.decoder import Decoder
from tinyllm.runtime.device import KINDS

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Peer:
    """Another engine: the modules and kinds of device it needs, how to install it, options of its worker.

    `dense`: whether it runs on dense weights; `reads_gguf`: whether it runs on the blocks of a GGUF file; `quantises`:
    the integers that it can make of dense weights itself.
    """

    modules: tuple[str, ...] = ("torch", "transformers")
    devices: tuple[str, ...] = KINDS
    install: str = "pip install torch transformers"
    options: Mapping[str, object] = field(default_factory=dict)
    dense: bool = True
    reads_gguf: bool = False
    quantises: tuple[str, ...] = ()


PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "hf": Peer(),
        "hf-static": Peer(),
        "hf-packed": Peer(
            ("torch", "transformers", "triton"), ("xpu", "cuda"), dense=False, reads_gguf=True
        ),
        "ipex": Peer(
            ("torch", "transformers", "intel_extension_for_pytorch"),
            ("xpu", "cpu"),
            "an environment of its own with intel-extension-for-pytorch and the torch it names",
        ),
        "openvino": Peer(
            ("torch", "transformers", "openvino_genai", "optimum.intel"),
            ("xpu", "cpu"),
            "pip install openvino-genai optimum-intel nncf, in an environment of its own, without torchvision",
            quantises=("int4", "int8"),
        ),
        "llama.cpp": Peer(
            ("torch", "llama_cpp"),
            KINDS,
            "pip install llama-cpp-python, which compiles C++",
            reads_gguf=True,
        ),
        "torchao": Peer(
            ("torch", "transformers", "torchao"),
            KINDS,
            "pip install torchao",
            dense=False,
            quantises=("int4", "int8"),
        ),
    }
)
FIND_MODULES = """
import sys
from importlib.util import find_spec
def found(name):
    try: return find_spec(name) is not None
    except ImportError: return False
print(*[name for name in sys.argv[1:] if not found(name)])
"""


def pick_peers(names: Iterable[str]) -> dict[str, Peer]:
    """Peers by name. Raises ValueError, with the known names, for an unknown one."""
    for name in names:
        if name not in PEERS:
            raise ValueError(f"peer {name!r} is unknown: expected one of {list(PEERS)}")
    return {name: PEERS[name] for name in names}


def pick_pythons(given: Iterable[str]) -> dict[str, str]:
    """Interpreters from `name=path`. Raises ValueError or FileNotFoundError for a path that cannot be run."""
    pythons = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals:
            raise ValueError(
                f"--peer-python {text}: expected PEER=PATH, as in ipex=ipex-env/bin/python"
            )
        pick_peers([name])
        found = which(str(Path(path).expanduser()))
        if found is None:
            raise FileNotFoundError(
                f"--peer-python {text}: {path} is no program: expected a Python interpreter"
            )
        pythons[name] = found
    return pythons


def absent(peers: Mapping[str, Peer], device: str, pythons: Mapping[str, str]) -> dict[str, str]:
    """The peers that cannot be measured here, by name, with the reason."""
    reasons = {}
    for name, peer in peers.items():
        if device not in peer.devices:
            reasons[name] = f"does not run on {device}: expected one of {list(peer.devices)}"
        elif missing := missing_modules(peer, pythons.get(name)):
            where = f"{pythons[name]} has" if name in pythons else "this environment has"
            alternative = (
                ""
                if name in pythons
                else f", and --peer-python {name}=PATH if it is another environment"
            )
            reasons[name] = (
                f"not installed ({where} no {', '.join(missing)}): {peer.install}{alternative}"
            )
    return reasons


def missing_modules(peer: Peer, python: str | None) -> list[str]:
    """Modules of a peer that this or another interpreter cannot find; nothing is imported."""
    if python is None or python == sys.executable:
        return [name for name in peer.modules if find_spec(name.split(".")[0]) is None]
    result = subprocess.run(
        [python, "-c", FIND_MODULES, *peer.modules],
        capture_output=True,
        text=True,
        env=environment_of(python),
    )
    if result.returncode:
        raise ValueError(
            f"{python} cannot list its modules: {result.stderr.strip().splitlines()[-1:]}"
        )
    return result.stdout.split()


def transformers_twin(decoder: Decoder, checkpoint: Checkpoint) -> PreTrainedModel:
    """The model of transformers for a checkpoint, in eager mode, sharing the memory of `decoder`'s weights."""
    import transformers

    config = checkpoint.config
    weights = {
        source: rows
        for name, parameter in decoder.named_parameters()
        for source, rows in source_tensors(checkpoint, decoder, name, parameter.data)
    }
    # transformers copies all tensors that it loads to the CPU: load shapes without memory, assign the weights later.
    shapes = {
        name: torch.empty((), dtype=decoder.dtype, device="cpu").expand(rows.shape)
        for name, rows in weights.items()
    }
    kind = getattr(transformers, checkpoint.family.architectures[config.model_type])
    progress = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        twin = kind.from_pretrained(None, config=config, state_dict=shapes, dtype=decoder.dtype)
    finally:
        if progress:
            transformers.utils.logging.enable_progress_bar()
    for name, parameter in twin.named_parameters():
        parameter.data = weights[name]
    twin.generation_config = checkpoint.generation_config
    return twin.to(decoder.device).eval()
