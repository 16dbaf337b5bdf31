"""Where weights come from: every way in gives transformers' weights, in no more memory than they need."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import chain

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers import models as vocabularies
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

import models
import tinyllm
from models import close, logits_of
from tinyllm.checkpoint.weights import SafetensorsFolder
from tinyllm.families import family_of

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)


def assert_weights(model, hf, dtype=None):
    """Every parameter of `model` is, bit for bit, what the same rows of `hf` are in `dtype`."""
    theirs, family = dict(hf.named_parameters(remove_duplicate=False)), family_of(hf.config)
    for name, parameter in model.named_parameters():
        expected = torch.cat([theirs[source] for source in family.sources(name)])
        assert parameter.dtype == (dtype or expected.dtype), name
        assert expected.to(parameter.dtype).equal(parameter), name


@pytest.fixture
def saved(tmp_path):
    """A folder with a tiny model, and the model."""

    def save(hf=None, **options):
        hf = models.tiny(seed=1, **options.pop("config", {})) if hf is None else hf
        hf.save_pretrained(tmp_path / "model", **options)
        return tmp_path / "model", hf

    return save


# Folders


@every_stage
@pytest.mark.parametrize("size", ["1GB", "8KB"])
def test_one_file_or_many(saved, size, stage):
    folder, hf = saved(max_shard_size=size)
    assert (len(list(folder.glob("*.safetensors"))) > 3) == (size == "8KB")
    model = tinyllm.from_pretrained(folder, stage=stage, device="cpu")
    ids, mask = models.ragged(61, (3, 6))
    assert_weights(model, hf)
    expected = hf.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=9)
    assert model.generate(ids, mask, max_new_tokens=9).tolist() == expected.tolist()


@pytest.mark.parametrize("stored", DTYPES)
@pytest.mark.parametrize("asked", [None, "float32", "torch.bfloat16", torch.float16])
def test_number_formats(saved, stored, asked):
    folder, hf = saved(models.tiny(seed=1).to(stored))
    model = tinyllm.from_pretrained(str(folder), device="cpu", dtype=asked)
    right = {
        None: stored,
        "float32": torch.float32,
        "torch.bfloat16": torch.bfloat16,
        torch.float16: torch.float16,
    }
    assert model.dtype == right[asked]
    assert_weights(model, hf, right[asked])


@every_stage
def test_tied_embeddings_stay_tied(saved, stage):
    folder, hf = saved(config={"tie_word_embeddings": True})
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    model = tinyllm.from_pretrained(folder, stage=stage, device="cpu")
    assert model.lm_head.weight is model.embed_tokens.weight
    assert_weights(model, hf)


@pytest.mark.parametrize("same", [True, False])
def test_tied_embeddings_with_a_stored_head(saved, same):
    folder, hf = saved(config={"tie_word_embeddings": True})
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone() + (0 if same else 0.1)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    model, hf = (
        tinyllm.from_pretrained(folder, device="cpu"),
        AutoModelForCausalLM.from_pretrained(folder),
    )
    assert (model.lm_head.weight is model.embed_tokens.weight) == same
    ids, _ = models.ragged(61, (5,))
    close(model(ids), logits_of(hf, ids))


def test_rotary_buffers_of_old_checkpoints_are_no_weights(saved):
    folder, hf = saved()
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors, folder / "model.safetensors")
    assert_weights(tinyllm.from_pretrained(folder, device="cpu"), hf)


def test_defaults_of_generation_and_tokenizer(saved):
    folder, _ = saved()
    model = tinyllm.from_pretrained(folder, device="cpu")
    assert model.tokenizer is None
    assert model.generation_config.eos_token_id is None
    made = Tokenizer(vocabularies.WordLevel({f"word{i}": i for i in range(61)}, unk_token="word0"))
    PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(folder)
    GenerationConfig(eos_token_id=[5, 7], repetition_penalty=1.5).save_pretrained(folder)
    model = tinyllm.from_pretrained(folder, device="cpu")
    assert model.tokenizer.convert_tokens_to_ids("word7") == 7
    assert model.generation_config.eos_token_id == [5, 7]
    assert model.generation_config.repetition_penalty == 1.5


def test_hub_id_from_the_local_cache(saved, tmp_path, monkeypatch):
    folder, hf = saved()
    repository = tmp_path / "hub" / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / ("a" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert_weights(tinyllm.from_pretrained("owner/name", device="cpu"), hf)


def test_variant_of_a_stage(saved):
    folder, hf = saved()
    calls = []

    def counted(*args):
        calls.append(len(args))
        return tinyllm.STAGES["naive"].attention(*args)

    variant = replace(tinyllm.STAGES["naive"], name="mine", attention=counted)
    model, (ids, _) = (
        tinyllm.from_pretrained(folder, stage=variant, device="cpu"),
        models.ragged(61, (5,)),
    )
    close(model(ids), logits_of(hf, ids))
    assert model.stage.name == "mine"
    assert len(calls) == hf.config.num_hidden_layers


# Models in memory


def storages(*tensors):
    return {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors
    }


@every_stage
@pytest.mark.parametrize("index", [0, 1, 4, 5])
def test_optimize_shares_all_weights(index, stage):
    hf = models.listed(index)
    ids, _ = models.ragged(hf.config.vocab_size, (6, 6))
    before, held = logits_of(hf, ids), storages(*hf.parameters())
    model = tinyllm.optimize(hf, stage=stage)
    after = storages(*hf.parameters(), *model.parameters())
    assert sum(after.values()) <= 1.05 * sum(held.values())
    assert after.keys() == storages(*model.parameters()).keys()
    close(model(ids), before)
    assert logits_of(hf, ids).equal(before)


def test_optimize_and_the_model_look_at_the_same_memory():
    hf = models.tiny(tie_word_embeddings=True, attention_bias=True)
    model, family = tinyllm.optimize(hf), family_of(hf.config)
    theirs = dict(hf.named_parameters())
    for name, parameter in model.named_parameters():
        at = parameter.data_ptr()
        for source in family.sources(name):
            assert theirs[source].data_ptr() == at, source
            at += theirs[source].nbytes
    assert model.lm_head.weight is model.embed_tokens.weight
    assert model.tokenizer is None
    assert model.generation_config is hf.generation_config


@pytest.mark.parametrize("dtype", DTYPES)
def test_optimize_keeps_the_format(dtype):
    hf = models.tiny().to(dtype)
    model = tinyllm.optimize(hf)
    assert model.dtype == dtype
    assert_weights(model, hf)


def test_optimize_twice():
    hf = models.tiny()
    ids, _ = models.ragged(61, (6,))
    first, second = tinyllm.optimize(hf), tinyllm.optimize(hf)
    assert first(ids).equal(second(ids))


# GGUF


# Memory

LOADER = """
import json, sys, threading
import torch, tinyllm

