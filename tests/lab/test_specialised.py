"""The source of a kernel without the branches that a launch does not take."""

import pytest

from tinyllm.lab.specialised import WIDTH, kernel_paragraphs, specialised

SOURCE = """
# Offsets
A: tl.constexpr = SIZE % 2 == 0 and not HAS
x = 1 if SIZE < 3 else f(2)
# Only with a mask
if mask_ptr is not None:
    # Load it
    x = load(mask_ptr)
elif A:
    x = 5
else:
    x = 6
if unknown > 2:
    if HAS:
        x = 7
    x = 8
for i in range(n):
    if A or unknown:
        y = i
"""


def test_branches_are_decided_by_constants():
    taken = specialised(SOURCE, {"SIZE": 4, "HAS": False, "mask_ptr": None})
    assert taken == (
        "x = f(2)\n# Only with a mask\nx = 5\n"
        "if unknown > 2:\n    x = 8\nfor i in range(n):\n    y = i"
    )


def test_another_launch_takes_other_branches():
    taken = specialised(SOURCE, {"SIZE": 2, "HAS": True, "mask_ptr": True})
    assert taken == (
        "x = 1\n# Only with a mask\n# Load it\nx = load(mask_ptr)\n"
        "if unknown > 2:\n    x = 7\n    x = 8\nfor i in range(n):\n    if A or unknown:\n        y = i"
    )


def test_what_is_not_known_stays():
    text = "if a < 2:\n    x = 1\nelse:\n    x = 3"
    assert specialised(text, {}) == text


def test_a_statement_that_is_left_out_takes_its_comment_along():
    assert specialised("# Why\nA: tl.constexpr = 2\nx = A", {}) == "x = A"


def test_the_docstring_is_left_out_and_comments_are_wrapped():
    known = {"SOFTCAP": None, "v_scale": None, "AS_BLOCK": False}
    parts = kernel_paragraphs("triton/online_softmax.py", "online_softmax_step", known)
    text = "\n".join(parts)
    assert parts[0].startswith("scores = tl.dot(q, k")
    assert not any(word in text for word in ('"""', "SOFTCAP", "AS_BLOCK", "fmt: skip"))
    assert max(map(len, text.splitlines())) <= WIDTH
    with pytest.raises(LookupError, match="no function 'nothing'"):
        kernel_paragraphs("triton/online_softmax.py", "nothing", known)
