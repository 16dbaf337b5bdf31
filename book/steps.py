"""The widgets of the course for readers without a kernel: pictures of all positions, with sliders.

They have a page of their own, and are in the pages of the notebooks that show them.
"""

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

The four widgets of the course, which are in the pages of their notebooks too. In JupyterLab they run on your machine.
This page shows pictures of their positions (for the GPUs and the ladder, a selection), each with its text below.
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
    "stage": ("naive", "segment", "final"),
    "beams": (1, 4, 8),
    "prompt": (128, 1024, 8192),
}
# The call in a notebook that shows each widget.
CALLS = {
    "gpus": "pick_gpu",
    "beams": "step_through_beams",
    "softmax": "step_through_softmax",
    "ladder": "pick_from_ladder",
}


def widgets() -> dict[str, Shown]:
    """The widgets of the notebooks."""
    import tinyllm
    from tinyllm.bench.machine import Machine
    from tinyllm.draw.beam_stepper import step_through_beams
    from tinyllm.draw.gpu_picker import pick_gpu
    from tinyllm.draw.ladder_picker import pick_from_ladder
    from tinyllm.draw.softmax_stepper import step_through_softmax
    from tinyllm.lab.intel_gpus import intel_gpu
    from tinyllm.lab.kv_trace import trace_beams
    from tinyllm.lab.shapes import known_config

    fused = tinyllm.from_pretrained(stage="fused", device="cpu", dtype="float32")
    ids = fused.tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    traces = (
        trace_beams(model, ids, 4, 8)
        for model in (fused, restage(fused, tinyllm.STAGES["segment"]))
    )
    card = intel_gpu("B580")
    gpu = Machine(card.name, card.bandwidth, card.bandwidth, launch_overhead=5e-6)
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
        "ladder": pick_from_ladder(known_config("tinyllama-1.1b"), gpu),
    }


def last_token(model: Model, text: str, layer: int, head: int) -> SoftmaxTrace:
    """One head of the first token after a text, four keys at a time."""
    seen, ids = [], model.tokenizer(text, return_tensors="pt")["input_ids"]
    ids = model.generate(ids, max_new_tokens=1, do_sample=False)

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


def box(name: str, data: dict[str, Any], pictures: str) -> str:
    """One widget as HTML: its first position, and the data of all positions for the script."""
    first = data["frames"][0]
    script = json.dumps(data).replace("</", "<\\/")
    return f"""<div class="steps" id="{name}" data-pictures="{pictures}">
<div class="controls"></div>
<img src="{pictures}/{first["image"]}" alt="{escape(first["alt"])}">
<pre>{escape(first["words"])}</pre>
<script type="application/json">{script}</script>
</div>"""


def section(name: str, data: dict[str, Any], pictures: str) -> str:
    """One widget on the page."""
    title, words = TITLES[name]
    return f"## {title}\n\n{words}\n\n```{{raw}} html\n{box(name, data, pictures)}\n```\n"


def page(folder: Path, pictures: str) -> str:
    """The page of all widgets; their pictures are drawn into `folder`, which the site has at the address `pictures`.

    The data of each widget are kept beside its pictures, for the pages of the notebooks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: draw_positions(name, shown, folder) for name, shown in widgets().items()}
    for name, data in found.items():
        (folder / f"{name}.json").write_text(json.dumps(data))
    return "\n".join([INTRO, *(section(name, data, pictures) for name, data in found.items())])


def embed(notebook: str, folder: Path, pictures: str) -> str:
    """A notebook's JSON in which the output of each widget is its box, with the data in `folder`."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        source = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        for name, call in CALLS.items():
            if f"lab.{call}(" in source:
                data = json.loads((folder / f"{name}.json").read_text())
                shown = {"text/html": box(name, data, pictures)}
                cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": shown}]
    return json.dumps(content)
