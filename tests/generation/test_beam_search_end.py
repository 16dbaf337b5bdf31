"""A beam search that is over stays as it is."""

import pytest
from test_beam_search import MOST, OVER, SEARCHES, batch_of, ours, run


@pytest.mark.parametrize("end", ["soon", "with the first token"])
@pytest.mark.parametrize("search", [name for name in SEARCHES if "beams" in name])
def test_beams_that_are_over_stay_as_they_are(search, end, monkeypatch):
    """However many steps are taken after the end: that a GPU's answer comes late is then no harm."""
    options = batch_of() | SEARCHES[search] | {"eos_token_id": OVER[end], "max_new_tokens": MOST}
    expected, calls = run(ours("segment"), **options).tolist(), []

    class Deaf:
        late = False

        def __init__(self, *args, **kwargs):
            calls.append([])

        def __call__(self, stopped):
            calls[-1].append(bool(stopped))
            return False

    monkeypatch.setattr("tinyllm.generation.session.AsyncStopFlag", Deaf)
    assert run(ours("segment"), **options).tolist() == expected
    assert len(calls[-1]) == MOST and sum(calls[-1]) > 1
