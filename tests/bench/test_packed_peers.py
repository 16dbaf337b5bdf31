"""Peers on packed weights: which formats they run in, the file that they read, and what their rows state."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

import models
from tinyllm.bench import worker_engines, worker_formats, worker_runtimes
from tinyllm.bench.compare import Plan, bench
from tinyllm.bench.engines import EngineSettings, Failures, open_engines
from tinyllm.bench.machine import Machine
from tinyllm.bench.packed_peers import gguf_options, packed_peers
from tinyllm.bench.peers import pick_peers
from tinyllm.bench.rows import as_text
from tinyllm.checkpoint import open_checkpoint
from tinyllm.checkpoint.weight_formats import STORED, in_format, pick_weights
from tinyllm.cli import main
from tinyllm.model import load_model
from tinyllm.stages import STAGES

CPU = torch.device("cpu")
MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
PROMPT = torch.arange(3, 9)[None]
SIZES = {"hidden_size": 64, "intermediate_size": 192, "eos_token_id": 3, "pad_token_id": 0}
LLAMA_CPP = '''
"""A stand-in for llama-cpp-python: every token is 5."""
import ctypes
import gguf

LOGITS = (ctypes.c_float * 99)(*[float(i == 5) for i in range(99)])

class Llama:
    def __init__(self, path, **options):
        self.model, self.ctx = gguf.GGUFReader(path), None

    def n_vocab(self):
        return 99

    def reset(self):
        pass

    def eval(self, tokens):
        pass

def llama_model_size(reader):
    return sum(tensor.n_bytes for tensor in reader.tensors)

def llama_get_logits_ith(context, i):
    return ctypes.cast(LOGITS, ctypes.POINTER(ctypes.c_float))
'''


def open_tiny(folder, **changes):
    models.tiny(**SIZES | changes).save_pretrained(folder)
    return open_checkpoint(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    models.tiny(**SIZES).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def tiny(folder):
    return open_checkpoint(folder)


@pytest.fixture
def with_module(monkeypatch):
    """Put a stand-in for a module in place; a dotted name gets its parents."""

    def put(name, **members):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        parent = name.rpartition(".")[0]
        if parent and parent not in sys.modules:
            put(parent)

    return put


def formats(*names):
    return [pick_weights(name, None) for name in names]


def test_every_peer_runs_in_the_formats_that_it_has(tiny):
    peers = pick_peers(["hf", "openvino", "llama.cpp", "torchao"])
    found = packed_peers(peers, tiny, formats("q4_1", "bfloat16", "q8_0", "q4_0"), torch.float32)
    assert {name: one.peer for name, one in found.items()} == {
        "openvino, int4": "openvino",
        "llama.cpp, Q4_1": "llama.cpp",
        "torchao, int4": "torchao",
        "llama.cpp, BF16": "llama.cpp",
        "openvino, int8": "openvino",
        "llama.cpp, Q8_0": "llama.cpp",
        "torchao, int8": "torchao",
        "llama.cpp, Q4_0": "llama.cpp",
    }
    assert packed_peers(peers, tiny, [STORED], torch.float32) == {}  # it is stored dense
    assert found["torchao, int8"].options(Path()) == {"weights": "int8"}


def test_a_file_as_stored_is_the_models_own():
    checkpoint = open_checkpoint(None)
    both = packed_peers(
        pick_peers(["llama.cpp"]), checkpoint, [STORED, *formats("q4_1")], torch.float32
    )
    assert list(both) == ["llama.cpp, Q4_1", "llama.cpp, q4_1"]
    assert both["llama.cpp, Q4_1"].options(Path()) == {
        "file": str(checkpoint.weights.path),
        "weights": "packed Q4_1, Q8_0",
        "table_bytes": 0,
    }


@pytest.mark.parametrize("tied", [False, True])
def test_a_written_file_has_the_blocks_of_our_own_weights(tied, tmp_path):
    checkpoint = open_tiny(tmp_path, tie_word_embeddings=tied)
    (q4_1,) = formats("q4_1")
    ours = load_model(checkpoint, STAGES["sdpa"], CPU, torch.float32, q4_1)
    options = gguf_options(checkpoint, q4_1, tmp_path)
    file = load_model(open_checkpoint(options["file"]), STAGES["sdpa"], CPU, torch.float32, STORED)
    torch.testing.assert_close(ours(PROMPT), file(PROMPT), rtol=0, atol=0)
    assert options["weights"] == "packed Q4_1, Q8_0"
    table = in_format(checkpoint.weights, "model.embed_tokens.weight", ours.embed_tokens, q4_1)
    assert options["table_bytes"] == (0 if tied else table.blocks.nbytes)


def test_weights_that_are_stored_in_no_gguf_file_are_left_out(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"is no GGUF file.*pass --weights q4_1 or q8_0"):
        gguf_options(tiny, STORED, tmp_path)


@pytest.fixture
def llama_cpp(tmp_path, monkeypatch):
    """A stand-in for the package, which other processes find too."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "llama_cpp.py").write_text(LLAMA_CPP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=":")
    monkeypatch.syspath_prepend(tmp_path / "modules")


