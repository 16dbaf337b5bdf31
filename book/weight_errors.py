"""Measure what each format of weights costs in precision: `python book/weight_errors.py [--json FILE]`.

The default model in float32 with its weights decoded, beside the same weights in other formats, on a text of the
standard library: the mean Kullback-Leibler divergence of the next token's distribution, and the perplexity. Activations
are float32 in all rows. The rows go to `book/results/weight-errors.json`; about three minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from pydoc_data.topics import topics

import torch
from torch import Tensor
from tqdm import tqdm

import tinyllm
from tinyllm.bench.machine import versions
from tinyllm.linear import storage_size
from tinyllm.model import Model

RESULTS = Path(__file__).parent / "results" / "weight-errors.json"
MODEL = "SmolLM2-135M-Instruct"
REFERENCE = "float32"
FORMATS = (REFERENCE, "bfloat16", "float16", "q8_0", "q4_1", "q4_0")
WINDOWS = 8
WINDOW_TOKENS = 256
CHARACTERS = 20 * WINDOWS * WINDOW_TOKENS  # more than enough for so many tokens


@dataclass(frozen=True)
class Row:
    """One format: bits a weight and bytes of all weights, and its errors; `same_top`: share of equal argmax."""

    model: str
    weights: str
    bits: float
    nbytes: int
    tokens: int
    divergence: float
    perplexity: float
    same_top: float
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure, record, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS)
    path = parser.parse_args().json
    reference = load(REFERENCE)
    windows = windows_of_text(reference)
    expected = [log_probabilities(reference, window) for window in windows]
    rows = []
    for weights in tqdm(FORMATS, unit="format"):
        model = reference if weights == REFERENCE else load(weights)
        rows.append(measured(model, weights, windows, expected))
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(as_markdown(rows))


def load(weights: str) -> Model:
    """The default model, its weights decoded and stored in a format."""
    return tinyllm.from_pretrained(stage="naive", device="cpu", dtype="float32", weights=weights)


def windows_of_text(model: Model) -> Tensor:
    """Token ids [windows, tokens] of the start of Python's documentation."""
    text = "\n".join(topics[name] for name in sorted(topics))[:CHARACTERS]
    ids = model.tokenizer(text, return_tensors="pt", verbose=False)["input_ids"][0]
    return ids[: WINDOWS * WINDOW_TOKENS].view(WINDOWS, WINDOW_TOKENS)


def log_probabilities(model: Model, window: Tensor) -> Tensor:
    """The logarithms of the probabilities of every token [t, v] behind each token of a window."""
    return model(window[None])[0].log_softmax(dim=-1)


def measured(model: Model, weights: str, windows: Tensor, expected: Sequence[Tensor]) -> Row:
    """The errors of a model whose distributions should be the expected ones."""
    divergence = []
    surprise = []
    same = []
    for window, reference in zip(windows, expected, strict=True):
        found = log_probabilities(model, window)
        divergence.append((reference.exp() * (reference - found)).sum(dim=-1))
        surprise.append(-found[:-1].gather(1, window[1:, None])[:, 0])
        same.append(found.argmax(dim=-1) == reference.argmax(dim=-1))
    size = storage_size(model)
    return Row(
        model=MODEL,
        weights=weights,
        bits=8 * size.nbytes / size.elements,
        nbytes=size.nbytes,
        tokens=windows.numel(),
        divergence=torch.cat(divergence).double().mean().item(),
        perplexity=math.exp(torch.cat(surprise).double().mean()),
        same_top=torch.cat(same).double().mean().item(),
        versions=versions(),
        date=datetime.now(UTC).date().isoformat(),
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """A line for every format."""
    lines = [
        "| weights | bits a weight | MB | mean KL divergence | perplexity | same most likely token |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        sizes = f"{row.bits:.2f} | {row.nbytes / 1e6:.1f}"
        lines.append(f"| `{row.weights}` | {sizes} | {errors(row)} |")
    return "\n".join(lines)


def table() -> str:
    """The recorded rows, and what was measured."""
    rows = [Row(**row) for row in json.loads(RESULTS.read_text())]
    return f"{heading(rows[0], 'activations')}\n\n{as_markdown(rows)}"


def heading(row: Row, exact: str) -> str:
    """The model, the text, and what was in float32; of rows of keys and values too, which have the same fields."""
    return (
        f"**{row.model}**, {row.date}: {row.tokens} tokens of Python's documentation in windows of "
        f"{WINDOW_TOKENS}, {exact} in float32; python {row.versions['python']}."
    )


def errors(row: Row) -> str:
    """The last three columns of a line."""
    return f"{row.divergence:.1e} | {row.perplexity:.3f} | {row.same_top:.1%}"


if __name__ == "__main__":
    main()
