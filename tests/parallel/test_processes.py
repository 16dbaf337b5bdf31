"""Two, three and eight processes on gloo: the answers of one process, and errors where ranks differ, end or hang."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import rank_worker
import torch

import tinyllm
from models import KINDS, close, letters, tiny
from tinyllm.bench.rows import read_rows

ROOT = Path(__file__).parents[2]
HEADS = {2: 6, 3: 6, 8: 8}
TIMEOUT_S = {"ends": 120, "hangs": 20}  # of ranks that wait for another one, on a busy machine
WORDS = "expected the same on all {} ranks; pass every rank the same arguments, and seed every rank alike"


def saved(folder, kind, **changes):
    name = "-".join([kind, *(f"{value}" for value in changes.values())])
    tiny(kind, **changes).save_pretrained(folder / name)
    return name


def case(model, stage="final", ways=("greedy", "beams", "samples")):
    return {"model": model, "stage": stage, "ways": list(ways)}


def cases_of_two(folder):
    models = [
        saved(folder, kind, tie_word_embeddings=kind in ("gemma2", "bloom")) for kind in KINDS
    ]
    stages = [case(models[KINDS.index("llama")], stage) for stage in tinyllm.STAGES]
    return [*(case(model) for model in models), *stages]


def cases_of_three(folder):
    heads = {"num_attention_heads": 6, "num_key_value_heads": 1, "hidden_size": 36}
    models = [saved(folder, kind, **heads) for kind in ("llama", "gpt_neox")]
    return [case(model) for model in models]


def cases_of_eight(folder):
    """The families of the largest models: of Llama-2-70B two ranks share a head of keys, of Bloom none does."""
    sizes = {"num_attention_heads": 16, "hidden_size": 64}
    models = [
        saved(folder, "llama", num_key_value_heads=4, head_dim=4, **sizes),
        saved(folder, "bloom", **sizes),
    ]
    return [case(model) for model in models]


# For each number of ranks: their cases, and how the last of them is lost.
WORLDS = {2: (cases_of_two, "ends"), 3: (cases_of_three, "hangs"), 8: (cases_of_eight, "ends")}


def plan(folder, size):
    """What the ranks of a world do; their models are stored in its folder."""
    make_cases, loss = WORLDS[size]
    heads = {"num_attention_heads": HEADS[size], "num_key_value_heads": HEADS[size], "head_dim": 8}
    tiny(**heads, hidden_size=8 * HEADS[size]).save_pretrained(folder / "with-tokenizer")
    letters().save_pretrained(folder / "with-tokenizer")
    return {
        "size": size,
        "cases": make_cases(folder),
        "loss": loss,
        "timeout_s": TIMEOUT_S[loss],
    }


def run(folder):
    """Start the ranks of all worlds."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "parallel")))
    ranks = subprocess.Popen(
        [sys.executable, rank_worker.__file__, folder],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        error = ranks.communicate(timeout=300)[1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(ranks.pid, signal.SIGKILL)
    assert ranks.returncode == 0, error


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The folders of all worlds, whose ranks have run."""
    folder = tmp_path_factory.mktemp("worlds")
    folders = {size: folder / str(size) for size in WORLDS}
    for size, own in folders.items():
        own.mkdir()
        (own / "plan.json").write_text(json.dumps(plan(own, size)))
    run(folder)
    return folders


@pytest.fixture(scope="module", params=WORLDS)
def ranks(request, worlds):
    """A world's folder and cases, and what each of its ranks found."""
    folder = worlds[request.param]
    found = [
        json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(request.param)
    ]
    return folder, rank_worker.plan_of(folder)["cases"], found


def test_every_rank_has_the_answers_of_one_process(ranks):
    folder, cases, found = ranks
    ids, options = rank_worker.inputs()
    for i, one in enumerate(cases):
        model = tinyllm.from_pretrained(
            folder / one["model"], stage=one["stage"], device="cpu", dtype="float32"
        )
        expected = {way: rank_worker.answer(model, way) for way in one["ways"]}
        logits = model(ids, options["attention_mask"])
        for rank in found:
            assert rank["cases"][i]["tokens"] == expected, one
            close(torch.tensor(rank["cases"][i]["logits"]), logits)
            assert rank["cases"][i]["logits"] == found[0]["cases"][i]["logits"], "the same bits"


def test_the_model_shows_its_rank_and_why_steps_are_eager(ranks):
    _, _, found = ranks
    for i, rank in enumerate(found):
        assert f"rank       {i} of {len(found)}" in rank["shown"]
        assert f"eager (a native step makes no sums over {len(found)} ranks)" in rank["shown"]


def test_the_first_rank_reads_the_input_and_prints(ranks):
    folder, _, found = ranks
    model = tinyllm.from_pretrained(folder / "with-tokenizer", device="cpu", dtype="float32")
    ids = model.tokenizer("abc", return_tensors="pt")["input_ids"]
    new = model.generate(ids, max_new_tokens=5, do_sample=False)[0, 3:]
    expected = [0, model.tokenizer.decode(new) + "\n"]
    first, *others = [rank["commands"] for rank in found]
    assert first["prompt"] == first["stdin"] == expected
    assert first["bench"][0] == 0 and "ranks" in first["bench"][1]
    for other in others:
        assert other == {"prompt": [0, ""], "stdin": [0, ""], "bench": [0, ""]}
    (row,) = read_rows(folder / "rows.json")
    assert row.ranks == len(found)


def test_ranks_that_differ_get_an_error(ranks):
    _, _, found = ranks
    size = len(found)
    others = list(range(1, size))
    end = f"of ranks {others} differ from those of rank 0: {WORDS.format(size)}"
    lengths = f"the arguments of generate {end}"
    for rank in found:
        assert rank["mismatches"] == {
            "ids": f"ValueError: {lengths}",
            "length": f"ValueError: {lengths}",
            "forward": f"ValueError: input_ids and attention_mask {end}",
            "seed": f"ValueError: the states of random numbers {end}",
            "none": None,
        }


def test_a_rank_that_is_lost_ends_the_others(ranks):
    _, _, found = ranks
    size = len(found)
    for rank, one in enumerate(found[:-1]):
        assert one["loss"]["error"].startswith(
            f"ConnectionError: rank {rank} of {size} has lost another rank, which has ended or does not answer: "
            "its own message has the reason; start all ranks again ("
        )
        assert one["loss"]["seconds"] < TIMEOUT_S["hangs"] + 10
    assert "loss" not in found[-1]
