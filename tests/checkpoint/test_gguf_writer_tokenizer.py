"""Tokenizers in GGUF files that are written: the same tokens and texts, special tokens and chat template."""

import json

import gguf
import pytest
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as vocabularies
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

import models
from tinyllm.checkpoint import open_checkpoint
from tinyllm.checkpoint.gguf_writer import write_gguf
from tinyllm.checkpoint.weight_formats import pick_weights

CORPUS = [
    "The quick brown fox jumps over the lazy dog, it's 123 4567.",
    "hello world  hello   there\n\n new lines, na\u00efve caf\u00e9 \u5317\u4eac",
] * 5
TEXTS = [
    "hello <think>there<|user|> it's 12 fo",
    " the  quick\n\n\tbrown",
    "\u5317\u4eac \U0001f642 xyz",
    "IT'S 5-6",
]
TEMPLATE = "{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}"
CHAT = [{"role": "user", "content": "hello"}]
ROWS = 420


def byte_level(*first, use_regex=True, digits=False, **options):
    """BPE over bytes behind other steps of a pre-tokenizer."""
    made = Tokenizer(vocabularies.BPE(**options))
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    made.pre_tokenizer = pre_tokenizers.Sequence([*first, last]) if first else last
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>", "<|user|>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>")


def split(name, **options):
    pattern = Regex(GGUF_PRE_TOKENIZER_SPLITS[name])
    return byte_level(pre_tokenizers.Split(pattern, "isolated"), use_regex=False, **options)


def sentencepiece(pre_tokenizer, normalizer=None):
    """BPE over characters, with a token for each byte and a first token."""
    made = Tokenizer(vocabularies.BPE())
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizer
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=130, show_progress=False))
    special = ["<unk>", "<s>", "</s>", "<|user|>", *(f"<0x{i:02X}>" for i in range(256))]
    learned = [token for token, _ in sorted(made.get_vocab().items(), key=lambda pair: pair[1])]
    vocab = {token: i for i, token in enumerate([*special, *learned])}
    merges = [tuple(merge) for merge in merges_of(made)]
    made.model = vocabularies.BPE(
        vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
    )
    made.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
        + [decoders.Strip(" ", 1, 0)] * (normalizer is None)
    )
    made.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    made.add_special_tokens(["<unk>", "<s>", "</s>", "<|user|>"])
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def merges_of(tokenizer):
    return json.loads(tokenizer.to_str())["model"]["merges"]


def metaspace():
    return sentencepiece(pre_tokenizers.Metaspace(prepend_scheme="first", split=False))


def gemma():
    spaces = pre_tokenizers.Split(" ", "merged_with_previous")
    return sentencepiece(spaces, normalizers.Replace(" ", "\u2581"))


GEMMA = {
    "query_pre_attn_scalar": 256,
    "head_dim": 256,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "tie_word_embeddings": True,
}
SMOLLM3 = {"no_rope_layer_interval": 4, "num_hidden_layers": 4}
# Of a tokenizer its maker, the model it belongs to, and how a file names it and the way it cuts texts.
TOKENIZERS = {
    "gpt2": (byte_level, "llama", {}, "gpt2", "gpt-2"),
    "gpt_neox": (byte_level, "gpt_neox", {}, "gpt2", "gpt-2"),
    "qwen": (lambda: split("qwen2"), "qwen2", {}, "gpt2", "qwen2"),
    "llama3": (lambda: split("llama3", ignore_merges=True), "llama", {}, "gpt2", "llama-bpe"),
    "merges": (lambda: split("llama3"), "smollm3", SMOLLM3, "gpt2", "smaug-bpe"),
    "metaspace": (metaspace, "llama", {}, "llama", "default"),
    "gemma": (gemma, "gemma2", GEMMA, "llama", "default"),
}


def saved(folder, tokenizer, kind="llama", **changes):
    """A model with a tokenizer, which has a token of its own and a chat template."""
    tokenizer.add_tokens(["<think>"])
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    models.tiny(kind, vocab_size=ROWS, **changes).save_pretrained(folder)
    return open_checkpoint(folder)


