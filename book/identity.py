"""Compare the tokens of beam search with those of transformers: `python book/identity.py [--packed] [--json FILE]`.

Every stage beside transformers' own `generate`, in float32 on the CPU: the default model and two tiny ones with random
weights, several widths, one prompt and a left-padded batch. All beams of every prompt are compared, not the best alone,
and an end-of-text token may end them. The rows go to `book/results/identity.json`; about ten minutes on two cores.
`--packed`: models whose matrices are blocks, the default one as its file has them and tiny ones in every format, beside
transformers with the same values, dense; the rows go to `book/results/packed-identity.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm
from transformers import AutoModelForCausalLM, PreTrainedModel

import tinyllm
from tinyllm.bench.compare import first_difference
from tinyllm.bench.machine import versions
from tinyllm.checkpoint.sources import default_model_file
from tinyllm.linear import packed_formats
from tinyllm.model import Model, restage

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))
import models  # noqa: E402
from packed_models import PACKED, packed_model  # noqa: E402

RESULTS = ROOT / "book" / "results"
WIDTHS = (1, 2, 3, 4, 5, 8, 16)
PACKED_WIDTHS = (1, 4, 16)
BATCHES = (1, 7)
WHOLE_BLOCKS = {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4}
NEW_TOKENS = 32
LENGTHS = (9, 24, 8, 13, 17, 11, 21)  # of the prompts of the tiny models
TINY = {
    "tiny Llama": {"kind": "llama", "num_attention_heads": 8, "num_key_value_heads": 2},
    "tiny Mistral": {
        "kind": "mistral",
        "num_attention_heads": 7,
        "num_key_value_heads": 1,
        "hidden_size": 42,
    },
}
DEFAULT = "SmolLM2-135M-Instruct"
CHAT_PROMPT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PROMPTS = (
    CHAT_PROMPT.format("What is the capital of France?"),
    "A beam search keeps the best sequences of every request side by side, and of",
    CHAT_PROMPT.format("Say hello."),
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    CHAT_PROMPT.format("Is seven a prime number? Yes or no."),
    "La capitale de la France est Paris,",
    "1, 1, 2, 3, 5, 8,",
)


@dataclass(frozen=True)
class Subject:
    """A model in transformers and in every stage, and seven prompts, padded on the left."""

    name: str
    hf: PreTrainedModel
    stages: Mapping[str, Model]
    input_ids: Tensor
    attention_mask: Tensor
    ends: Sequence[int]

    def prompts(self, batch: int) -> dict[str, Tensor]:
        """The first `batch` prompts, without common padding."""
        ids, mask = self.input_ids[:batch], self.attention_mask[:batch]
        start = int(mask.sum(dim=0).ne(0).int().argmax())
        return {"input_ids": ids[:, start:], "attention_mask": mask[:, start:]}


@dataclass(frozen=True)
class Row:
    """One stage beside transformers. `ended`: the number of the `batch * width` sequences with an end of text;
    `first_difference`: the position of the first new token that differs in any of them; None where none does.
    """

    model: str
    stage: str
    width: int
    batch: int
    prompt_tokens: int
    new_tokens: int
    ended: int
    identical: bool
    first_difference: int | None
    versions: dict[str, str]
    date: str


def in_every_stage(first: Model) -> dict[str, Model]:
    """The same weights in all stages."""
    return {name: restage(first, stage) for name, stage in tinyllm.STAGES.items()}


def default_subject(**weights: str) -> Subject:
    """The default model, loaded by transformers and by tinyllm, dense unless `weights` names another format."""
    path = default_model_file()
    hf = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    ).eval()
    first = tinyllm.from_pretrained(stage="naive", device="cpu", dtype="float32", **weights)
    batch = first.tokenizer(list(PROMPTS), padding=True, padding_side="left", return_tensors="pt")
    ends = [first.generation_config.eos_token_id]
    return Subject(
        ", ".join([DEFAULT, *packed_formats(first)]),
        hf,
        in_every_stage(first),
        batch["input_ids"],
        batch["attention_mask"],
        ends,
    )


def tiny_subject(name: str) -> Subject:
    """A model with random weights; two of the tokens that it generates are its ends of text."""
    shape = dict(TINY[name])
    hf = models.tiny(shape.pop("kind"), seed=len(name), vocab_size=97, num_hidden_layers=3, **shape)
    return subject_of(name, hf, tinyllm.optimize(hf, stage="naive"))


def packed_subject(name: str, formats: Sequence[str]) -> Subject:
    """A model with random blocks in some formats; merged matrices have rows in several."""
    hf = models.tiny("llama", seed=len(name), vocab_size=97, **WHOLE_BLOCKS)
    return subject_of(name, hf, packed_model(hf, "naive", formats))


def subject_of(name: str, hf: PreTrainedModel, first: Model) -> Subject:
    """A tiny model beside transformers'."""
    ids, mask = models.ragged(97, LENGTHS, seed=1)
    free = hf.generate(
        ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, num_beams=4, do_sample=False
    )
    ends = sorted({int(free[0, ids.shape[1] + 9]), int(free[3, ids.shape[1] + 14])})
    return Subject(name, hf, in_every_stage(first), ids, mask, ends)


