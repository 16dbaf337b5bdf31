"""Block formats: how 32 to 256 weights lie in a few bytes, and torch operations that turn them into float32.

Number formats are formats too, with blocks of one weight: a matrix may have rows of either.

A block stores small integers, the codes, and what they are multiplied with: a scale, and in some formats a minimum.
The K formats store a scale (and a minimum) for every 16 or 32 weights in 4 to 8 bits, themselves multiplied by one of
16 bits a block. Layouts and names are those of ggml's `block_q4_0` and so on.

INT4 and INT8 hold the groups of GPTQ, AWQ and compressed-tensors: weights of one scale and one zero point, both in
float32, so that scales of any number format are exact. ggml has no such formats, and their numbers are none of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Fields = dict[str, UInt8[Tensor, "n blocks _"]]
Sizes = tuple[tuple[str, int], ...]
Decode = Callable[[Fields], Float[Tensor, "n blocks elements"]]


@dataclass(frozen=True)
class BlockFormat:
    """One format: its name and number in GGUF files, the weights of a block, and the bytes of each of its fields.

    `decode` makes float32 of the fields of all blocks, exactly as the `gguf` package does. `scale_dtype` is the number
    format of a block's scale, and of its minimum, zero point or value.
    """

    name: str
    ggml_type: int
    elements: int
    fields: Sizes
    decode: Decode
    scale_dtype: torch.dtype = torch.float16

    @property
    def nbytes(self) -> int:
        """Bytes of a block."""
        return sum(size for _, size in self.fields)

    @property
    def bits(self) -> float:
        """Bits for one weight, scales included."""
        return 8 * self.nbytes / self.elements

    @property
    def planes(self) -> tuple[Sizes, ...]:
        """The fields by planes: codes, high bits where there are some, and the scales with all else."""
        planes = [(field,) for field in self.fields if field[0] == "codes"]
        planes += [(field,) for field in self.fields if field[0] == "high"]
        return *planes, tuple(field for field in self.fields if field[0] not in ("codes", "high"))

    def row_bytes(self, inputs: int) -> int:
        """Bytes of a row of a matrix. Raises ValueError for a row that ends inside a block."""
        if inputs % self.elements:
            raise ValueError(
                f"rows of {inputs} weights in {self.name}: expected a multiple of {self.elements}"
            )
        return inputs // self.elements * self.nbytes

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple:
        """Copied and pickled by its name, where it is listed; else by its fields."""
        if FORMATS.get(self.name) is self:
            return listed_format, (self.name,)
        own = (self.name, self.ggml_type, self.elements, self.fields, self.decode, self.scale_dtype)
        return BlockFormat, own


def _half(field: Tensor) -> Tensor:
    """Float16 numbers, as float32 [n, blocks, numbers]."""
    return field.view(torch.float16).float()


def _nibbles(codes: Tensor, group: int) -> Tensor:
    """Of every `group` bytes first the low halves, then the high ones: [n, blocks, elements]."""
    codes = codes.unflatten(-1, (-1, 1, group))
    return torch.cat([codes & 15, codes >> 4], dim=-2).flatten(2)


def _decode_dense(dtype: torch.dtype) -> Decode:
    """Of a number format that packs nothing."""
    return lambda fields: fields["value"].view(dtype).float()


def _decode_q4_0(fields: Fields) -> Tensor:
    codes = _nibbles(fields["codes"], 16).float()
    return _half(fields["scale"]) * (codes - 8)


def _decode_q4_1(fields: Fields) -> Tensor:
    codes = _nibbles(fields["codes"], 16).float()
    return _half(fields["scale"]) * codes + _half(fields["minimum"])


def _decode_q8_0(fields: Fields) -> Tensor:
    return _half(fields["scale"]) * fields["codes"].view(torch.int8).float()


def _scales_and_minimums(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Eight scales and eight minimums of 6 bits, which take 12 bytes: the last four borrow bits of the first."""
    first, second, both = packed.unflatten(-1, (3, 4)).unbind(-2)
    scales = torch.cat([first & 63, (both & 15) | (first >> 6 << 4)], dim=-1)
    minimums = torch.cat([second & 63, (both >> 4) | (second >> 6 << 4)], dim=-1)
    return scales.float(), minimums.float()