@pytest.mark.parametrize("tied", [False, True])
def test_rows_of_a_peer_state_its_format_and_its_bytes(tied, tmp_path, llama_cpp):
    (tmp_path / "tiny").mkdir()
    checkpoint = open_tiny(tmp_path / "tiny", tie_word_embeddings=tied)
    settings = EngineSettings(checkpoint, CPU, torch.float32, weights=formats("q8_0"))
    peers = pick_peers(["hf", "llama.cpp"])
    with open_engines(settings, ["sdpa"], peers, Failures()) as engines:
        rows = bench(engines, Plan("tiny", PROMPT, new_tokens=4, repeats=1), machine=MACHINE)
    names = ["hf", "llama.cpp", "llama.cpp, Q8_0", "sdpa", "sdpa, Q8_0"]
    assert [row.stage for row in rows] == names
    hf, dense, peer, _, ours = rows
    assert [row.weights for row in rows[1:3]] == ["dense float32", "packed Q8_0"]
    assert peer.weight_bytes == ours.weight_bytes < dense.weight_bytes
    assert peer.predicted_bytes_per_token == ours.predicted_bytes_per_token
    assert dense.predicted_bytes_per_token == hf.predicted_bytes_per_token
    assert peer.bits_per_weight == ours.bits_per_weight < 9 < hf.bits_per_weight == 32
    assert "packed Q8_0 (8." in as_text(rows) and "dense float32 (32.0 bits)" in as_text(rows)
    assert "weights" not in as_text([replace(row, bits_per_weight=None) for row in rows])


def test_a_peer_that_has_packed_weights_alone_needs_a_format(tmp_path, capsys, with_module):
    open_tiny(tmp_path)
    with_module("torchao", __spec__=SimpleNamespace())
    options = ["--prompts", "4", "--new-tokens", "2", "--repeats", "1", "--stages", "naive"]
    assert main(["bench", "--model", str(tmp_path), *options, "--peers", "torchao"]) == 0
    assert "torchao is left out: it has packed weights alone" in capsys.readouterr().err


def test_openvino_quantises_to_the_integers_of_a_row(folder, with_module):
    calls = []

    class Quantised:
        def from_pretrained(path, **options):
            calls.append(options)
            return Quantised

        def save_pretrained(path):
            path.mkdir()
            (path / "openvino_model.bin").write_bytes(b"123")

    with_module("optimum.exporters.openvino", main_export=None)
    with_module(
        "optimum.intel",
        OVConfig=None,
        OVModelForCausalLM=Quantised,
        OVWeightQuantizationConfig=dict,
    )
    node = constant(40)
    lookup = SimpleNamespace(
        get_friendly_name=lambda: "embedding/aten::embedding/Gather",
        input=lambda i: output_of(node),
    )
    core = SimpleNamespace(read_model=lambda path: SimpleNamespace(get_ops=lambda: [lookup]))
    with_module("openvino", Core=lambda: core)
    with_module("openvino_genai", SchedulerConfig=SimpleNamespace, LLMPipeline=lambda *a, **k: None)
    for bits in ("int4", "int8"):
        engine = worker_runtimes.OpenVINO(folder, CPU, torch.float32, weights=bits)
        assert (engine.weight_bytes, engine.table_bytes) == (3, 40)
        assert engine.weights.startswith(f"packed {bits}")
    how = {"export": True, "compile": False}
    assert calls[0] == how | {"quantization_config": {"bits": 4, "group_size": 64}}
    assert calls[1] == how | {"quantization_config": {"bits": 8}}


def constant(nbytes):
    return SimpleNamespace(get_type_name=lambda: "Constant", get_byte_size=lambda: nbytes)


def output_of(node):
    return SimpleNamespace(get_source_output=lambda: SimpleNamespace(get_node=lambda: node))


@pytest.mark.parametrize(
    ("inputs", "size"), [((2048, 5632), 128), ((576, 1536), 64), ((96, 64), 32)]
)
def test_groups_divide_all_rows(inputs, size, tmp_path):
    config = dict(zip(("hidden_size", "intermediate_size"), inputs, strict=True))
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert worker_formats.group_size(tmp_path) == size


def test_rows_that_no_group_divides_raise(tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": 40, "intermediate_size": 64}')
    with pytest.raises(ValueError, match=r"rows of \[40, 64\] weights.*a multiple of 32"):
        worker_formats.group_size(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("bits", ["int4", "int8"])
def test_torchao_quantises_linear_layers(bits, dtype, folder, with_module):
    """They stay packed: frozen constants are made dense, but for int8 beside bfloat16."""
    with_module("torchao.prototype.quantization.int4", PrototypeInt4WeightOnlyConfig=dict)
    with_module(
        "torchao.quantization",
        quantize_=quantize,
        Int4WeightOnlyConfig=dict,
        Int8WeightOnlyConfig=dict,
    )
    engine = worker_engines.load_torchao(folder, CPU, dtype, weights=bits)
    table = engine.model.get_input_embeddings().weight
    assert engine.model.configured == ({"group_size": 64} if bits == "int4" else {})
    assert engine.weights == f"packed {bits}, dense {worker_formats.name_of(dtype)}"
    frozen = engine.options["compile_config"].options.get("freezing", False)
    assert frozen == (dtype == torch.bfloat16)
    assert engine.table_bytes == table.nbytes
    assert engine.options["cache_implementation"] == "static"


def quantize(model, config):
    model.configured = config


@pytest.mark.parametrize(
    ("device", "config"),
    [
        ("cuda", {"group_size": 64, "int4_packing_format": "tile_packed_to_4d"}),
        ("xpu", {"group_size": 64, "int4_packing_format": "plain_int32"}),
    ],
)
def test_torchao_packs_four_bits_for_the_device(device, config, with_module):
    with_module("torchao.quantization", Int4WeightOnlyConfig=dict, Int8WeightOnlyConfig=None)
    assert worker_engines.torchao_config("int4", torch.device(device), 64) == config


def test_the_bytes_of_a_packed_tensor_are_those_of_its_parts():
    from torch.testing._internal.two_tensor import TwoTensor

    packed = TwoTensor(torch.zeros(3, 4), torch.zeros(3, 4))
    assert worker_formats.stored_bytes(packed) == 2 * 3 * 4 * 4
    assert worker_formats.stored_bytes(torch.zeros(3, dtype=torch.int8)) == 3
