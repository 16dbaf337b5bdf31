"""AWQ: the codes of 8 outputs in a word of 32 bits, in an order of their own, as AutoAWQ's `gemm` version has them."""

from __future__ import annotations

from jaxtyping import Int32, UInt8
from torch import Tensor

from tinyllm.checkpoint.groups import SCALES, Groups, StoredMatrix, unpack_words
from tinyllm.checkpoint.quantization_config import ADVICE, QuantizationConfig

NIBBLES = (0, 4, 1, 5, 2, 6, 3, 7)  # where the codes of outputs 0 to 7 lie in a word


class AWQ:
    """`qweight` [k, n/8], `qzeros` [groups, n/8] and `scales` [groups, n]."""

    parts = ("qweight", "qzeros", "scales")

    def __init__(self, config: QuantizationConfig) -> None:
        self.bits = config.choice("bits", (4,))
        self.group_size = config.group_size("group_size")
        name = "version" if "version" in config.values else "format"
        config.choice(name, ("gemm", "GEMM"), default="gemm")

    def shape(self, matrix: StoredMatrix) -> tuple[int, int]:
        """Outputs and inputs."""
        if not matrix.has("qweight") and not matrix.has("qzeros"):
            raise matrix.error("scales", "is of no matrix", "none of activations", advice=ADVICE)
        k, words = matrix.sizes("qweight")
        groups, _ = matrix.sizes("scales")
        n = words * 32 // self.bits
        matrix.check("qweight", (k, words), ("I32",))
        matrix.check("qzeros", (groups, words), ("I32",))
        matrix.check("scales", (groups, n), SCALES)
        matrix.check_groups("scales", groups, k, group_size=self.group_size)
        return n, k

    def groups(self, matrix: StoredMatrix) -> Groups:
        """Codes, scales and zero points."""
        codes = self._in_order(matrix.read("qweight")).T
        zeros = self._in_order(matrix.read("qzeros")).T.float()
        return Groups(codes, matrix.read_scales("scales").T, zeros, bits=self.bits)

    def _in_order(self, words: Int32[Tensor, "rows words"]) -> UInt8[Tensor, "rows n"]:
        """The codes of each row, output by output."""
        codes = unpack_words(words, self.bits, words.shape[1] * len(NIBBLES))
        return codes.unflatten(1, (-1, len(NIBBLES)))[..., NIBBLES].flatten(1)
