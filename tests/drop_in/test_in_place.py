"""`optimize(inplace=True)`: a transformers model whose `generate` tinyllm answers, with all else as it was."""

import copy
import gc
import io
import pickle
import threading
import weakref

import pytest
import torch
from in_place import (
    BEAMS,
    MASK,
    NO_FALLBACK,
    PROMPT,
    RECORDED,
    WAY,
    by_tinyllm,
    by_transformers,
    edit_data,
    in_place,
    same_tokens,
)
from transformers import (
    GenerationConfig,
    TextIteratorStreamer,
    Trainer,
    TrainingArguments,
    pipeline,
)
from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateDecoderOnlyOutput

import models
import tinyllm

pytestmark = pytest.mark.filterwarnings(NO_FALLBACK)
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)


STAGES = list(tinyllm.STAGES)
# Every family in two of the stages, and Llama in all.
KINDS_AND_STAGES = [
    (kind, STAGES[(n + k) % 5]) for n, kind in enumerate(models.KINDS) for k in (0, 2)
]


@pytest.mark.parametrize(
    ("kind", "stage"), sorted({*KINDS_AND_STAGES, *(("llama", stage) for stage in STAGES)})
)
def test_the_same_object_generates_the_same_tokens(kind, stage):
    hf = models.tiny(kind)
    expected = by_transformers(hf).tolist()
    assert tinyllm.optimize(hf, stage=stage, inplace=True) is hf
    assert same_tokens(hf) == expected
    same_tokens(hf, **BEAMS)
    assert hf.generate.model.stage.name == stage


@pytest.mark.parametrize("options", [{}, BEAMS], ids=["greedy", "beams"])
def test_results_are_those_of_transformers(options):
    hf = in_place()
    found = by_tinyllm(hf, **options, **RECORDED)
    expected = by_transformers(hf, **options, **RECORDED)
    kind = GenerateBeamDecoderOnlyOutput if options else GenerateDecoderOnlyOutput
    assert type(found) is type(expected) is kind
    scores = [
        hf.compute_transition_scores(
            x.sequences, x.scores, x.get("beam_indices"), normalize_logits=True
        )
        for x in (found, expected)
    ]
    models.close(*scores)
    assert (scores[0] < -0.1).any(), "scores that differ"
    assert torch.equal(found.sequences, expected.sequences)


def test_calls_by_position_and_configuration():
    hf = in_place()
    config = GenerationConfig(max_new_tokens=4, do_sample=False)
    expected = by_transformers(hf, max_new_tokens=4).tolist()
    assert hf.generate(PROMPT, config, attention_mask=MASK).tolist() == expected
    assert hf.generate(inputs=PROMPT, generation_config=config, attention_mask=MASK).tolist() == (
        expected
    )
    hf.generation_config.max_new_tokens = 3
    assert hf.generate(PROMPT, attention_mask=MASK).shape[1] == PROMPT.shape[1] + 3
    hf.generation_config = GenerationConfig(max_new_tokens=2)
    assert hf.generate(PROMPT, attention_mask=MASK).shape[1] == PROMPT.shape[1] + 2


def test_samples_are_drawn_from_the_same_scores():
    hf = in_place()
    answers = []
    for generate in (by_tinyllm, by_transformers):
        torch.manual_seed(0)
        answers.append(generate(hf, do_sample=True, num_return_sequences=3).tolist())
    assert answers[0] == answers[1]


def test_pipelines():
    texts = ["abcd", "xyz"]
    answers = []
    for model in (in_place(), models.tiny()):
        pipe = pipeline("text-generation", model=model, tokenizer=models.letters())
        made = pipe(texts, max_new_tokens=5, do_sample=False)
        answers.append([row[0]["generated_text"] for row in made])
    assert answers[0] == answers[1]
    assert answers[0][0].startswith("abcd") and len(answers[0][0]) > 4


def test_streamers_in_another_thread():
    hf = in_place()
    streamer = TextIteratorStreamer(models.letters(), skip_prompt=True, timeout=60)
    options = {"max_new_tokens": 5, "do_sample": False, "streamer": streamer}
    thread = threading.Thread(target=hf.generate, args=(PROMPT[:1],), kwargs=options)
    thread.start()
    text = "".join(streamer)
    thread.join()
    expected = type(hf).generate(hf, PROMPT[:1], max_new_tokens=5, do_sample=False)
    assert text == models.letters().decode(expected[0, PROMPT.shape[1] :])


@pytest.mark.parametrize("kind", ["llama", "gemma2", "bloom"])
def test_saved_models_have_the_same_tensors(kind, tmp_path):
    hf = models.tiny(kind)
    before = {name: x.clone() for name, x in hf.state_dict().items()}
    tinyllm.optimize(hf, inplace=True)
    hf.save_pretrained(tmp_path)
    again = type(hf).from_pretrained(tmp_path)
    after = again.state_dict()
    assert before.keys() == after.keys() == hf.state_dict().keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert again.config.to_diff_dict() == hf.config.to_diff_dict()
    assert same_tokens(hf) == by_transformers(again).tolist()


