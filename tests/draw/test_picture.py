"""A picture of a figure: its bytes are the same each time, and it states how small its letters are on a phone."""

from io import BytesIO

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tinyllm.draw.picture import LETTERS, picture


def figure_of(width, points):
    figure = Figure(figsize=(width, 2), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(labelsize=12)
    axes.set_title("title", fontsize=points)
    axes.text(0, 0, "", fontsize=1)  # without letters
    axes.text(0, 0, "hidden", fontsize=1, visible=False)
    return figure


@pytest.mark.parametrize(
    "width, points, seen",
    [(4.375, 9, "9.0"), (2, 9, "9.0"), (8.75, 9, "4.5"), (8.75, 16, "6.0")],
    ids=["as wide as a phone", "narrow", "wide", "ticks are the smallest"],
)
def test_a_picture_states_how_small_its_letters_are_on_a_phone(width, points, seen):
    made = picture(figure_of(width, points), "a title")
    assert Image.open(BytesIO(made.png)).text == {LETTERS: seen}
    assert made.png == picture(figure_of(width, points), "a title").png
