"""Folders as GPTQ, AWQ, compressed-tensors and torchao store them, written by their layouts from integers."""

import json
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import models
import tinyllm
from models import close, logits_of

SIZES = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}


class Codes(NamedTuple):
    """What a quantiser finds: codes [n, k], scales and zero points [n, groups]."""

    codes: np.ndarray
    scales: torch.Tensor
    zeros: np.ndarray

    def weights(self, group_of=None):
        """scale * (code - zero), in float32."""
        k = self.codes.shape[1]
        if group_of is None:
            group_of = np.arange(k) // (k // self.scales.shape[1])
        scales = self.scales.float().numpy()[:, group_of]
        return torch.from_numpy(scales * (self.codes - self.zeros[:, group_of]).astype(np.float32))


def draw(n, k, *, bits, group, symmetric, scale_dtype, seed):
    """Random codes; zero points from 1 on, which all layouts can store."""
    generator = np.random.default_rng(seed)
    group = k if group == -1 else group
    codes = generator.integers(0, 2**bits, (n, k))
    zeros = generator.integers(1, 2**bits, (n, k // group))
    if symmetric:
        zeros[:] = 2 ** (bits - 1)
    scales = generator.uniform(0.5, 1.5, (n, k // group)) * 5 / 2**bits * k**-0.5
    return Codes(codes, torch.from_numpy(scales).to(scale_dtype), zeros)


def words(codes, bits):
    """Numbers of a few bits in words of 32, along the last axis: the first in the lowest bits."""
    per_word = 32 // bits
    missing = -codes.shape[-1] % per_word
    codes = np.pad(codes, [*[(0, 0)] * (codes.ndim - 1), (0, missing)])
    found = np.zeros((*codes.shape[:-1], codes.shape[-1] // per_word), np.uint32)
    for i in range(per_word):
        found |= codes[..., i::per_word].astype(np.uint32) << np.uint32(bits * i)
    return torch.from_numpy(found.view(np.int32))


def gptq(matrix, *, bits, version=1, group_of=None):
    """Tensors of one matrix: inputs below each other, zero points less one in the first version."""
    k = matrix.codes.shape[1]
    if group_of is None:
        group_of = np.arange(k) // (k // matrix.scales.shape[1])
    return {
        "qweight": words(matrix.codes, bits).T,
        "qzeros": words((matrix.zeros - (version == 1)).T, bits),
        "scales": matrix.scales.T,
        "g_idx": torch.from_numpy(group_of.astype(np.int32)),
    }


def awq(matrix, *, bits=4):
    """Tensors of one matrix: of 8 outputs first the even ones, then the odd ones."""
    order = np.arange(len(matrix.codes)).reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]].ravel()
    return {
        "qweight": words(matrix.codes[order].T, bits),
        "qzeros": words(matrix.zeros[order].T, bits),
        "scales": matrix.scales.T,
    }


def torchao(matrix, *, bits, symmetric=False):
    """Tensors of one matrix of torchao: a byte for each code, around 0."""
    middle = 2 ** (bits - 1)
    tensors = {
        "_weight_qdata": torch.from_numpy((matrix.codes - middle).astype(np.int8)),
        "_weight_scale": matrix.scales,
    }
    if not symmetric:
        tensors["_weight_zero_point"] = torch.from_numpy((matrix.zeros - middle).astype(np.int8))
    return tensors


def compressed(matrix, *, bits, symmetric=True, group_of=None, zeros="packed"):
    """Tensors of one matrix of compressed-tensors."""
    tensors = {
        "weight_packed": words(matrix.codes, bits),
        "weight_scale": matrix.scales,
        "weight_shape": torch.tensor(matrix.codes.shape),
    }
    if not symmetric and zeros == "packed":
        tensors["weight_zero_point"] = words(matrix.zeros.T, bits).T
    elif not symmetric:
        around_zero = matrix.zeros - 2 ** (bits - 1)
        tensors["weight_zero_point"] = torch.from_numpy(around_zero.astype(np.int8))
    if group_of is not None:
        tensors["weight_g_idx"] = torch.from_numpy(group_of.astype(np.int32))
    return tensors


def write(folder, hf, config, tensors_of, *, dense=("lm_head",), group_of=None, **drawn):
    """Store a model with quantised matrices but for those of `dense`; `hf` takes over the values."""
    tensors = dict(hf.state_dict())
    for seed, (name, module) in enumerate(hf.named_modules()):
        if isinstance(module, torch.nn.Linear) and not name.endswith(dense):
            n, k = module.weight.shape
            matrix = draw(n, k, seed=seed, **drawn)
            module.weight.data = matrix.weights(group_of=group_of and group_of(k))
            del tensors[f"{name}.weight"]
            order = {} if group_of is None else {"group_of": group_of(k)}
            for part, tensor in tensors_of(matrix, **order).items():
                tensors[f"{name}.{part}"] = tensor.contiguous()
    save(folder, hf, config, tensors)
    return folder


def save(folder, hf, config, tensors):
    """A folder as transformers saves it."""
    hf.config.save_pretrained(folder)
    values = json.loads((folder / "config.json").read_text()) | {"dtype": "float32"}
    values["quantization_config"] = config
    (folder / "config.json").write_text(json.dumps(values))
    save_file({name: x.contiguous() for name, x in tensors.items()}, folder / "model.safetensors")


def tiny(kind="llama", **changes):
    """A model whose rows have 128 and 256 inputs."""
    return models.tiny(kind, **SIZES | changes)


def formats_of(model):
    """The formats of all packed matrices."""
    return {
        part.format.name
        for module in model.modules()
        if getattr(module, "packed", None) is not None
        for part in module.packed.weight.parts
    }


def answers_alike(folder, hf, *, weights, formats=frozenset()):
    """The model of a folder gives the logits and the greedy tokens of a transformers model."""
    ids, mask = models.ragged(61, (9, 5))
    expected = hf.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False)
    for stage in ("naive", "final"):
        model = tinyllm.from_pretrained(folder, device="cpu", stage=stage, weights=weights)
        close(model(ids[:1]), logits_of(hf, ids[:1]))
        found = model.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False)
        assert found.tolist() == expected.tolist()
        assert formats_of(model) == set(formats)


def refused(folder, *parts, weights=None):
    """The message of the ValueError has all parts."""
    with pytest.raises(ValueError) as caught:
        tinyllm.from_pretrained(folder, device="cpu", weights=weights)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def save_index(folder, files):
    """Many safetensors files, and the index that names them."""
    for file, tensors in files.items():
        save_file(tensors, folder / file)
    weight_map = {name: file for file, tensors in files.items() for name in tensors}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def damage(folder, name, change):
    """Store another tensor in the place of one; none where `change` gives None."""
    tensors = load_file(folder / "model.safetensors")
    changed = change(tensors.pop(name))
    if changed is not None:
        tensors[name] = changed.contiguous()
    save_file(tensors, folder / "model.safetensors")


def reconfigure(folder, **changes):
    """Change options of the quantisation."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    values["quantization_config"] |= changes
    path.write_text(json.dumps(values))
