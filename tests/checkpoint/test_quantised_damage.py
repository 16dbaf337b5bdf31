"""Quantised folders that are damaged in any way: a ValueError that names the folder, or a model."""

from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import models
import quantised_folders as folders
import tinyllm

WEIGHTS = {"num_bits": 4, "type": "int", "symmetric": False, "dynamic": False}
WEIGHTS |= {"strategy": "group", "group_size": 32}
INTX = {
    "weight_dtype": {"_type": "torch.dtype", "_data": "int4"},
    "intx_packing_format": {"_type": "IntxPackingFormat", "_data": "UNPACKED_TO_INT8"},
}
LAYOUTS = {
    "gptq": (partial(folders.gptq, bits=4), {"bits": 4, "group_size": 32}),
    "awq": (folders.awq, {"bits": 4, "group_size": 32, "version": "gemm"}),
    "compressed-tensors": (
        partial(folders.compressed, bits=4, symmetric=False),
        {"format": "pack-quantized", "config_groups": {"group_0": {"weights": WEIGHTS}}},
    ),
    "torchao": (
        partial(folders.torchao, bits=4),
        {
            "quant_type": {
                "default": {"_type": "IntxWeightOnlyConfig", "_version": 2, "_data": INTX}
            }
        },
    ),
}
VALUES = (None, True, 0, -1, 3, 64, 1e30, "x", [], [1], {}, {"x": 1})
DTYPES = (torch.float32, torch.float16, torch.int64, torch.int32, torch.int8, torch.bool)
CHANGES = {
    "absent": lambda x, draw: None,
    "cut": lambda x, draw: x[: draw(st.integers(0, len(x) - 1))],
    "narrow": lambda x, draw: x[..., : draw(st.integers(0, x.shape[-1] - 1))],
    "flat": lambda x, draw: x.flatten(),
    "deep": lambda x, draw: x[None],
    "a number": lambda x, draw: x.flatten()[0].clone(),
    "of another dtype": lambda x, draw: x.to(draw(st.sampled_from(DTYPES))),
    "filled": lambda x, draw: torch.full_like(x, draw(st.sampled_from([0, -1, 1, 100]))),
    "transposed": lambda x, draw: x.T if x.ndim == 2 else x,
}


@cache
def base(method):
    """The files of a sound folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        hf = models.tiny(intermediate_size=64, num_hidden_layers=1)
        tensors_of, options = LAYOUTS[method]
        drawn = {"bits": 4, "group": 32, "symmetric": False, "scale_dtype": torch.float16}
        folders.write(folder, hf, {"quant_method": method} | options, tensors_of, **drawn)
        return (folder / "config.json").read_text(), load_file(folder / "model.safetensors")


@pytest.mark.parametrize("method", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_damage(method, data):
    config, tensors = base(method)
    changed = dict(tensors)
    parts = sorted(name for name in tensors if "down_proj" in name or "k_proj" in name)
    for name in data.draw(st.lists(st.sampled_from(parts), max_size=2, unique=True)):
        change = data.draw(st.sampled_from(sorted(CHANGES)))
        tensor = CHANGES[change](changed.pop(name), data.draw)
        if tensor is not None:
            changed[name] = tensor.contiguous().clone()
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(config)
        save_file(changed, folder / "model.safetensors")
        if data.draw(st.booleans()):
            option = data.draw(st.sampled_from(sorted(LAYOUTS[method][1])))
            folders.reconfigure(folder, **{option: data.draw(st.sampled_from(VALUES))})
        weights = data.draw(st.sampled_from([None, "stored"]))
        try:
            tinyllm.from_pretrained(folder, device="cpu", stage="naive", weights=weights)
        except ValueError as error:
            assert str(folder) in str(error), str(error)
            assert "\n" not in str(error)
