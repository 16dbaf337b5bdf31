"""The drawing of a block cut over ranks: what each rank holds, as large as it is."""

from itertools import pairwise

import pytest

from tinyllm.draw.halves import draw_halves
from tinyllm.draw.picture import smallest_letters


@pytest.mark.parametrize("cuts", [(0, 768, 1536), (0, 512, 1024, 1536), (0, 512, 1536)])
def test_a_rank_has_a_lane_as_high_as_its_columns(cuts):
    columns = [range(start, end) for start, end in pairwise(cuts)]
    figure = draw_halves(columns, 576)
    (axis,) = figure.axes
    boxes = axis.patches[2:]  # after the input and the output: four of each rank
    assert len(boxes) == 4 * len(columns)
    heights = [box.get_height() for box in boxes[::4]]
    shares = [len(part) / 1536 for part in columns]
    assert [height / sum(heights) for height in heights] == pytest.approx(shares)
    assert [box.get_height() for box in boxes[2::4]] == heights  # of both matrices alike
    texts = [text.get_text() for text in axis.texts]
    for rank, part in enumerate(columns):
        assert f"rank {rank}" in texts and f"down\n{len(part)}\ncolumns" in texts
    assert len({box.get_facecolor() for box in boxes}) == len(columns)
    assert smallest_letters(figure) >= 8
