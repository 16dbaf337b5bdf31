"""Transformers models in place: their tokens by tinyllm, and by transformers' own `generate`."""

import torch

import models
import tinyllm

PROMPT, MASK = models.ragged(61, (7, 4))
WAY = {"attention_mask": MASK, "max_new_tokens": 6, "do_sample": False}
BEAMS = {"num_beams": 3, "num_return_sequences": 2}
RECORDED = {"return_dict_in_generate": True, "output_scores": True}
NO_FALLBACK = "error:transformers answers"  # a call that transformers answers has this warning


def by_transformers(hf, **options):
    """What the method of the class answers."""
    return type(hf).generate(hf, PROMPT, **(WAY | options))


def by_tinyllm(hf, **options):
    answer = hf.generate(PROMPT, **(WAY | options))
    assert hf.generate.model.sessions.was_taken
    return answer


def in_place(kind="llama", stage="final", **changes):
    return tinyllm.optimize(models.tiny(kind, **changes), stage=stage, inplace=True)


def same_tokens(hf, **options):
    found = by_tinyllm(hf, **options).tolist()
    assert found == by_transformers(hf, **options).tolist()
    return found


def load(hf, **options):
    hf.load_state_dict(models.tiny(hf.config.model_type, seed=3).state_dict(), **options)


def step(hf):
    hf.requires_grad_(True)
    optimizer = torch.optim.AdamW(hf.parameters(), lr=0.3)
    for seed in range(2):
        ids, _ = models.ragged(hf.config.vocab_size, (9,), seed=seed)
        hf(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def copy_into(hf):
    other = models.tiny(hf.config.model_type, seed=3)
    with torch.no_grad():
        for own, new in zip(hf.parameters(), other.parameters(), strict=True):
            own.copy_(new)


def edit_data(hf):
    for name, parameter in hf.named_parameters():
        if "norm" in name or "ln_" in name:
            parameter.data.mul_(-2)
