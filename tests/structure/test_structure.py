"""The structure of the repository: cost of imports, allowed imports, no circular imports, length of files."""

import ast
import json
import subprocess
import sys
import tomllib
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import tinyllm

ROOT = Path(__file__).parents[2]
LIBRARY = sorted((ROOT / "tinyllm").rglob("*.py"))
KERNELS = sorted((ROOT / "kernels").rglob("*.py"))
BOOK = sorted((ROOT / "book").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LISTED = """
import json, sys
import {module}
json.dump([name for name in sys.modules], sys.stdout)
"""


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("tinyllm", *parts) if parts[0] == "kernels" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def types_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def statements(node, types):
    """All statements; those for type checkers only with `types`."""
    for child in ast.iter_child_nodes(node):
        if types or not types_only(child):
            yield child
            yield from statements(child, types)


def imports(path, types=False):
    """The imports of a file, at its head or within a function: modules, and the names from each."""
    package = module_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in statements(ast.parse(path.read_text()), types):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from ((module, alias.name) for alias in node.names)


def imported(path, types=False):
    """The same as names: each module, and each name as MODULE.NAME."""
    for module, name in imports(path, types):
        yield module
        if name is not None:
            yield f"{module}.{name}"


def package_of(module):
    """The package of the library that a module is in."""
    return module.split(".")[1] if module.startswith("tinyllm.") else None


@cache
def arrows():
    """From each file to the other packages that it imports, for types too."""
    own = {path: package_of(module_of(path)) for path in (*LIBRARY, *KERNELS)}
    return {
        path: {package_of(name) for name in imported(path, types=True)} - {None, own[path]}
        for path in own
    }


@cache
def file_arrows():
    """From each file to the files that it imports; scripts and tests import each other by bare names."""
    names = {module_of(path): path for path in (*LIBRARY, *KERNELS)}
    scripts = {(path.parent, path.stem): path for path in (*BOOK, *TESTS)}
    helpers = {path.stem: path for path in TESTS if path.parent == ROOT / "tests"}
    found = {}
    for path in (*LIBRARY, *KERNELS, *BOOK, *TESTS):
        targets = set()
        for module, name in imports(path, types=True):
            whole = f"{module}.{name}"
            beside = scripts.get((path.parent, module)) or (
                helpers.get(module) if path in TESTS else None
            )
            target = names.get(whole) or names.get(module) or beside
            targets |= {target} - {None, path}
        found[path] = targets
    return found


def circles(graph):
    """Every circular import on a walk along the arrows, as the list of its files."""
    done, found = set(), []

    def walk(path, trail):
        if path in trail:
            found.append([*trail[trail.index(path) :], path])
        elif path not in done:
            for target in sorted(graph[path]):
                walk(target, [*trail, path])
            done.add(path)

    for path in graph:
        walk(path, [])
    return found


@cache
def loaded(module):
    """What is in `sys.modules` after one import in a fresh interpreter."""
    out = subprocess.run(
        [sys.executable, "-c", LISTED.format(module=module)],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(out.stdout))


@pytest.mark.parametrize(
    "package", ["transformers", "triton", "matplotlib", "gguf", "safetensors", "huggingface_hub"]
)
def test_import_loads_no_heavy_package(package):
    assert package not in loaded("tinyllm")


def test_import_loads_little_besides_torch():
    ours = {name.split(".")[0] for name in loaded("tinyllm") - loaded("torch")}
    assert ours - sys.stdlib_module_names <= {
        "tinyllm",
        "jaxtyping",
        "wadler_lindig",
        "tqdm",
        "numpy",
    }


LADDER = {"decoder", "stages", "runtime", "cost", "generation", "model", "drop_in"}
AROUND = {"checkpoint", "families", "check"}
ABOUT_US = {"bench", "lab", "draw", "cli", "evaluation", "harness", "__main__"}
ABOVE = LADDER | AROUND | ABOUT_US
MAY_NOT = {
    "config": ABOVE | {"linear", "ops", "cache", "attention", "kernels"},
    "linear": ABOVE | {"ops", "cache", "attention"},
    "attention": ABOVE | {"linear", "ops", "cache"},
    "cache": ABOVE | {"linear", "ops"},
    "ops": ABOVE | {"parallel"},
    "parallel": ABOVE | {"cache", "attention"},
    "decoder": ABOVE,
    "runtime": (ABOVE - {"decoder"}) | {"linear"},
    "stages": ABOVE - {"decoder", "runtime"},
    "families": ABOVE | {"linear", "ops", "cache", "attention"},
    "checkpoint": {"generation", "model", "stages", "cost", "check", "cache"},
    "cost": {"generation", "model", "families", "runtime", "check"},
    "generation": {"checkpoint", "families", "model", "ops", "linear", "check"},
    "model": {"check", "ops", "cost", "attention"} | ABOUT_US,
}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    mine = package_of(module_of(path))
    assert not arrows()[path] & MAY_NOT.get(mine, set())
    if mine not in ABOUT_US:
        assert not arrows()[path] & ABOUT_US


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: str(path.relative_to(ROOT)))
def test_kernels_do_not_import_tinyllm(path):
    names = set(imported(path, types=True))
    assert not {
        name
        for name in names
        if name.split(".")[:2] != ["tinyllm", "kernels"] and "tinyllm" in name
    }


