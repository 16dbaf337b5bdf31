"""A format of one's own is checked: what it stores comes back, and is near what was packed."""

from dataclasses import replace

import pytest

from tinyllm.check.formats import check_format
from tinyllm.checkpoint.weight_formats import quantise
from tinyllm.kernels.block_formats import FORMATS


def check(name, *, most_error=0.15, **changes):
    """The verdict on a format of the gguf package, with some of its members replaced."""
    one = replace(FORMATS[name], **changes)

    def pack(weights):
        return quantise(weights, FORMATS[name])._replace(format=one)

    return check_format(name, pack, most_bits=FORMATS[name].bits, most_error=most_error)


@pytest.mark.parametrize("name", ["Q4_0", "Q4_1", "Q8_0"])
def test_right_formats(name):
    assert check(name).right


def test_weights_that_are_far_from_those_packed():
    decode = FORMATS["Q8_0"].decode
    verdict = check("Q8_0", decode=lambda fields: 1.5 * decode(fields))
    assert not verdict.right and "when it is packed again" in verdict.failure
    verdict = check("Q4_0", most_error=0.01)
    assert not verdict.right and "the mean error is" in verdict.failure


def test_another_number_of_weights():
    verdict = check("Q8_0", elements=64)
    assert not verdict.right and "[1, 256] became [1, 512]" in verdict.failure


def test_more_bits_than_are_allowed():
    pack = lambda weights: quantise(weights, FORMATS["Q8_0"])  # noqa: E731
    verdict = check_format("Q8_0", pack, most_bits=4.5, most_error=1.0)
    assert not verdict.right and "8.50 bits a weight" in verdict.failure


def test_rows_that_depend_on_each_other():
    decode = FORMATS["Q8_0"].decode
    verdict = check("Q8_0", decode=lambda fields: decode(fields) * len(fields["codes"]))
    assert not verdict.right and "the last row alone" in verdict.failure
