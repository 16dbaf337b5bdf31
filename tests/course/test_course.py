"""The form of the notebooks: question, links, predictions, exercises, takeaway and bar, in the same places."""

import ast
import json
import re
import sys
from collections.abc import Callable
from copy import deepcopy
from itertools import zip_longest
from pathlib import Path

import nbformat
import pytest

from tinyllm.draw.saved import NAMES as WITH_A_BAR

FOLDER = Path(__file__).parents[2] / "notebooks"
sys.path.insert(0, str(FOLDER.parent / "book"))
import notebooks  # noqa: E402

NOTEBOOKS = {int(path.name[:2]): path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))}
SOLUTIONS = {
    int(path.name[:2]): path for path in sorted((FOLDER / "solutions").glob("[0-9][0-9]_*.ipynb"))
}
WORDS, LINES, COLUMNS = 1300, 10, 90
READ_ON, PREDICTIONS, NEAR_THE_TOP = 3, 2, 8
MARKDOWN, CODE = "markdown", "code"
# A number with a unit that only a run can give.
MEASURED = re.compile(
    r"\d[\d.,]*\s*(?:[mµun]s\b|seconds?\b|[kMGT]i?B/s|tokens?(?:/s| per second)|"
    r"times (?:as |more |less )?(?:fast|slow)\w*|x (?:fast|slow)er)"
)
# Sentences with such a number that need no run, each with the reason.
STATED: dict[str, str] = {}
LANGUAGE = ("name", "version", "mimetype", "file_extension", "pygments_lexer", "nbconvert_exporter")


def read(path):
    return json.loads(path.read_text())


def source(cell):
    return "".join(cell["source"])


def cells(notebook, kind):
    return [source(cell) for cell in notebook["cells"] if cell["cell_type"] == kind]


def text(notebook):
    return "\n\n".join(cells(notebook, MARKDOWN))


def after(notebook, heading):
    """The cells from the one with a heading to the end."""
    found = [
        i
        for i, cell in enumerate(notebook["cells"])
        if re.search(rf"^## {heading}", source(cell), re.M)
    ]
    return (
        notebook["cells"][found[0] :]
        if found and notebook["cells"][found[0]]["cell_type"] == MARKDOWN
        else []
    )


