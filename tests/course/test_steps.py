"""The sliders in the pages of the notebooks: the box replaces the output of the cell that shows the widget."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book"))
import steps

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
DATA = {
    "controls": [["step", [0, 1]]],
    "frames": [{"image": f"x-{i}.png", "words": f"</pre> {i}", "alt": f"step {i}"} for i in (0, 1)],
}


@pytest.fixture
def folder(tmp_path):
    for name in steps.CALLS:
        (tmp_path / f"{name}.json").write_text(json.dumps(DATA))
    return tmp_path


def cell(source, kind="code"):
    return {
        "cell_type": kind,
        "source": [source],
        "outputs": [{"output_type": "stream", "text": "x"}],
    }


def test_the_box_replaces_the_output_of_its_cell_alone(folder):
    cells = [
        cell("lab.step_through_beams(a, b)"),
        cell("print(lab.step_through_beams)"),
        cell("lab.step_through_beams(a)", "markdown"),
    ]
    found = json.loads(steps.embed(json.dumps({"cells": cells}), folder, "../there"))["cells"]
    assert found[1:] == cells[1:]
    (output,) = found[0]["outputs"]
    shown = output["data"]["text/html"]
    assert 'id="beams" data-pictures="../there"' in shown and 'src="../there/x-0.png"' in shown
    assert "&lt;/pre&gt; 0" in shown
    script = shown.partition('<script type="application/json">')[2].partition("</script>")[0]
    assert json.loads(script) == DATA


WIDGETS = {"gpus": 0, "beams": 9, "softmax": 10, "ladder": 14}


@pytest.mark.parametrize("name, number", WIDGETS.items())
def test_each_widget_is_in_the_page_of_its_notebook(folder, name, number):
    (path,) = NOTEBOOKS.glob(f"{number:02}_*.ipynb")
    assert steps.embed(path.read_text(), folder, "there").count(f'id=\\"{name}\\"') == 1
    assert f"notebook {number:02}" in steps.TITLES[name][1]


def test_no_other_notebook_changes(folder):
    for path in NOTEBOOKS.glob("[0-9]*.ipynb"):
        if int(path.name[:2]) not in WIDGETS.values():
            assert json.loads(steps.embed(path.read_text(), folder, "there")) == json.loads(
                path.read_text()
            )
