"""A decoder in parts, ranks as threads: tokens and logits of the complete one, and what is read, computed and sent."""

from dataclasses import replace
from functools import partial
from math import prod

import numpy as np
import pytest
import torch

import quantised_folders
from models import KINDS, close, ragged, says, tiny
from tinyllm.checkpoint.gguf_writer import write_gguf
from tinyllm.checkpoint.loading import weight_bytes
from tinyllm.checkpoint.part_weights import PartWeights, part_of
from tinyllm.checkpoint.sources import open_checkpoint
from tinyllm.checkpoint.weight_formats import DENSE, STORED, pick_weights
from tinyllm.checkpoint.weights import SafetensorsFolder
from tinyllm.config import split_evenly
from tinyllm.cost.model import pass_cost
from tinyllm.cost.ranks import step_messages
from tinyllm.cost.workload import Workload
from tinyllm.lab.counters import observe
from tinyllm.lab.rank_threads import on_ranks
from tinyllm.model import load_model
from tinyllm.parallel.ranks import SINGLE, Ranks
from tinyllm.stages import STAGES

CPU = torch.device("cpu")
# Whether the head is tied, and how many ranks: among them ranks that share a key/value head.
LAYOUTS = {"llama": (True, 4), "qwen3": (False, 4), "gemma2": (True, 2), "bloom": (True, 4)}


def load(folder, stage="final", ranks=SINGLE, weight_format=DENSE):
    return load_model(
        open_checkpoint(folder), STAGES[stage], CPU, torch.float32, weight_format, ranks
    )


def answers(model, ids, mask):
    """Logits of all positions; greedy tokens, and those of beams."""
    way = {"attention_mask": mask, "max_new_tokens": 6}
    greedy = model.generate(ids, **way)
    beams = model.generate(ids, **way, num_beams=3, num_return_sequences=2)
    return model(ids, mask), greedy.tolist(), beams.tolist()


def check_ranks(folder, size, stage, weight_format=DENSE):
    """All ranks have the answers of a single process, and the same bits."""
    ids, mask = ragged(61, [7, 4, 9])
    logits, *tokens = answers(load(folder, stage, weight_format=weight_format), ids, mask)
    found = on_ranks(
        size, lambda ranks: answers(load(folder, stage, ranks, weight_format), ids, mask)
    )
    for own_logits, *own_tokens in found:
        close(own_logits, logits)
        assert own_tokens == tokens
        assert torch.equal(own_logits, found[0][0])


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_in_parts(kind, tmp_path):
    tie, size = LAYOUTS.get(kind, (False, 2))
    biases = {"attention_bias": True} if kind in ("llama", "smollm3") else {}
    tiny(kind, tie_word_embeddings=tie, **biases).save_pretrained(tmp_path)
    for stage in ("naive", "final"):
        check_ranks(tmp_path, size, stage)


@pytest.mark.parametrize("stage", ["fused", "segment", "sdpa"])
def test_every_stage_in_uneven_parts(stage, tmp_path):
    changes = {"num_attention_heads": 6, "num_key_value_heads": 1, "hidden_size": 36}
    tiny("phi3", intermediate_size=23, vocab_size=62, **changes).save_pretrained(tmp_path)
    check_ranks(tmp_path, 3, stage)


def test_a_group_of_heads_more_on_one_rank(tmp_path):
    """As SmolLM2-135M on two ranks: 9 heads in 3 groups."""
    changes = {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 36}
    save(tmp_path, **changes)
    check_ranks(tmp_path, 2, "final")
    config = load(tmp_path).config
    parts = [config.of_rank(rank, 2).part for rank in range(2)]
    assert [part.heads for part in parts] == [range(3), range(3, 9)]
    assert [part.key_value_heads for part in parts] == [range(1), range(1, 3)]


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_eight_ranks(kind, tmp_path):
    """As the paper's eight tiles, on the families that it ran there."""
    heads = {"num_attention_heads": 16, "hidden_size": 64}
    heads |= {"num_key_value_heads": 8} if kind == "llama" else {}
    tiny(kind, tie_word_embeddings=kind == "bloom", **heads).save_pretrained(tmp_path)
    check_ranks(tmp_path, 8, "final")


