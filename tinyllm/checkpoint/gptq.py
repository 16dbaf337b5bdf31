"""GPTQ: the codes of a column of inputs in words of 32 bits, as AutoGPTQ, GPTQModel and optimum store them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.checkpoint.groups import SCALES, Groups, StoredMatrix, num_words, unpack_words
from tinyllm.checkpoint.quantization_config import QuantizationConfig

STORED_LESS_ONE = "gptq"  # the first format, whose zero points are stored less one
FORMATS = (STORED_LESS_ONE, "gptq_v2")


class GPTQ:
    """`qweight` [k*bits/32, n], `qzeros` [groups, n*bits/32], `scales` [groups, n], and `g_idx` [k], which may lack.

    `g_idx` names the group of every input. With act-order (`desc_act`) a group's inputs lie anywhere.
    """

    parts = ("qweight", "qzeros", "scales", "g_idx")

    def __init__(self, config: QuantizationConfig) -> None:
        self.bits = config.choice("bits", (4, 8))
        self.group_size = config.group_size("group_size")
        name = "checkpoint_format" if "checkpoint_format" in config.values else "format"
        self.format = config.choice(name, FORMATS, default=STORED_LESS_ONE)
        overrides = config.values.get("dynamic") or {}
        excluded = isinstance(overrides, dict) and all(name.startswith("-:") for name in overrides)
        if not excluded:
            raise config.error("dynamic", "no modules with other options")

    def shape(self, matrix: StoredMatrix) -> tuple[int, int]:
        """Outputs and inputs."""
        words, n = matrix.sizes("qweight")
        groups, _ = matrix.sizes("scales")
        k = words * 32 // self.bits
        matrix.check("qweight", (words, n), ("I32",))
        matrix.check("qzeros", (groups, num_words(n, self.bits)), ("I32",))
        matrix.check("scales", (groups, n), SCALES)
        matrix.check_groups("scales", groups, k, group_size=self.group_size)
        if matrix.has("g_idx"):
            matrix.check("g_idx", (k,), ("I32", "I64"))
        return n, k

    def groups(self, matrix: StoredMatrix) -> Groups:
        """Codes, scales and zero points."""
        n, k = self.shape(matrix)
        codes = unpack_words(matrix.read("qweight").T, self.bits, k)
        scales = matrix.read_scales("scales").T
        zeros = unpack_words(matrix.read("qzeros"), self.bits, n).T.float()
        if self.format == STORED_LESS_ONE:
            zeros += 1
            self._check_zeros(matrix, zeros)
        group_of = matrix.read_groups("g_idx", k, scales.shape[1])
        return Groups(codes, scales, zeros, bits=self.bits).reordered(group_of)

    def _check_zeros(self, matrix: StoredMatrix, zeros: Float[Tensor, "n groups"]) -> None:
        """Raise ValueError for zero points that programs read in two ways: past the largest, or wrapped to 0."""
        largest = 2**self.bits - 1
        if (zeros > largest).any():
            raise matrix.error(
                "qzeros",
                f"has a zero point of {largest + 1} or 0, which {STORED_LESS_ONE!r} cannot store",
                f"1 to {largest}",
                advice=f"quantise the model again, to {FORMATS[1]!r}",
            )
