"""A card of facts about Intel GPUs from public sources, and the least time per token that follows from them.

A field without a public source is None. Nothing here was measured by this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyllm.bench.table import aligned
from tinyllm.config import DecoderConfig
from tinyllm.cost.model import least_bytes, weight_elements
from tinyllm.cost.workload import Workload

GB, GIB, TERA = 1e9, 1 << 30, 1e12
FACTS = ("GPU", "Xe-cores", "XMX engines", "GB/s", "GiB", "16-bit TFLOPS")
LIMITS = ("GPU", "GB/s", "GiB", "fits", "ms/token", "tokens/s")
LPDDR_BYTES = 16  # of a transfer, on the 128 bits of the memory of a laptop


@dataclass(frozen=True)
class Architecture:
    """What all GPUs of an architecture share.

    An Xe-core has vector engines and XMX engines. A vector engine runs at most `threads` hardware threads, whose
    registers, of `register_bytes` each, are parts of one `register_file`, in bytes. `compiled_for`: the name of a GPU
    for Intel's offline compiler.
    """

    name: str
    compiled_for: str
    vector_engines: int
    xmx_engines: int
    threads: int
    register_bytes: int
    register_file: int
    source: str

    def threads_of_engine(self, registers: int = 128) -> int:
        """Hardware threads of a vector engine when each has so many registers."""
        return min(self.threads, self.register_file // (registers * self.register_bytes))


@dataclass(frozen=True)
class IntelGPU:
    """One GPU: bandwidth in bytes per second, memory in bytes, 8-bit operations per second of all XMX engines.

    `with_cpu`: one memory for the GPU and the CPU. None: no public source was found, or the laptop decides.
    """

    name: str
    architecture: Architecture
    xe_cores: int
    bandwidth: float
    memory: int | None
    xmx_int8: float | None
    source: str
    with_cpu: bool = False
    peak_source: str | None = None

    @property
    def xmx_engines(self) -> int:
        """XMX engines of all Xe-cores."""
        return self.xe_cores * self.architecture.xmx_engines

    @property
    def xmx_16_bits(self) -> float | None:
        """Floating-point operations per second in 16 bits: half of those in 8 (the sources of Xe-HPC and Xe2)."""
        return None if self.xmx_int8 is None else self.xmx_int8 / 2

    def seconds(self, num_bytes: float | int) -> float | int:
        """The least time in which memory delivers these bytes."""
        return num_bytes / self.bandwidth

    def holds(self, num_bytes: float | int) -> bool | None:
        """Whether the memory is larger than these bytes; None where its size is unknown."""
        return None if self.memory is None else num_bytes < self.memory


XE_HPC = Architecture(
    "Xe-HPC", "pvc", 8, 8, 8, 64, 65536,
    "https://intel.com/content/www/us/en/docs/oneapi/optimization-guide-gpu/2024-0/"
    "small-register-mode-vs-large-register-mode.html",
)  # fmt: skip
XE_HPG = Architecture(
    "Xe-HPG", "dg2", 16, 16, 8, 32, 32768,
    "https://oneapi-src.github.io/oneAPI-samples/Tools/GPU-Occupancy-Calculator",
)  # fmt: skip
XE2 = Architecture(
    "Xe2", "bmg", 8, 8, 8, 64, 65536, "https://chipsandcheese.com/p/intels-battlemage-architecture"
)
XE3 = Architecture(
    "Xe3",
    "ptl",
    8,
    8,
    10,
    64,
    65536,
    "https://chipsandcheese.com/p/panther-lakes-reveal-at-itt-2025",
)
# Half of a Max 1550 with its own memory: the figures of the card, divided by 2.
GPUS = (
    IntelGPU(
        "Max 1550, one tile", XE_HPC, 64, 3276.8 * GB / 2, 64 * GIB, 1678 * TERA / 2,
        "https://glennklockwood.com/garden/processors/pvc",
        peak_source="https://www.tweaktown.com/news/88073/intel-our-new-ponte-vecchio-gpu-is-2-5x-faster-than-nvidia-a100/",
    ),
    IntelGPU(
        "Max 1100", XE_HPC, 56, 1200 * GB, 48 * GIB, None,
        "https://chipsandcheese.com/2023/09/23/intels-ponte-vecchio-chiplets-gone-crazy/",
    ),
    IntelGPU(
        "Arc A770", XE_HPG, 32, 560 * GB, 16 * GIB, None,
        "https://www.svethardware.cz/intel-zverejnil-oficialni-specifikace-grafickych-karet-arc/58344",
    ),
    IntelGPU(
        "Arc B580", XE2, 20, 456 * GB, 12 * GIB, 233 * TERA,
        "https://www.svethardware.cz/"
        "intel-predstavuje-desktopovy-battlemage-arc-b570-a-b580-o-10-prekonava-rtx-4060/61385",
    ),
    IntelGPU(
        "Arc Pro B60", XE2, 20, 456 * GB, 24 * GIB, None,
        "https://technical.city/en/video/Graphics-4-Core-iGPU-Arc-vs-Arc-Pro-B60-Dual",
    ),
    IntelGPU(
        "Arc Pro B70", XE2, 32, 608 * GB, 32 * GIB, 367 * TERA,
        "https://zolotukhin.ai/blog/2026-05-18-intel-arc-pro-b70-deep-dive-and-zincs-t-intel-plan/",
    ),
    IntelGPU(
        "Lunar Lake (Arc 140V)", XE2, 8, 8533e6 * LPDDR_BYTES, 32 * GIB, 67 * TERA,
        "https://itc.ua/en/news/intel-introduces-core-ultra-200v-lunar-lake-processors-"
        "energy-efficient-with-lpddr5x-8533-and-16-faster-in-games-than-amd-hx-370/",
        with_cpu=True,
    ),
    IntelGPU(
        "Panther Lake (Arc B390)", XE3, 12, 9600e6 * LPDDR_BYTES, None, 120 * TERA,
        "https://spdup.net/20251010/intel-panther-lake-unveiled-12-xe3-gpu-cores-power-next-gen-handhelds",
        with_cpu=True, peak_source="https://tmexo.com/articles/809.html",
    ),
)  # fmt: skip


def intel_gpus() -> tuple[IntelGPU, ...]:
    """The GPUs of the card, largest first."""
    return GPUS


def intel_gpu(name: str) -> IntelGPU:
    """The GPU whose name contains these letters; raises ValueError for none or several."""
    found = [gpu for gpu in GPUS if name.lower() in gpu.name.lower()]
    if len(found) != 1:
        raise ValueError(
            f"GPU {name!r}: expected a part of one name of {[gpu.name for gpu in GPUS]}"
        )
    return found[0]


def gpu_sources(gpus: Sequence[IntelGPU] = GPUS) -> str:
    """The sources of the card as a line of Markdown links; the last ones are those of the architectures."""
    links = [f"[{gpu.name}]({gpu.source})" for gpu in gpus]
    links += [f"[peak of the {gpu.name}]({gpu.peak_source})" for gpu in gpus if gpu.peak_source]
    kinds = dict.fromkeys(gpu.architecture for gpu in gpus)
    return ", ".join([*links, *(f"[{kind.name}]({kind.source})" for kind in kinds)])


def facts_table(gpus: Sequence[IntelGPU] = GPUS) -> str:
    """The card as text, a line for each GPU; - where no public source was found."""
    return aligned([FACTS, *(_facts(gpu) for gpu in gpus)])


def _facts(gpu: IntelGPU) -> tuple[str, ...]:
    peak = "-" if gpu.xmx_16_bits is None else f"{gpu.xmx_16_bits / TERA:,.0f}"
    return (
        gpu.name,
        str(gpu.xe_cores),
        str(gpu.xmx_engines),
        f"{gpu.bandwidth / GB:,.0f}",
        _gib(gpu),
        peak,
    )


def _gib(gpu: IntelGPU) -> str:
    size = "-" if gpu.memory is None else f"{gpu.memory / GIB:.0f}"
    return f"{size} shared" if gpu.with_cpu else size


def token_bytes(
    config: DecoderConfig, bytes_per_weight: float | int = 2, held: int = 1024
) -> float | int:
    """Bytes that one token must read at least: every weight once, and the keys and values of `held` tokens.

    `bytes_per_weight`: 4 for float32, 2 for 16 bits, less for packed weights. Keys and values have 4 with float32, else
    2. Of an untied embedding one row is read.
    """
    size = 4 if bytes_per_weight == 4 else 2
    least = least_bytes(config, Workload(batch=1, tokens=1, held=held, size=size))
    return least + (bytes_per_weight - size) * (weight_elements(config) - _unread(config))


def stored_bytes(
    config: DecoderConfig, bytes_per_weight: float | int = 2, held: int = 1024
) -> float | int:
    """Bytes of the same that memory must hold: all rows of the embedding too."""
    return token_bytes(config, bytes_per_weight, held) + bytes_per_weight * _unread(config)


def _unread(config: DecoderConfig) -> int:
    """Elements of the embedding's other rows, where it is not the output projection too."""
    return 0 if config.tie_word_embeddings else (config.vocab_size - 1) * config.hidden_size


def gpu_table(
    config: DecoderConfig,
    bytes_per_weight: float | int = 2,
    held: int = 1024,
    gpus: Sequence[IntelGPU] = GPUS,
) -> str:
    """The limit of a token on every GPU: bytes / bandwidth, and whether the model fits.

    "ms/token" is the least time in which memory delivers the bytes; a measured one is longer. It is a dash where the
    model does not fit, and "fits" is a question mark where the memory's size is unknown.
    """
    sizes = (
        token_bytes(config, bytes_per_weight, held),
        stored_bytes(config, bytes_per_weight, held),
    )
    return aligned([LIMITS, *(_limits(gpu, *sizes) for gpu in gpus)])


def _limits(gpu: IntelGPU, read: float | int, stored: float | int) -> tuple[str, ...]:
    fits = {True: "yes", False: "no", None: "?"}[gpu.holds(stored)]
    ms = 1e3 * gpu.seconds(read)
    times = ("-", "-") if fits == "no" else (f"{ms:.2f}", f"{1e3 / ms:,.0f}")
    return (gpu.name, f"{gpu.bandwidth / GB:,.0f}", _gib(gpu), fits, *times)
