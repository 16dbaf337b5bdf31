"""The form of the notebooks: question, links, exercises, takeaway and bar, in the same places."""

import ast
import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = {int(path.name[:2]): path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))}
SOLUTIONS = {
    int(path.name[:2]): path for path in sorted((FOLDER / "solutions").glob("[0-9][0-9]_*.ipynb"))
}
WORDS, LINES = 1000, 10
WITH_A_BAR = (2, 4, 5, 6, 9, 11, 12, 14)  # the notebooks that change a step
MARKDOWN, CODE = "markdown", "code"


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
    """Names that a cell calls, or passes to a call."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {
        name.id for call in calls for name in (call.func, *call.args) if isinstance(name, ast.Name)
    }


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
        any(re.fullmatch(r"check(_\w+)?", name) for name in names) for names in under
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
    rest = source(last).startswith("**Next question.**") and "?" in source(last)
    return (
        last["cell_type"] == MARKDOWN and rest and bool(re.search(rf"\]\({link}\)", source(last)))
    )


def links_to_what_is_there(notebook, number):
    links = re.findall(r"\]\(([^)#:]+)\)", text(notebook))  # without a scheme
    return all((FOLDER / link).exists() for link in links)


RULES: list[Callable] = [
    has_title,
    asks,
    links_back,
    has_few_words,
    has_short_cells,
    checks_every_exercise,
    folds_a_hint,
    has_a_solution,
    takes_one_thing_away,
    puts_figures_side_by_side,
    adds_its_bar,
    leads_on,
    links_to_what_is_there,
]


def broken(notebook, number):
    return [rule.__name__ for rule in RULES if not rule(notebook, number)]


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_a_notebook_has_the_form_of_all(number):
    assert broken(read(NOTEBOOKS[number]), number) == []


def test_the_course_is_complete():
    assert list(NOTEBOOKS) == list(SOLUTIONS) == list(range(17))


@pytest.mark.parametrize("number", SOLUTIONS)
def test_solutions_have_short_cells_too(number):
    assert has_short_cells(read(SOLUTIONS[number]), number)


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
    (asks, swap("left to fuse around them?", "left to fuse around them.")),
    (links_back, swap("[05](05_rope_and_the_cache_write.ipynb) put", "05 put")),
    (
        links_back,
        swap(
            "](05_rope_and_the_cache_write.ipynb) put", "](04_fusing_norm_and_residual.ipynb) put"
        ),
    ),
    (has_few_words, swap("## The same tokens", "## The same tokens\n\n" + "word " * 400)),
    (has_short_cells, swap("print(", "# why\n" * 10 + "print(", CODE)),
    (has_short_cells, is_empty),
    (checks_every_exercise, swap("## Exercise", "## Homework")),
    (checks_every_exercise, swap("print(check(", "print(str(", CODE)),
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
    (adds_its_bar, swap("draw_saved(5)", "draw_saved(6)", CODE)),
    (adds_its_bar, swap("saved_as_text(5)", "saved_as_text(4)", CODE)),
    (adds_its_bar, swap("lab.draw_saved(5)", "x = 1\nlab.draw_saved(5)", CODE)),
    (leads_on, swap("**Next question.**", "**Next.**")),
    (
        leads_on,
        swap("](07_the_same_kernel_for_intel.ipynb)", "](08_the_cache_and_why_beams_hurt.ipynb)"),
    ),
    (
        leads_on,
        lambda notebook: notebook["cells"].append(
            {"cell_type": CODE, "source": ["1"], "outputs": []}
        ),
    ),
    (
        links_to_what_is_there,
        swap("## The same tokens", "## The same tokens\n\n[99](99_no_such.ipynb)"),
    ),
]


@pytest.mark.parametrize("rule, spoil", FAULTS, ids=[rule.__name__ for rule, _ in FAULTS])
def test_a_fault_of_each_kind_is_found(rule, spoil):
    notebook = read(NOTEBOOKS[5])
    spoil(notebook)
    assert rule.__name__ in broken(notebook, 5)


def test_there_is_a_fault_for_every_rule():
    assert {rule for rule, _ in FAULTS} == set(RULES)


@pytest.mark.parametrize("number", [0, 1, 8])
def test_a_wrong_bar_is_found(number):
    notebook, other = read(NOTEBOOKS[number]), read(NOTEBOOKS[14])
    (bar,) = (cell for cell in other["cells"] if "draw_saved(" in source(cell))
    notebook["cells"].insert(-1, bar)
    assert broken(notebook, number) == ["adds_its_bar"]
