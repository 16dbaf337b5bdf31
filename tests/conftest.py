"""What all tests share: annotations that are enforced, the real model, and transformers' own copy of it."""

import os
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import shapes
import torch

# Read when a kernel is decorated, Triton's own library among them: before any test imports Triton.
if not (torch.cuda.is_available() or torch.xpu.is_available()):
    os.environ["TRITON_INTERPRET"] = "1"

# Before tinyllm is first imported: shape annotations are checked. The kernels are left to their own compilers.
ROOMS = sorted(
    path.stem
    for path in Path(find_spec("tinyllm").origin).parent.iterdir()
    if path.stem.isidentifier() and path.stem != "kernels"
)
shapes.enforce([f"tinyllm.{room}" for room in ROOMS])
# A worker has one core, and so have the programs that it starts.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, torch.get_num_threads()))


# Files by the seconds that they take, the longest first. A worker runs a file to its end, so that what its tests share
# is made once; the files that are not listed take less, and fill the time until all workers are done.
LONGEST = (
    "kernels/test_sycl.py",
    "kernels/test_sycl_attention.py",
    "kernels/test_triton.py",
    "kernels/test_triton_xpu.py",
    "kernels/test_stages.py",
    "kernels/test_sycl_runtime.py",
    "kernels/test_triton_tiles.py",
    "kernels/test_sycl_packed.py",
    "kernels/test_cpu.py",
    "course/test_site.py",
    "cli/test_cli.py",
    "checkpoint/test_default_model.py",
    "families/test_families.py",
    "generation/test_beam_search.py",
    "generation/test_late_stop.py",
    "parallel/test_processes.py",
    "lab/test_kv_trace.py",
    "generation/test_memory.py",
    "course/test_jupyter.py",
    "test_model.py",
    "cost/test_cost_model.py",
    "runtime/test_torch_state.py",
    "generation/test_parity.py",
    "generation/test_failed_calls.py",
    "attention/test_matrix.py",
    "generation/test_compaction.py",
    "bench/test_throughput.py",
    "bench/test_workers.py",
    "bench/test_report.py",
    "parallel/test_parts.py",
    "cli/test_generate.py",
    "cli/test_pipes.py",
    "draw/test_beam_stepper.py",
    "generation/test_sampling.py",
    "families/test_windows.py",
    "cache/test_int8.py",
    "drop_in/test_in_place.py",
    "generation/test_conversations.py",
    "check/test_check.py",
    "checkpoint/test_checkpoint.py",
    "checkpoint/test_gguf_writer.py",
)


# Left out by `--quick`: folders of tests that build, compile or start other processes; and what takes long to make.
NOT_QUICK = ("bench", "cli", "course", "draw", "kernels", "lab")
SLOW = {"smollm", "oracle", "ranks"}
# Of each test's cases `--quick` runs every fourth: all five stages, as four and five have no common factor.
QUICK_STEP = 4


def pytest_addoption(parser):
    parser.addoption(
        "--quick",
        action="store_true",
        help="every fourth case of the tests without the real model, compilers, sites and peers",
    )


def pytest_collection_modifyitems(config, items):
    """The longest files first: one that came last would leave a worker without work."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(name_of_file(item), len(LONGEST)))
    fixtures_of = {item: set(getattr(item, "fixturenames", ())) for item in items}
    if config.getoption("--quick"):
        quick = quick_items(items, fixtures_of)
        config.hook.pytest_deselected(items=[item for item in items if item not in quick])
        items[:] = [item for item in items if item in quick]


def quick_items(items, fixtures_of):
    """What `--quick` runs: of every test that is quick, each fourth case."""
    cases = defaultdict(list)
    for item in items:
        if is_quick(item, fixtures_of[item]):
            cases[item.path, item.originalname].append(item)
    return {item for of_one_test in cases.values() for item in of_one_test[::QUICK_STEP]}


def is_quick(item, fixtures):
    """Whether a test needs neither a slow fixture nor a folder of slow tests."""
    folder = name_of_file(item).partition("/")[0]
    return folder not in NOT_QUICK and not SLOW & fixtures


def name_of_file(item):
    """The path of a test's file in the folder of the tests."""
    return item.path.relative_to(item.config.rootpath / "tests").as_posix()


@pytest.fixture(autouse=True)
def shapes_anew(request):
    """The first calls of every test are checked."""
    shapes.begin_test((request.node.path, request.node.originalname))


@pytest.fixture(scope="session")
def smollm():
    """The default model in the first stage; `tinyllm.model.restage` makes the others of it."""
    import tinyllm

    return tinyllm.from_pretrained(stage="naive", device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def oracle(smollm):
    """The default model as transformers runs it, in float32, on our copy of the weights.

    That these are the weights which transformers itself reads is a test of the default model.
    """
    from tinyllm.bench.peers import transformers_twin
    from tinyllm.checkpoint import open_checkpoint

    return transformers_twin(smollm, open_checkpoint(None)).eval()


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Derived files of this test go to a folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def warned_anew():
    """What was said once is said again, and this test has a temporary folder of its own."""
    from tinyllm.kernels import file_cache

    file_cache._warn_once.cache_clear()
    file_cache._temporary_folder.cache_clear()
