"""torchao, as transformers saves its weight-only formats: codes of 8 bits, or of 4 in 8, around 0."""

from __future__ import annotations

import torch

from tinyllm.checkpoint.groups import SCALES, Groups, StoredMatrix
from tinyllm.checkpoint.quantization_config import QuantizationConfig

INT8 = "Int8WeightOnlyConfig"
INTX = "IntxWeightOnlyConfig"
VERSION = 2  # of a configuration; the first was not saved in safetensors files
BITS = {"int4": 4, "int8": 8}
UNPACKED = "UNPACKED_TO_INT8"


class TorchAO:
    """`_weight_qdata` [n, k] and `_weight_scale` [n, groups]; `_weight_zero_point` [n, groups] may lack."""

    parts = ("_weight_qdata", "_weight_scale", "_weight_zero_point")

    def __init__(self, config: QuantizationConfig) -> None:
        options = config.object("quant_type").object("default")
        kind = options.choice("_type", (INT8, INTX))
        options.choice("_version", (VERSION,))
        self.bits = 8
        if kind == INTX:
            values = options.object("_data")
            self.bits = BITS[values.object("weight_dtype").choice("_data", tuple(BITS))]
            values.object("intx_packing_format").choice("_data", (UNPACKED,))

    def shape(self, matrix: StoredMatrix) -> tuple[int, int]:
        """Outputs and inputs."""
        n, k = matrix.sizes("_weight_qdata")
        _, groups = matrix.sizes("_weight_scale")
        matrix.check("_weight_qdata", (n, k), ("I8",))
        matrix.check("_weight_scale", (n, groups), SCALES)
        matrix.check_groups("_weight_scale", groups, k, group_size=k // groups)
        if matrix.has("_weight_zero_point"):
            matrix.check("_weight_zero_point", (n, groups), ("I8",))
        return n, k

    def groups(self, matrix: StoredMatrix) -> Groups:
        """Codes, scales and zero points."""
        codes = matrix.read_codes("_weight_qdata", self.bits)
        scales = matrix.read_scales("_weight_scale")
        zeros = torch.full_like(scales, 2 ** (self.bits - 1))
        if matrix.has("_weight_zero_point"):
            zeros = matrix.read_codes("_weight_zero_point", self.bits).float()
        return Groups(codes, scales, zeros, bits=self.bits)
