"""The notebooks have the form of all, and every rule finds its fault."""

import json
import sys
from base64 import b64encode
from copy import deepcopy
from io import BytesIO

import nbformat
import pytest
from notebook_form import (
    CODE,
    COLUMNS,
    FOLDER,
    LANGUAGE,
    LINES,
    MARKDOWN,
    NOTEBOOKS,
    READ_ON,
    RULES,
    SOLUTIONS,
    STATED,
    WITH_A_BAR,
    WORDS,
    adds_its_bar,
    asks,
    asks_for_predictions,
    broken,
    checks_every_exercise,
    exempts_loading,
    folds_a_hint,
    has_a_solution,
    has_few_words,
    has_legible_pictures,
    has_narrow_code,
    has_narrow_outputs,
    has_narrow_tables,
    has_no_traceback,
    has_short_cells,
    has_title,
    hides_answers,
    leads_on,
    links_back,
    links_to_what_is_there,
    names_its_language,
    puts_figures_side_by_side,
    read,
    reads_on,
    runs_on_the_best_device,
    shows_where_it_is,
    source,
    takes_measurements_from_the_run,
    takes_one_thing_away,
    text,
)
from PIL import Image
from PIL.PngImagePlugin import PngInfo

sys.path.insert(0, str(FOLDER.parent / "book"))
import notebooks


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_a_notebook_has_the_form_of_all(number):
    assert broken(read(NOTEBOOKS[number]), number) == []


def test_the_course_is_complete():
    assert list(NOTEBOOKS) == list(SOLUTIONS) == list(range(20))


@pytest.mark.parametrize("number", SOLUTIONS)
@pytest.mark.parametrize(
    "rule",
    [
        has_short_cells,
        has_narrow_code,
        has_narrow_outputs,
        has_narrow_tables,
        has_legible_pictures,
        has_no_traceback,
        exempts_loading,
        names_its_language,
    ],
    ids=lambda rule: rule.__name__,
)
def test_solutions_have_short_cells_too(number, rule):
    assert rule(read(SOLUTIONS[number]), number)


def markdown(words):
    return {"cell_type": MARKDOWN, "metadata": {}, "source": [words]}


def code(lines, *outputs, **metadata):
    return {"cell_type": CODE, "metadata": metadata, "source": [lines], "outputs": list(outputs)}


def stream(words):
    return {"output_type": "stream", "name": "stdout", "text": [words]}


def shown(**data):
    return {
        "output_type": "display_data",
        "data": {k.replace("_", "/"): [v] for k, v in data.items()},
    }


def png(**texts):
    """A picture with texts, as a notebook stores it."""
    chunks, buffer = PngInfo(), BytesIO()
    for name, words in texts.items():
        chunks.add_text(name, words)
    Image.new("RGB", (1, 1)).save(buffer, "PNG", pnginfo=chunks)
    return b64encode(buffer.getvalue()).decode()


def sample():
    """A small notebook 06 that has the form, for faults to be put into."""
    before, after = NOTEBOOKS[5].name, NOTEBOOKS[7].name
    answer = {"tags": ["hide-output"], "jupyter": {"outputs_hidden": True}}
    bars = "".join(f"{n:02} {name}\n" for n, name in WITH_A_BAR.items() if n <= 6)
    pages = ", ".join(f"[page](https://example.org/{n})" for n in range(READ_ON))
    box = shown(text_html="<b>How many?</b><details>12</details>")
    return {
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": dict.fromkeys(LANGUAGE, ""),
        },
        "cells": [
            markdown(f"# 06 · Sample\n\n**Question.** What is left?\n\n[05]({before}) was before."),
            code("from tinyllm import lab\n\ndevice = lab.best_device()"),
            code("model = lab.from_pretrained()", tags=["nbval-ignore-output"]),
            code('lab.draw_decoder("mlp")', shown(text_plain="[picture: it; highlighted: mlp]")),
            code('lab.predict("How many?", 12)', box),
            code('lab.predict("How fast?", 1.5, "ms")', box),
            markdown("## Predicted\n\n**Predict.** How many?"),
            code("print(12)", stream("12\n"), **answer),
            markdown("It reads 456 GB/s, see [its page](https://example.org)."),
            markdown("## Exercise: one\n\nWrite it."),
            code('print(lab.check("linear", f))', stream("linear: not yet\n")),
            markdown(
                "<details><summary>Hint</summary>\n\n[solution](solutions/06_solutions.ipynb)\n</details>"
                "\n\n## Takeaway\n\n> One thing."
            ),
            code(
                "print(lab.side_by_side(table))", stream("        predicted  counted  measured\n")
            ),
            code(
                "print(lab.saved_as_text(6))\nlab.draw_saved(6)",
                stream(bars),
                shown(image_png=png(Letters="8.0")),
            ),
            markdown(f"**Read on.** {pages}"),
            markdown(f"**Next question.** What is next? See [07]({after})."),
        ],
    }


