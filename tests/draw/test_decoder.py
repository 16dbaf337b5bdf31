"""The drawing of the decoder: valid SVG, with the named parts highlighted and letters that can be read."""

from xml.etree import ElementTree

import pytest

from tinyllm import lab
from tinyllm.draw.decoder import HEIGHT, LIT, PLACES, WIDTH

SVG = "{http://www.w3.org/2000/svg}"
POINT = 4 / 3  # CSS pixels


def boxes(drawing, fill):
    return [
        one
        for one in ElementTree.fromstring(drawing.svg).iter(f"{SVG}rect")
        if one.get("fill") == fill
    ]


def words(drawing):
    return {one.text: one for one in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")}


@pytest.mark.parametrize("part", PLACES)
def test_a_named_part_is_highlighted(part):
    drawing = lab.draw_decoder(part)
    assert len(boxes(drawing, LIT)) == len(PLACES[part])
    name = "+" if part == "residual" else part
    bold = {text for text, one in words(drawing).items() if one.get("font-weight") == "bold"}
    assert bold == {name}
    assert drawing.alt.endswith(f"; highlighted: {part}")


def test_every_part_stands_within_the_drawing_with_letters_of_eight_points():
    drawing = lab.draw_decoder(*PLACES)
    for box in boxes(drawing, LIT):
        assert float(box.get("x")) + float(box.get("width")) < WIDTH
        assert float(box.get("y")) + float(box.get("height")) < HEIGHT
    sizes = [float(one.get("font-size", 12)) for one in words(drawing).values()]
    assert min(sizes) >= 8 * POINT  # shown at 420 pixels, one unit is one pixel
    assert set(PLACES) - set(words(drawing)) == {"residual"}


def test_nothing_is_highlighted_without_a_part():
    assert not boxes(lab.draw_decoder(), LIT)
    assert "highlighted" not in lab.draw_decoder().alt


def test_it_is_shown_as_svg_with_a_description():
    drawing = lab.draw_decoder("rope", "cache")
    data, metadata = drawing._repr_mimebundle_()
    assert data["image/svg+xml"] == drawing.svg
    assert data["text/plain"] == f"[picture: {metadata['image/svg+xml']['alt']}]"
    assert drawing == lab.draw_decoder("cache", "rope")


def test_an_unknown_part_is_named():
    with pytest.raises(
        ValueError, match=r"\['mlps'\]: expected some of \['embedding', .*'sampling'"
    ):
        lab.draw_decoder("mlps", "norm")
