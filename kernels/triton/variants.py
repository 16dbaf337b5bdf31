"""Every kernel at the sizes of Llama 2 7B and its relatives, as the rows of `tuning` launch it, for a compiler alone.

A specialisation is the types of a kernel's arguments, its constants, the pointers that are None, and what 16 divides:
`source_of` gives it to the Triton of the process, for NVIDIA or for Intel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from triton.compiler import ASTSource

from ..block_formats import FORMATS
from ..packed import GPU_FORMATS
from . import activation, all_reduce, attention, beam_mask, norm, packed_unpack, prefill, qkv, rope
from .arguments import (
    BeamMaskPointers,
    CacheSlots,
    HeadNormPointers,
    LinearStrides,
    NormPointers,
    PromptSegment,
    QKVShape,
    Queries,
    ResponseSegment,
    RopeTables,
    Strides,
    next_power_of_2,
)
from .linear import _linear, gemv_launch
from .packed_matmul import packed_launch
from .packed_tiles import PackedPointers
from .tuning import LAUNCHES, LaunchConfig, key_tile

# Parameters and members of grouped parameters, by name; all other pointers are to the model's format.
TYPES_OF = {
    "cos_ptr": "*fp32", "sin_ptr": "*fp32", "slopes_ptr": "*fp32", "partials": "*fp32",
    "counters": "*i32", "lengths_ptr": "*i32", "positions_ptr": "*i32", "start_ptr": "*i32",
    "live_slots_ptr": "*i32", "num_dead_ptr": "*i32", "beam_index_ptr": "*i32",
    "k_scale_ptr": "*fp32", "v_scale_ptr": "*fp32",
    "codes_ptr": "*i32", "high_ptr": "*i32", "scales_ptr": "*u8",
    "epochs_ptr": "*i32", "own_buffer": "i64", **dict.fromkeys(all_reduce.PeerBuffers._fields, "i64"),
    "mask_ptr": "*i64", "beam_idx_ptr": "*i64", "eps": "fp32", "scale": "fp32",
}  # fmt: skip
# Sizes that 16 need not divide, where it divides all others.
NOT_DIVISIBLE = ("num_rows", "num_programs", "rank")
# The tuple that each grouped parameter is.
GROUPS = {
    "q_strides": Strides,
    "kv_strides": Strides,
    "out_strides": Strides,
    "strides": LinearStrides,
    "queries": Queries,
    "prompt": PromptSegment,
    "response": ResponseSegment,
    "beam_mask": BeamMaskPointers,
    "workspace": attention.Workspace,
    "norm": NormPointers,
    "norms": HeadNormPointers,
    "rope": RopeTables,
    "slots": CacheSlots,
    "shape": QKVShape,
    "planes": PackedPointers,
    "buffers": all_reduce.PeerBuffers,
}

# Of attention, with keys and values in int8: one sequence and four beams, samples, padding, and every size of a head.
INT8_ATTENTIONS = (
    "attention, one sequence, split",
    "attention, one sequence",
    "attention, beams, split",
    "attention, one sequence of 80",
    "attention, many rows, padded, ALiBi",
    "attention, large heads",
    "attention, beams of 3 words, grouped heads, split",
    "attention, samples of grouped heads in tiles, split",
)


class Variant(NamedTuple):
    """One specialisation of a kernel; a member of a grouped parameter is named `group.member`.

    `absent` names the pointers that are None; `odd`: 16 divides no size and no stride, so that loads are element-wise;
    `int8`: keys and values are int8, with scales, which are None elsewhere.
    """

    name: str
    kernel: Any
    launch: LaunchConfig
    constants: Mapping[str, Any]
    absent: tuple[str, ...] = ()
    odd: bool = False
    int8: bool = False


def variants(device_type: str) -> list[Variant]:
    """All of them, with the launches of "cuda" or "xpu"."""
    launches = LAUNCHES[device_type]
    return [
        *_norms(launches["norm"]),
        *_ropes(launches),
        *_activations(launches["activation"]),
        *_linears(launches, device_type),
        *_queries(launches, device_type),
        *_packed(launches, device_type),
        *_attentions(launches["attention"]),
        *_int8_attentions(launches),
        *_prefills(launches["prefill"]),
        *_beam_masks(launches["norm"]),
        *_all_reduce(launches["all_reduce"], device_type),
    ]


def source_of(variant: Variant, dtype: str) -> ASTSource:
    """What Triton compiles, for tensors of `dtype` ("bf16", "fp16", "fp32")."""
    constants = {**variant.constants, **dict.fromkeys(variant.absent)}
    signature: dict[str, Any] = {}
    given: dict[tuple[int, ...], Any] = {}
    divisible: dict[tuple[int, ...], list] = {}

    def type_of(path: tuple[int, ...], name: str, member: str) -> str:
        """The type of a parameter or a member; notes constants, and what 16 divides, by path."""
        if name in constants:
            given[path] = constants[name]
            return "constexpr"
        is_pointer = member.endswith("_ptr") or name == "weight"
        kind = TYPES_OF.get(member) or (f"*{dtype}" if is_pointer else "i32")
        if variant.int8 and "." in name and member in ("k_ptr", "v_ptr"):
            kind = "*i8"
        if kind[0] == "*" or (
            kind in ("i32", "i64") and member not in NOT_DIVISIBLE and not variant.odd
        ):
            divisible[path] = [["tt.divisibility", 16]]
        return kind

    for i, name in enumerate(variant.kernel.arg_names):
        if name not in GROUPS and not (name == "weight" and constants["FORMAT"]):
            signature[name] = type_of((i,), name, name)
            continue
        group = GROUPS.get(name, PackedPointers)
        if not variant.int8 and group is not all_reduce.PeerBuffers:
            constants |= {f"{name}.{scale}": None for scale in group._field_defaults}
        types = (type_of((i, j), f"{name}.{one}", one) for j, one in enumerate(group._fields))
        signature[name] = group(*types)
    return ASTSource(variant.kernel, signature, given, divisible)


def _norms(launch: LaunchConfig) -> Iterator[Variant]:
    norms = (
        ("rms_norm", ("residual_ptr", "bias_ptr")),
        ("norm_and_add", ("bias_ptr",)),
        ("layer_norm", ("residual_ptr",)),
    )
    for name, absent in norms:
        constants = {"BLOCK_M": 1, "BLOCK_SIZE": 4096}
        yield Variant(name, norm._norm_rows, launch, constants, absent)
    for name, absent in norms:
        constants = {"BLOCK_SIZE": 8192}
        yield Variant(f"{name}, long rows", norm._norm_long_row, launch, constants, absent)


def _ropes(launches: Mapping[str, LaunchConfig]) -> Iterator[Variant]:
    """Heads of 128 and 256, and heads of which half is rotated, in interleaved pairs; normalised or not."""
    no_norms = ("norms.q_weight_ptr", "norms.k_weight_ptr", "norms.eps")
    half_split = {
        "HALF": 64, "KEPT": 0, "INTERLEAVED": False,
        "BLOCK_HALF": 64, "BLOCK_KEPT": 1, "BLOCK_D": 128,
    }  # fmt: skip
    interleaved = {
        "HALF": 32, "KEPT": 64, "INTERLEAVED": True,
        "BLOCK_HALF": 32, "BLOCK_KEPT": 64, "BLOCK_D": 128,
    }  # fmt: skip
    large = half_split | {"HALF": 128, "BLOCK_HALF": 128, "BLOCK_D": 256}
    usual, long_heads = launches["rope"], launches["rope_long_heads"]
    titles = (
        ("half-split", half_split, usual, ("slots.start_ptr",)),
        ("interleaved", interleaved, usual, ()),
        ("large heads", large, long_heads, ()),
    )
    for name, norms, absent in (("rope", False, no_norms), ("rope of normalised heads", True, ())):
        for title, constants, launch, missing in titles:
            blocks = constants | {"BLOCK_HEADS": launch.blocks["heads"]}
            absent_of_title = (*absent, *missing)
            variant = Variant(
                f"{name}, {title}", rope._rope_and_store, launch, blocks, absent_of_title
            )
            yield variant
            # Of normalised heads, those of Gemma 3
            if not norms or title == "large heads":
                yield variant._replace(name=f"{variant.name}, int8", int8=True)


def _activations(launch: LaunchConfig) -> Iterator[Variant]:
    for name in activation.ACTIVATIONS:
        kernel = activation._activate_and_multiply
        if name == "gelu":
            kernel = activation._bias_and_activate
        yield Variant(
            name, kernel, launch, {"ACTIVATION": name, "BLOCK_SIZE": launch.blocks["block"]}
        )


def _linears(launches: Mapping[str, LaunchConfig], device_type: str) -> Iterator[Variant]:
    """A vector and 16 rows: an output projection, a gated MLP, and sizes that nothing divides."""
    plain = {"ACTIVATION": None, "GATED": False}
    silu = {"ACTIVATION": "silu", "GATED": True}
    gelu = {"ACTIVATION": "gelu", "GATED": False}
    no_norm = ("bias_ptr", "norm.weight_ptr", "norm.bias_ptr", "residual2_ptr")
    gated = ("bias_ptr", "norm.bias_ptr", "residual_ptr", "residual2_ptr")
    only_gated = (*gated, "norm.weight_ptr")  # of several rows a norm is a launch of its own
    for name, rows in (("linear_vector", 1), ("linear_matrix", 16)):
        launch = launches[name]
        for title, n, k, constants, absent in (
            ("output and residual", 4096, 4096, plain, no_norm),
            ("RMSNorm and gated", 22016, 4096, silu, gated),
            ("gated", 22016, 4096, silu, only_gated),
            ("LayerNorm, gelu, odd", 4097, 4099, gelu, ()),
        ):
            tiles = _tiles(launch, rows, n, k, device_type, pairs=constants["GATED"])
            yield Variant(
                f"{name}, {title}", _linear, launch, constants | tiles, absent, "odd" in title
            )


def _queries(launches: Mapping[str, LaunchConfig], device_type: str) -> Iterator[Variant]:
    """Queries, keys and values fused: those of Llama, of GPT-J, and of Bloom, which has no RoPE."""
    llama = {"HEAD_DIM": 128, "HALF": 64, "INTERLEAVED": False, "PER_HEAD": False}
    gptj = {"HEAD_DIM": 256, "HALF": 32, "INTERLEAVED": True, "PER_HEAD": False}
    bloom = {"HEAD_DIM": 128, "HALF": 0, "INTERLEAVED": False, "PER_HEAD": True}
    for name, rows in (("linear_vector", 1), ("linear_matrix", 16)):
        for family, heads, absent in (
            ("Llama", llama, ("bias_ptr", "norm.bias_ptr")),
            ("GPT-J", gptj, ("bias_ptr",)),
            ("Bloom", bloom, ()),
            ("Llama without a norm", llama, ("bias_ptr", "norm.bias_ptr", "norm.weight_ptr")),
        ):
            title = f"queries of {family}, {name}"
            pairs = qkv.neighbours_of(heads["HEAD_DIM"], heads["HALF"], heads["INTERLEAVED"])
            tiles = _tiles(launches[name], rows, 12288, 4096, device_type, True, pairs)
            yield Variant(title, qkv._qkv_rope_and_store, launches[name], heads | tiles, absent)


def _packed(launches: Mapping[str, LaunchConfig], device_type: str) -> Iterator[Variant]:
    """Packed weights, a vector and 16 rows: a gated MLP in each format, the queries of Llama; rows unpacked."""
    llama = {"HEAD_DIM": 128, "HALF": 64, "INTERLEAVED": False, "PER_HEAD": False}
    silu = {"ACTIVATION": "silu", "GATED": True}
    for packed in map(FORMATS.get, GPU_FORMATS):
        no_high = () if "high" in dict(packed.fields) else ("high_ptr",)
        absent = tuple(f"weight.{name}" for name in no_high)
        for name, rows in (("packed_vector", 1), ("packed_matrix", 16)):
            launch = launches[name]
            absent_norm = ("norm.bias_ptr",) if rows == 1 else ("norm.weight_ptr", "norm.bias_ptr")
            _, constants = packed_launch(
                22016, 4096, packed.name, pairs=True, num_rows=rows, device_type=device_type,
                launch=launch,
            )  # fmt: skip
            tiles = {key: value for key, value in constants.items() if key.isupper()}
            epilogue = ("bias_ptr", "residual_ptr", "residual2_ptr")
            yield Variant(
                f"{name}, {packed.name}, gated", _linear, launch, silu | tiles,
                (*epilogue, *absent_norm, *absent),
            )  # fmt: skip
            if packed.name == "Q4_K":
                yield Variant(
                    f"{name}, {packed.name}, queries of Llama", qkv._qkv_rope_and_store, launch,
                    llama | tiles, ("bias_ptr", *absent_norm, *absent),
                )  # fmt: skip
        launch = launches["unpack"]
        blocks = {"BLOCK_N": launch.blocks["rows"], "BLOCK_K": launch.blocks["block_k"]}
        yield Variant(
            f"unpack, {packed.name}", packed_unpack._unpack, launch, {"FORMAT": packed.name} | blocks,
            tuple(f"planes.{name}" for name in no_high),
        )  # fmt: skip


def _tiles(
    launch: LaunchConfig, rows: int, n: int, k: int, device_type: str, pairs: bool,
    neighbours: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """The constants of a matrix product of 16-bit numbers."""
    _, constants = gemv_launch(
        n, k, 2, pairs=pairs, use_dot=rows > 1, aligned=k % 8 == 0, device_type=device_type,
        launch=launch, neighbours=neighbours,
    )  # fmt: skip
    return {name: value for name, value in constants.items() if name.isupper()}


def _attentions(launch: LaunchConfig) -> Iterator[Variant]:
    """One sequence, beams and samples, split or not, padded or not, at the head sizes of small and large models."""
    alone = ("beam_mask.mask_ptr", "beam_mask.live_slots_ptr", "beam_mask.num_dead_ptr")
    no_list = alone[1:] if launch.block_loads else ()
    unsplit = ("workspace.partials", "workspace.counters")
    plain = ("prompt.positions_ptr", "slopes_ptr")
    for name, width, head_dim, rows, splits, absent in (
        ("one sequence, split", 1, 128, 16, 8, (*alone, *plain)),
        ("one sequence", 1, 64, 16, 1, (*alone, *plain, *unsplit)),
        ("beams, split", 3, 128, 16, 4, (*no_list, *plain)),
        ("beams of grouped heads", 3, 96, 16, 1, (*no_list, *plain, *unsplit)),
        ("many rows, padded, ALiBi", 3, 128, 64, 1, (*no_list, *unsplit)),
        ("many rows, padded, ALiBi", 3, 80, 64, 1, (*no_list, *unsplit)),
        ("one sequence", 1, 80, 16, 1, (*alone, *plain, *unsplit)),
        ("beams of grouped heads", 3, 80, 16, 1, (*no_list, *plain, *unsplit)),
        ("large heads", 3, 256, 16, 2, (*no_list, *plain)),
        ("beams of 3 words, grouped heads, split", 192, 128, 64, 8, (*no_list, *plain)),
        ("samples of grouped heads", 4, 128, 16, 1, (*alone, *plain, *unsplit)),
        ("samples of grouped heads in tiles, split", 64, 128, 64, 8, (*alone, *plain)),
    ):
        group_size = 4 if "grouped" in name else 1
        constants = {
            "GROUP_SIZE": group_size,
            "WIDTH": width,
            "HEAD_DIM": head_dim,
            "BLOCK_D": next_power_of_2(head_dim),
            "BLOCK_M": rows,
            "USED_M": rows if width > 3 else 4,
            "BLOCK_N": key_tile(head_dim, 2, launch),
            "SPLITS": splits,
            "PROMPT_STAGES": launch.num_stages,
            "RESPONSE_STAGES": launch.num_stages,
            "BLOCK_LOADS": launch.block_loads,
        }
        title = f"attention, {name}" + (f" of {head_dim}" if head_dim in (80, 96) else "")
        kernel = attention._segment_attention
        yield from _capped(Variant(title, kernel, launch, constants, absent))


def _int8_attentions(launches: Mapping[str, LaunchConfig]) -> Iterator[Variant]:
    """Some of the variants of attention, with keys and values in int8."""
    launch = launches["attention_int8"]
    for variant in _attentions(launches["attention"]):
        if variant.name in INT8_ATTENTIONS:
            constants = {
                **variant.constants,
                "BLOCK_N": key_tile(variant.constants["HEAD_DIM"], 1, launch),
                "PROMPT_STAGES": launch.num_stages,
                "RESPONSE_STAGES": launch.num_stages,
            }
            yield variant._replace(
                name=f"{variant.name}, int8", launch=launch, constants=constants, int8=True
            )


def _prefills(launch: LaunchConfig) -> Iterator[Variant]:
    kernel = prefill._prefill_attention
    padded = ("slopes_ptr",)
    plain = ("positions_ptr", "slopes_ptr")
    for title, head_dim, absent in (
        ("padded", 128, padded),
        ("padded, ALiBi of 80", 80, ()),
        ("large heads", 256, plain),
    ):
        blocks = launch.block_loads
        constants = prefill.constants_of(4096, head_dim, 2, launch, block_loads=blocks)
        yield from _capped(Variant(f"prefill, {title}", kernel, launch, constants, absent))


def _capped(variant: Variant) -> Iterator[Variant]:
    """A variant of attention as it is, and with a soft cap and a window."""
    for title, softcap, window in (("", None, None), (", softcap, window", 50.0, 4096)):
        constants = {**variant.constants, "SOFTCAP": softcap, "WINDOW": window}
        yield variant._replace(name=variant.name + title, constants=constants)


def _beam_masks(launch: LaunchConfig) -> Iterator[Variant]:
    reorder = {"WIDTH": 4, "BLOCK_W": 4, "BLOCK_STEPS": 32}
    yield Variant("reorder, odd", beam_mask._reorder_beam_index, launch, reorder)
    wide = {"WIDTH": 1024, "BLOCK_W": 1024, "BLOCK_STEPS": 4}
    yield Variant(
        "reorder of 1024, odd", beam_mask._reorder_beam_index, launch, wide, ("mask_ptr",)
    )
    yield Variant("live slots, odd", beam_mask._list_live_slots, launch, {"BLOCK_SIZE": 512})


def _all_reduce(launch: LaunchConfig, device_type: str) -> Iterator[Variant]:
    """A row of 4,096, 64 rows of 8,192 from eight ranks, and sizes that 16 does not divide."""
    for title, elements, ranks, absent in (
        ("1 row of 2 ranks", 4096, 2, ("bias_ptr",)),
        ("64 rows of 8 ranks", 64 * 8192, 8, ("bias_ptr",)),
        ("bias, odd", 4096, 4, ()),
    ):
        split = all_reduce.split_of(elements, launch)
        constants = {
            "NUM_RANKS": ranks, "BLOCK_SIZE": split.block_size, "NUM_BLOCKS": split.num_blocks,
            "FENCES": device_type != "cuda",
        }  # fmt: skip
        no_ranks = (f"buffers.rank{rank}" for rank in range(ranks, all_reduce.MAX_RANKS))
        yield Variant(
            f"all_reduce, {title}", all_reduce._one_shot_all_reduce,
            replace(launch, num_warps=split.num_warps), constants, (*absent, *no_ranks), "odd" in title,
        )  # fmt: skip