def test_the_sample_has_the_form_of_all():
    assert broken(sample(), 6) == []


def swap(old, new, kind=MARKDOWN):
    """A fault: a text in the last cell of a kind that has it is replaced."""

    def spoil(notebook):
        cell = [c for c in notebook["cells"] if c["cell_type"] == kind and old in source(c)][-1]
        cell["source"] = [source(cell).replace(old, new)]

    return spoil


def is_empty(notebook):
    next(cell for cell in notebook["cells"] if cell["cell_type"] == CODE)["source"] = []


def moves_the_bar(notebook):
    """A fault: the bar comes before the table."""
    sources = [source(cell) for cell in notebook["cells"]]
    bar, table = (
        max(i for i, code in enumerate(sources) if name in code)
        for name in ("draw_saved(", "side_by_side(")
    )
    notebook["cells"].insert(table, notebook["cells"].pop(bar))


def adds(*new):
    """A fault: cells before the last one."""

    def spoil(notebook):
        notebook["cells"][-1:-1] = deepcopy(list(new))

    return spoil


def sets(old, **metadata):
    """A fault: the cell with a text has other metadata."""

    def spoil(notebook):
        (cell,) = (cell for cell in notebook["cells"] if old in source(cell))
        cell["metadata"] = metadata

    return spoil


def doubles(old):
    """A fault: the last cell with a text is duplicated."""

    def spoil(notebook):
        at = max(i for i, cell in enumerate(notebook["cells"]) if old in source(cell))
        notebook["cells"].insert(at, deepcopy(notebook["cells"][at]))

    return spoil


def removes(what, old):
    """A fault: a cell loses its outputs, or is removed."""

    def spoil(notebook):
        (cell,) = (cell for cell in notebook["cells"] if old in source(cell))
        if what == "outputs":
            cell["outputs"] = []
        else:
            notebook["cells"].remove(cell)

    return spoil


