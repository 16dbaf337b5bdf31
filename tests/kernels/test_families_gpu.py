"""On a GPU: every family through every stage, its kernels compiled, gives the tokens of transformers on the CPU."""

import pytest

import models
import tinyllm

pytestmark = pytest.mark.gpu
LENGTHS = (1, 4, 9)
WAYS = ({"max_new_tokens": 32}, {"max_new_tokens": 12, "num_beams": 4})


@models.every_kind
def test_the_peer_looks_at_the_same_weights(kind, tmp_path, accelerator):
    models.look_at_one_memory(kind, tmp_path, accelerator)


@models.every_branch
def test_tokens_of_a_ragged_batch(kind, branch, accelerator):
    sizes = {"hidden_size": 48, "num_hidden_layers": 3, "max_position_embeddings": 128}
    hf = models.tiny(kind, seed=5, **sizes | models.BRANCHES[kind][branch])
    ids, mask = models.ragged(hf.config.vocab_size, LENGTHS, seed=5)
    logits = models.logits_of(hf, ids, mask)
    expected = [
        hf.generate(ids, attention_mask=mask, do_sample=False, **way).tolist() for way in WAYS
    ]
    for stage in tinyllm.STAGES:
        model = tinyllm.optimize(
            models.tiny(kind, seed=5, **sizes | models.BRANCHES[kind][branch]), stage=stage
        )
        model.to(accelerator)
        models.close(
            model(ids.to(accelerator), mask.to(accelerator)).cpu()[mask.bool()], logits[mask.bool()]
        )
        for way, answer in zip(WAYS, expected, strict=True):
            mine = model.generate(ids, mask, **way).tolist()
            assert mine == answer or models.tied(hf, ids, mask, answer, do_sample=False, **way), (
                stage
            )
