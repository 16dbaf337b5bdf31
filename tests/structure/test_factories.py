"""Every tensor that the library makes has a dtype and a device that the code states: no setting of torch's chooses."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "tinyllm").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")])
FACTORIES = {
    "arange", "as_tensor", "asarray", "empty", "empty_strided", "eye", "full", "linspace", "logspace",
    "normal", "ones", "rand", "randint", "randn", "randperm", "range", "scalar_tensor", "tensor",
    "tril_indices", "triu_indices", "zeros",
}  # fmt: skip
# They take a device and a dtype from their name, or from the default alone.
NEVER = {"Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "LongTensor", "IntTensor"}


def unstated(tree):
    """Calls that make a tensor of torch's default dtype or on its default device."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("torch"), attr=name)):
                stated = {keyword.arg for keyword in node.keywords}
            case ast.Call(
                func=ast.Name("partial"),
                args=[ast.Attribute(value=ast.Name("torch"), attr=name), *_],
            ):
                stated = {keyword.arg for keyword in node.keywords}
            case _:
                continue
        if name in NEVER or (name in FACTORIES and not {"dtype", "device"} <= stated):
            yield ast.unparse(node)


def renamed(tree):
    """Factories imported by name, which `unstated` would not see."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in imports if node.module == "torch" for alias in node.names]
    return sorted(FACTORIES & set(names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_factories_state_dtype_and_device(path):
    tree = ast.parse(path.read_text())
    assert list(unstated(tree)) == []
    assert renamed(tree) == []


@pytest.mark.parametrize(
    "code",
    [
        "torch.zeros(3)",
        "torch.ones(3, dtype=torch.int64)",
        "torch.arange(3, device='cpu')",
        "partial(torch.ones, device='cpu')",
        "torch.Tensor(3)",
    ],
)
def test_what_is_not_stated_is_seen(code):
    assert list(unstated(ast.parse(code))) == [code]


def test_what_is_stated_is_not():
    for code in (
        "torch.zeros(3, dtype=torch.int64, device='cpu')",
        "x.new_empty(3)",
        "torch.cat(x)",
    ):
        assert list(unstated(ast.parse(code))) == []
    assert renamed(ast.parse("from torch import Tensor, arange")) == ["arange"]
