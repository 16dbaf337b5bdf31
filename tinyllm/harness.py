"""A model as lm-evaluation-harness takes it; the harness has to be installed: `pip install lm_eval`.

lm_eval.simple_evaluate(HarnessModel(tinyllm.from_pretrained()), tasks=["hellaswag"])
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from tinyllm.evaluation import MAX_NEW_TOKENS, Pair, answer_until, score_pairs
from tinyllm.model import Model
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from transformers import PreTrainedTokenizerBase


class HarnessModel(TemplateLM):
    """A model for `lm_eval.simple_evaluate`: its scores are those of the harness's own "hf" on the same weights.

    `tokenizer` is the model's, unless one is given. Raises ValueError where there is none.
    """

    def __init__(
        self,
        model: Model,
        tokenizer: PreTrainedTokenizerBase | None = None,
        *,
        batch_size: int = 16,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = model.tokenizer if tokenizer is None else tokenizer
        if self.tokenizer is None:
            raise ValueError("the model has no tokenizer: expected one, pass it as tokenizer")
        self.batch_size = batch_size
        self.max_length = model.config.max_position_embeddings
        self._device = model.device

    @property
    def eot_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else bos

    @property
    def tokenizer_name(self) -> str:
        return self.tokenizer.name_or_path.replace("/", "__")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        return self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        if add_special_tokens is None:
            prefix = self.tokenizer.decode(self.prefix_token_id)
            add_special_tokens = not (prefix and string.startswith(prefix))
        return self.tokenizer.encode(string, add_special_tokens=add_special_tokens)

    def _loglikelihood_tokens(
        self, requests: list[tuple[Any, list[int], list[int]]], **kwargs: Any
    ) -> list[tuple[float, bool]]:
        pairs = [Pair(tuple(context), tuple(rest)) for _, context, rest in requests]
        scores = [
            tuple(score) for score in score_pairs(self.model, pairs, batch_size=self.batch_size)
        ]
        for (texts, _, _), score in zip(requests, scores, strict=True):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, score)
        return scores

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        texts = [request.args[0] for request in requests]
        windows = [
            (place, None, *make_disjoint_window(window))
            for place, text in enumerate(texts)
            for window in get_rolling_token_windows(
                self.tok_encode(text), self.prefix_token_id, self.max_length, context_len=1
            )
        ]
        totals = [0.0] * len(texts)
        scores = self._loglikelihood_tokens([window[1:] for window in windows])
        for (place, *_), (log_likelihood, _) in zip(windows, scores, strict=True):
            totals[place] += log_likelihood
        for text, total in zip(texts, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), total)
        return totals

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        by_options: dict[str, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            by_options[json.dumps(request.args[1], sort_keys=True)].append(place)
        answers = [""] * len(requests)
        for places in by_options.values():
            self._answer(requests, places, answers)
        return answers

    def _answer(self, requests: list[Instance], places: list[int], answers: list[str]) -> None:
        """Answer the requests of one set of options, the longest prompts first."""
        options = normalize_gen_kwargs(requests[places[0]].args[1], MAX_NEW_TOKENS)
        eos = self.tokenizer.decode(self.eot_token_id)
        until = handle_stop_sequences(options.pop("until", None), eos=eos)
        new_tokens = options.pop("max_gen_toks")
        if not options["do_sample"]:
            options.pop("temperature", None)
        prompts = {place: self.tok_encode(requests[place].args[0]) for place in places}
        places = sorted(places, key=lambda place: len(prompts[place]), reverse=True)
        batches = range(0, len(places), self.batch_size)
        for start in progress(batches, desc="answering", unit="batch", delay=2):
            batch = places[start : start + self.batch_size]
            ids = [prompts[place] for place in batch]
            texts = answer_until(
                self.model, self.tokenizer, ids, until, max_new_tokens=new_tokens, **options
            )
            for place, text in zip(batch, texts, strict=True):
                answers[place] = text
                self.cache_hook.add_partial("generate_until", requests[place].args, text)
