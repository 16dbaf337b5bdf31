"""A tokenizer without transformers makes the tokens and the text that transformers makes, or leaves them to it."""

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tinyllm.checkpoint.config_files import CHAT_TEMPLATE, TOKENIZER_CONFIG
from tinyllm.checkpoint.gguf_tokenizer import read_kept
from tinyllm.checkpoint.lazy import LazyTokenizer
from tinyllm.checkpoint.sources import open_checkpoint
from tinyllm.checkpoint.text_tokenizer import TextTokenizer, text_tokenizer
from tinyllm.cli.streaming import TextStreamer

TEXTS = st.text(max_size=40) | st.sampled_from(
    [
        "<|im_start|>user\n",
        "a  b\t\n",
        "🙂👍🏽",
        "naïve café",
        "北京是中国的首都。",
        "x <|im_end|> y",
        "don't",
    ]
)
VOCABULARY = 49152


@pytest.fixture(scope="module")
def folder():
    """Where the tokenizer of the default model is kept."""
    return open_checkpoint().lazy_tokenizer.folder


@pytest.fixture(scope="module")
def theirs(folder):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def ours(folder):
    found = text_tokenizer(LazyTokenizer(lambda: None, folder))
    assert isinstance(found, TextTokenizer)
    return found


def same(one, other):
    return one["input_ids"].equal(other["input_ids"]) and one["attention_mask"].equal(
        other["attention_mask"]
    )


@settings(deadline=None)
@given(TEXTS)
def test_tokens_of_a_text(ours, theirs, text):
    if text:  # of none, transformers makes no tokens of an integer type
        assert same(ours(text), theirs(text, return_tensors="pt"))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.booleans())
def test_tokens_of_a_conversation(ours, theirs, texts, has_system):
    roles = ["system"] * has_system + ["user", "assistant", "user", "assistant"]
    chat = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    options = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
    expected = theirs.apply_chat_template(chat, **options)
    assert same(ours.apply_chat_template(chat, **options), expected)


@settings(deadline=None)
@given(st.lists(st.integers(0, VOCABULARY - 1), max_size=30))
def test_text_of_tokens(ours, theirs, ids):
    for skip in (True, False):
        expected = theirs.decode(ids, skip_special_tokens=skip)
        assert ours.decode(ids, skip_special_tokens=skip) == expected
        assert ours.decode(torch.tensor(ids), skip_special_tokens=skip) == expected


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_stream_prints_the_text(ours, data):
    """Tokens of texts, so that characters of several tokens are among them, and any tokens."""
    pieces = st.one_of(
        TEXTS.map(lambda t: ours(t)["input_ids"][0].tolist()),
        st.lists(st.integers(0, VOCABULARY - 1), max_size=8),
    )
    ids = [token for piece in data.draw(st.lists(pieces, max_size=5)) for token in piece]
    printed = []
    streamer = TextStreamer(ours)
    streamer._print = lambda text: (
        printed.append(text[streamer.printed :])
        or setattr(streamer, "printed", max(streamer.printed, len(text)))
    )
    streamer.put(torch.tensor([[1, 2, 3]]))
    for token in ids:
        streamer.put(torch.tensor([token]))
    streamer.end()
    assert "".join(printed) == ours.decode(ids, skip_special_tokens=True)


def test_a_stream_does_not_wait_for_the_end(ours, capsys):
    streamer = TextStreamer(ours)
    streamer.put(torch.tensor([[1]]))
    for token in ours("Paris is a city")["input_ids"][0]:
        streamer.put(token[None])
    assert capsys.readouterr().out == "Paris is a city"


def test_the_kept_tokenizer_is_that_of_auto_tokenizer(folder, theirs):
    read = read_kept(folder)
    assert type(read) is type(theirs)
    assert repr(vars(read)) == repr(vars(theirs)).replace(
        repr(theirs._tokenizer), repr(read._tokenizer)
    )
    assert read.backend_tokenizer.to_str() == theirs.backend_tokenizer.to_str()


# What is left to transformers

SETTINGS = {
    "another class": {"tokenizer_class": "LlamaTokenizer"},
    "a text that is cleaned up": {"clean_up_tokenization_spaces": True},
    "split special tokens": {"split_special_tokens": True},
}
TEMPLATES = {
    "a function": "{{ raise_exception('no') }}",
    "a filter of its own": "{{ messages | tojson }}",
    "a tag of its own": "{% generation %}{{ messages[0].content }}{% endgeneration %}",
    "a class": "{% set ns = namespace(a=1) %}{{ ns.a }}",
    "damaged": "{% for message in messages %}",
}


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def is_left(folder):
    marker = object()
    return text_tokenizer(LazyTokenizer(lambda: marker, folder)) is marker


def test_a_copy_is_not_left(copy):
    assert not is_left(copy)
    (copy / CHAT_TEMPLATE).unlink()
    assert not is_left(copy)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_are_left(copy, name):
    path = copy / TOKENIZER_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | SETTINGS[name]))
    assert is_left(copy)


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_that_are_left(copy, name):
    (copy / CHAT_TEMPLATE).write_text(TEMPLATES[name])
    assert is_left(copy)


def test_a_tokenizer_that_was_read_is_used(folder):
    lazy = LazyTokenizer(object, folder)
    assert text_tokenizer(lazy) is not lazy.value
    assert text_tokenizer(lazy) is lazy.value
