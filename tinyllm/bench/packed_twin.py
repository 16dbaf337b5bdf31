"""A model of transformers whose matrices stay in the blocks of a GGUF file, in its own modules, on our kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tinyllm.checkpoint.weights import Weights
from tinyllm.kernels import gguf

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def pack_twin(twin: PreTrainedModel, weights: Weights) -> None:
    """Give a dense model of transformers the `weights`: blocks where our kernel reads them, else dense tensors.

    transformers itself keeps the blocks of few architectures; its modules take those of any. From here on they call
    `tinyllm.kernels.gguf` in this process. Raises ValueError for weights without a packed matrix, and for an embedding
    in blocks beside a dense head, which transformers would tie.
    """
    from transformers.integrations.gguf import kernels as integration
    from transformers.integrations.gguf.utils import replace_with_gguf_modules

    packed = {name: weights.packed(name, twin.dtype) for name in weights.shapes}
    found = {
        name: rows
        for name, rows in packed.items()
        if rows is not None and rows.format.ggml_type in gguf.GEMV_TYPES
    }
    if not found:
        raise ValueError(f"{weights.file(None)} has no matrix in blocks: expected a packed model")
    tables = twin._tied_weights_keys or {}
    for head, table in tables.items():
        if table in found and head not in found and not twin.config.tie_word_embeddings:
            raise ValueError(
                f"{weights.file(head)}: {table} is packed and {head} is dense: expected both packed"
            )
    integration._gguf_kernel = integration.GgufKernel(gguf)
    types = {name: rows.format.ggml_type for name, rows in found.items()}
    modules = replace_with_gguf_modules(twin, types, integration._gguf_kernel, twin.dtype)
    shared: dict[str, torch.nn.Parameter] = {}
    for name, module in modules.items():
        source = name if name in found else tables[name]
        blocks = torch.nn.Parameter(found[source].blocks, requires_grad=False)
        module.weight = shared.setdefault(source, blocks)
    for name, parameter in twin.named_parameters():
        if name in weights.shapes and name not in modules:
            parameter.data.copy_(weights.read(name))
