"""The widgets of the course for readers without a kernel: pictures of all positions, with sliders."""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

from tinyllm.attention.stock import stock_attention
from tinyllm.draw.picture import picture
from tinyllm.draw.stepper import Shown
from tinyllm.lab.softmax_trace import SoftmaxTrace, trace_softmax
from tinyllm.model import Model, restage

INTRO = """# Step through it

The widgets of the course. In JupyterLab they run in the notebooks, on your machine. This page shows pictures of
their positions (for the GPUs and the ladder, a selection), each with its text below.
"""
TITLES = {
    "gpus": (
        "The limit of a token on Intel GPUs",
        "Pick a GPU, a model and a format; computed from published figures: notebook 00.",
    ),
    "beams": (
        "The memory of a beam search",
        "The cache that is copied beside the one that is not: notebook 09.",
    ),
    "softmax": (
        "Attention in one pass, tile by tile",
        "One head of the default model: notebook 10.",
    ),
    "ladder": (
        "The ladder, predicted",
        "Pick a stage, a beam width and a prompt, on an assumed GPU: notebook 14.",
    ),
}
# A part of the positions of two widgets.
OFFERED = {
    "model": ("smollm2-135m", "llama-2-7b", "llama-2-13b"),
    "weights": ("16 bits", "8 bits", "4 bits (q4_0)"),
    "stage": ("fused", "segment", "final"),
    "beams": (1, 4, 8),
    "prompt": (128, 1024, 8192),
}


def widgets() -> dict[str, Shown]:
    """The widgets of the notebooks."""
    import tinyllm
    from tinyllm.bench.machine import Machine
    from tinyllm.draw.beam_stepper import step_through_beams
    from tinyllm.draw.gpu_picker import pick_gpu
    from tinyllm.draw.ladder_picker import pick_from_ladder
    from tinyllm.draw.softmax_stepper import step_through_softmax
    from tinyllm.lab.kv_trace import trace_beams
    from tinyllm.lab.shapes import known_config

    fused = tinyllm.from_pretrained(stage="fused", device="cpu", dtype="float32")
    ids = fused.tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    traces = (
        trace_beams(model, ids, 4, 8)
        for model in (fused, restage(fused, tinyllm.STAGES["segment"]))
    )
    gpu = Machine("assumed GPU", read_bandwidth=1e12, copy_bandwidth=1e12, launch_overhead=5e-6)
    return {
        "gpus": pick_gpu(),
        "beams": step_through_beams(*traces),
        "softmax": step_through_softmax(
            last_token(
                fused,
                "Water is poured into a glass, milk into a cup, and tea into a",
                layer=11,
                head=6,
            )
        ),
        "ladder": pick_from_ladder(known_config("llama-2-7b"), gpu),
    }


def last_token(model: Model, text: str, layer: int, head: int) -> SoftmaxTrace:
    """One head of the last token of a text, four keys at a time."""
    seen, ids = [], model.tokenizer(text, return_tensors="pt")["input_ids"]

    def watching(q, segments, metadata, options):
        seen.append((q, *segments[0].part(0, metadata.length)))
        return stock_attention(q, segments, metadata, options)

    restage(model, replace(model.stage, attention=watching))(ids)
    (q, k, v), group = seen[layer], model.config.group
    keys = [model.tokenizer.decode(token) for token in ids[0]]
    return trace_softmax(q[0, head, -1], k[0, head // group], v[0, head // group], 4, keys)


def positions(shown: Shown) -> list[tuple[str, list[Any]]]:
    """The controls of a widget by name, with their values on the page."""
    names = [control.description for control in shown.watched]
    return [
        (n, list(OFFERED.get(n, ()) or steps(control)))
        for n, control in zip(names, shown.watched, strict=True)
    ]


def steps(control: Any) -> list[Any]:
    """All values of a list of options, or of an integer slider."""
    if hasattr(control, "options"):
        return list(control.options)
    return list(range(control.min, control.max + 1))


def draw_positions(name: str, shown: Shown, folder: Path) -> dict[str, Any]:
    """Draw the positions of a widget into a folder; returns the data for the page's script."""
    controls, frames = positions(shown), []
    for number, values in enumerate(product(*(offered for _, offered in controls))):
        figure, words, still = shown.look(*values)
        file = f"{name}-{number}.png"
        (folder / file).write_bytes(picture(figure, still).png)
        frames.append({"image": file, "words": words, "alt": still.splitlines()[0].strip("[]")})
    return {"controls": controls, "frames": frames}


def section(name: str, data: dict[str, Any], pictures: str) -> str:
    """One widget on the page: its first position, and the data of all positions for the script."""
    (title, words), first = TITLES[name], data["frames"][0]
    script = json.dumps(data).replace("</", "<\\/")
    return f"""## {title}

{words}

```{{raw}} html
<div class="steps" id="{name}" data-pictures="{pictures}">
<div class="controls"></div>
<img src="{pictures}/{first["image"]}" alt="{escape(first["alt"])}">
<pre>{escape(first["words"])}</pre>
<script type="application/json">{script}</script>
</div>
```
"""


def page(folder: Path, pictures: str) -> str:
    """The page of all widgets; their pictures are drawn into `folder`, which the site has at the address `pictures`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = (
        section(name, draw_positions(name, shown, folder), pictures)
        for name, shown in widgets().items()
    )
    return "\n".join([INTRO, *made])