def _scale_groups(codes: Tensor, fields: Fields) -> Tensor:
    """Groups of 32 codes, each with the scale and the minimum of its own."""
    scales, minimums = _scales_and_minimums(fields["scales"])
    scales = (_half(fields["scale"]) * scales)[..., None]
    minimums = (_half(fields["minimum"]) * minimums)[..., None]
    return (scales * codes.unflatten(-1, (8, 32)) - minimums).flatten(2)


def _scale_codes(codes: Tensor, fields: Fields) -> Tensor:
    """scale * (code - zero)."""
    scale = fields["scale"].view(torch.float32)
    zero = fields["zero"].view(torch.float32)
    return scale * (codes.float() - zero)


def _decode_int4(fields: Fields) -> Tensor:
    return _scale_codes(_nibbles(fields["codes"], 16), fields)


def _decode_int8(fields: Fields) -> Tensor:
    return _scale_codes(fields["codes"], fields)


def _int_format(bits: int, elements: int) -> BlockFormat:
    """Groups of so many unsigned codes; ggml's numbers end below 1000."""
    fields = (("scale", 4), ("zero", 4), ("codes", elements * bits // 8))
    return BlockFormat(
        name=f"INT{bits}_{elements}",
        ggml_type=1000 * bits + elements,
        elements=elements,
        fields=fields,
        decode=_decode_int4 if bits == 4 else _decode_int8,
        scale_dtype=torch.float32,
    )


def _decode_q4_k(fields: Fields) -> Tensor:
    return _scale_groups(_nibbles(fields["codes"], 32).float(), fields)


def _decode_q5_k(fields: Fields) -> Tensor:
    shifts = torch.arange(8, dtype=torch.uint8, device=fields["high"].device)
    fifth_bits = (fields["high"][..., None, :] >> shifts[:, None]) & 1
    codes = _nibbles(fields["codes"], 32) | fifth_bits.flatten(2) << 4
    return _scale_groups(codes.float(), fields)


def _decode_q6_k(fields: Fields) -> Tensor:
    shifts = torch.arange(0, 8, 2, dtype=torch.uint8, device=fields["high"].device)
    high = fields["high"].unflatten(-1, (2, 1, 32))
    high = ((high >> shifts[:, None]) & 3).flatten(2)
    codes = (_nibbles(fields["codes"], 64) | high << 4).float() - 32
    scales = _half(fields["scale"]) * fields["scales"].view(torch.int8).float()
    return (scales[..., None] * codes.unflatten(-1, (16, 16))).flatten(2)


FORMATS = MappingProxyType(
    {
        one.name: one
        for one in (
            BlockFormat("F32", 0, 1, (("value", 4),), _decode_dense(torch.float32), torch.float32),
            BlockFormat("F16", 1, 1, (("value", 2),), _decode_dense(torch.float16)),
            BlockFormat(
                "BF16", 30, 1, (("value", 2),), _decode_dense(torch.bfloat16), torch.bfloat16
            ),
            BlockFormat("Q4_0", 2, 32, (("scale", 2), ("codes", 16)), _decode_q4_0),
            BlockFormat("Q4_1", 3, 32, (("scale", 2), ("minimum", 2), ("codes", 16)), _decode_q4_1),
            BlockFormat("Q8_0", 8, 32, (("scale", 2), ("codes", 32)), _decode_q8_0),
            BlockFormat(
                "Q4_K",
                12,
                256,
                (("scale", 2), ("minimum", 2), ("scales", 12), ("codes", 128)),
                _decode_q4_k,
            ),
            BlockFormat(
                "Q5_K",
                13,
                256,
                (("scale", 2), ("minimum", 2), ("scales", 12), ("high", 32), ("codes", 128)),
                _decode_q5_k,
            ),
            BlockFormat(
                "Q6_K",
                14,
                256,
                (("codes", 128), ("high", 64), ("scales", 16), ("scale", 2)),
                _decode_q6_k,
            ),
            *(_int_format(bits, elements) for bits in (4, 8) for elements in (32, 64, 128)),
        )
    }
)


def listed_format(name: str) -> BlockFormat:
    """One of `FORMATS`."""
    return FORMATS[name]


BY_GGML_TYPE = MappingProxyType({one.ggml_type: one for one in FORMATS.values()})