def called(code):
    """Names of functions and methods that a cell calls, or passes to a call."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    nodes = [node for call in calls for node in (call.func, *call.args)]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)} | {
        node.id for node in nodes if isinstance(node, ast.Name)
    }


def paragraphs(notebook):
    """Of the prose, without blocks of code."""
    plain = re.sub(r"^```.*?^```", "", text(notebook), flags=re.M | re.S)
    return [one for one in re.split(r"\n\n+", plain) if one.strip()]


def printed(cell):
    return "".join("".join(output.get("text", [])) for output in cell.get("outputs", []))


def has_title(notebook, number):
    return source(notebook["cells"][0]).startswith(f"# {number:02} · ")


def asks(notebook, number):
    paragraphs = source(notebook["cells"][0]).split("\n\n")
    return len(paragraphs) > 1 and bool(re.fullmatch(r"\*\*Question\.\*\* [^\n]+\?", paragraphs[1]))


def links_back(notebook, number):
    paragraphs = source(notebook["cells"][0]).split("\n\n")
    before = [NOTEBOOKS[n].name for n in NOTEBOOKS if n < number][-1:]
    return not before or f"]({before[0]})" in "".join(paragraphs[2:3])


def has_few_words(notebook, number):
    return len(re.findall(r"\S+", text(notebook).replace("\n\n", " "))) <= WORDS


def has_short_cells(notebook, number):
    return all(
        code.strip() and 1 <= code.count("\n") + 1 <= LINES for code in cells(notebook, CODE)
    )


def exercises(notebook):
    """The code under each heading of an exercise, cell by cell."""
    found = []
    for cell in after(notebook, "Exercise"):
        headings = (
            re.findall(r"^## (.*)$", source(cell), re.M) if cell["cell_type"] == MARKDOWN else []
        )
        found += [[] for heading in headings if heading.startswith("Exercise")]
        if headings and not headings[-1].startswith("Exercise"):
            break
        found[-1] += [source(cell)] if cell["cell_type"] == CODE else []
    return found


def checks_every_exercise(notebook, number):
    under = [{name for code in one for name in called(code)} for one in exercises(notebook)]
    return bool(under) and all(
        any(re.fullmatch(r"check(_\w+)?|verdict", name) for name in names) for names in under
    )


def folds_a_hint(notebook, number):
    folded = [source(cell) for cell in after(notebook, "Exercise") if cell["cell_type"] == MARKDOWN]
    return any(
        re.search(r"<details><summary>Hints?</summary>\n\n.+\n</details>", one, re.S)
        for one in folded
    )


def has_a_solution(notebook, number):
    name = f"{number:02}_solutions.ipynb"
    return f"](solutions/{name})" in text(notebook) and (FOLDER / "solutions" / name).exists()


def takes_one_thing_away(notebook, number):
    _, found, rest = text(notebook).partition("## Takeaway\n\n")
    quotes = re.findall(r"^> .+$", rest, re.M)
    return (
        bool(found)
        and len(quotes) == 1
        and rest.startswith(quotes[0])
        and "## Takeaway" not in rest
    )


def puts_figures_side_by_side(notebook, number):
    tables = [cell for cell in after(notebook, "Exercise") if "side_by_side(" in source(cell)]
    heads = [re.search(r"^ +predicted +counted +measured$", printed(cell), re.M) for cell in tables]
    return len(tables) == 1 and bool(heads[0])


def adds_its_bar(notebook, number):
    """Between the table and the next question: as text, a line for each notebook that changes a step, and a picture."""
    sources = [source(cell) for cell in notebook["cells"]]
    bars = [i for i, code in enumerate(sources) if "draw_saved(" in code]
    if number not in WITH_A_BAR or len(bars) != 1:
        return number not in WITH_A_BAR and not bars
    cell, tables = (
        notebook["cells"][bars[0]],
        [i for i, code in enumerate(sources) if "side_by_side(" in code],
    )
    lines = re.findall(r"^(\d\d) ", printed(cell), re.M)
    calls = source(cell) == f"print(lab.saved_as_text({number}))\nlab.draw_saved({number})"
    pictured = any("image/png" in output.get("data", {}) for output in cell["outputs"])
    follows = bool(tables) and tables[-1] < bars[0] < len(sources) - 1
    return (
        follows and calls and pictured and lines == [f"{n:02}" for n in WITH_A_BAR if n <= number]
    )


def leads_on(notebook, number):
    last = notebook["cells"][-1]
    link = re.escape(NOTEBOOKS[number + 1].name) if number + 1 in NOTEBOOKS else r"[^)]+"
    found = re.search(r"^\*\*Next question\.\*\* [^\n]*\?[^\n]*", source(last), re.M)
    rest = found[0] if found else ""
    return last["cell_type"] == MARKDOWN and bool(re.search(rf"\]\({link}\)", rest))


def links_to_what_is_there(notebook, number):
    links = re.findall(r"\]\(([^)#:]+)\)", text(notebook))  # without a scheme
    return all((FOLDER / link).exists() for link in links)


def has_narrow_code(notebook, number):
    lines = [line for code in cells(notebook, CODE) for line in code.split("\n")]
    return all(len(line) <= COLUMNS for line in lines)


def has_narrow_tables(notebook, number):
    """Printed ones: lines with two gaps or more. Markdown ones: the widest cell of each column, with a gap."""
    lines = [line for cell in notebook["cells"] for line in printed(cell).split("\n")]
    aligned = [line for line in lines if len(re.findall(r"\S {2,}(?=\S)", line)) > 1]
    return all(len(line) <= COLUMNS for line in aligned) and all(
        sum(max(map(len, column)) + 2 for column in zip_longest(*rows, fillvalue="")) - 2 <= COLUMNS
        for rows in markdown_tables(notebook)
    )


def markdown_tables(notebook):
    """The tables among shown Markdown, as rows of cells."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            shown = "".join(output.get("data", {}).get("text/markdown", []))
            for table in re.findall(r"(?:^\|.*\n?)+", shown, re.M):
                rows = [line.strip("| ").split("|") for line in table.strip().split("\n")]
                yield [[one.strip(" -:") for one in row] for row in rows]


def reads_on(notebook, number):
    """Three different pages elsewhere."""
    found = [one for one in paragraphs(notebook) if "**Read on.**" in one]
    rest = text(notebook).partition("**Read on.**")[2].partition("**Next question.**")[0]
    return len(found) == 1 and len(set(re.findall(r"\]\((https?://[^)]+)\)", rest))) >= READ_ON