def train(hf, folder, **options):
    rows = [{"input_ids": PROMPT[0], "labels": PROMPT[0]}] * 4
    options = {"max_steps": 2, "learning_rate": 0.3, "report_to": [], "use_cpu": True} | options
    arguments = TrainingArguments(folder, save_strategy="no", disable_tqdm=True, **options)
    Trainer(hf, arguments, train_dataset=rows).train()


@pytest.mark.parametrize("bf16", [False, True])
def test_trainers_change_the_weights_that_tinyllm_reads(bf16, tmp_path):
    """In mixed precision, too, tinyllm computes in the number format of the weights."""
    hf = in_place().requires_grad_(True)
    before = same_tokens(hf)
    made = hf.generate.model
    train(hf, tmp_path, bf16=bf16)
    assert hf.training and ("forward" in vars(hf)) == bf16
    plain = models.tiny()
    plain.load_state_dict(hf.state_dict())
    after = by_tinyllm(hf).tolist()
    assert after == by_transformers(plain).tolist() != before
    assert hf.generate.model is made, "captured work stays valid"


FUSED_LOSS = """
from types import MethodType

def patch(model):
    {name} = model.forward

    def fused_forward(self, *args, fused_lm_head=False, **kwargs):
        if fused_lm_head:
            raise NotImplementedError("only in training")
        return {name}(*args, **kwargs)

    model.forward = MethodType(fused_forward, model)
"""


def fused_loss(module, name="original_forward"):
    """A function that replaces a model's `forward`, as TRL's trainers do."""
    namespace = {"__name__": module}
    exec(FUSED_LOSS.format(name=name), namespace)
    return namespace["patch"]


def test_the_forward_that_trl_puts_around_a_models_own():
    hf = in_place()
    before = same_tokens(hf)
    fused_loss("trl.trainer.utils")(hf)
    assert same_tokens(hf) == before
    fused_loss("trl.trainer.utils")(hf)
    assert same_tokens(hf) == before


@pytest.mark.parametrize(
    "given", [("trl.trainer.utils", "other"), ("other.trainer.utils", "original_forward")]
)
def test_another_forward_is_not_taken_for_that_of_trl(given):
    hf = models.tiny()
    fused_loss(*given)(hf)
    with pytest.raises(ValueError, match="has a method 'forward' of its own"):
        tinyllm.optimize(hf, inplace=True)


def test_a_changed_forward_within_that_of_trl_is_found():
    hf = models.tiny()
    hf.forward = lambda *args, **kwargs: None
    fused_loss("trl.trainer.utils")(hf)
    with pytest.raises(ValueError, match="has a method 'forward' of its own"):
        tinyllm.optimize(hf)


def saved_and_loaded(hf):
    buffer = io.BytesIO()
    torch.save(hf, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda hf: pickle.loads(pickle.dumps(hf)),
    "torch.save": saved_and_loaded,
}


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
@pytest.mark.parametrize("name", COPIES)
def test_copies_have_weights_and_a_generate_of_their_own(name, kind):
    hf = in_place(kind)
    before = same_tokens(hf)
    other = COPIES[name](hf)
    assert same_tokens(other) == before
    edit_data(other)
    assert same_tokens(other) != before
    assert same_tokens(hf) == before
    assert other.generate.hf_model is other
    assert other.generate.model is not hf.generate.model


def test_no_second_model_is_pickled():
    hf = in_place()
    same_tokens(hf)
    size = len(pickle.dumps(hf))
    del hf.generate
    assert size < len(pickle.dumps(hf)) + 2000


def test_the_way_back():
    hf = in_place()
    before = same_tokens(hf)
    old = weakref.ref(hf.generate.model)
    del hf.generate
    gc.collect()
    assert old() is None
    assert hf.generate.__func__ is type(hf).generate
    assert hf.generate(PROMPT, **WAY).tolist() == before


def test_in_place_again_and_beside():
    hf = in_place(stage="naive")
    tinyllm.optimize(hf, stage="sdpa", inplace=True)
    assert hf.generate.model.stage.name == "sdpa"
    model = tinyllm.optimize(hf)
    assert model.generate(PROMPT, **WAY).tolist() == same_tokens(hf)


def test_wrapped_models_are_returned_as_they_are():
    hf = models.tiny()
    compiled = torch.compile(hf, backend="eager")
    assert tinyllm.optimize(compiled, inplace=True) is compiled
    assert compiled.generate.hf_model is hf
    same_tokens(hf)
    compiled(PROMPT)
    same_tokens(hf)