FAULTS = [
    (has_title, swap("# 06 · ", "# 6 · ")),
    (has_title, swap("# 06 · ", "# 06 - ")),
    (asks, swap("**Question.**", "**Predict.**")),
    (asks, swap("What is left?", "What is left.")),
    (links_back, swap("[05](05_", "[04](04_")),
    (has_few_words, adds(markdown("word " * WORDS))),
    (has_short_cells, swap("print(lab.check", "# why\n" * LINES + "print(lab.check", CODE)),
    (has_short_cells, is_empty),
    (has_narrow_code, swap("print(12)", f"print({'1' * COLUMNS})", CODE)),
    (has_narrow_outputs, adds(code("print(1)", stream("one  two" + " " * COLUMNS + "three\n")))),
    (has_narrow_outputs, adds(code("print(1)", stream("one\n" + "word " * 20)))),
    (has_narrow_outputs, adds(code("1", shown(text_plain="1" * (COLUMNS + 1))))),
    (has_legible_pictures, adds(code("1", shown(image_png=png(Letters="7.9"), text_plain="it")))),
    (has_legible_pictures, adds(code("1", shown(image_png=png(), text_plain="it")))),
    (
        has_narrow_tables,
        adds(code("1", shown(text_markdown="Run\n\n| " + "long name | " * 9 + "\n| - |"))),
    ),
    (shows_where_it_is, removes("cell", "draw_decoder")),
    (shows_where_it_is, removes("outputs", "draw_decoder")),
    (shows_where_it_is, lambda notebook: notebook["cells"].insert(-3, notebook["cells"].pop(3))),
    (runs_on_the_best_device, swap("lab.best_device()", 'torch.device("cpu")', CODE)),
    (runs_on_the_best_device, swap("from_pretrained(", 'from_pretrained(device="cpu"', CODE)),
    (asks_for_predictions, removes("cell", "How fast?")),
    (asks_for_predictions, removes("outputs", "How fast?")),
    (hides_answers, sets("print(12)")),
    (hides_answers, sets("print(12)", tags=["hide-output"])),
    (hides_answers, sets("print(12)", jupyter={"outputs_hidden": True})),
    (hides_answers, sets("lab.check(", tags=["hide-output"])),
    (takes_measurements_from_the_run, adds(markdown("A token takes 18.5 ms here."))),
    (takes_measurements_from_the_run, adds(markdown("Memory is read at 34.9 GB/s."))),
    (takes_measurements_from_the_run, adds(markdown("That is 3.4 times as fast."))),
    (takes_measurements_from_the_run, adds(markdown("It gives 54 tokens per second."))),
    (takes_measurements_from_the_run, swap("see [its page](https://example.org)", "as is known")),
    (checks_every_exercise, swap("## Exercise", "## Homework")),
    (checks_every_exercise, swap("lab.check(", "str(", CODE)),
    (checks_every_exercise, swap("<details>", "## Exercise 2: no check\n\nWrite it.\n\n<details>")),
    (folds_a_hint, swap("<details><summary>Hint</summary>", "Hint:")),
    (folds_a_hint, swap("</details>", "")),
    (has_a_solution, swap("](solutions/06_solutions.ipynb)", "](solutions/05_solutions.ipynb)")),
    (takes_one_thing_away, swap("## Takeaway", "## In short")),
    (takes_one_thing_away, swap("\n> ", "\n")),
    (takes_one_thing_away, swap("\n> ", "\n> More.\n\n> ")),
    (puts_figures_side_by_side, swap("side_by_side", "aligned", CODE)),
    (puts_figures_side_by_side, doubles("side_by_side(")),
    (puts_figures_side_by_side, removes("outputs", "side_by_side")),
    (adds_its_bar, removes("cell", "draw_saved")),
    (adds_its_bar, removes("outputs", "draw_saved")),
    (adds_its_bar, doubles("draw_saved")),
    (adds_its_bar, moves_the_bar),
    (adds_its_bar, swap("draw_saved(6)", "draw_saved(5)", CODE)),
    (adds_its_bar, swap("saved_as_text(6)", "saved_as_text(5)", CODE)),
    (adds_its_bar, swap("lab.draw_saved(6)", "\n\n\n\n\nlab.draw_saved(6)", CODE)),
    (reads_on, swap("**Read on.**", "More:")),
    (reads_on, swap("https://example.org/2", "https://example.org/1")),
    (leads_on, swap("**Next question.**", "**Next.**")),
    (leads_on, swap("](07_", "](08_")),
    (leads_on, lambda notebook: notebook["cells"].append(code("1"))),
    (links_to_what_is_there, adds(markdown("[99](99_no_such.ipynb)"))),
    (has_no_traceback, adds(code("f()", {"output_type": "error", "traceback": []}))),
    (has_no_traceback, adds(code("f()", stream("Traceback (most recent call last):\n")))),
    (exempts_loading, sets("from_pretrained(")),
    (names_its_language, lambda notebook: notebook["metadata"]["language_info"].pop("version")),
    (
        names_its_language,
        lambda notebook: notebook["metadata"]["kernelspec"].update(display_name="Python 3"),
    ),
]


@pytest.mark.parametrize("rule, spoil", FAULTS, ids=[rule.__name__ for rule, _ in FAULTS])
def test_a_fault_of_each_kind_is_found(rule, spoil):
    notebook = sample()
    spoil(notebook)
    assert rule.__name__ in broken(notebook, 6)


@pytest.mark.parametrize(
    "spoil", [sets("print(12)"), sets("from_pretrained("), sets("lab.check(", tags=["hide-output"])]
)
def test_what_the_runner_sets_is_what_the_rules_expect(spoil):
    notebook = sample()
    spoil(notebook)
    made = nbformat.reads(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}), 4)
    notebooks.normalise(made)
    assert broken(made, 6) == []


def test_there_is_a_fault_for_every_rule():
    assert {rule for rule, _ in FAULTS} == set(RULES)


@pytest.mark.parametrize("number", [0, 7, 19])
def test_a_bar_where_nothing_changes_is_found(number):
    assert "adds_its_bar" in broken(sample(), number)


def test_every_stated_measurement_has_a_reason_and_a_place():
    prose = "\n".join(text(read(path)) for path in NOTEBOOKS.values())
    assert all(reason and sentence in prose for sentence, reason in STATED.items())
