"""The Triton kernel of attention over both segments, in pieces, and how many programs a GPU gives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinyllm.bench.table import aligned
from tinyllm.draw.source import kernel_source, narrow
from tinyllm.lab.intel_gpus import IntelGPU
from tinyllm.lab.occupancy import Launch, Occupancy, occupancy_of
from tinyllm.lab.shapes import known_config
from tinyllm.lab.specialised import kernel_paragraphs

KERNEL, SEGMENTS = "triton/attention.py", "triton/attention_segments.py"
# What a launch for beams without padding, ALiBi, window, soft cap and int8 does not have
ABSENT = (
    "SOFTCAP", "WINDOW", "slopes_ptr", "slope", "prompt.positions_ptr", "prompt.k_scale_ptr",
    "response.k_scale_ptr", "v_scale",
)  # fmt: skip


def segment_kernel_pieces(group: int, width: int, head_dim: int) -> dict[str, str]:
    """The source of one launch over `width` beams, as Triton specialises it: pieces by name, in the order they run.

    `group` is the number of query heads that share a key/value head.
    """
    known = dict.fromkeys(ABSENT) | {"GROUP_SIZE": group, "WIDTH": width, "HEAD_DIM": head_dim}
    known |= {"BLOCK_M": 16, "SPLITS": 1, "BLOCK_LOADS": False, "AS_BLOCK": False, "WORD_BITS": 64}
    known |= {"beam_mask.mask_ptr": True, "beam_mask.live_slots_ptr": True, "HAS_BEAMS": True}
    host = kernel_source(KERNEL, "segment_attention").splitlines()
    (grid,) = (line.strip() for line in host if "_segment_attention[" in line)
    parts = kernel_paragraphs(KERNEL, "_segment_attention", known)
    rows, lengths, slots, _, tiles, loops, _ = parts
    of_softmax = kernel_paragraphs("triton/online_softmax.py", "online_softmax_step", known)
    found = {"grid": grid, "rows": rows, "queries and state": f"{lengths}\n{slots}"}
    found |= {"tiles": tiles, "both loops": loops}
    for name in ("prompt", "response"):
        loop = kernel_paragraphs(SEGMENTS, f"attend_to_{name}", known)
        found[f"loop over the {name}"] = "\n".join(loop)
    found["online softmax"] = "\n".join(of_softmax)
    found["result"] = "\n".join(kernel_paragraphs(KERNEL, "_store_output", known))
    return {name: narrow(text) for name, text in found.items()}


@dataclass(frozen=True)
class Split:
    """Attention of one step of a model on a GPU: its programs without a split, the splits, and what they fill."""

    model: str
    gpu: IntelGPU
    unsplit: int
    splits: int
    occupancy: Occupancy


def splits_on(
    models: Iterable[str], gpus: Sequence[IntelGPU], beams: int, keys: int, batch: int = 1
) -> list[Split]:
    """What `plan_splits` chooses with the launch sizes of "xpu", in 16 bits, for `keys` slots reserved in memory."""
    from tinyllm.kernels.triton.split_plan import plan_splits
    from tinyllm.kernels.triton.tuning import key_tile, launch_for

    launch, found = launch_for("attention", "xpu"), []
    for model in models:
        config = known_config(model)
        tile = key_tile(config.head_dim, 2, launch)
        sizes = (batch, config.num_key_value_heads, beams * config.group, keys, tile)
        for gpu in gpus:
            plan = plan_splits(*sizes, processors=gpu.xe_cores, launch=launch)
            unsplit = batch * config.num_key_value_heads * plan.row_blocks
            registers = int(launch.grf_mode or 128)
            programs = Launch("attention", unsplit * plan.splits, launch.num_warps, registers)
            found.append(Split(model, gpu, unsplit, plan.splits, occupancy_of(programs, gpu)))
    return found


def splits_as_text(splits: Iterable[Split]) -> str:
    """A table, a line for each model and GPU."""
    head = ("model", "Xe-cores", "unsplit", "splits", "programs", "Xe-cores used", "of threads")
    lines = [
        (
            x.model,
            str(x.gpu.xe_cores),
            str(x.unsplit),
            str(x.splits),
            str(x.unsplit * x.splits),
            str(x.occupancy.xe_cores),
            f"{x.occupancy.share:.0%}",
        )
        for x in splits
    ]
    return aligned([head, *lines])
