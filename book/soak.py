"""Thousands of requests of every kind through one model, and its memory before and after: `python book/soak.py`.

The stage `final` answers requests of random lengths, widths and options, split batches among them, in float32
on a small model with random weights. A sample of the answers is compared with those of `naive` with the same seed; with
keys and values in int8, with those of `segment`.
Memory is that of all tensors after the sessions are released. The outcome goes to `book/results/soak-*.json`:

    python book/soak.py [--device cuda] [--kv-dtype int8] [--requests 2000] [--sample 50] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import StoppingCriteriaList

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
import models  # noqa: E402
import tinyllm  # noqa: E402
from tinyllm.bench.machine import versions  # noqa: E402
from tinyllm.model import Model  # noqa: E402
from tinyllm.runtime.device import device_name  # noqa: E402

VOCAB, ENDS = 257, ([7], [7, 21, 90], list(range(0, 257, 5)), None)
SIZES = {"vocab_size": VOCAB, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 3}
WIDE = (65, 128, 200, 256, 1024)  # sequences of one prompt
HEADS = {
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 256,
}


@dataclass(frozen=True)
class RandomRequest:
    """One request: prompts and options."""

    ids: Tensor
    mask: Tensor
    options: dict[str, Any]


class NeverStop:
    """A stopping criterion that stops no sequence."""

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:
        """False for every row."""
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def sample_request(rng: random.Random, device: torch.device) -> RandomRequest:
    """A random request; one in sixteen is hundreds of sequences of one prompt."""
    if rng.random() < 1 / 16:
        return wide_request(rng, device)
    lengths = [rng.randint(1, rng.choice((4, 40))) for _ in range(rng.choice((1, 1, 2, 3, 6)))]
    ids, mask = models.ragged(VOCAB, lengths, seed=rng.randrange(1 << 30))
    new = rng.choice((1, 2, 5, 12, 24))
    options: dict[str, Any] = {
        "max_new_tokens": new,
        "eos_token_id": rng.choice(ENDS),
        "pad_token_id": 0,
    }
    options |= beams(rng) if rng.random() < 0.5 else {"do_sample": rng.random() < 0.5}
    if options["do_sample"]:
        options |= sampling(rng)
        options.setdefault("num_return_sequences", rng.choice((1, 1, 3)))
    if rng.random() < 0.2:
        options["min_new_tokens"] = rng.randint(0, new)
    if rng.random() < 0.15:
        options["repetition_penalty"] = rng.choice((0.8, 1.3))
    if rng.random() < 0.1:
        options["no_repeat_ngram_size"] = rng.randint(1, 3)
    if rng.random() < 0.1:
        options["stopping_criteria"] = StoppingCriteriaList([NeverStop()])
    if rng.random() < 0.2:
        options |= {"return_dict_in_generate": True, "output_scores": rng.random() < 0.5}
    elif rng.random() < 0.2:
        options["memory_budget"] = 3e6
    return RandomRequest(ids.to(device), mask.to(device), options)


def wide_request(rng: random.Random, device: torch.device) -> RandomRequest:
    """Samples or beams in hundreds; of beams the best few are compared, whose scores differ more than rounding."""
    ids, mask = models.ragged(VOCAB, [rng.randint(1, 40)], seed=rng.randrange(1 << 30))
    width = rng.choice(WIDE)
    options: dict[str, Any] = {
        "max_new_tokens": rng.choice((2, 5, 12)),
        "eos_token_id": rng.choice(ENDS),
        "pad_token_id": 0,
    }
    if rng.random() < 0.5:
        options |= {"do_sample": True, "num_return_sequences": width} | sampling(rng)
    else:
        options |= {"do_sample": False, "num_beams": width, "num_return_sequences": 2}
    return RandomRequest(ids.to(device), mask.to(device), options)


def sequences_of(request: RandomRequest) -> int:
    """Sequences of one prompt."""
    options = request.options
    return max(options.get("num_beams", 1), options.get("num_return_sequences", 1))


def beams(rng: random.Random) -> dict[str, Any]:
    """Options of a beam search."""
    width = rng.choice((2, 3, 4, 5, 8, 16))
    return {
        "num_beams": width,
        "num_return_sequences": rng.randint(1, width),
        "early_stopping": rng.choice((True, False, "never")),
        "length_penalty": rng.choice((-1.0, 0.0, 1.0, 2.0)),
        "do_sample": rng.random() < 0.2,
    }


def sampling(rng: random.Random) -> dict[str, Any]:
    """Options of sampling."""
    options = {"temperature": rng.choice((0.5, 1.0, 1.6)), "top_k": rng.choice((0, 5, 50))}
    return options | rng.choice(({}, {"top_p": 0.8}, {"min_p": 0.05}))


def answered(model: Model, request: RandomRequest, seed: int) -> list[list[int]]:
    """The tokens of a request."""
    torch.manual_seed(seed)
    out = model.generate(request.ids, request.mask, **request.options)
    return getattr(out, "sequences", out).tolist()


def held(model: Model) -> int:
    """Bytes of live tensors after the sessions are released."""
    model.sessions.clear()
    gc.collect()
    if model.device.type != "cpu":
        backend = getattr(torch, model.device.type)
        backend.synchronize(model.device)
        return backend.memory_allocated(model.device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gc also returns deprecated objects of torch
        tensors = [x for x in gc.get_objects() if isinstance(x, Tensor)]
    return sum(
        {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in tensors}.values()
    )


def main() -> int:
    """Run, compare and record; exit 1 where an answer differs or memory is not released."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--kv-dtype", choices=["int8"], help="number format of keys and values")
    parser.add_argument("--sample", type=int, default=50, help="how many answers are compared")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    device, rng = torch.device(options.device), random.Random(0)
    hf = models.tiny(**SIZES, **HEADS).to(device)
    other = "naive" if options.kv_dtype is None else "segment"  # naive keeps no int8
    final, reference = (
        tinyllm.optimize(hf, stage=stage, kv_dtype=options.kv_dtype) for stage in ("final", other)
    )
    every, kinds, differ, captures = max(1, options.requests // options.sample), Counter(), [], 0
    for number in range(20):  # libraries allocate their workspaces
        answered(final, sample_request(random.Random(number), device), 0)
    before, most = held(final), 0
    for number in tqdm(range(options.requests)):
        request = sample_request(rng, device)
        seen = {id(graph) for graph in final.sessions.captures}
        tokens = answered(final, request, number)
        captures += len({id(graph) for graph in final.sessions.captures} - seen)
        most = max(most, final.sessions.nbytes)
        kinds["beams" if request.options.get("num_beams", 1) > 1 else "one by one"] += 1
        kinds["wide"] += sequences_of(request) >= min(WIDE)
        kinds["drawn"] += request.options.get("do_sample", False)
        kinds["memory_budget"] += "memory_budget" in request.options
        if number % every == 0 and tokens != answered(reference, request, number):
            differ.append(number)
    del request
    after = held(final)
    record = {
        "what": "requests of random lengths, widths and options through the stage final, float32, a small random model",
        "requests": options.requests,
        "kinds": dict(kinds),
        "kv_dtype": options.kv_dtype,
        "compared_with": other,
        "compared": len(range(0, options.requests, every)),
        "different": differ,
        "bytes_before": before,
        "bytes_after": after,
        "captures_kept": captures,
        "most_bytes_kept": most,
        "device": device_name(device),
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(json.dumps(record, indent=1))
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    return int(bool(differ) or after != before)


if __name__ == "__main__":
    sys.exit(main())
