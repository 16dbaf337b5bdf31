"""The form of the notebooks as rules: question, links, predictions, exercises, takeaway and bar, in the same places."""

import ast
import json
import re
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from tinyllm.draw.picture import LETTERS
from tinyllm.draw.saved import NAMES as WITH_A_BAR

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = {int(path.name[:2]): path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))}
SOLUTIONS = {
    int(path.name[:2]): path for path in sorted((FOLDER / "solutions").glob("[0-9][0-9]_*.ipynb"))
}
WORDS, LINES, COLUMNS = 1300, 10, 90
POINTS = 8  # of the smallest letters of a picture
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


def has_narrow_outputs(notebook, number):
    """What is printed, and values that are shown as text; where there is a picture as well, the text is hidden."""
    values = [
        "".join(output["data"]["text/plain"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if list(output.get("data", {})) == ["text/plain"]
    ]
    texts = [*map(printed, notebook["cells"]), *values]
    return all(len(line) <= COLUMNS for text in texts for line in text.split("\n"))


def has_narrow_tables(notebook, number):
    """Those in Markdown that a cell shows: the widest cell of each column, with a gap."""
    return all(
        sum(max(map(len, column)) + 2 for column in zip_longest(*rows, fillvalue="")) - 2 <= COLUMNS
        for rows in markdown_tables(notebook)
    )


def has_legible_pictures(notebook, number):
    """The smallest letters of each on a phone, as the text of a picture states them."""
    pictures = [
        BytesIO(b64decode("".join(output["data"]["image/png"])))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    return all(float(Image.open(one).text.get(LETTERS, 0)) >= POINTS for one in pictures)


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
    has_narrow_outputs,
    has_narrow_tables,
    has_legible_pictures,
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
