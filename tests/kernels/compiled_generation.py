"""Whole answers of a small model on Triton kernels compiled by Intel, beside those of transformers.

Every launch of a decode step runs in its order, with the strides, lengths and reordered beams of real calls. Run as a
program with `compiler.environment`; it prints, for each call, whether the tokens are equal, and the kernels launched.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import torch
import triton
from small_llama import small_llama

import tinyllm
from tinyllm.kernels.triton.xpu import driver

CALLS = {"greedy": {}, "beams": {"num_beams": 3, "num_return_sequences": 2}}


def main() -> None:
    driver.run_on_cpu()
    launched: Counter[str] = Counter()
    run = triton.runtime.JITFunction.run

    def counted(self, *args, **options):
        launched[self.__name__] += 1
        return run(self, *args, **options)

    triton.runtime.JITFunction.run = counted
    hf = small_llama()
    model = tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["final"], kernels="triton"))
    ids = torch.arange(1, 13).view(2, 6)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    for name, call in CALLS.items():
        options = {"max_new_tokens": 8, "do_sample": False} | call
        launched.clear()
        answer = model.generate(ids, mask, **options)
        same = torch.equal(answer, hf.generate(ids, attention_mask=mask, **options))
        print(json.dumps({"call": name, "same": same, "launched": launched}), flush=True)


if __name__ == "__main__":
    main()
