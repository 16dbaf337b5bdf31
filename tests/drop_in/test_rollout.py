"""The rollout function of the book's example of GRPO: sampled answers and their log-probabilities."""

import sys
from pathlib import Path

import pytest
import torch
from in_place import NO_FALLBACK, step

import tinyllm

sys.path.append(str(Path(__file__).parents[2] / "book" / "examples"))
import grpo_rollout

pytestmark = pytest.mark.filterwarnings(NO_FALLBACK)
END = 26
OPTIONS = {"max_new_tokens": 6, "top_k": 0, "temperature": 0.8}


@pytest.fixture
def tokenizer():
    return grpo_rollout.letters()


def policy(tokenizer):
    """A model that ends about every third answer early."""
    model = grpo_rollout.small_model(tokenizer)
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
        model.lm_head.weight[END] = model.lm_head.weight[3] + 0.01
    return tinyllm.optimize(model, inplace=True)


@torch.no_grad()
def expected_logprobs(model, prompt, completion):
    """Log-probabilities of a completion, by transformers' forward pass."""
    logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
    chosen = torch.tensor(completion)[:, None]
    return (logits / OPTIONS["temperature"]).log_softmax(-1).gather(1, chosen)[:, 0]


def check(model, rows):
    for prompt, completion, logprobs in zip(*rows.values(), strict=True):
        torch.testing.assert_close(
            torch.tensor(logprobs),
            expected_logprobs(model, prompt, completion),
            rtol=1e-4,
            atol=1e-4,
        )


def test_answers_and_log_probabilities_of_the_weights_as_they_are(tokenizer):
    model = policy(tokenizer)
    rollout = grpo_rollout.make_rollout(model, tokenizer, **OPTIONS)
    prompts = ["abc"] * 8 + ["hello"] * 8 + ["tiny"] * 3
    torch.manual_seed(0)
    first = rollout(prompts)
    assert [tokenizer.decode(ids) for ids in first["prompt_ids"]] == prompts
    assert {len(values) for values in first.values()} == {len(prompts)}
    assert len(set(map(tuple, first["completion_ids"]))) > 8
    check(model, first)
    made = model.generate.model
    step(model)
    torch.manual_seed(0)
    second = rollout(prompts)
    assert second["logprobs"] != first["logprobs"]
    check(model, second)
    assert model.generate.model is made


def test_answers_stop_with_their_end(tokenizer):
    model = policy(tokenizer)
    torch.manual_seed(0)
    found = grpo_rollout.make_rollout(model, tokenizer, **OPTIONS)(["abc"] * 64)
    ended = [ids for ids in found["completion_ids"] if ids[-1] == END]
    assert 0 < len(ended) < 64
    assert all(END not in ids[:-1] for ids in found["completion_ids"])
    assert all(len(ids) == 6 for ids in found["completion_ids"] if END not in ids)
    check(model, found)


def test_samples_are_those_of_transformers(tokenizer):
    model = policy(tokenizer)
    prompts = [[1, 2, 3], [4, 5]]
    answers = []
    for _ in range(2):
        torch.manual_seed(0)
        answers.append(grpo_rollout.sample_answers(model, tokenizer, prompts, 4, **OPTIONS))
        vars(model).pop("generate", None)
    assert answers[0].ids == answers[1].ids


def test_chats_are_encoded_with_their_template(tokenizer):
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message.content }}{% endfor %}"
        "{% if add_generation_prompt %}x{% endif %}"
    )
    chat = [{"role": "user", "content": "ab"}]
    assert grpo_rollout.encode(tokenizer, chat) == grpo_rollout.encode(tokenizer, "abx")