def test_imports_are_found():
    names = set(imported(ROOT / "tinyllm" / "decoder.py"))
    assert {"torch", "tinyllm.linear", "tinyllm.attention.metadata.Attention"} <= names
    inputs = ROOT / "tinyllm" / "generation" / "request.py"
    assert "transformers" not in set(imported(inputs)), "imported for types alone"
    assert "transformers" in set(imported(inputs, types=True))
    assert "transformers" in set(imported(ROOT / "tinyllm" / "generation" / "logits.py"))
    kernels = file_arrows()[ROOT / "kernels" / "__init__.py"]
    assert ROOT / "kernels" / "triton" / "__init__.py" in kernels, "imported within a function"
    models = ROOT / "tests" / "models.py"
    assert ROOT / "tinyllm" / "bench" / "engines.py" in file_arrows()[models], (
        "of a test, within a function"
    )
    assert models in file_arrows()[ROOT / "tests" / "cache" / "test_segment.py"], "by its bare name"


def test_no_circular_imports():
    relative = [
        [str(path.relative_to(ROOT)) for path in circle] for circle in circles(file_arrows())
    ]
    assert relative == []


def test_circular_imports_are_found():
    assert circles({1: {2}, 2: {3}, 3: {1}, 4: {1}}) == [[1, 2, 3, 1]]
    assert circles({1: {2, 3}, 2: {3}, 3: set()}) == []


CORE = [
    path
    for path in (*LIBRARY, *KERNELS)
    if package_of(module_of(path))
    in {
        "attention",
        "cache",
        "generation",
        "ops",
        "parallel",
        "runtime",
        "decoder",
        "drop_in",
        "linear",
        "model",
        "stages",
    }
    or path.parent == ROOT / "kernels"
]
every_core_file = pytest.mark.parametrize(
    "path", CORE, ids=lambda path: str(path.relative_to(ROOT))
)


def functions(path):
    tree = ast.parse(path.read_text())
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def parameters(function):
    given = function.args
    rest = [one for one in (given.vararg, given.kwarg) if one is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *rest]


def names_in(annotation):
    if annotation is None:
        return set()
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


@every_core_file
def test_no_parameter_is_typed_object(path):
    bare = [
        f"{function.name}({one.arg})"
        for function in functions(path)
        for one in parameters(function)
        if "object" in names_in(one.annotation)
    ]
    assert bare == []


def calls(path, name):
    tree = ast.parse(path.read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [ast.unparse(node) for node in found if ast.unparse(node.func) == name]


@every_core_file
def test_no_dispatch_by_hasattr(path):
    assert calls(path, "hasattr") == []


TRITON = sorted((ROOT / "kernels" / "triton").glob("*.py"))
MAX_PARAMETERS = 22


def is_jitted(function):
    return any(
        "jit" in ast.unparse(decorator).split("(")[0].split(".")
        for decorator in function.decorator_list
    )


@pytest.mark.parametrize("path", TRITON, ids=lambda path: path.name)
def test_kernels_have_few_parameters(path):
    sizes = {f.name: len(parameters(f)) for f in functions(path) if is_jitted(f)}
    assert {name: size for name, size in sizes.items() if size > MAX_PARAMETERS} == {}


def test_jitted_kernels_are_found():
    assert sum(is_jitted(function) for path in TRITON for function in functions(path)) > 10


def test_consecutive_stages_differ_in_one_field():
    names = [field.name for field in fields(tinyllm.Stage)]
    assert names == ["name", "ops", "cache", "attention", "runner", "kernels"]
    changes = [
        [name for name in names[1:] if getattr(one, name) != getattr(other, name)]
        for one, other in pairwise(tinyllm.STAGES.values())
    ]
    assert changes == [["ops"], ["cache"], ["attention"], ["runner"]]


MATRICES = ("_proj", "lm_head", "embed_tokens", "linear")
OWNERS = {ROOT / "tinyllm" / "linear.py", *(ROOT / "tinyllm" / "checkpoint").glob("*.py")}


def weights_read(path):
    """Lines that read the weight of a matrix or a table."""
    tree = ast.parse(path.read_text())
    attributes = [
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "weight"
    ]
    read = [node for node in attributes if ast.unparse(node.value).endswith(MATRICES)]
    lines = path.read_text().splitlines()
    return sorted({lines[node.lineno - 1].strip() for node in read})


@pytest.mark.parametrize(
    "path", [p for p in LIBRARY if p not in OWNERS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_weights_are_read_by_their_module(path):
    assert weights_read(path) == []


def test_every_package_is_installed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    packages = {module_of(path) for path in (*LIBRARY, *KERNELS) if path.name == "__init__.py"}
    assert set(listed) == packages
    assert {
        module_of(path / "x.py").rpartition(".")[0]
        for path in {file.parent for file in (*LIBRARY, *KERNELS)}
    } == packages


NATIVE = sorted(
    path
    for folder in ("kernels", "tinyllm")
    for ending in ("cpp", "hpp", "cl")
    for path in (ROOT / folder).rglob(f"*.{ending}")
)
MAX_LINES = 400


def is_long(path):
    return len(path.read_text().splitlines()) > MAX_LINES


@pytest.mark.parametrize(
    "path",
    [*LIBRARY, *KERNELS, *NATIVE, *TESTS, *BOOK],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_files_are_short(path):
    assert not is_long(path)


def test_long_files_are_found(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("pass\n" * MAX_LINES)
    assert not is_long(file)
    file.write_text("pass\n" * (MAX_LINES + 1))
    assert is_long(file)


def test_tuple_assignments_are_rare():
    """Tuple assignments are for values of one kind: at most one assignment in twenty."""
    assignments = [
        node
        for path in (*LIBRARY, *KERNELS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign)
    ]
    packed = [
        node
        for node in assignments
        if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
    ]
    assert len(packed) <= len(assignments) / 20
