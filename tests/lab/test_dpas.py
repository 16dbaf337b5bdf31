"""The registers of dpas, and its emulation in SYCL on Intel's runtime for CPUs."""

import pytest
import torch

from tinyllm.draw.dpas import BOTH, OF_LANE, OF_STEP, draw_dpas
from tinyllm.lab.dpas import run_emulated_dpas, to_registers


def operands(dtype):
    torch.manual_seed(0)
    return torch.randn(8, 16).to(dtype), torch.randn(16, 16).to(dtype), torch.randn(8, 16)


def test_a_lane_has_a_column_and_pairs_of_rows():
    a, b, c = operands(torch.float32)
    of_a, of_b, of_c = to_registers(a, b, c)
    assert torch.equal(of_a[5], a[:, 5])
    assert torch.equal(of_c[5], c[:, 5])
    assert of_b[5, 3].tolist() == [b[6, 5], b[7, 5]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_emulation_is_a_matmul(dtype):
    a, b, c = operands(dtype)
    torch.testing.assert_close(run_emulated_dpas(a, b, c), c + a.float() @ b.float())


def test_the_drawing_marks_a_lane_and_a_step():
    from matplotlib.colors import to_hex

    axis = draw_dpas(lane=5, k=3).axes[0]
    squares = [patch for patch in axis.patches if patch.get_width() < 1]
    colours = [to_hex(square.get_facecolor()) for square in squares]
    assert len(squares) == 8 * 16 + 16 * 16 + 8 * 16
    assert colours.count(OF_LANE) == 8 + 15 + 8
    assert colours.count(OF_STEP) == 8 + 15
    assert colours.count(BOTH) == 1
    assert all(text.get_fontsize() >= 9 for text in axis.texts)


def test_a_lane_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="lane 16, step 0: expected numbers from 0 to 15"):
        draw_dpas(16, 0)
