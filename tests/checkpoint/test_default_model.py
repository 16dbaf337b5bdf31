"""SmolLM2-135M-Instruct against transformers in float32: the same weights, the same tokens."""

from functools import cache

import gguf
import jaxtyping
import pytest
import torch
from transformers import AutoModelForCausalLM

import tinyllm
from tinyllm.checkpoint.sources import default_model_file
from tinyllm.families import family_of
from tinyllm.model import restage

NEW_TOKENS, ENDED = 12, 24  # in a comparison, and what an answer that ends may take
LONG = (
    "A language model reads its weights once for every token it writes. When one person asks, nearly all the time goes "
    "into moving those weights from memory, and hardly any into arithmetic. When many people ask at once, the same "
    "weights serve all of them, and the arithmetic begins to count. Between the two lies a ridge, and where it lies "
    "depends on the machine: on how many bytes it can move in a second, and how many products it can form in that. "
)
PADDED = [0, 1, 4, 6]  # rows that every stage answers together; `final` answers each of all alone
PROMPTS = (
    None,  # a conversation, through the chat template
    "The",
    "def fibonacci(n):\n    ",
    "La capitale de la France est Paris, et la capitale de l'Italie est",
    "北京是中国的首都。",
    "SELECT name, COUNT(*) FROM orders WHERE",
    "1, 1, 2, 3, 5, 8, 13,",
    LONG,
)


@pytest.fixture(scope="module", autouse=True)
def unchecked_shapes():
    """The small models check them; here they would take a good part of the time."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def batch(smollm):
    tokenizer = smollm.tokenizer
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    texts = [asked if prompt is None else prompt for prompt in PROMPTS]
    return tokenizer(texts, padding=True, padding_side="left", return_tensors="pt")


def lengths(batch):
    return batch["attention_mask"].sum(1).tolist()


@pytest.fixture(scope="module")
def expected(oracle, batch):
    """As many tokens for each prompt, whatever they are: the end of the text does not end them."""
    return oracle.generate(
        **batch, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False
    )


@pytest.fixture(scope="module")
def some(batch):
    """Three short prompts of different lengths."""
    rows = slice(1, 4)
    ids, mask = (
        batch[name][rows, -max(lengths(batch)[rows]) :] for name in ("input_ids", "attention_mask")
    )
    return {"input_ids": ids, "attention_mask": mask, "max_new_tokens": 8, "num_beams": 4}


@pytest.fixture(scope="module")
def beams(oracle, some):
    """The best two answers to each; any may end."""
    return oracle.generate(**some, num_return_sequences=2, do_sample=False)


@pytest.fixture(scope="module")
def model(request, smollm):
    return restage(smollm, tinyllm.STAGES[request.param])


every_stage = pytest.mark.parametrize("model", tinyllm.STAGES, indirect=True)
final_alone = pytest.mark.parametrize("model", ["final"], indirect=True)


@pytest.fixture(scope="module")
def read_by_transformers():
    """The file as transformers' own reader of GGUF gives it; what it reads again and again is read once."""
    path = default_model_file()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GGUFReader", "get_tensor_name_map"):
            patch.setattr(gguf, name, cache(getattr(gguf, name)))
        return AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )


UNUSED = {
    "_name_or_path",
    "_model_name_or_path",
    "unk_token_id",
    "quantization_config",
}  # by the model's arithmetic


def test_the_oracle_has_the_configuration_that_transformers_reads(oracle, read_by_transformers):
    ours, theirs = oracle.config.to_dict(), read_by_transformers.config.to_dict()
    names = set(ours) | set(theirs)
    differing = {name: (ours.get(name), theirs.get(name)) for name in names}
    differing = {name: pair for name, pair in differing.items() if pair[0] != pair[1]}
    assert differing.keys() <= UNUSED, differing


def test_weights_are_bit_equal(smollm, oracle, read_by_transformers):
    theirs, family = (
        dict(read_by_transformers.named_parameters()),
        family_of(read_by_transformers.config),
    )
    assert all(theirs[name].equal(weight) for name, weight in oracle.named_parameters())
    used = set()
    for name, parameter in smollm.named_parameters():
        sources = family.sources(name)
        used.update(sources)
        assert torch.cat([theirs[source] for source in sources]).equal(parameter), name
    assert used == set(theirs)
    assert smollm.lm_head.weight is smollm.embed_tokens.weight


def test_configuration_and_tokenizer(smollm, oracle):
    assert smollm.config.vocab_size == oracle.config.vocab_size == len(smollm.tokenizer)
    assert smollm.generation_config.eos_token_id == oracle.generation_config.eos_token_id
    assert smollm.dtype == torch.float32
    assert smollm.device.type == "cpu"


def test_prompts_are_diverse(batch):
    assert min(lengths(batch)) == 1
    assert max(lengths(batch)) >= 90


@pytest.fixture(scope="module")
def long_prompt(smollm, oracle):
    """A text, and what transformers makes of it."""
    ids = smollm.tokenizer(LONG * 2, return_tensors="pt")["input_ids"]
    assert ids.shape[1] >= 180
    with torch.no_grad():
        return ids, oracle(ids).logits


@every_stage
def test_logits_of_a_long_prompt(model, long_prompt):
    ids, expected = long_prompt
    torch.testing.assert_close(model(ids), expected, rtol=1e-4, atol=1e-3)


@every_stage
def test_tokens_of_a_left_padded_batch(model, batch, expected):
    rows = {name: values[PADDED] for name, values in batch.items()}
    assert len(set(rows["attention_mask"].sum(1).tolist())) == len(PADDED)
    tokens = model.generate(**rows, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS)
    assert tokens.tolist() == expected[PADDED].tolist()


@every_stage
def test_tokens_of_a_beam_search(model, some, beams):
    assert len(set(some["attention_mask"].sum(1).tolist())) == 3
    assert model.generate(**some, num_return_sequences=2).tolist() == beams.tolist()


@final_alone
@pytest.mark.parametrize("row", range(len(PROMPTS)))
def test_tokens_one_by_one(model, batch, expected, row):
    prompt = batch["input_ids"][row : row + 1, -lengths(batch)[row] :]
    tokens = model.generate(prompt, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS)
    assert tokens[0].tolist() == expected[row, -tokens.shape[1] :].tolist()


@final_alone
def test_answer_ends_where_the_model_ends_it(model, oracle, batch):
    chat = {"input_ids": batch["input_ids"][:1, -lengths(batch)[0] :]}
    expected = oracle.generate(**chat, max_new_tokens=ENDED, do_sample=False)
    assert model.generate(**chat, max_new_tokens=ENDED).tolist() == expected.tolist()
    assert expected.shape[1] < chat["input_ids"].shape[1] + ENDED