def test_heads_that_do_not_divide(tmp_path):
    sizes = {"hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2}
    config = load(save(tmp_path, **sizes)).config
    says(
        ValueError,
        "6 query heads and 2 key/value heads do not divide among 3 ranks: expected one of [1, 2, 6] ranks",
        lambda: config.of_rank(0, 3),
    )
    heads = [config.of_rank(rank, 6).part for rank in range(6)]
    assert [one.key_value_heads[0] for one in heads] == [0, 0, 0, 1, 1, 1]
    says(
        ValueError,
        "48 columns in units of 32 do not divide among 6 ranks: expected at most 2 ranks",
        lambda: config.of_rank(0, 6, 32),
    )


def save(folder, **changes):
    tiny(**changes).save_pretrained(folder)
    return folder


def test_nothing_is_read_before_heads_are_checked(tmp_path, monkeypatch):
    save(tmp_path)
    monkeypatch.setattr(SafetensorsFolder, "read", lambda *arguments: pytest.fail("was read"))
    monkeypatch.setattr(SafetensorsFolder, "read_part", lambda *arguments: pytest.fail("was read"))
    with pytest.raises(ValueError, match="do not divide among 3 ranks"):
        load(tmp_path, ranks=Ranks(1, 3))


@pytest.mark.parametrize("kind", ["llama", "phi3", "bloom", "opt", "gemma3_text"])
def test_a_rank_reads_its_part_alone(kind, tmp_path, monkeypatch):
    tiny(kind, tie_word_embeddings=kind == "bloom").save_pretrained(tmp_path)
    read = []

    def recorded(method):
        def called(*arguments):
            x = method(*arguments)
            read.append(x.nbytes)
            return x

        return called

    for name in ("read", "read_part"):
        monkeypatch.setattr(SafetensorsFolder, name, recorded(getattr(SafetensorsFolder, name)))
    checkpoint = open_checkpoint(tmp_path)
    full = weight_bytes(checkpoint, torch.float32, DENSE)
    replicated = 0
    totals = []
    for rank in range(2):
        read.clear()
        model = load(tmp_path, ranks=Ranks(rank, 2))
        held = sum(p.nbytes for p in model.parameters())
        own, config = part_of(checkpoint, load_config(checkpoint), rank, 2, torch.float32, DENSE)
        predicted = weight_bytes(own, torch.float32, DENSE, config)
        assert sum(read) == held == predicted
        totals.append(held)
        shapes = checkpoint.weights.shapes
        same = [name for name in shapes if own.weights.shapes.get(name) == shapes[name]]
        replicated = 4 * sum(prod(shapes[name]) for name in same if not name.endswith(".bias"))
    assert full < sum(totals) <= full + replicated + 4 * 61 * 32


def load_config(checkpoint):
    return checkpoint.family.describe(checkpoint.config)


@pytest.mark.parametrize("name", ["q8_0", "q4_0"])
def test_quantised_parts_are_parts_of_the_quantised(name, tmp_path):
    sizes = {"hidden_size": 128, "intermediate_size": 160, "head_dim": 32}
    save(tmp_path, **sizes)
    check_ranks(tmp_path, 2, "final", pick_weights(name, None))
    widths = [
        load(tmp_path, ranks=Ranks(i, 2), weight_format=pick_weights(name, None)) for i in (0, 1)
    ]
    assert [one.config.intermediate_size for one in widths] == [64, 96]


def test_blocks_that_heads_would_cut(tmp_path):
    save(tmp_path, hidden_size=64, intermediate_size=128)
    with pytest.raises(ValueError, match="has rows of 16 weights: weights='q8_0' takes multiples"):
        load(tmp_path, ranks=Ranks(0, 4), weight_format=pick_weights("q8_0", None))
    path = tmp_path / "model.gguf"
    write_gguf(open_checkpoint(tmp_path), path, pick_weights("q8_0", None))
    with pytest.raises(
        ValueError, match="columns 16 to 32 are one rank's part of rows in blocks of 32"
    ):
        load(path, ranks=Ranks(1, 4), weight_format=STORED)
    check_ranks(path, 4, "final", DENSE)  # which cuts decoded rows


@pytest.mark.parametrize("kind", ["llama", "phi3", "bloom", "gemma2"])
@pytest.mark.parametrize("weights", ["q8_0", "float16"])
def test_gguf_files_in_parts(kind, weights, tmp_path):
    sizes = {"hidden_size": 128, "intermediate_size": 160}
    own = {"head_dim": 32, "tie_word_embeddings": True} if kind == "gemma2" else {}
    tiny(kind, **sizes, **own).save_pretrained(tmp_path)
    path = tmp_path / "model.gguf"
    write_gguf(open_checkpoint(tmp_path), path, pick_weights(weights, None))
    check_ranks(path, 2, "final", STORED)


@pytest.mark.parametrize("in_order", [True, False])
def test_quantised_folders_in_parts(in_order, tmp_path):
    config = {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": 32,
        "desc_act": not in_order,
        "sym": False,
    }
    drawn = {"bits": 4, "group": 32, "symmetric": False, "scale_dtype": torch.float16}
    if not in_order:
        drawn["group_of"] = lambda k: np.arange(k)[::-1] // 32
    hf = quantised_folders.tiny()
    tensors_of = partial(quantised_folders.gptq, bits=4)
    quantised_folders.write(
        tmp_path, hf, config | {"checkpoint_format": "gptq"}, tensors_of, **drawn
    )
    check_ranks(tmp_path, 2, "final", STORED)


def test_the_default_model_on_three_ranks():
    """9 query heads and 3 of keys, in the blocks of its file."""
    ids = torch.tensor([[1, 4093, 253, 2, 31]])
    expected = load(None, weight_format=STORED).generate(ids, max_new_tokens=5)
    found = on_ranks(
        3, lambda ranks: load(None, "final", ranks, STORED).generate(ids, max_new_tokens=5)
    )
    assert [one.tolist() for one in found] == [expected.tolist()] * 3


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt_neox", "bloom"])
@pytest.mark.parametrize("rank", [0, 1])
def test_prediction_equals_count_on_a_rank(kind, rank, tmp_path):
    tiny(kind, tie_word_embeddings=kind != "llama").save_pretrained(tmp_path)
    for stage in STAGES.values():
        model = load(tmp_path, stage.name, Ranks(rank, 2))  # which sends nothing
        cache = model.new_cache(2)
        prompt = torch.ones(2, 5, dtype=torch.int64)
        seen = observe(model, prompt, None, cache)
        assert seen.total == pass_cost(stage, model.config, Workload(2, 5, 0, 4))
        seen = observe(model, prompt[:, :1], None, cache)
        assert seen.total == pass_cost(stage, model.config, Workload(2, 1, 5, 4))


@pytest.mark.parametrize(
    "kind, tie, sums", [("llama", False, 4), ("llama", True, 5), ("gptj", False, 2)]
)
def test_messages_are_predicted(kind, tie, sums, tmp_path):
    tiny(kind, tie_word_embeddings=tie).save_pretrained(tmp_path)

    def sent(ranks):
        model = load(tmp_path, ranks=ranks)
        cache = model.new_cache(1, 3, 2)
        model.step(torch.ones(1, 5, dtype=torch.int64), None, cache)
        prompt = list(ranks.sent)
        ranks.sent.clear()
        model.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
        return model.config, prompt, ranks.sent

    for config, prompt, step in on_ranks(2, sent):
        for found, messages in (
            (prompt, step_messages(config, 5, 4, last_rows=1)),
            (step, step_messages(config, 3, 4)),
        ):
            assert [kind for kind, _ in found].count("sum") == messages.sums == sums
            assert sum(size for _, size in found) == messages.nbytes


def test_columns_are_split_between_units():
    assert split_evenly(11008, 2, 256) == [range(5376), range(5376, 11008)]
    assert split_evenly(61, 3) == [range(20), range(20, 40), range(40, 61)]
    assert split_evenly(80, 2, 32) == [range(32), range(32, 80)]


def test_parts_have_the_names_of_the_complete_weights(tmp_path):
    tiny("opt").save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    config = load_config(checkpoint)
    first, second = (
        part_of(checkpoint, config, rank, 2, torch.float32, STORED)[0].weights for rank in (0, 1)
    )
    assert isinstance(second, PartWeights)
    missing = first.shapes.keys() - second.shapes.keys()
    assert {name.split(".", 4)[4] for name in missing} == {"self_attn.out_proj.bias", "fc2.bias"}
    assert replace(config.of_rank(0, 1), part=None) == config
