"""The door of the notebooks opens on every name it lists, and on no other."""

import pytest

from tinyllm import lab


@pytest.mark.parametrize("name", lab.__all__)
def test_every_name_leads_somewhere(name):
    assert getattr(lab, name) is not None
    assert name in dir(lab)


def test_no_other_name_does():
    with pytest.raises(AttributeError, match="has no attribute 'nothing': expected one of dir"):
        lab.nothing  # noqa: B018
