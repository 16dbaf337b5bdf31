"""Every name of `lab` can be imported, and no other."""

import importlib

import pytest

from tinyllm import lab


@pytest.mark.parametrize("name", lab.__all__)
def test_every_name_can_be_imported(name):
    assert getattr(lab, name) is not None
    assert name in dir(lab)


def test_other_names_raise():
    with pytest.raises(AttributeError, match="has no attribute 'nothing': expected one of dir"):
        lab.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["intel_gpus", "attention_code"])
def test_a_function_is_not_hidden_by_its_module(name):
    module = importlib.import_module(f"tinyllm.lab.{name}")
    assert getattr(lab, name) is getattr(module, name)
