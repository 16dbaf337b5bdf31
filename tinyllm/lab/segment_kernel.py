"""The Triton kernel of attention over both segments, in pieces, and how many programs a GPU gives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinyllm.bench.table import aligned
from tinyllm.draw.source import kernel_source
from tinyllm.lab.shapes import known_config
from tinyllm.lab.specialised import kernel_paragraphs

KERNEL, SEGMENTS = "triton/attention.py", "triton/attention_segments.py"
# What a launch for beams without padding, ALiBi, window, soft cap and int8 does not have
ABSENT = (
    "SOFTCAP", "WINDOW", "slopes_ptr", "slope", "prompt.positions_ptr", "prompt.k_scale_ptr",
    "response.k_scale_ptr", "v_scale",
)  # fmt: skip
THREADS_OF_CORE = 32  # hardware threads with 256 registers: 8 vector engines of 4


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
    return found


@dataclass(frozen=True)
class Split:
    """Attention of one step on a GPU of `cores` Xe-cores: programs without a split, splits, and programs with them."""

    model: str
    cores: int
    unsplit: int
    splits: int
    sub_groups: int

    @property
    def programs(self) -> int:
        """Programs of the launch."""
        return self.unsplit * self.splits

    @property
    def threads_used(self) -> float:
        """Sub-groups of the launch by hardware threads of the GPU; above 1 the rest runs later."""
        return self.programs * self.sub_groups / (self.cores * THREADS_OF_CORE)


def splits_on(
    models: Iterable[str], cores: Iterable[int], beams: int, keys: int, batch: int = 1
) -> list[Split]:
    """What `plan_splits` chooses with the launch sizes of "xpu", in 16 bits, for `keys` slots reserved in memory."""
    from tinyllm.kernels.triton.split_plan import plan_splits
    from tinyllm.kernels.triton.tuning import key_tile, launch_for

    launch, found = launch_for("attention", "xpu"), []
    for model in models:
        config = known_config(model)
        tile = key_tile(config.head_dim, 2, launch)
        sizes = (batch, config.num_key_value_heads, beams * config.group, keys, tile)
        for number in cores:
            plan = plan_splits(*sizes, processors=number, launch=launch)
            unsplit = batch * config.num_key_value_heads * plan.row_blocks
            found.append(Split(model, number, unsplit, plan.splits, launch.num_warps))
    return found


def splits_as_text(splits: Iterable[Split]) -> str:
    """A table, a line for each model and number of Xe-cores."""
    head = ("model", "Xe-cores", "unsplit", "splits", "programs", "hardware threads used")
    lines = [
        (x.model, str(x.cores), str(x.unsplit), str(x.splits), str(x.programs), f"{x.threads_used:.0%}")
        for x in splits
    ]  # fmt: skip
    return aligned([head, *lines])
