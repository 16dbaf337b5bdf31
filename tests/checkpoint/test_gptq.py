"""GPTQ: matrices as AutoGPTQ and GPTQModel store them are those of the model with the dequantised weights."""

from functools import partial

import numpy as np
import pytest
import torch

import quantised_folders as folders
import tinyllm


def write(folder, kind="llama", *, bits=4, group=32, version=1, symmetric=False, **options):
    hf = folders.tiny(kind, **options.pop("sizes", {}))
    config = {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": group,
        "checkpoint_format": "gptq" if version == 1 else "gptq_v2",
        "desc_act": "group_of" in options,
        "sym": symmetric,
    }
    drawn = {"bits": bits, "group": group, "symmetric": symmetric}
    drawn |= {"scale_dtype": torch.float16} | options
    folders.write(folder, hf, config, partial(folders.gptq, bits=bits, version=version), **drawn)
    return hf


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("weights", [None, "stored"])
def test_families(tmp_path, kind, weights):
    hf = write(tmp_path, kind)
    formats = {"INT4_32"} if weights else set()
    folders.answers_alike(tmp_path, hf, weights=weights, formats=formats)


@pytest.mark.parametrize(
    ("bits", "group", "version", "formats"),
    [
        (4, 64, 2, {"INT4_64"}),
        (4, 128, 1, {"INT4_128"}),
        (4, -1, 1, {"INT4_128"}),
        (8, 32, 2, {"INT8_32"}),
        (8, -1, 1, {"INT8_128"}),
    ],
)
def test_options(tmp_path, bits, group, version, formats):
    hf = write(tmp_path, bits=bits, group=group, version=version, scale_dtype=torch.bfloat16)
    folders.answers_alike(tmp_path, hf, weights="stored", formats=formats)
