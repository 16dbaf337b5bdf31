"""Every name of `lab` can be imported, and no other."""

import pytest

from tinyllm import lab


@pytest.mark.parametrize("name", lab.__all__)
def test_every_name_can_be_imported(name):
    assert getattr(lab, name) is not None
    assert name in dir(lab)


def test_other_names_raise():
    with pytest.raises(AttributeError, match="has no attribute 'nothing': expected one of dir"):
        lab.nothing  # noqa: B018