folder, small, dtype = sys.argv[1:]
torch.set_num_threads(1)

def anonymous():
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

tinyllm.from_pretrained(small, device="cpu", dtype=dtype)  # everything is imported before the baseline
done, seen = threading.Event(), []

def sample():
    while not done.wait(0.0005):
        seen.append(anonymous())

watch = threading.Thread(target=sample)
before = anonymous()
watch.start()
model = tinyllm.from_pretrained(folder, device="cpu", dtype=dtype)
done.set()
watch.join()
held = sum(p.nbytes for p in model.parameters())
json.dump({"peak": max([*seen, anonymous()]) - before, "model": held, "samples": len(seen)}, sys.stdout)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """About 300 MB in many tensors, in two files; and a small model beside it."""
    small, folder = (tmp_path_factory.mktemp(name) for name in ("small", "large"))
    models.tiny().save_pretrained(small)
    sizes = {
        "hidden_size": 1024,
        "intermediate_size": 2048,
        "num_hidden_layers": 6,
        "vocab_size": 9000,
    }
    with torch.device("meta"):
        hf = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=16, num_key_value_heads=4))
    hf.config.save_pretrained(folder)
    names, shards = [*hf.state_dict()], {}
    for shard, part in enumerate((names[::2], names[1::2])):
        save_file(
            {n: torch.rand(hf.get_parameter(n).shape) for n in part},
            folder / f"{shard}.safetensors",
        )
        shards |= dict.fromkeys(part, f"{shard}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    return folder, small, max(4 * parameter.numel() for parameter in hf.parameters())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_peak_memory_while_loading(large, dtype, record_property):
    folder, small, largest = large
    command = [sys.executable, "-c", LOADER, str(folder), str(small), dtype]
    seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    record_property("memory", seen | {"largest tensor": largest})
    print(
        {
            name: f"{value / 2**20:.1f} MiB"
            for name, value in (seen | {"largest": largest}).items()
            if name != "samples"
        }
    )
    assert seen["model"] > (250 if dtype == "float32" else 125) * 2**20
    assert seen["samples"] > 20
    assert seen["peak"] >= seen["model"]
    assert seen["peak"] <= seen["model"] + largest + 8 * 2**20


def test_each_tensor_of_a_large_file_is_read_once(large, monkeypatch):
    folder, _, _ = large
    reads, read = [], SafetensorsFolder.read
    monkeypatch.setattr(
        SafetensorsFolder, "read", lambda self, name: reads.append(name) or read(self, name)
    )
    tinyllm.from_pretrained(folder, device="cpu", dtype="bfloat16")
    stored = chain.from_iterable(
        safe_open(path, "pt").keys() for path in folder.glob("*.safetensors")
    )
    assert sorted(reads) == sorted(stored)
