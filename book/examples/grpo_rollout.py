"""Reinforcement learning with many answers of one prompt: TRL's GRPOTrainer, its answers by tinyllm.

A prompt is stored once for all of its answers, and the weights are those in training, updated in place between the
rounds. With TRL installed (`pip install trl`), a small random model learns to answer with vowels:

    python book/examples/grpo_rollout.py [--rounds 40] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

import tinyllm
from tinyllm.bench.machine import versions
from tinyllm.drop_in import BY_TRANSFORMERS
from tinyllm.runtime.device import device_name

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
    from trl import GRPOTrainer

Prompt = str | list[dict[str, str]]  # a text, or the messages of a chat
Rollout = dict[str, list[list[int]] | list[list[float]]]
PROMPTS = ("abc", "hello", "tiny", "rollouts")
VOWELS = "aeiou"


class Answers(NamedTuple):
    """Sampled tokens, each answer up to its end, and the log-probability that each token was drawn with."""

    ids: list[list[int]]
    logprobs: list[list[float]]


def sample_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    answers: int,
    **options: Any,
) -> Answers:
    """So many answers of each prompt, given as token ids; `model` is in place, `options` are those of `generate`."""
    inputs = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    out = model.generate(
        **inputs.to(model.device),
        do_sample=True,
        num_return_sequences=answers,
        return_dict_in_generate=True,
        output_scores=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **options,
    )
    logprobs = model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
    ids = out.sequences[:, inputs["input_ids"].shape[1] :]
    sizes = answer_lengths(ids, tokenizer.eos_token_id)
    return Answers(
        ids=[row[:size] for row, size in zip(ids.tolist(), sizes, strict=True)],
        logprobs=[row[:size] for row, size in zip(logprobs.tolist(), sizes, strict=True)],
    )


def answer_lengths(ids: Tensor, eos_token_id: int) -> list[int]:
    """Tokens of each answer `[r, n]`, with the one that ends it."""
    is_end = ids == eos_token_id
    lengths = torch.where(is_end.any(dim=1), is_end.int().argmax(dim=1) + 1, ids.shape[1])
    return lengths.tolist()


def make_rollout(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **options: Any
) -> Callable[[list[Prompt], GRPOTrainer | None], Rollout]:
    """The `rollout_func` of `trl.GRPOTrainer`; `model` is the one in training, in place.

    TRL repeats each prompt once for each of its answers. Here equal neighbours are one prompt with several answers.
    """

    def rollout(prompts: list[Prompt], trainer: GRPOTrainer | None = None) -> Rollout:
        result: Rollout = {"prompt_ids": [], "completion_ids": [], "logprobs": []}
        groups = [(prompt, len(list(equal))) for prompt, equal in groupby(prompts)]
        for answers, batch in groupby(groups, key=lambda group: group[1]):
            ids = [encode(tokenizer, prompt) for prompt, _ in batch]
            sampled = sample_answers(model, tokenizer, ids, answers, **options)
            result["prompt_ids"] += [one for one in ids for _ in range(answers)]
            result["completion_ids"] += sampled.ids
            result["logprobs"] += sampled.logprobs
        return result

    return rollout


def encode(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> list[int]:
    """The token ids of a text, or of a chat that the model is to continue."""
    if isinstance(prompt, str):
        return tokenizer(prompt)["input_ids"]
    return tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)


def letters() -> PreTrainedTokenizerBase:
    """A tokenizer with one token for each small letter, one that ends a text and one for padding."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    names = [*ascii_lowercase, "<end>", "<pad>"]
    made = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, merges=[]))
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", pad_token="<pad>")


def small_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A small Llama with random weights, in float32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def vowel_share(completions: list[str], **kwargs: Any) -> list[float]:
    """The reward: the share of an answer's letters that are vowels."""
    return [sum(letter in VOWELS for letter in text) / max(len(text), 1) for text in completions]


def greedy_texts(generate: Callable, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Greedy answers of the prompts."""
    inputs = tokenizer(list(PROMPTS), padding=True, padding_side="left", return_tensors="pt")
    ids = generate(
        inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        max_new_tokens=12,
        do_sample=False,
    )
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


def train(rounds: int, by: str) -> dict[str, Any]:
    """Rounds of GRPO, each on the weights that the last one has updated in place; what it found.

    The answers are `by` "rollout", the trainer's own call of "generate", or "transformers" without tinyllm.
    """
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = letters()
    model = tinyllm.optimize(small_model(tokenizer), inplace=True)
    shared = model.generate.model
    addresses = shared.weight_addresses
    rollout = make_rollout(model, tokenizer, max_new_tokens=8, top_k=0)
    if by == "transformers":
        del model.generate
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("error", message=BY_TRANSFORMERS)
        config = GRPOConfig(
            folder,
            max_steps=rounds,
            per_device_train_batch_size=16,
            num_generations=8,
            max_completion_length=8,
            learning_rate=3e-3,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            report_to=[],
            save_strategy="no",
        )
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=vowel_share,
            args=config,
            train_dataset=Dataset.from_dict({"prompt": list(PROMPTS) * rounds}),
            processing_class=tokenizer,
            rollout_func=rollout if by == "rollout" else None,
        )
        trainer.train()
        texts = greedy_texts(model.generate, tokenizer)
    return {
        "by": by,
        "rounds": rounds,
        "rewards": [float(row["reward"]) for row in trainer.state.log_history if "reward" in row],
        "greedy_answers": texts,
        "weights_stayed_in_place": shared.weight_addresses == addresses,
    }


def main() -> None:
    """Train in three ways, print what was found, and keep it where `--json` names a file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json")
    args = parser.parse_args()
    runs = [train(args.rounds, by) for by in ("rollout", "generate", "transformers")]
    found = {
        "what": "TRL's GRPOTrainer on a small random model in float32, on the weights in training: answers by tinyllm "
        "(rollout, generate) and by transformers",
        "same_rewards": all(run["rewards"] == runs[0]["rewards"] for run in runs),
        "same_answers": all(run["greedy_answers"] == runs[0]["greedy_answers"] for run in runs),
        "runs": runs,
        "device": device_name(torch.device("cpu")),
        "versions": versions() | {"trl": version("trl")},
        "date": datetime.now(UTC).date().isoformat(),
    }
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        Path(args.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