def written(checkpoint, path):
    write_gguf(checkpoint, path, pick_weights("float32", None))
    return path


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_same_tokens(tmp_path, own_cache, name):
    make, kind, changes, model, pre = TOKENIZERS[name]
    checkpoint = saved(tmp_path, make(), kind, **changes)
    original = checkpoint.tokenizer
    path = written(checkpoint, tmp_path / "out.gguf")
    read = open_checkpoint(path).tokenizer
    for text in TEXTS:
        ids = original(text)["input_ids"]
        assert read(text)["input_ids"] == ids
        assert read.decode(ids) == original.decode(ids)
    assert (
        read.apply_chat_template(CHAT)["input_ids"]
        == original.apply_chat_template(CHAT)["input_ids"]
    )
    assert read.eos_token_id == original.eos_token_id
    assert set(original.all_special_ids) <= set(read.all_special_ids)
    fields = gguf.GGUFReader(path).fields
    assert fields["tokenizer.ggml.model"].contents() == model
    assert fields["tokenizer.ggml.pre"].contents() == pre


def test_scores_are_the_ranks_of_merges(tmp_path):
    fields = gguf.GGUFReader(written(saved(tmp_path, metaspace()), tmp_path / "o.gguf")).fields
    tokens, scores, types, merges = (
        fields[f"tokenizer.ggml.{key}"].contents()
        for key in ("tokens", "scores", "token_type", "merges")
    )
    ranks = [tokens.index(merge.replace(" ", "")) for merge in merges]
    assert [scores[i] for i in ranks] == [-float(rank) for rank in range(len(merges))]
    assert types[:4] == [2, 3, 3, 3] and types[4:260] == [6] * 256
    assert types[tokens.index("<think>")] == 4 and types[-1] == 5
    assert fields["tokenizer.ggml.add_bos_token"].contents() is True


def test_transformers_alone_reads_it(tmp_path):
    (tmp_path / "out").mkdir()
    checkpoint = saved(tmp_path, split("qwen2"), "qwen2")
    path = written(checkpoint, tmp_path / "out" / "m.gguf")
    theirs = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    assert theirs(TEXTS)["input_ids"] == checkpoint.tokenizer(TEXTS)["input_ids"]


def test_a_reader_that_cuts_otherwise_is_a_warning(tmp_path):
    """transformers has no pre-tokenizer of this name, and cuts numbers as GPT-2's."""
    numbers = [f"{i:04}" for i in range(2000)]
    CORPUS.extend(numbers)
    tokenizer = byte_level()
    del CORPUS[-len(numbers) :]
    made = tokenizer.backend_tokenizer
    steps = [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    made.pre_tokenizer = pre_tokenizers.Sequence(steps)
    checkpoint = saved(tmp_path, tokenizer)
    with pytest.warns(UserWarning, match="transformers makes other tokens of .*Two spaces"):
        path = written(checkpoint, tmp_path / "out.gguf")
    assert gguf.GGUFReader(path).fields["tokenizer.ggml.pre"].contents() == "smollm"


def unigram():
    made = Tokenizer(vocabularies.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False))
    return PreTrainedTokenizerFast(tokenizer_object=made)


def other_split():
    return byte_level(pre_tokenizers.Split(Regex("a+"), "isolated"), use_regex=False)


def lowercase():
    tokenizer = byte_level()
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unigram, "its model is Unigram, not BPE"),
        (other_split, "llama.cpp has no name for its pre-tokenizer"),
        (lowercase, "its normalizer is Lowercase"),
        (models.letters, "neither ByteLevel nor byte_fallback"),
    ],
)
def test_tokenizers_that_are_left_out(tmp_path, make, reason):
    checkpoint = saved(tmp_path, make(), eos_token_id=7)
    with pytest.warns(UserWarning, match=f"the tokenizer is left out, .*{reason}") as caught:
        path = written(checkpoint, tmp_path / "out.gguf")
    assert len(caught) == 1
    read = open_checkpoint(path)
    assert read.tokenizer is None
    assert read.generation_config.eos_token_id == 7


def test_tokens_beyond_the_embedding(tmp_path):
    tokenizer = byte_level()
    tokenizer.save_pretrained(tmp_path)
    models.tiny(vocab_size=300).save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="its token 329 is beyond the 300 rows of the embedding"):
        written(open_checkpoint(tmp_path), tmp_path / "out.gguf")