def dense_subjects() -> list[Subject]:
    """Models whose matrices are dense."""
    return [tiny_subject("tiny Llama"), tiny_subject("tiny Mistral"), default_subject()]


def packed_subjects() -> list[Subject]:
    """Models whose matrices are packed: in each format, in all of them, and the default one as it is stored."""
    tiny = [packed_subject(f"tiny Llama, {name}", [name]) for name in PACKED]
    mixed = packed_subject("tiny Llama, mixed", PACKED)
    return [*tiny, mixed, default_subject(weights="stored")]


def rows_of(subject: Subject, width: int, batch: int) -> Iterator[Row]:
    """Every stage beside transformers, all beams returned."""
    prompts = subject.prompts(batch)
    options = {"max_new_tokens": NEW_TOKENS, "num_beams": width, "num_return_sequences": width}
    options |= {
        "eos_token_id": list(subject.ends),
        "pad_token_id": subject.ends[0],
        "do_sample": False,
    }
    theirs = subject.hf.generate(**prompts, **options)
    t = prompts["input_ids"].shape[1]
    ended = torch.isin(theirs[:, t:], torch.tensor(subject.ends)).any(dim=1).sum()
    for stage, model in subject.stages.items():
        where = first_difference(*same_length(model.generate(**prompts, **options), theirs), t)
        yield Row(
            model=subject.name,
            stage=stage,
            width=width,
            batch=batch,
            prompt_tokens=t,
            new_tokens=NEW_TOKENS,
            ended=int(ended),
            identical=where is None,
            first_difference=where,
            versions=versions(),
            date=datetime.now(UTC).date().isoformat(),
        )


def same_length(*answers: Tensor) -> list[Tensor]:
    """Answers padded to the longest with a number that is no token."""
    longest = max(answer.shape[1] for answer in answers)
    return [F.pad(answer, (0, longest - answer.shape[1]), value=-1) for answer in answers]


def table(rows: Sequence[Row]) -> str:
    """A line for each model, batch and stage; a column for each width."""
    found: dict[tuple[str, int, str], dict[int, str]] = {}
    for row in rows:
        result = "same" if row.first_difference is None else f"token {row.first_difference + 1}"
        found.setdefault((row.model, row.batch, row.stage), {})[row.width] = result
    widths = sorted({row.width for row in rows})
    lines = [
        f"{'model':36}{'batch':>5}  {'stage':10}"
        + "".join(f"{f'w = {width}':>10}" for width in widths)
    ]
    for (model, batch, stage), by_width in found.items():
        lines.append(
            f"{model:36}{batch:>5}  {stage:10}"
            + "".join(f"{by_width[width]:>10}" for width in widths)
        )
    return "\n".join(lines)


def main() -> int:
    """Compare, write the rows, show them; exit 1 where any tokens differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packed", action="store_true", help="models whose matrices are packed")
    parser.add_argument("--json", type=Path, help="where the rows go; book/results by default")
    options = parser.parse_args()
    path = options.json or RESULTS / f"{'packed-' * options.packed}identity.json"
    warnings.simplefilter("ignore")  # warnings of transformers about its own options
    rows: list[Row] = []
    subjects = packed_subjects() if options.packed else dense_subjects()
    widths = PACKED_WIDTHS if options.packed else WIDTHS
    for subject, batch, width in tqdm(list(product(subjects, BATCHES, widths))):
        rows.extend(rows_of(subject, width, batch))
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(table(rows))
    return int(not all(row.identical for row in rows))


if __name__ == "__main__":
    sys.exit(main())