def shows_where_it_is(notebook, number):
    """A drawing of the decoder near the top, with a part highlighted."""
    shown = [
        output["data"]
        for cell in notebook["cells"][:NEAR_THE_TOP]
        if "draw_decoder(" in source(cell)
        for output in cell["outputs"]
    ]
    return len(shown) == 1 and "highlighted: " in "".join(shown[0].get("text/plain", []))


def has_no_traceback(notebook, number):
    errors = [
        o
        for cell in notebook["cells"]
        for o in cell.get("outputs", [])
        if o["output_type"] == "error"
    ]
    return not errors and not any("Traceback (most" in printed(cell) for cell in notebook["cells"])


def runs_on_the_best_device(notebook, number):
    """The first code cell picks it; where the device is `"cpu"` later, a comment in the cell gives the reason."""
    codes = cells(notebook, CODE)
    fixed = [code for code in codes if re.search(r"""device(=|\()["']cpu""", code)]
    return (
        bool(codes)
        and "device = lab.best_device()" in codes[0]
        and all("#" in code for code in fixed)
    )


def asks_for_predictions(notebook, number):
    """Boxes whose question is a question, each recorded with a folded answer."""
    shown = [
        "".join(output.get("data", {}).get("text/html", []))
        for cell in notebook["cells"]
        if "predict(" in source(cell)
        for output in cell["outputs"]
    ]
    return sum("?" in one and "<details>" in one for one in shown) >= PREDICTIONS


def hides_answers(notebook, number):
    """The first output after each `**Predict.**`, boxes left out; no other output is hidden."""
    hidden, waiting = [], False
    for i, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == MARKDOWN:
            waiting |= "**Predict.**" in source(cell)
        elif waiting and cell["outputs"] and "predict(" not in source(cell):
            hidden, waiting = [*hidden, i], False
    there = {
        "hide-output": [
            i
            for i, c in enumerate(notebook["cells"])
            if "hide-output" in c["metadata"].get("tags", [])
        ],
        "outputs_hidden": [
            i
            for i, c in enumerate(notebook["cells"])
            if c["metadata"].get("jupyter", {}).get("outputs_hidden")
        ],
    }
    return all(found == hidden for found in there.values())


def takes_measurements_from_the_run(notebook, number):
    """Times, rates and speed-ups are not typed into prose, unless the paragraph links to their source."""
    return not [
        one
        for one in paragraphs(notebook)
        if MEASURED.search(re.sub(r"`[^`]*`", "", one))
        and "](http" not in one
        and not any(sentence in one for sentence in STATED)
    ]


def exempts_loading(notebook, number):
    """A slow machine shows a progress bar where a model is loaded: such a cell is not compared."""
    return all(
        "nbval-ignore-output" in cell["metadata"].get("tags", [])
        for cell in notebook["cells"]
        if cell["cell_type"] == CODE and "from_pretrained(" in source(cell)
    )


def names_its_language(notebook, number):
    """As the kernel names itself, and all that it reports, so that JupyterLab has nothing to change."""
    name = notebook["metadata"]["kernelspec"]["display_name"]
    return name == "Python 3 (ipykernel)" and set(LANGUAGE) <= set(
        notebook["metadata"]["language_info"]
    )


RULES: list[Callable] = [
    has_title,
    asks,
    links_back,
    has_few_words,
    has_short_cells,
    has_narrow_code,
    has_narrow_tables,
    shows_where_it_is,
    runs_on_the_best_device,
    asks_for_predictions,
    hides_answers,
    takes_measurements_from_the_run,
    checks_every_exercise,
    folds_a_hint,
    has_a_solution,
    takes_one_thing_away,
    puts_figures_side_by_side,
    adds_its_bar,
    reads_on,
    leads_on,
    links_to_what_is_there,
    has_no_traceback,
    exempts_loading,
    names_its_language,
]


def broken(notebook, number):
    return [rule.__name__ for rule in RULES if not rule(notebook, number)]


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_a_notebook_has_the_form_of_all(number):
    assert broken(read(NOTEBOOKS[number]), number) == []


def test_the_course_is_complete():
    assert list(NOTEBOOKS) == list(SOLUTIONS) == list(range(20))


@pytest.mark.parametrize("number", SOLUTIONS)
@pytest.mark.parametrize(
    "rule",
    [has_short_cells, has_narrow_code, has_no_traceback, exempts_loading, names_its_language],
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
                "print(lab.saved_as_text(6))\nlab.draw_saved(6)", stream(bars), shown(image_png="x")
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
    (has_narrow_tables, adds(code("print(1)", stream("one  two" + " " * COLUMNS + "three\n")))),
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
